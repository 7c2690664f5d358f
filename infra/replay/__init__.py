"""Recorded reports and readings, sent again through the public API."""

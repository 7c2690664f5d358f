"""Makes incidents of reports and readings, routes them, and keeps the city's work: the only writer of PostgreSQL."""

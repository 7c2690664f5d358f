"""A week of the city in a minute: everything of ours on a real PostgreSQL, whose clock is moved."""

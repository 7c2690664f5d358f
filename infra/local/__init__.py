"""The embedded city: Kafka, PostgreSQL and every service of Patriot on one machine, from packages alone."""

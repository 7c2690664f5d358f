"""Kill tests look into the same database as the tests of the dispatcher."""

from tests.dispatcher.conftest import pool

__all__ = ["pool"]

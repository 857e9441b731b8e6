"""A folder in shared memory for each test."""

from tests.process.conftest import place

__all__ = ["place"]

"""The shop's data: one SQLite file that all workers of the server share."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PRODUCTS = tuple(
    (number, f"{size} {thing}", 4_90 + 35 * number)
    for number, (size, thing) in enumerate(
        ((size, thing) for thing in ("lamp", "chair", "kettle", "clock", "rug") for size in ("small", "large")), start=1
    )
)

SCHEMA = """
CREATE TABLE IF NOT EXISTS product (id INTEGER PRIMARY KEY, name TEXT NOT NULL, cents INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS purchase (
    id INTEGER PRIMARY KEY, product_id INTEGER NOT NULL REFERENCES product, quantity INTEGER NOT NULL
);
"""


def path() -> Path:
    """Where the file is: ``SHOP_DATABASE``, else in the system's temporary folder."""
    return Path(os.environ.get("SHOP_DATABASE") or Path(tempfile.gettempdir()) / "shop.sqlite3")


@contextmanager
def connect() -> Iterator[sqlite3.Connection]:
    """A connection of the calling thread, committed at the end and closed in any case."""
    connection = sqlite3.connect(path(), timeout=5)
    connection.row_factory = sqlite3.Row
    try:
        with connection:
            yield connection
    finally:
        connection.close()


def prepare() -> None:
    """Make the tables and the products; harmless when several workers start at once."""
    with connect() as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(SCHEMA)
        connection.executemany("INSERT OR IGNORE INTO product VALUES (?, ?, ?)", PRODUCTS)

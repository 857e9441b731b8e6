"""Statements with marks for their literals, whatever product they are for."""

from __future__ import annotations

import pytest

from stethoscope.sql import MOST_CHARACTERS, without_literals

SECRET = "bob@secret.example"


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        (f"-- it's\nSELECT a FROM t WHERE b = '{SECRET}' AND c = 4.5", "SELECT a FROM t WHERE b = ? AND c = ?"),
        (f"(SELECT a FROM t WHERE b = '{SECRET}') UNION (SELECT 1)", "(SELECT a FROM t WHERE b = ?) UNION (SELECT ?)"),
        (f"NOTIFY ch, '{SECRET}'", "NOTIFY ch, ?"),
        (f'SELECT a FROM "t" WHERE b = "{SECRET}"', 'SELECT a FROM "t" WHERE b = ?'),
        (rf"SELECT a FROM t WHERE b = 'C:\' AND c = '{SECRET}'", "SELECT a FROM t WHERE b = ?"),
        (f"# it's\nSELECT a FROM t WHERE b = '{SECRET}'", "# it ?"),
        (
            "SELECT a FROM t WHERE b = %(b)s AND c = $1 AND d = ?",
            "SELECT a FROM t WHERE b = %(b)s AND c = $1 AND d = ?",
        ),
    ],
)
def test_of_an_unknown_product_all_that_may_be_a_literal_is_one(sql: str, shown: str) -> None:
    told = without_literals(sql)
    assert SECRET not in told
    assert " ".join(told.split()) == shown


@pytest.mark.parametrize(
    ("product", "sql", "shown"),
    [
        ("postgresql", rf"SELECT a FROM t WHERE b = 'C:\' AND c = '{SECRET}'", "SELECT a FROM t WHERE b = ? AND c = ?"),
        ("postgresql", f"SELECT \"a\" FROM t WHERE b #> '{SECRET}'", 'SELECT "a" FROM t WHERE b #> ?'),
        ("mysql", f"SELECT a # it's\nFROM t WHERE b = '{SECRET}'", "SELECT a FROM t WHERE b = ?"),
        ("mysql", f'SELECT a FROM t WHERE b = "a\\"{SECRET}"', "SELECT a FROM t WHERE b = ?"),
    ],
)
def test_products_have_rules_of_their_own(product: str, sql: str, shown: str) -> None:
    assert without_literals(sql, product) == shown


def test_a_statement_that_goes_on_and_on_is_cut_and_what_is_cut_through_is_a_literal() -> None:
    told = without_literals(f"{'a' * (MOST_CHARACTERS - 8)} '{SECRET}'")
    assert told == f"{'a' * (MOST_CHARACTERS - 8)} ?…"

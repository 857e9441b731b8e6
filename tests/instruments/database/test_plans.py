"""Plans of PostgreSQL: which scans an index would serve, and the statement that makes it."""

from __future__ import annotations

import time

import pytest
from sqlalchemy.dialects import postgresql

from stethoscope.instruments.database.plans import Scan, postgresql_scans

quote = postgresql.dialect().identifier_preparer.quote  # type: ignore[no-untyped-call]


def scans(condition: str, schema: str = "public", table: str = "ticket", rows: float = 50_000) -> list[Scan]:
    scan = {"Node Type": "Seq Scan", "Schema": schema, "Relation Name": table, "Filter": condition, "Plan Rows": 5}
    return list(postgresql_scans({"Node Type": "Gather", "Plans": [scan]}, {(schema, table): rows}))


@pytest.mark.parametrize(
    ("condition", "statement"),
    [
        ("(ticket.mail = 'x'::text)", "ticket (mail)"),
        ("((ticket.mail)::text = 'x'::text)", "ticket (mail)"),
        ("(t.id > 7)", "ticket (id)"),
        ("((t.author = 17) OR (t.editor = ANY ('{1,2}'::integer[])))", "ticket (author, editor)"),
        ("""("ticket"."First ""Name\""" = 'x'::text)""", 'ticket ("First ""Name""")'),
        ("((ticket.body ~~ '%x%'::text) AND (ticket.id > 0))", "ticket USING gin (body gin_trgm_ops)"),
        ("((ticket.body)::text ~~* '%x%'::text)", "ticket USING gin (body gin_trgm_ops)"),
        ("(ticket.mail = 'it''s \"secret\" = '::text)", "ticket (mail)"),
    ],
)
def test_index_on_what_a_condition_compares(condition: str, statement: str) -> None:
    (scan,) = scans(condition)
    assert scan.index_statement(quote) == f"CREATE INDEX ON {statement}"


@pytest.mark.parametrize(
    "condition",
    [
        "(lower(ticket.mail) = 'x'::text)",
        "((lower((ticket.mail)::text))::text = 'x'::text)",
        "(date_trunc('day'::text, ticket.at) = '2026-01-01 00:00:00'::timestamp without time zone)",
        "((ticket.at + '1 day'::interval))::timestamp without time zone = '2026-01-01'::timestamp without time zone)",
        "(ticket.tags @> '{a = b}'::text[])",
        "(ticket.note IS NULL)",
    ],
)
def test_no_index_where_a_plain_one_would_not_be_used(condition: str) -> None:
    assert scans(condition) == []


def test_names_are_quoted_and_say_their_schema() -> None:
    (scan,) = scans('("Order"."Voucher" = 1)', "Tenant 3", "Order")
    assert scan.index_statement(quote) == 'CREATE INDEX ON "Tenant 3"."Order" ("Voucher")'


def test_tables_of_other_schemas_are_other_tables() -> None:
    scan = {"Node Type": "Seq Scan", "Schema": "a", "Relation Name": "t", "Filter": "(t.x = 1)", "Plan Rows": 1}
    assert list(postgresql_scans(scan, {("a", "t"): 40.0, ("b", "t"): 50_000.0})) == []


@pytest.mark.parametrize("part", ["x", "x.", '"', "'", "(x)::", "(", "x ", '""', '"x".'])
def test_condition_of_any_kind_is_read_in_time(part: str) -> None:
    started = time.thread_time()
    scans(part * 100_000)
    assert time.thread_time() - started < 2.0

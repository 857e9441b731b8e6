"""What is left of an event of which everything holds what must not leave."""

from __future__ import annotations

import json

import pytest

from stethoscope.exporters.sentry.scrubbing import Event, scrub, scrub_log, scrub_streamed

SECRET = "bob@secret.example"
FAILED = f"(a.Error) no '{SECRET}'\n[SQL: SELECT '{SECRET}']\n[parameters: ('{SECRET}',)]"
STATEMENTS = [
    f"-- name: by_mail\nSELECT a FROM users WHERE mail = '{SECRET}'",
    f"REPLACE INTO users VALUES ('{SECRET}')",
    f"(SELECT a FROM users WHERE mail = '{SECRET}') UNION (SELECT 1)",
    f"NOTIFY ch, '{SECRET}'",
    f'SELECT a FROM users WHERE mail = "{SECRET}"',
    rf"SELECT a FROM users WHERE path = 'C:\' AND mail = '{SECRET}'",
]


def scrubbed(event: Event) -> str:
    scrub(event, query_strings=False, local_variables=False)
    return json.dumps(event)


@pytest.mark.parametrize("statement", STATEMENTS)
def test_statements_are_known_by_their_places_and_not_by_how_they_begin(statement: str) -> None:
    crumbs = [
        {"category": "query", "message": statement, "data": {"db.params": [SECRET]}},
        {"category": "sqlalchemy.engine.Engine", "message": statement},
        {"category": "sqlalchemy.engine.Engine", "message": f"[generated in 0.1s] ('{SECRET}',)"},
        {"category": "shop", "message": FAILED},
    ]
    spans = [
        {"op": "db", "description": statement},
        {"op": "db.sql.query", "description": statement, "data": {"db.system": "sqlite", "db.statement": statement}},
        {"op": "db", "data": {"db.query.text": statement, "db.query.parameter.mail": SECRET}},
    ]
    trace = {"op": "db", "description": statement, "data": {"db.query.text": statement}}
    assert SECRET not in scrubbed({"breadcrumbs": {"values": crumbs}, "spans": spans, "contexts": {"trace": trace}})


def test_what_drivers_and_sqlalchemy_say_is_without_values_wherever_it_is() -> None:
    detail = f"none\nDETAIL:  Key (mail)=({SECRET}) already exists."
    exceptions = [
        {"type": "IntegrityError", "module": "sqlalchemy.exc", "value": FAILED},
        {"type": "UniqueViolation", "module": "psycopg.errors", "value": detail},
        {"type": "IntegrityError", "module": "django.db.utils", "value": detail},
    ]
    logged = {"message": "failed: %s", "formatted": f"failed: {FAILED}", "params": [FAILED, repr(ValueError(FAILED))]}
    assert SECRET not in scrubbed({"exception": {"values": exceptions}, "logentry": logged})


def test_lines_of_logs_and_spans_that_are_sent_by_themselves_are_scrubbed_too() -> None:
    failed = {
        "body": f"failed: {FAILED}",
        "attributes": {"logger.name": "shop", "sentry.message.parameter.0": repr(ValueError(FAILED))},
    }
    parameters = {"sentry.message.parameter.1": f"('{SECRET}',)"}
    shown = {"body": f"[cached] ('{SECRET}',)", "attributes": {"logger.name": "sqlalchemy.engine.Engine", **parameters}}
    for log in (failed, shown):
        scrub_log(log)
    said: Event = {"body": f"mail to '{SECRET}'", "attributes": {"logger.name": "shop"}}
    scrub_log(said)
    attributes = {"sentry.op": "db", "sentry.segment.name": STATEMENTS[0], "db.query.text": STATEMENTS[0]}
    span: Event = {"name": STATEMENTS[0], "attributes": attributes}
    scrub_streamed(span, query_strings=False)
    assert SECRET not in json.dumps([failed, shown, span])
    assert said["body"] == f"mail to '{SECRET}'"


def test_what_the_app_says_is_its_own() -> None:
    said = "Set the alarm to 7 o'clock"
    event = {
        "logentry": {"message": said, "params": [said, 7]},
        "breadcrumbs": {"values": [{"category": "shop", "message": said}]},
        "exception": {"values": [{"type": "ValueError", "module": "", "value": said}]},
        "spans": [{"op": "function", "description": said}],
    }
    expected = json.dumps(event)
    assert scrubbed(event) == expected

"""What databases' errors say, without the values in it."""

from __future__ import annotations

import sqlite3
from traceback import format_exception

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError, StatementError

from stethoscope.exporters.database_errors import message_of, stacktrace_of, without_values

SECRET = "bob@secret.example"
BACKGROUND = "(Background on this error at: https://sqlalche.me/e/21/gkpj)"


class DriverError(Exception):
    """As a driver makes it."""


DriverError.__module__ = "psycopg.errors"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            'duplicate key value violates unique constraint "users_email_key"\n'
            f"DETAIL:  Key (email)=({SECRET}\n {SECRET}) already exists.",
            'duplicate key value violates unique constraint "users_email_key"',
        ),
        (
            f"doppelter Schlüsselwert verletzt Unique-Constraint\nDÉTAIL :  Schlüssel »(email)=({SECRET})« existiert bereits.",
            "doppelter Schlüsselwert verletzt Unique-Constraint",
        ),
        (
            f'invalid input syntax for type integer: "{SECRET}"\nLINE 1: SELECT {SECRET}\n               ^',
            "invalid input syntax for type integer: ?",
        ),
        (
            'null value in column "mail" of relation "users" violates not-null constraint',
            'null value in column "mail" of relation "users" violates not-null constraint',
        ),
        (f"(1062, \"Duplicate entry 'O'{SECRET}' for key 'users.mail'\")", '(1062, "Duplicate entry ?)'),
        (
            f"invalid input for query argument $1: [4, '{SECRET}'] (a str is required)",
            "invalid input for query argument $1: ?",
        ),
        (
            "invalid input for query argument $2: 470815162342 (value out of int32 range)",
            "invalid input for query argument $2: ?",
        ),
    ],
)
def test_a_driver_repeats_no_value(said: str, told: str) -> None:
    assert without_values(said, is_drivers=True) == told
    statement = f"[SQL: INSERT INTO users VALUES ('{SECRET}')]\n[parameters: ('{SECRET}',)]\n{BACKGROUND}"
    wrapped = f"(psycopg.errors.SomeError) {said}\n{statement}"
    masked = f"[SQL: INSERT INTO users VALUES (?)]\n[parameters left out]\n{BACKGROUND}"
    assert without_values(wrapped) == f"(psycopg.errors.SomeError) {told}\n{masked}"
    assert SECRET not in without_values(repr(RuntimeError(wrapped)))
    assert SECRET not in without_values(f"{wrapped}\n{wrapped}")


def test_a_statement_may_have_brackets_and_line_breaks() -> None:
    said = f"(a.Error) none\n[SQL: SELECT ARRAY['a']\nFROM t WHERE b = '{SECRET}'\n]\n[parameters: ('x]\n{SECRET}',)]\n{BACKGROUND} again"
    assert (
        without_values(said)
        == f"(a.Error) none\n[SQL: SELECT ARRAY[?] FROM t WHERE b = ?]\n[parameters left out]\n{BACKGROUND} again"
    )


def test_what_others_say_is_theirs() -> None:
    assert message_of(ValueError(f"no mail to '{SECRET}'")) == f"no mail to '{SECRET}'"


def test_no_value_is_in_a_traceback_whatever_was_the_cause_of_what() -> None:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        connection.exec_driver_sql("create table users (mail unique)")
        insert, user = text("insert into users values (:mail)"), {"mail": SECRET}
        connection.execute(insert, user)
        with pytest.raises(IntegrityError) as refused:
            connection.execute(insert, user)
    engine.dispose()
    refused.value.__cause__ = DriverError(f"none\nDETAIL:  Key (mail)=({SECRET}).\nCONTEXT: {SECRET}")
    grouped = ExceptionGroup("several", [refused.value, StatementError("none", "SELECT 1", {"mail": SECRET}, None)])
    try:
        raise RuntimeError("the app's") from grouped
    except RuntimeError as error:
        told = stacktrace_of(error)
    assert SECRET not in told
    assert told.count("[parameters left out]") == 2
    assert "RuntimeError: the app's" in told
    assert "psycopg.errors.DriverError: none\n" in told


def test_a_traceback_that_says_no_value_is_as_python_prints_it() -> None:
    with pytest.raises(sqlite3.OperationalError) as failed:
        sqlite3.connect(":memory:").execute("select a from nowhere")
    assert stacktrace_of(failed.value) == "".join(format_exception(failed.value))

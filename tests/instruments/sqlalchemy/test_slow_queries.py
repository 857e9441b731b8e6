"""Slow queries: by fingerprint and route, with what is needed to find them."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

import stethoscope
from stethoscope import names
from stethoscope.settings import Settings
from stethoscope.store.recorder import Recorder
from stethoscope.thresholds import Thresholds
from tests.instruments.reading import numbers
from tests.instruments.sqlalchemy.shop import ROUTE, in_thread, request, respond
from tests.postgresql import Cluster

ALL = Settings(thresholds=Thresholds.resolve({"slow_query": 1e-9}))


@pytest.fixture
def slow(own: Recorder) -> Recorder:
    """A recorder for which everything is slow."""
    from stethoscope.instruments.database.instrument import instrument_of

    instrument_of(own, ALL)
    return own


def notes(recorder: Recorder) -> list[Mapping[str, object]]:
    return [note.content for note in recorder.notes(names.QUERIES)]


def test_slow_query_is_counted_by_fingerprint_and_route_and_described(slow: Recorder) -> None:
    engine = stethoscope.watch(sa.create_engine("sqlite://", poolclass=sa.StaticPool))

    def work() -> None:
        with engine.connect() as connection:
            for secret in ("'alpha'", "'beta'"):
                connection.execute(sa.text(f"SELECT {secret} AS word -- for {secret}"))

    headers = request(in_thread(work), slow)
    ((labels, count),) = numbers(slow, names.SLOW_QUERY_DURATION.name).items()
    (note,) = notes(slow)
    assert count == 2
    assert labels == ("sqlite", note["fingerprint"], ROUTE)
    assert note["text"] == "SELECT ? AS word"
    assert note["request_id"] == headers["x-request-id"]
    assert str(note["site"]).endswith("test_slow_query_is_counted_by_fingerprint_and_route_and_described.<locals>.work")
    assert "test_slow_queries.py:" in str(note["site"])


def test_only_what_takes_longer_than_the_threshold_is_slow(postgresql: Cluster, own: Recorder) -> None:
    engine = stethoscope.watch(sa.create_engine(postgresql.url("pg8000")))
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT pg_sleep(0.02)"))
        assert numbers(own, names.SLOW_QUERY_DURATION.name) == {}
        connection.execute(sa.text("SELECT pg_sleep(0.12)"))
    engine.dispose()
    ((labels, count),) = numbers(own, names.SLOW_QUERY_DURATION.name).items()
    assert (labels[0], labels[2], count) == ("postgresql", "", 1)
    assert notes(own)[0]["rows"] == 1


def test_call_site_of_async_code_is_the_line_that_awaits(postgresql: Cluster, slow: Recorder) -> None:
    async def run() -> None:
        engine = stethoscope.watch(create_async_engine(postgresql.url("asyncpg")))

        async def work() -> None:
            async with engine.connect() as connection:
                await connection.execute(sa.text("SELECT 1"))

        await respond(work, slow)
        await engine.dispose()

    asyncio.run(run())
    (note,) = notes(slow)
    assert str(note["site"]).endswith("test_call_site_of_async_code_is_the_line_that_awaits.<locals>.run.<locals>.work")


def test_no_literal_is_stored_logged_or_exported(
    slow: Recorder, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    from stethoscope.exporters.exposition import render
    from stethoscope.exporters.text import TEXT

    caplog.set_level(logging.DEBUG)
    engine = stethoscope.watch(sa.create_engine("sqlite://", poolclass=sa.StaticPool))

    def work() -> None:
        with engine.connect() as connection:
            for _ in range(8):
                connection.execute(sa.text("SELECT 'geheim', :word /* geheim */"), {"word": "geheim"})
                with pytest.raises(sa.exc.DBAPIError):
                    connection.execute(sa.text("SELECT 'geheim' FROM missing WHERE x = \"geheim\""))

    request(in_thread(work), slow)
    told = [json.dumps([note.content for note in slow.notes(kind)]) for kind in names.NOTE_KINDS]
    told += [b"".join(render(slow.snapshot(), TEXT)).decode(), caplog.text, *capsys.readouterr()]
    assert all("geheim" not in one for one in told)
    assert notes(slow) != []

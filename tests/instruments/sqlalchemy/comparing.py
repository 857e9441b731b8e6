"""What an app sees of a scenario with us and without us, and all that we keep and tell of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from hashlib import blake2b
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

import stethoscope
from stethoscope import names
from stethoscope.exporters.exposition import render
from stethoscope.exporters.openmetrics import OPENMETRICS
from stethoscope.exporters.protobuf import PROTOBUF
from stethoscope.exporters.text import TEXT
from stethoscope.instruments.sqlalchemy.own import own_dialects
from stethoscope.settings import Settings
from stethoscope.store.recorder import Recorder
from stethoscope.thresholds import Thresholds
from tests.instruments.sqlalchemy.shop import in_thread, request

Scenario = Callable[[sa.Engine], object]
AsyncScenario = Callable[[AsyncEngine], Awaitable[object]]

SECRET = "geheim77"
TIMES = 4
"""That a scenario is played on one engine: what is met for the third time in a request takes the plain way."""
USUAL = Settings()
CURIOUS = Settings(instruments=("sqlalchemy", "explain"), thresholds=Thresholds.resolve({"slow_query": 1e-9}))
"""With which everything is slow, and looked at."""


def outcome(scenario: Scenario, engine: sa.Engine) -> object:
    """What it returns, or what it raises with all causes."""
    try:
        return scenario(engine)
    except Exception as error:
        return told_by(error)


async def outcome_of(scenario: AsyncScenario, engine: AsyncEngine) -> object:
    try:
        return await scenario(engine)
    except (Exception, asyncio.CancelledError) as error:
        return told_by(error)


def brief(text: str) -> str:
    """The same for the same text, and short: a megabyte that differs would be compared by letters for hours."""
    return text if len(text) < 1_000 else f"{text[:200]}… of {len(text)}, {blake2b(text.encode()).hexdigest()}"


def told_by(error: BaseException | None) -> list[object]:
    told: list[object] = []
    while error is not None:
        lost = getattr(error, "connection_invalidated", None)
        told.append((type(error).__name__, brief(str(error)), lost))
        error = error.__cause__ or error.__context__
    return told


def without_us(url: str, scenario: Scenario, **options: object) -> list[object]:
    engine = sa.create_engine(url, **options)
    own_dialects.add(engine.dialect)
    found = [outcome(scenario, engine) for _ in range(TIMES)]
    assert "do_execute" not in vars(engine.dialect)
    engine.dispose()
    return found


def with_us(recorder: Recorder, settings: Settings, url: str, scenario: Scenario, **options: object) -> list[object]:
    """All times in one request."""
    engine = stethoscope.watch(sa.create_engine(url, **options))
    found: list[object] = []
    request(in_thread(lambda: found.extend(outcome(scenario, engine) for _ in range(TIMES))), recorder, None, settings)
    engine.dispose()
    return found


async def async_without_us(url: str, scenario: AsyncScenario) -> list[object]:
    engine = create_async_engine(url)
    own_dialects.add(engine.dialect)
    found = [await outcome_of(scenario, engine) for _ in range(TIMES)]
    await engine.dispose()
    return found


def async_with_us(recorder: Recorder, settings: Settings, url: str, scenario: AsyncScenario) -> list[object]:
    found: list[object] = []

    async def work() -> None:
        engine = stethoscope.watch(create_async_engine(url))
        found.extend([await outcome_of(scenario, engine) for _ in range(TIMES)])
        await engine.dispose()

    request(work, recorder, None, settings)
    return found


def kept_and_told(recorder: Recorder, place: Path) -> Iterator[tuple[str, bytes]]:
    """Every byte of the segments, the notes and each kind of exposition."""
    for path in place.rglob("*"):
        if path.is_file():
            yield path.name, path.read_bytes()
    for kind in names.NOTE_KINDS:
        yield str(kind), json.dumps([note.content for note in recorder.notes(kind)]).encode()
    for form in (TEXT, OPENMETRICS):
        yield form.content_type, b"".join(render(recorder.snapshot(), form))
    yield "protobuf", b"".join(PROTOBUF.render(recorder.snapshot()))

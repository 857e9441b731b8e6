"""Bad input and faults: the app sees what it would see without us, and no literal of it is kept, logged or told."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from stethoscope import names
from stethoscope.instruments.database.instrument import instrument_of
from stethoscope.settings import Settings
from stethoscope.store.folder import Folder
from stethoscope.store.recorder import Recorder
from tests.instruments.reading import numbers
from tests.instruments.sqlalchemy import strange
from tests.instruments.sqlalchemy.comparing import (
    CURIOUS,
    SECRET,
    TIMES,
    USUAL,
    Scenario,
    async_with_us,
    async_without_us,
    brief,
    kept_and_told,
    with_us,
    without_us,
)
from tests.postgresql import Cluster

MEGABYTE = 1_000_000 // len(SECRET) + 1
WAYS = pytest.mark.parametrize("settings", [USUAL, CURIOUS], ids=["usual", "curious"])


@pytest.fixture(autouse=True)
def stored(own: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Path:
    """The folder that is recorded into."""
    caplog.set_level(logging.DEBUG)
    place = tmp_path / "segments"
    monkeypatch.setattr(own, "_find_folder", lambda: Folder(str(place)))
    return place


@pytest.fixture(params=["sqlite", "pg8000"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a database with a table of people."""
    if request.param == "sqlite":
        found = f"sqlite:///{tmp_path}/people"
    else:
        cluster: Cluster = request.getfixturevalue("postgresql")
        found = cluster.url("pg8000")
    binary = "BLOB" if request.param == "sqlite" else "BYTEA"
    engine = sa.create_engine(found)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE IF EXISTS people")
        connection.exec_driver_sql(f"CREATE TABLE people (name VARCHAR UNIQUE, face {binary})")
        connection.exec_driver_sql(f"INSERT INTO people VALUES ('{SECRET}', NULL)")
    engine.dispose()
    return found


def check(
    own: Recorder, stored: Path, caplog: pytest.LogCaptureFixture, found: list[object], expected: list[object]
) -> None:
    """What every scenario is about."""
    assert found == expected
    told = dict(kept_and_told(own, stored))
    assert [name for name, text in told.items() if SECRET.encode() in text] == []
    assert SECRET not in caplog.text
    assert numbers(own, names.INTERNAL_ERRORS.name) == {}
    assert any(name.endswith(".segment") or len(text) > 4096 for name, text in told.items())


def text_of_a_megabyte(engine: sa.Engine) -> object:
    with engine.connect() as connection:
        return brief(connection.exec_driver_sql(f"SELECT '{SECRET * MEGABYTE}' AS word").scalar_one())


def list_of_a_megabyte(engine: sa.Engine) -> object:
    with engine.connect() as connection:
        numbers = ", ".join(str(number) for number in range(150_000))
        return connection.execute(sa.text(f"SELECT '{SECRET}' WHERE 5 IN ({numbers})")).all()


def comment_of_a_megabyte(engine: sa.Engine) -> object:
    with engine.connect() as connection:
        return connection.execute(sa.text(f"SELECT 1 /* {SECRET * MEGABYTE} */ -- {SECRET}")).scalar()


def broken_megabyte(engine: sa.Engine) -> object:
    with engine.connect() as connection:
        return connection.exec_driver_sql(f"SELECT '{SECRET * MEGABYTE}").scalar()


def binary_there_and_back(engine: sa.Engine) -> object:
    face = bytes(range(256)) * 4096 + SECRET.encode()
    with engine.connect() as connection:
        connection.execute(sa.text("UPDATE people SET face = :face"), {"face": face})
        same = sa.text("SELECT face FROM people WHERE face = :face")
        return bytes(connection.execute(same, {"face": face}).scalar_one()) == face


def missing_table(engine: sa.Engine) -> object:
    with engine.connect() as connection:
        return connection.execute(sa.text(f"SELECT '{SECRET}' FROM nowhere WHERE x = :x"), {"x": SECRET}).all()


def syntax_error(engine: sa.Engine) -> object:
    with engine.connect() as connection:
        return connection.execute(sa.text(f"SELEKT '{SECRET}', {SECRET.replace('geheim', '')}.5e7, '{SECRET}")).all()


def double_name(engine: sa.Engine) -> object:
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO people (name) VALUES (:name)"), {"name": SECRET})
    return None


def wrong_type(engine: sa.Engine) -> object:
    with engine.connect() as connection:
        return connection.execute(sa.text(f"SELECT CAST('{SECRET}' AS INTEGER)")).all()


def wrong_number_of_parameters(engine: sa.Engine) -> object:
    with engine.connect() as connection:
        return connection.exec_driver_sql("SELECT name FROM people WHERE name = '1'", (SECRET, SECRET)).all()


def many_of_which_one_fails(engine: sa.Engine) -> object:
    with engine.begin() as connection:
        rows = [{"name": "new"}, {"name": SECRET}, {"name": "other"}]
        connection.execute(sa.text("INSERT INTO people (name) VALUES (:name)"), rows)
    return None


def failure_within_a_savepoint(engine: sa.Engine) -> object:
    with engine.connect() as connection:
        seen: list[object] = []
        for name in (SECRET, "fresh"):
            try:
                with connection.begin_nested():
                    connection.execute(sa.text("INSERT INTO people (name) VALUES (:name)"), {"name": name})
            except sa.exc.IntegrityError as error:
                seen.append(str(error))
        return [*seen, connection.execute(sa.text("SELECT name FROM people ORDER BY name")).all()]


def going_on_after_a_failure(engine: sa.Engine) -> object:
    with engine.connect() as connection:
        with pytest.raises(sa.exc.DBAPIError):
            connection.execute(sa.text("SELECT 1 FROM nowhere"))
        return connection.execute(sa.text("SELECT name FROM people")).all()


def list_as_a_parameter(engine: sa.Engine) -> object:
    with engine.connect() as connection:
        return connection.execute(sa.text("SELECT :names"), {"names": [SECRET]}).all()


class Loud(str):
    """What cannot be hashed, and says why."""

    def __hash__(self) -> int:
        raise ValueError(self)


def loud_parameter(engine: sa.Engine) -> object:
    with engine.connect() as connection:
        return connection.execute(sa.text("SELECT name FROM people WHERE name = :name"), {"name": Loud(SECRET)}).all()


def half_read_stream(engine: sa.Engine) -> object:
    with engine.connect() as connection:
        rows = connection.execution_options(stream_results=True).execute(sa.text("SELECT 1 UNION SELECT 2"))
        return rows.fetchone()


SCENARIOS: tuple[Scenario, ...] = (
    text_of_a_megabyte,
    list_of_a_megabyte,
    comment_of_a_megabyte,
    broken_megabyte,
    binary_there_and_back,
    missing_table,
    syntax_error,
    double_name,
    wrong_type,
    wrong_number_of_parameters,
    many_of_which_one_fails,
    failure_within_a_savepoint,
    going_on_after_a_failure,
    list_as_a_parameter,
    loud_parameter,
    half_read_stream,
)


@WAYS
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_app_sees_what_it_would_see_without_us(
    own: Recorder, stored: Path, caplog: pytest.LogCaptureFixture, url: str, scenario: Scenario, settings: Settings
) -> None:
    instrument_of(own, settings)
    expected = without_us(url, scenario)
    found = with_us(own, settings, url, scenario)
    check(own, stored, caplog, found, expected)
    assert sum(numbers(own, names.QUERY_DURATION.name).values()) >= TIMES


@WAYS
def test_dialect_of_a_third_party_works_as_ever(
    own: Recorder, stored: Path, caplog: pytest.LogCaptureFixture, settings: Settings
) -> None:
    def ask(engine: sa.Engine) -> object:
        with engine.connect() as connection:
            read = connection.execute(sa.text(f"STRANGELY SELECT '{SECRET}' WHERE 1 = :one"), {"one": 1}).all()
            return [read, connection.exec_driver_sql("STRANGELY VALUES (1), (2)").all()]

    instrument_of(own, settings)
    expected = without_us(strange.URL, ask)
    found = with_us(own, settings, strange.URL, ask)
    check(own, stored, caplog, found, expected)
    assert {labels[0] for labels in numbers(own, names.QUERY_DURATION.name)} == {"strange"}
    assert sum(numbers(own, names.QUERY_DURATION.name).values()) == 2 * TIMES


def ends(cluster: Cluster, pid: int, busy_with: str) -> Callable[[], None]:
    """Ends a server process as soon as it runs such a statement."""

    def end() -> None:
        engine = sa.create_engine(cluster.url("pg8000"), isolation_level="AUTOCOMMIT")
        busy = sa.text("SELECT state = 'active' AND query LIKE :query FROM pg_stat_activity WHERE pid = :pid")
        with engine.connect() as connection:
            while not connection.execute(busy, {"pid": pid, "query": f"%{busy_with}%"}).scalar():
                pass
            connection.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        engine.dispose()

    return end


@WAYS
def test_connection_that_is_lost_in_mid_query(
    own: Recorder, stored: Path, caplog: pytest.LogCaptureFixture, postgresql: Cluster, settings: Settings
) -> None:
    def lose(engine: sa.Engine) -> object:
        with engine.connect() as connection:
            pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            killer = threading.Thread(target=ends(postgresql, pid, "pg_sleep(30)"))
            killer.start()
            try:
                connection.execute(sa.text("SELECT pg_sleep(30), :word"), {"word": SECRET})
            finally:
                killer.join()
        return None

    def lose_and_go_on(engine: sa.Engine) -> object:
        with pytest.raises(sa.exc.DBAPIError) as raised:
            lose(engine)
        with engine.connect() as connection:
            return [raised.value.connection_invalidated, connection.execute(sa.text("SELECT 7")).scalar()]

    url = postgresql.url("pg8000")
    instrument_of(own, settings)
    for scenario in (lose, lose_and_go_on):
        check(own, stored, caplog, with_us(own, settings, url, scenario), without_us(url, scenario))
    failed = {labels[3]: value for labels, value in numbers(own, names.QUERY_DURATION.name).items() if labels[3]}
    assert sum(failed.values()) == 2 * TIMES


@WAYS
def test_request_that_is_cancelled_in_mid_query(
    own: Recorder, stored: Path, caplog: pytest.LogCaptureFixture, postgresql: Cluster, settings: Settings
) -> None:
    async def give_up(engine: AsyncEngine) -> object:
        async with engine.connect() as connection:
            query = connection.execute(sa.text("SELECT pg_sleep(30), CAST(:word AS text)"), {"word": SECRET})
            task = asyncio.ensure_future(query)
            await until_busy(postgresql)
            task.cancel()
            return await task

    async def give_up_and_go_on(engine: AsyncEngine) -> object:
        with pytest.raises(asyncio.CancelledError):
            await give_up(engine)
        async with engine.connect() as connection:
            return (await connection.execute(sa.text("SELECT 7"))).scalar()

    url = postgresql.url("asyncpg")
    instrument_of(own, settings)
    for scenario in (give_up, give_up_and_go_on):
        expected = asyncio.run(async_without_us(url, scenario))
        check(own, stored, caplog, async_with_us(own, settings, url, scenario), expected)
    cancelled = {labels: value for labels, value in numbers(own, names.QUERY_DURATION.name).items() if labels[3]}
    assert cancelled == {("postgresql", "SELECT", "", "cancelled"): 2 * TIMES}


async def until_busy(cluster: Cluster) -> None:
    await asyncio.to_thread(_until_busy, cluster)


def _until_busy(cluster: Cluster) -> None:
    engine = sa.create_engine(cluster.url("pg8000"), isolation_level="AUTOCOMMIT")
    busy = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%%pg_sleep(30)%%' AND pid <> pg_backend_pid()"
    with engine.connect() as connection:
        while not connection.exec_driver_sql(busy).scalar():
            pass
    engine.dispose()


def test_failure_to_explain_is_told_without_what_the_database_said(
    own: Recorder, stored: Path, caplog: pytest.LogCaptureFixture, postgresql: Cluster
) -> None:
    """Which may repeat a value: what could be executed a moment ago need not be explainable."""
    from stethoscope.instruments.sqlalchemy.explain import Explainer

    engine: Any = sa.create_engine(postgresql.url("pg8000"))
    explainer = Explainer(instrument_of(own, CURIOUS), engine)
    from stethoscope.instruments.database.outline import outline
    from stethoscope.instruments.database.query import Query

    sql = f"SELECT CAST('{SECRET}' AS INTEGER)"
    explainer.ask(Query(outline(sql, "postgresql"), None, None), sql, (), "/", "here")  # type: ignore[arg-type]
    explainer.wait()
    assert numbers(own, names.INTERNAL_ERRORS.name) == {("explain",): 1}
    assert SECRET not in caplog.text
    engine.dispose()

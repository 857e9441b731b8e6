"""The wrapper is transparent, and the oracle that says so can tell when a middleware is not."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn import Config

import stethoscope
from tests.transparency.case import Case
from tests.transparency.cases import CASES
from tests.transparency.mutants import MUTANTS
from tests.transparency.mutants.mutant import Mutant
from tests.transparency.oracle import differences
from tests.transparency.stage import App

HEADERS = ("x-request-id", "x-response-time", "x-process-time", "server-timing")
PLAYS = [pytest.param(case, backend, id=f"{case.name}-{backend}") for case in CASES for backend in case.backends]
CASE_BY_NAME = {case.name: case for case in CASES}

# A mutant that makes a script hang is found by waiting for it, so little patience is shown.
MUTANT_PATIENCE_SECONDS = 0.5


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is recorded here stays here."""
    monkeypatch.setenv("STETHOSCOPE_DIR", str(tmp_path))


def with_default_headers(app: App) -> App:
    return cast(App, stethoscope.Stethoscope(cast(ASGIApp, app)))


def without_headers(app: App) -> App:
    return cast(App, stethoscope.Stethoscope(cast(ASGIApp, app), headers=()))


async def plain_app(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204})
    await send({"type": "http.response.body"})


@pytest.mark.parametrize(("case", "backend"), PLAYS)
def test_without_headers_app_and_server_see_what_they_see_bare(case: Case, backend: str) -> None:
    """A1, A4, A6, A7, A8, A9, A10, A12, A13, B16, B19."""
    assert differences(case, without_headers, backend) == []


@pytest.mark.parametrize(("case", "backend"), PLAYS)
def test_with_headers_only_the_documented_ones_are_added(case: Case, backend: str) -> None:
    """A1, A4, A6, A7, A8, A9, A10, A12, A13, B16, B17, B19."""
    assert differences(case, with_default_headers, backend, added=HEADERS) == []


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
# Broken middlewares leave tasks, coroutines and nurseries behind, which is why they are broken.
@pytest.mark.filterwarnings("ignore")
def test_broken_middleware_is_caught(mutant: Mutant) -> None:
    """A4: an oracle proves something only if it tells a broken middleware from none at all."""
    missed = [name for name in mutant.caught_by if not catches(CASE_BY_NAME[name], mutant)]
    assert mutant.caught_by
    assert missed == []


def catches(case: Case, mutant: Mutant) -> bool:
    return any(
        differences(case, mutant.wrap, backend, patience_seconds=MUTANT_PATIENCE_SECONDS) for backend in case.backends
    )


def test_every_case_catches_a_broken_middleware() -> None:
    """A case that has never failed may be unable to."""
    assert {name for mutant in MUTANTS for name in mutant.caught_by} == set(CASE_BY_NAME)


def test_no_two_cases_have_the_same_name() -> None:
    assert len(CASE_BY_NAME) == len(CASES)


@pytest.mark.parametrize(("case", "backend"), PLAYS)
def test_oracle_finds_nothing_where_nothing_is_in_the_middle(case: Case, backend: str) -> None:
    assert differences(case, lambda app: app, backend) == []


def test_servers_and_clients_take_the_wrapper_for_the_current_kind_of_app() -> None:
    """B20: they look at the callable to tell ASGI 3 from ASGI 2."""
    wrapped = stethoscope.Stethoscope(plain_app)
    config = Config(wrapped, lifespan="off")
    config.load()
    assert config.interface == "asgi3"
    assert TestClient(wrapped).get("/").status_code == 204


def test_wrapped_app_can_be_reached_through_its_wrapper() -> None:
    assert stethoscope.Stethoscope(plain_app).app is plain_app

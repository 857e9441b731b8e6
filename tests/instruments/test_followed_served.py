"""A correlation ID from a response leads to all that is known of its request, whichever worker had it and whether it lives."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import httpx

from stethoscope.names import REQUESTS
from stethoscope.store.folder import Folder
from stethoscope.store.notes import read_notes
from tests.instruments.waiting import until
from tests.servers import ROOT, serve

APP = "tests.instruments.apps.orders:app"
SOURCE = "tests/instruments/apps/orders.py"
SECRET = "hunter2"


def line_of(mark: str) -> int:
    lines = (ROOT / SOURCE).read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.endswith(f"# {mark}"))


def followed(place: Path, request_id: str, *needed: str) -> dict[str, Any]:
    """What is kept of a request, once it is there with all that is needed."""

    def look() -> dict[str, Any] | None:
        for note in read_notes(Folder(str(place / "orders")), REQUESTS):
            if note.content["request_id"] == request_id and all(note.content.get(name) for name in needed):
                return dict(note.content)
        return None

    return until(look, f"a note of {request_id}")


def test_request_is_followed_by_its_id_also_when_its_worker_was_killed(tmp_path: Path) -> None:
    with serve("uvicorn", APP, workers=2, env={"STETHOSCOPE_DIR": str(tmp_path)}) as server:
        for number in range(20):
            httpx.get(f"{server.url}/orders/{number}", headers={"connection": "close"})
        answer = httpx.get(f"{server.url}/orders/77?token={SECRET}", headers={"cookie": SECRET, "x-request-id": "one"})
        failure = httpx.get(f"{server.url}/fail", headers={"cookie": SECRET})
        assert failure.status_code == 500
        failed = followed(tmp_path, failure.headers["x-request-id"])
        os.kill(failed["worker"], signal.SIGKILL)
        with httpx.Client(transport=httpx.HTTPTransport(retries=5)) as client:
            later = client.get(f"{server.url}/later")
        went_on = followed(tmp_path, later.headers["x-request-id"], "queries")
        again = followed(tmp_path, failure.headers["x-request-id"])
    assert again == failed
    assert failed["exception"][0]["type"] == "LookupError"
    raised = failed["exception"][0]["lines"][0]
    assert (raised["file"], raised["line"], raised["function"]) == (SOURCE, line_of("the failure"), "fail")
    assert raised["text"] == "raise LookupError(secret)  # the failure"
    (query,) = went_on["queries"]
    assert (query["times"], went_on["query_count"]) == (4, 4)
    assert query["site"] == f"{SOURCE}:{line_of('the query')} in orders"
    assert answer.status_code == 200
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()


def test_log_has_each_request_once_whichever_worker_served_it(tmp_path: Path) -> None:
    log = tmp_path / "performance.jsonl"
    env = {"STETHOSCOPE_DIR": str(tmp_path / "segments"), "STETHOSCOPE_REQUEST_LOG": str(log)}
    with serve("uvicorn", APP, workers=2, env=env) as server:
        sent = [f"request-{number}" for number in range(40)]
        for number, one in enumerate(sent):
            httpx.get(f"{server.url}/orders/{number}", headers={"x-request-id": one, "connection": "close"})

        def all_written() -> list[dict[str, Any]] | None:
            lines = log.read_text().splitlines() if log.exists() else []
            return [json.loads(line) for line in lines] if len(lines) >= len(sent) else None

        lines = until(all_written, "a line of each request")
    assert sorted(line["request_id"] for line in lines) == sorted(sent)
    assert {line["route"] for line in lines} == {"/orders/{number}"}
    assert len({line["worker"] for line in lines}) == 2

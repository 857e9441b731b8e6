"""What is kept of a request, and what never is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stethoscope.asgi import ASGIApp, Receive, Scope, Send
from stethoscope.middleware.following.account import fitting
from stethoscope.middleware.following.follower import Follower
from stethoscope.middleware.following.request_log import RequestLog
from stethoscope.middleware.layer import Layer
from stethoscope.middleware.queueing import QueueObserver
from stethoscope.names import DROPPED_LINES, REQUESTS
from stethoscope.settings import Settings
from tests.middleware.scripted import DISCONNECT, Records, body, http_scope, plain, run, start

SECRET = "hunter2"
TRACE = "0af7651916cd43dd8448eb211c80319c"


def around(records: Records, app: ASGIApp, log: RequestLog | None = None) -> tuple[Layer, Follower]:
    follower = Follower(records.recorder, (), log)
    observers = [QueueObserver(records.recorder), follower]
    return Layer(app, records.recorder, Settings(), observers=observers), follower


def kept(records: Records, follower: Follower) -> list[dict[str, Any]]:
    follower.write()
    return [dict(note.content) for note in records.recorder.notes(REQUESTS)]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_account_of_a_request_that_went_well(records: Records, backend: str) -> None:
    layer, follower = around(records, plain)
    headers = [(b"x-request-id", b"abc"), (b"traceparent", f"00-{TRACE}-b7ad6b7169203331-01".encode())]
    run(layer, http_scope("POST", "/users/7", headers=headers), backend=backend)
    (one,) = kept(records, follower)
    assert one["request_id"] == "abc"
    assert one["trace_id"] == TRACE
    assert (one["method"], one["route"], one["status"], one["error_type"]) == ("POST", "__unmatched__", 200, "")
    assert one["sent_bytes"] == 5
    assert [entry["event"] for entry in one["timeline"]] == ["arrived", "first byte", "complete"]
    moments = [entry["at_seconds"] for entry in one["timeline"]]
    assert moments == sorted(moments)
    assert moments[-1] == one["duration_seconds"]
    assert one["exception"] == []
    assert one["kept_as"] == "slow"


def test_exception_is_kept_with_the_lines_that_it_came_through_and_no_values(records: Records) -> None:
    def charge(card: str) -> None:
        raise ValueError(card)  # the line that raises

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            charge(SECRET)
        except ValueError as error:
            raise RuntimeError(SECRET) from error

    layer, follower = around(records, app)
    with pytest.raises(RuntimeError):
        run(layer, http_scope(path=f"/{SECRET}", query_string=SECRET.encode(), headers=[(b"cookie", SECRET.encode())]))
    (one,) = kept(records, follower)
    assert (one["status"], one["error_type"], one["kept_as"]) == (500, "RuntimeError", "failed")
    runtime, value = one["exception"]
    assert (runtime["type"], value["type"]) == ("RuntimeError", "ValueError")
    innermost = value["lines"][0]
    assert innermost["file"].endswith("test_account.py")
    assert innermost["function"].endswith("charge")
    assert innermost["text"] == "raise ValueError(card)  # the line that raises"
    assert innermost["own"]
    assert not any("layer.py" in line["file"] for line in [*runtime["lines"], *value["lines"]])
    assert SECRET not in json.dumps(one)


def test_group_of_exceptions_is_followed_to_the_first(records: Records) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise ExceptionGroup("both", [KeyError("a"), ValueError("b")])

    layer, follower = around(records, app)
    with pytest.raises(ExceptionGroup):
        run(layer)
    (one,) = kept(records, follower)
    assert [raised["type"] for raised in one["exception"]] == ["ExceptionGroup", "KeyError"]


def test_request_that_broke_off_says_so(records: Records) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(200))
        await send(body(b"par", more=True))
        await receive()

    layer, follower = around(records, app)
    run(layer, http_scope(), DISCONNECT)
    (one,) = kept(records, follower)
    assert (one["error_type"], one["timeline"][-1]["event"]) == ("client_disconnect", "broken off")


def test_time_in_the_queue_is_before_the_arrival(records: Records) -> None:
    layer, follower = around(records, plain)
    run(layer, http_scope(headers=[(b"x-request-start", b"t=1")]))
    assert kept(records, follower)[0]["timeline"][0]["event"] == "arrived"
    import time

    run(layer, http_scope(headers=[(b"x-request-start", b"t=%.3f" % (time.time() - 3))]))
    queued = [one["timeline"][0] for one in kept(records, follower) if one["timeline"][0]["event"] == "queued"]
    assert len(queued) == 1
    assert -60 < queued[0]["at_seconds"] < -2.9


def test_all_requests_are_lines_of_the_log_and_those_beyond_the_limit_are_counted(
    records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "performance.jsonl"
    layer, follower = around(records, plain, RequestLog(str(path)))
    for number in range(30):
        run(layer, http_scope(headers=[(b"x-request-id", b"r%d" % number)]))
    follower.write()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["request_id"] for line in lines] == [f"r{number}" for number in range(30)]
    monkeypatch.setattr(follower, "_most", 2)
    for _ in range(5):
        run(layer)
    follower.write()
    assert len(path.read_text().splitlines()) == 32
    assert records.numbers(DROPPED_LINES) == {(): 3.0}


def test_log_that_can_not_be_written_is_a_failure_of_ours_alone(records: Records, tmp_path: Path) -> None:
    layer, follower = around(records, plain, RequestLog(str(tmp_path / "missing" / "performance.jsonl")))
    assert run(layer).sent[0]["status"] == 200
    assert len(kept(records, follower)) == 1
    assert records.numbers(DROPPED_LINES) == {(): 1.0}
    assert records.internal_errors() == {("request log",): 1.0}


def test_account_that_is_too_long_loses_the_end_of_its_lists() -> None:
    content: dict[str, object] = {
        "queries": [{"text": "x" * 300}] * 40,
        "exception": [{"lines": [{"file": "y" * 100}] * 50}],
        "request_id": "kept",
    }
    cut = fitting(content, 8000)
    assert len(json.dumps(cut)) <= 8200
    assert cut["request_id"] == "kept"
    assert cut["cut"] is True
    assert len(cut["queries"]) > 5  # type: ignore[arg-type]

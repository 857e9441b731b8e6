"""The API's description: schemathesis holds the served API to it, and the page is built with its words."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal, TypedDict

import httpx
import pytest

from stethoscope.dashboards.api.openapi import document
from stethoscope.dashboards.api.schema import Schemas
from tests.dashboards.boards import API, TOKEN, board
from tests.dashboards.calling import get
from tests.servers import serve

_SERVED = "a-token-for-schemathesis"


@pytest.mark.timeout(600)
def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    """Neither an answer that is not as described, nor a wrong question that is not refused, nor a failure."""
    (tmp_path / "store").mkdir(0o700)
    env = {"STETHOSCOPE_TOKEN": _SERVED, "STETHOSCOPE_DIR": str(tmp_path / "store")}
    with serve("uvicorn", "tests.dashboards.streaming_app:app", env=env) as server:
        httpx.get(server.url)
        api = f"{server.url}/_stethoscope/api"
        options = ["--url", api, "--header", f"Authorization: Bearer {_SERVED}", "--phases", "coverage,fuzzing"]
        options += [
            "--exclude-path",
            "/stream",
            "--max-examples",
            "3",
            "--no-color",
            "--generation-database",
            ":memory:",
        ]
        command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{api}/openapi.json", *options]
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


def test_the_api_describes_itself() -> None:
    answer = get(board(), f"{API}/openapi.json", token=TOKEN)
    assert json.loads(answer.body) == document()
    assert document()["openapi"] == "3.1.0"


def test_every_number_says_what_it_is() -> None:
    """B-page: hints are made from these words."""
    for name, schema in document()["components"]["schemas"].items():
        assert schema["description"], name
        for key, value in schema["properties"].items():
            if name != "Problem" and "$ref" not in value:
                assert value["description"].endswith((".", ").")), (name, key)


def test_units_end_a_name() -> None:
    units = ("seconds", "ratio", "bytes", "count", "per_second", "cores")
    plain = {  # numbers of things, which have no unit
        "active_requests", "active_websockets", "event_loop_stalls", "executor_queued", "idle", "limit", "line", "load_15m",
        "load_1m", "load_5m", "occurrences", "offset", "open_files", "open_files_limit", "overflow", "own_failures", "pending",
        "pid", "queries_max", "queries_mean", "request_bytes_mean", "response_bytes_mean", "size", "sockets", "status", "tasks",
        "thread_calls", "thread_limit", "thread_waiting", "threads", "times", "total", "used", "value", "worker",
        "worker_starts", "workers", "warn", "critical",
    }  # fmt: skip
    for name, schema in document()["components"]["schemas"].items():
        for key, value in schema["properties"].items():
            kinds = value.get("type")
            if {"number", "integer"} & set([kinds] if isinstance(kinds, str) else kinds or ()):
                assert key.endswith(units) or key in plain, (name, key)


class Shape(TypedDict):
    """A shape."""

    size: int | None
    kind: Literal["a", "b"]
    more: list[dict[str, float]]


def test_schemas_of_shapes() -> None:
    schemas = Schemas()
    assert schemas.of(Shape) == {"$ref": "#/components/schemas/Shape"}
    assert schemas.named["Shape"]["properties"] == {
        "size": {"type": ["integer", "null"]},
        "kind": {"type": "string", "enum": ["a", "b"]},
        "more": {"type": "array", "items": {"type": "object", "additionalProperties": {"type": "number"}}},
    }


@pytest.mark.parametrize("shape", [bytes, set[int], object])
def test_a_type_that_json_has_not_is_refused(shape: Any) -> None:
    with pytest.raises(TypeError, match="expected a type that JSON has something for"):
        Schemas().of(shape)


def test_the_page_is_built_with_the_present_shapes() -> None:
    """Otherwise: make docs."""
    from tools.page_types import PATH, written

    assert PATH.read_text(encoding="utf-8") == written()

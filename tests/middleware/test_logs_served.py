"""The configurations of `docs/how-to/logs.md` with a real server."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest

from tests.servers import ROOT, Kind, serve

PAGE = (ROOT / "docs" / "how-to" / "logs.md").read_text()
CONFIGURATIONS = re.findall(r"^```json\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)
AS_JSON, AS_TEXT = CONFIGURATIONS
PATHS = ("/thread", "/task", "/fail")


def lines(kind: Kind, configuration: str, folder: Path) -> list[str]:
    """What the server logs of one request for each path, whose IDs are `id-thread` and so on."""
    config = folder / "logging.json"
    config.write_text(configuration)
    options = ["--log-config", str(config), "--log-level", "info"]
    with serve(kind, "tests.middleware.apps.talkative:app", options=options) as server:
        for path in PATHS:
            answer = httpx.get(server.url + path, headers={"x-request-id": f"id-{path[1:]}"})
            assert answer.headers["x-request-id"] == f"id-{path[1:]}"
        server.stop()
        return server.log().splitlines()


@pytest.mark.parametrize("kind", ["uvicorn", "uvicorn-h11-asyncio"])
def test_every_json_line_of_a_request_has_its_id(kind: Kind, tmp_path: Path) -> None:
    records = [json.loads(line) for line in lines(kind, AS_JSON, tmp_path)]
    ids = {(record["logger"], record["message"]): record["request_id"] for record in records}
    assert ids["talkative", "in a thread"] == "id-thread"
    assert ids["talkative", "in a task"] == "id-task"
    assert ids["uvicorn.error", "Exception in ASGI application\n"] == "id-fail"
    assert ids["uvicorn.error", "Application startup complete."] is None
    access = {text.split('"')[1]: id for (logger, text), id in ids.items() if logger == "uvicorn.access"}
    assert access == {f"GET {path} HTTP/1.1": f"id-{path[1:]}" for path in PATHS}
    assert not any("color_message" in record for record in records)
    (failed,) = (record["exception"] for record in records if "exception" in record)
    assert (failed["type"], failed["message"]) == ("LookupError", "sold out")


def test_uvicorns_own_format_can_have_the_id(tmp_path: Path) -> None:
    text = "\n".join(lines("uvicorn", AS_TEXT, tmp_path))
    assert "[id-thread] in a thread" in text
    assert "[id-fail] Exception in ASGI application" in text
    assert re.search(r'\[id-task\] 127\.0\.0\.1:\d+ - "GET /task HTTP/1\.1" 200', text)
    assert "[-] Application startup complete." in text

"""What an address may be, who gets the token, and what is said of an answer that is none."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from stethoscope.cli import main
from stethoscope.dashboards.documents.overview import Overview, overview
from stethoscope.dashboards.documents.window import Moment
from stethoscope.dashboards.shape import fitting
from stethoscope.thresholds import Thresholds
from tests.dashboards.boards import busy
from tests.servers import HOST

TOKEN = "choose-a-long-one"

Answer = Callable[[BaseHTTPRequestHandler], object]


@contextmanager
def answering(answer: Answer) -> Iterator[tuple[int, list[tuple[str, str | None]]]]:
    """A port, and the path and the Authorization of each request that comes to it."""
    asked: list[tuple[str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["authorization"]))
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer((HOST, 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_port, asked
        finally:
            server.shutdown()
            thread.join()


def body(text: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        request.wfile.write(text.encode())

    return answer


def redirect(target: str, status: int) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("location", target)
        request.end_headers()

    return answer


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a command ends with; 1 would say that something was found."""
    assert main([*arguments]) == 2
    [line] = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_token_goes_where_it_was_told_to_and_nowhere_else(status: int, capsys: pytest.CaptureFixture[str]) -> None:
    with answering(body("{}")) as (other, asked_there):
        with answering(redirect(f"http://localhost:{other}/steal", status)) as (port, asked):
            line = told(capsys, "diagnose", f"{HOST}:{port}", "--token", TOKEN)
    assert asked == [("/_stethoscope/api/diagnosis", f"Bearer {TOKEN}")]
    assert asked_there == []
    assert f"answered {status}" in line
    assert f"it leads to http://localhost:{other}/steal, which is not followed" in line


@pytest.mark.parametrize("command", ["top", "diagnose"])
@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "null", '{"items": 3}', '{"items": [{}]}', '{"items": ["\x1b[2J"]}', "[" * 100_000, "\xff"],
)
def test_an_answer_of_something_else_is_said_to_be_one(
    command: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with answering(body(text)) as (port, _):
        line = told(capsys, command, f"{HOST}:{port}")
    assert "does not answer like Stethoscope: " in line
    assert "\x1b" not in line


@pytest.mark.parametrize("line", [b"what?\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}"])
def test_an_answer_that_is_not_http_or_breaks_off_is_said_to_be_one(
    line: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    with answering(lambda request: request.wfile.write(line)) as (port, _):
        assert "does not answer like Stethoscope: " in told(capsys, "diagnose", f"{HOST}:{port}")


def document() -> Any:
    return json.loads(json.dumps(overview("all", Moment(busy()).window("all"), Thresholds(), [], {})))


def test_a_document_may_have_more_than_is_expected_and_not_less() -> None:
    found = document()
    assert fitting({**found, "more": 1}, Overview)["service"] == found["service"]
    found["busiest"][0]["route"] = None
    with pytest.raises(ValueError, match=r"^one of the document's busiest's route is of type NoneType$"):
        fitting(found, Overview)
    with pytest.raises(ValueError, match=r"^the document's level is 'ill': expected one of ok, warn, critical$"):
        fitting({**document(), "level": "ill"}, Overview)


@pytest.mark.parametrize(
    "address", ["localhost:abc", "http://[::1", "http://", "localhost:99999", "http://:80", "http://host:0", "//x"]
)
def test_what_is_not_an_address_is_said_to_be_none(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = told(capsys, "top", address)
    assert f"{address} is not an address" in line
    assert "expected one such as http://127.0.0.1:8000" in line


@pytest.mark.parametrize("address", ["http://a..b", f"http://{'a' * 70}.test"])
def test_a_host_that_cannot_be_is_not_reached(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "cannot be reached" in told(capsys, "top", address)


@pytest.mark.parametrize("token", ["secret\n", "secret…", "a secret"])
def test_no_password_is_repeated(
    token: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "secret" not in told(capsys, "top", "http://somebody:secret@127.0.0.1:8000")
    monkeypatch.setenv("STETHOSCOPE_TOKEN", token)
    line = told(capsys, "top", "http://127.0.0.1:8000")
    assert "the token cannot be sent" in line
    assert "secret" not in line


def test_a_path_is_sent_as_a_path(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STETHOSCOPE_TOKEN", raising=False)
    with answering(body("{}")) as (port, asked):
        told(capsys, "top", f"{HOST}:{port}/a path/")
    assert asked == [("/a%20path/api/overview?window=1m", None)]


def test_a_service_is_chosen_by_its_name_or_by_its_path_and_not_by_both(capsys: pytest.CaptureFixture[str]) -> None:
    line = told(capsys, "top", f"http://{HOST}:1/_stethoscope", "--service", "nosuch")
    assert "--service nosuch chooses one of a sidecar's services, and /_stethoscope is a path already" in line
    assert f"such as http://{HOST}:1 --service nosuch" in line

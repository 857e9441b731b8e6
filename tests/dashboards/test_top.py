"""The overview in a terminal: from a folder, from an address, and what stands in its way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from stethoscope.cli import main
from stethoscope.dashboards.documents.alerts import Alert
from stethoscope.dashboards.documents.diagnosis import Finding
from stethoscope.dashboards.documents.overview import Overview, overview
from stethoscope.dashboards.documents.window import Moment
from stethoscope.dashboards.terminal import lines, seconds, shown
from stethoscope.names.findings import Severity
from stethoscope.thresholds import Level, Thresholds
from tests.dashboards.boards import busy
from tests.servers import free_port, serve

TOKEN = "a-token-for-top"


def document() -> Overview:
    return overview("all", Moment(busy()).window("all"), Thresholds(), [], {})


def test_lines_say_what_the_service_does() -> None:
    text = "\n".join(lines(document(), 120, 40, colour=False))
    assert text.startswith("shop: all well\n")
    for said in ("1.73 requests/s", "0.96 % errors", "2 workers", "GET     /slow", "33.3 %", "last 1 min"):
        assert said in text, said
    assert "\x1b" not in text


def test_a_single_worker_is_called_one() -> None:
    single = document()
    single["window"]["workers"] = [41]
    assert "\n1 worker  " in "\n".join(lines(single, 120, 40, colour=False))


@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 5), (200, 60)])
def test_lines_fit_the_terminal(width: int, height: int) -> None:
    text = lines(document(), width, height, colour=False)
    assert len(text) <= height
    assert all(len(line) <= width for line in text)


def ill() -> Overview:
    """With an alert, a finding and a route whose name is long."""
    found = document()
    found["busiest"][0]["route"] = "/" + "long" * 40
    found["alerts"] = [
        Alert(
            threshold="x",
            level=Level.CRITICAL,
            subject="GET /" + "slow" * 30,
            what="duration",
            value=0.405,
            limit=0.2,
            unit="seconds",
        )
    ]
    found["findings"] = [
        Finding(
            kind="n_plus_one", severity=Severity.WARNING, summary="it was asked " + "again and " * 9 + "again", cure="Ask once.",
            route="/slow", subject="x", occurrences=1, first_at_unix_seconds=1.0, last_at_unix_seconds=1.0, evidence={},
        )
    ]  # fmt: skip
    return found


def test_what_a_narrow_terminal_cuts_is_not_the_figures() -> None:
    text = lines(ill(), 80, 20, colour=False)
    [alert] = [line for line in text if line.startswith("•")]
    assert alert.startswith("•   405 ms, limit 200 ms   GET /slow")
    assert alert.endswith("…")
    assert any("long… " in line and line.endswith("%") for line in text)
    assert any("in flight" in line for line in text)


def test_a_high_terminal_has_room_for_cures_and_more_routes() -> None:
    text = "\n".join(lines(ill(), 80, 50, colour=False))
    assert "  Ask once." in text
    assert "SLOWEST" in text
    assert "SLOWEST" not in "\n".join(lines(ill(), 80, 23, colour=False))


def test_what_comes_from_outside_can_not_steer_the_terminal() -> None:
    assert shown("a\x1b[2Jb\x07\n\u202ec") == "a�[2Jb���c"
    hostile = document()
    hostile["service"] = "\x1b]0;owned\x07"
    assert "\x1b" not in "".join(lines(hostile, 100, 40, colour=False))


def test_durations_take_the_largest_unit_that_fits() -> None:
    assert [seconds(value) for value in (None, 0.0, 2e-6, 0.0123, 1.5, 90.0)] == [
        "–", "0 µs", "2 µs", "12.3 ms", "1.50 s", "1.50 min",
    ]  # fmt: skip


def test_a_served_app_is_seen_from_its_folder_and_from_its_address(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.delenv("STETHOSCOPE_TOKEN", raising=False)
    env = {"STETHOSCOPE_TOKEN": TOKEN, "STETHOSCOPE_DIR": str(tmp_path)}
    with serve("uvicorn", "tests.dashboards.streaming_app:app", env=env) as server:
        with httpx.Client(base_url=server.url) as client:
            for _ in range(3):  # when one is answered, the one before it is recorded
                client.get("/")
        assert main(["top", "--once", "--dir", str(tmp_path)]) == 0
        from_folder = capsys.readouterr().out
        assert main(["top", server.url, "--once", "--token", TOKEN]) == 0
        from_address = capsys.readouterr().out
        assert main(["top", server.url, "--once", "--token", "wrong"]) == 2
    assert "give the token by --token or STETHOSCOPE_TOKEN" in capsys.readouterr().err
    for text in (from_folder, from_address):
        assert text.startswith("nothing: ")
        assert "GET     no route" in text


Arguments = Callable[[Path], list[str]]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (lambda folder: ["--dir", str(folder)], "there is no service in"),
        (lambda folder: ["ftp://host"], "expected one such as http://127.0.0.1:8000"),
        (lambda folder: [f"127.0.0.1:{free_port()}"], "cannot be reached"),
        (lambda folder: ["--interval", "0"], "expected seconds above 0"),
    ],
)
def test_what_stands_in_the_way_is_said_in_one_line(
    arguments: Arguments, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["top", "--once", *arguments(tmp_path)]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert told in line

"""``stethoscope diagnose``: what it says of a real service, alive and ended, and how it ends."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from stethoscope import names
from stethoscope.cli import main
from stethoscope.settings import Settings
from stethoscope.store import registry
from stethoscope.store.home import find_folder, root_of
from stethoscope.store.recorder import Recorder
from stethoscope.store.registry import recorder_for
from tests.servers import Server, free_port, serve
from tests.sidecar.running import sidecar

TOKEN = "a-token-for-diagnose"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("STETHOSCOPE_TOKEN", raising=False)
    tmp_path.chmod(0o700)
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    env = {"STETHOSCOPE_TOKEN": TOKEN, "STETHOSCOPE_DIR": str(folder)}
    with serve("uvicorn", "tests.dashboards.ill_app:app", workers=2, env=env) as running:
        yield running


def visit(server: Server, path: str) -> None:
    """Twice, over one connection: when one is answered, the one before it is recorded."""
    with httpx.Client(base_url=server.url) as client:
        for _ in range(2):
            assert client.get(path).status_code == 200


def items(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(text)["items"]
    return found


def test_a_service_is_diagnosed_from_its_address_and_after_its_end_from_its_folder(
    server: Server, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    visit(server, "/ill")
    address = ["diagnose", server.url, "--token", TOKEN]
    assert main([*address, "--format", "json"]) == 1
    [finding] = items(capsys.readouterr().out)
    assert (finding["kind"], finding["severity"], finding["route"]) == ("n_plus_one", "warning", "/ill")
    assert finding["evidence"]["queries"] == 10
    server.stop()
    assert main(["diagnose", "--dir", str(folder), "--service", "patient"]) == 1
    text = capsys.readouterr().out
    assert text.startswith("warning: n_plus_one in /ill\n  “SELECT ?” was sent ")
    assert "10 queries in one request" in text
    for said in (
        "  cure:  Ask for all of them at once",
        "  line:  tests/dashboards/ill_app.py:",
        "  query: SELECT ?\n",
    ):
        assert said in text
    assert "  seen:  2 times, " in text
    assert text.endswith("\n1 warning\n")


def test_a_healthy_service_ends_well(server: Server, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    visit(server, "/well")
    assert main(["diagnose", "--dir", str(folder), "--fail-on", "info"]) == 0
    assert capsys.readouterr().out == "nothing found\n"
    assert main(["diagnose", server.url, "--token", TOKEN, "--format", "json"]) == 0
    assert items(capsys.readouterr().out) == []


def recorded(folder: Path, *severities: str) -> Recorder:
    """A process of the service ``patient`` that has found something of each severity."""
    recorder = recorder_for(Settings.resolve(service="patient", dir=str(folder)), "")
    for severity in severities:
        recorder.counter(names.FINDINGS, ("far_offset", severity, "/a\x1b[2J", severity)).add(1.0)
    return recorder


@pytest.mark.usefixtures("own_registry")
@pytest.mark.parametrize(
    ("severity", "limit", "status"),
    [
        ("critical", "critical", 1),
        ("critical", "info", 1),
        ("critical", "never", 0),
        ("warning", "critical", 0),
        ("warning", "warning", 1),
        ("info", "warning", 0),
        ("info", "info", 1),
    ],
)
def test_how_severe_it_must_be_to_fail(severity: str, limit: str, status: int, folder: Path) -> None:
    recorded(folder, severity)
    assert main(["diagnose", "--dir", str(folder), "--fail-on", limit]) == status


@pytest.mark.usefixtures("own_registry")
def test_one_of_a_sidecars_services_is_chosen_by_its_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recorded(folder, "critical")
    recorder_for(Settings.resolve(service="healthy", dir=str(folder)), "").counter(names.POOL_TIMEOUTS, ("p",)).add(1.0)
    with sidecar("--dir", str(folder)) as beside:
        address = f"127.0.0.1:{beside.port}"
        assert main(["diagnose", address, "--service", "patient"]) == 1
        assert main(["diagnose", address, "--service", "healthy"]) == 0
        assert main(["diagnose", f"{address}/services/patient"]) == 1
        capsys.readouterr()
        assert main(["diagnose", address, "--service", "nobody"]) == 2
    told = capsys.readouterr().err
    assert f"404 Not Found: there is no service 'nobody' at http://{address}; http://{address}/services lists" in told


@pytest.mark.usefixtures("own_registry")
def test_of_several_services_one_is_chosen_by_what_it_is_called_in_the_list(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(folder, "critical")
    find_folder("a shop", shared=False, directory=str(folder))()
    name = f"a shop@{root_of(os.getpid())}"
    assert main(["diagnose", "--dir", str(folder)]) == 2
    assert capsys.readouterr().err.endswith(f"choose one by --service: {name}, patient\n")
    assert main(["diagnose", "--dir", str(folder), "--service", "nobody"]) == 2
    assert f"there is no service 'nobody' in {folder}, only {name}, patient\n" in capsys.readouterr().err
    assert main(["diagnose", "--dir", str(folder), "--service", name]) == 0


@pytest.mark.usefixtures("own_registry")
def test_an_app_without_a_token_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    with serve("uvicorn", "tests.dashboards.ill_app:app") as server:
        assert main(["diagnose", server.url]) == 2
    assert "404 Not Found: an app serves it only with a token" in capsys.readouterr().err


@pytest.mark.usefixtures("own_registry")
def test_a_folder_on_the_command_line_may_be_relative(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(folder, "critical")
    monkeypatch.chdir(folder.parent)
    assert main(["diagnose", "--dir", folder.name]) == 1


@pytest.mark.usefixtures("own_registry")
def test_the_worst_comes_first_and_nothing_steers_the_terminal(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(folder, "info", "critical", "warning")
    assert main(["diagnose", "--dir", str(folder)]) == 1
    text = capsys.readouterr().out
    assert [line.partition(":")[0] for line in text.splitlines() if " in /a" in line] == ["critical", "warning", "info"]
    assert text.endswith("\n1 critical, 1 warning, 1 info\n")
    assert "\x1b" not in text


@pytest.mark.usefixtures("own_registry")
def test_what_stands_in_the_way_is_said_in_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    for arguments, told in (
        (["--dir", str(folder)], "there is no service in"),
        (["ftp://host"], "expected one such as http://127.0.0.1:8000"),
        ([nobody], "cannot be reached"),
    ):
        assert main(["diagnose", *arguments]) == 2
        [line] = capsys.readouterr().err.splitlines()
        assert told in line
    with pytest.raises(SystemExit) as ended:
        main(["diagnose", "--fail-on", "everything"])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert all(word in told for word in ("everything", "critical", "never"))


@pytest.fixture
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("_default", None), ("_provisional", None), ("_recorders", {})):
        monkeypatch.setattr(registry, name, value)

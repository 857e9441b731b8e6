"""App and sidecar as processes that start, are killed and come back in any order: nothing is lost, nothing goes back."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from stethoscope.store.folder import SUFFIX
from stethoscope.store.home import find_folder
from stethoscope.store.lease import HOUSEKEEPING
from stethoscope.store.recorder import Recorder
from tests.process.scrapes import Unanswered, answers, request
from tests.process.stores import REQUESTS
from tests.scrape import total
from tests.servers import HOST, Server, free_port, serve
from tests.sidecar.running import Sidecar, program, running, sidecar, until

APP = "tests.process.app:app"
COUNT = "http_server_request_duration_seconds_count"
USER, OTHER_USER, GROUP = 1_300_001, 1_300_002, 1_300_009

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be several users")


def named(place: Path) -> dict[str, str]:
    return {"STETHOSCOPE_DIR": str(place), "STETHOSCOPE_SERVICE": "shop"}


def counted(beside: Sidecar) -> float:
    return total(beside.scrape(), COUNT, service_name="shop")


def has_counted(beside: Sidecar, requests: int) -> bool:
    return counted(beside) == requests


class Load(threading.Thread):
    """Requests one after the other, until `end`; counts those that were answered."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._server = server
        self._end = threading.Event()
        self.answered = 0
        self.unanswered = 0

    def run(self) -> None:
        while not self._end.is_set():
            try:
                request(self._server)
                self.answered += 1
            except Unanswered:
                self.unanswered += 1

    def end(self) -> None:
        self._end.set()
        self.join()


@contextmanager
def load(server: Server, clients: int = 3) -> Iterator[list[Load]]:
    threads = [Load(server) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield threads
    finally:
        for thread in threads:
            thread.end()


def answered(threads: list[Load]) -> int:
    return sum(thread.answered for thread in threads)


def test_a_sidecar_that_is_killed_and_restarted_under_load_loses_nothing(place: Path) -> None:
    """Workers are recycled all the while, so that sidecars are killed while they fold."""
    options = ["--max-requests", "25"]
    with serve("gunicorn", APP, workers=3, env=named(place), options=options) as server, load(server) as threads:
        seen = [0.0]
        for _ in range(3):
            with sidecar("--dir", str(place)) as beside:
                goal = answered(threads) + 60
                while answered(threads) < goal:
                    seen.append(counted(beside))
                assert beside.end(signal.SIGKILL) == -signal.SIGKILL
        for thread in threads:
            thread.end()
        with sidecar("--dir", str(place)) as beside:
            # A worker that was recycled with a connection in its hands may have recorded a request that nobody saw answered.
            unsure = sum(thread.unanswered for thread in threads)
            until(lambda: answered(threads) <= counted(beside) <= answered(threads) + unsure, beside.log)
            seen.append(counted(beside))
    assert seen == sorted(seen)
    assert len([name for name in os.listdir(place / "shop") if name.endswith(SUFFIX)]) <= 8


def test_the_app_is_deployed_anew_under_a_running_sidecar(place: Path) -> None:
    """Counts go on, and every scrape between is answered and shows what there was."""
    with sidecar("--dir", str(place)) as beside:
        seen: list[float] = []
        requests = 0
        for workers in (2, 1, 2):
            with serve("uvicorn", APP, workers=workers, env=named(place)) as server:
                requests += len(one_request_each(server, workers))
                until(partial(has_counted, beside, requests), beside.log)
                assert total(beside.scrape(), "stethoscope_workers", service_name="shop") == workers
            seen += [counted(beside) for _ in range(3)]
            assert total(beside.scrape(), "stethoscope_workers", service_name="shop") == 0
        assert seen == sorted(seen)
        assert seen[-1] == requests


def test_sixteen_workers(place: Path) -> None:
    with sidecar("--dir", str(place)) as beside, serve("gunicorn-preload", APP, workers=16, env=named(place)) as server:
        assert len(set(one_request_each(server, 16))) == 16
        until(partial(has_counted, beside, 16), beside.log)
        assert total(beside.scrape(), "stethoscope_workers", service_name="shop") == 16


def one_request_each(server: Server, workers: int) -> list[int]:
    """The pids of so many workers, each of which has answered one request: who has is stopped until the others have."""
    stopped: list[int] = []
    try:
        for _ in range(workers):
            stopped.append(request(server))
            os.kill(stopped[-1], signal.SIGSTOP)
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    return stopped


def test_a_service_whose_files_are_damaged_does_not_hide_the_others(place: Path) -> None:
    for service in ("shop", "till"):
        Recorder(service, find_folder(service, shared=True, directory=str(place))).counter(REQUESTS, ("/",)).add(2.0)
    (place / "shop" / f"{'0' * 16}{SUFFIX}").write_bytes(b"not a segment")
    (place / "shop" / f"{'1' * 16}{SUFFIX}").symlink_to("/etc/passwd")
    [segment] = [path for path in (place / "till").iterdir() if path.name.endswith(SUFFIX)]
    with open(segment, "r+b") as file:
        file.write(b"\xff" * 64)
    (place / "late").mkdir(mode=0o777)
    (place / "late").chmod(0o777)
    with sidecar("--dir", str(place)) as beside:
        samples = beside.scrape()
        assert total(samples, "requests_total", service_name="shop") == 2
        assert total(samples, "stethoscope_skipped_segments", service_name="shop") == 2
        assert total(samples, "stethoscope_skipped_segments", service_name="till") == 1
        assert beside.get("/readyz").status == 503
        assert "late must belong to user" in beside.log()
        (place / "late").chmod(0o700)
        until(lambda: beside.get("/readyz").status == 200, beside.log)


def test_a_sidecar_takes_the_duties_of_workers_and_gives_them_back_when_it_ends(place: Path) -> None:
    recorder = Recorder("shop", find_folder("shop", shared=True, directory=str(place)))
    recorder.counter(REQUESTS, ("/",)).add(1.0)
    assert recorder.leads(HOUSEKEEPING)
    with sidecar("--dir", str(place)) as beside:
        until(lambda: not recorder.leads(HOUSEKEEPING), beside.log)
        assert beside.end() == 0
    assert recorder.leads(HOUSEKEEPING)


@needs_root
def test_app_and_sidecar_as_different_users_of_one_group(place: Path) -> None:
    place.chmod(0o755)
    shared = place / "app"
    shared.mkdir(mode=0o700)
    os.chown(shared, USER, USER)
    port = free_port()
    command = [*program((USER, GROUP)), "uvicorn", APP, "--host", HOST, "--port", str(port), "--log-level", "warning"]
    env = {**named(shared), "STETHOSCOPE_GROUP": str(GROUP)}
    options = ["--dir", str(shared), "--user", str(USER)]
    with (
        sidecar(*options, user=(OTHER_USER, GROUP)) as beside,
        sidecar(*options, user=(OTHER_USER, OTHER_USER)) as stranger,
        running(command, env) as (process, output),
    ):
        server = Server("uvicorn", port, process, output)
        until(lambda: answers(server), server.log)
        for _ in range(9):
            assert request(server) == process.pid
        until(partial(has_counted, beside, 10), beside.log)
        assert os.stat(f"/proc/{process.pid}").st_uid == USER
        assert os.stat(f"/proc/{beside.pid}").st_uid == OTHER_USER
        assert {path.stat().st_uid for path in (shared / "shop").iterdir()} == {USER}
        assert counted(stranger) == 0
        assert stranger.get("/readyz").status == 503
        assert f"{shared} cannot be opened: Permission denied" in stranger.log()

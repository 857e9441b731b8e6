"""Who samples the machine for a service: one of its workers, or the sidecar beside them."""

from __future__ import annotations

import math
import os
import signal
from pathlib import Path

import pytest

from stethoscope.instruments import sampling, vitals
from stethoscope.instruments.machine.system import MACHINE
from stethoscope.names import SYSTEM_MEMORY_AVAILABLE
from stethoscope.sidecar.machine import Machine
from stethoscope.store.folder import SUFFIX, Folder
from stethoscope.store.layout import Role
from stethoscope.store.reader import Contents, SegmentReader
from stethoscope.store.watched import Watched
from tests.process.scrapes import request, scrape
from tests.process.stores import REQUESTS, recorder_in
from tests.process.stores import total as total_of
from tests.scrape import total
from tests.servers import serve
from tests.sidecar.running import Sidecar, sidecar, until

CPU_TIME = "system_cpu_time_seconds_total"


def segments(place: Path) -> list[Contents]:
    folder = Folder(str(place / "shop"))
    found = []
    for name in folder.names():
        if name.endswith(SUFFIX):
            reader = SegmentReader(folder.open(name))
            found.append(reader.read())
            reader.close()
    return found


def sampled(place: Path, role: Role) -> dict[int, float]:
    """By process, when it last looked at the machine."""
    return {
        contents.pid: contents.words()[entry.word + 1]
        for contents in segments(place)
        for entry in contents.index.series
        if contents.role is role and entry.key.metric.name == SYSTEM_MEMORY_AVAILABLE.name
    }


def samples_since(place: Path, role: Role, stamps: dict[int, float]) -> bool:
    return any(stamp > stamps.get(pid, 0.0) for pid, stamp in sampled(place, role).items())


def wait_for_sample(place: Path, role: Role, beside: Sidecar | None = None) -> None:
    before = sampled(place, role)
    until(lambda: samples_since(place, role, before), beside.log if beside else str)


def cpu_time(beside: Sidecar) -> float:
    return total(beside.scrape(), CPU_TIME, service_name="shop")


def test_workers_leave_the_machine_to_a_sidecar_and_take_it_back_when_it_is_killed(place: Path) -> None:
    env = {"STETHOSCOPE_DIR": str(place), "STETHOSCOPE_SERVICE": "shop"}
    with serve("uvicorn", "tests.sidecar.quick:app", workers=2, env=env) as server:
        request(server)
        wait_for_sample(place, Role.WORKER)
        with sidecar("--dir", str(place), module="tests.sidecar.quick") as beside:
            seen = [cpu_time(beside)]
            wait_for_sample(place, Role.DEPUTY, beside)
            workers = sampled(place, Role.WORKER)
            for _ in range(3):
                wait_for_sample(place, Role.DEPUTY, beside)
            assert sampled(place, Role.WORKER) == workers
            assert list(sampled(place, Role.DEPUTY)) == [beside.pid]
            page = beside.scrape()
            assert total(page, "system_memory_limit_bytes", service_name="shop") > 0
            assert total(page, "stethoscope_memory_limit_bytes", service_name="shop") > 0  # the cgroup's, by a worker
            assert total(page, "stethoscope_workers", service_name="shop") == workers_of(place)
            seen.append(cpu_time(beside))
            assert beside.end(signal.SIGKILL) == -signal.SIGKILL
        wait_for_sample(place, Role.WORKER)
        seen.append(scrape(server)[CPU_TIME])
    assert seen == sorted(seen)
    assert seen[0] < seen[-1]


def workers_of(place: Path) -> int:
    return sum(contents.role is Role.WORKER for contents in segments(place))


def test_what_workers_do_not_sample_the_sidecar_does_not_either(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vitals, "_MACHINE", 0.0)
    monkeypatch.setattr(sampling, "SHARE", math.inf)
    recorder = recorder_in(place / "shop")
    recorder.counter(REQUESTS, ("/",)).add(1.0)
    watched = Watched("shop", Folder(str(place / "shop")), unexpected)
    machine = Machine(lambda: [watched], unexpected)
    machine.sample()
    assert [contents.role for contents in segments(place)] == [Role.WORKER]
    assert recorder.leads(MACHINE)
    machine.sample()
    assert not recorder.leads(MACHINE)
    machine.sample()
    assert list(sampled(place, Role.DEPUTY)) == [os.getpid()]
    watched.leave()


def test_a_deputy_counts_as_no_worker_and_is_gone_when_they_are(place: Path) -> None:
    recorder = recorder_in(place / "shop")
    recorder.counter(REQUESTS, ("/",)).add(1.0)
    watched = Watched("shop", Folder(str(place / "shop")), unexpected)
    deputy = watched.deputy()
    assert deputy is not None
    deputy.counter(REQUESTS, ("/",)).add(2.0)
    assert watched.deputy() is deputy
    snapshot = recorder.snapshot()
    assert (snapshot.workers, total_of(snapshot, REQUESTS)) == ((os.getpid(),), 3.0)
    for name in os.listdir(place / "shop"):
        os.unlink(place / "shop" / name)
    recorder.keep_house()
    watched.keep_house()
    assert total_of(recorder.snapshot(), REQUESTS) == 3.0
    assert len(segments(place)) == 2
    recorder.move(lambda: None)  # the only worker has left
    assert watched.deputy() is None
    assert total_of(watched.snapshot(), REQUESTS) == 2.0
    assert segments(place) == []


def test_a_deputy_of_a_service_that_was_left_records_nothing_more(place: Path) -> None:
    recorder = recorder_in(place / "shop")
    recorder.counter(REQUESTS, ("/",)).add(1.0)
    watched = Watched("shop", Folder(str(place / "shop")), unexpected)
    early, deputy = watched.deputy(), watched.deputy()
    assert early is deputy is not None
    watched.leave()
    deputy.counter(REQUESTS, ("/",)).add(2.0)
    assert watched.deputy() is None
    assert total_of(recorder.snapshot(), REQUESTS) == 1.0


def unexpected(where: str, error: BaseException) -> None:
    raise AssertionError(where) from error

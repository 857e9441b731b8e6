"""Forking after use: each process records for itself, nothing is lost or doubled, nobody keeps the dead alive."""

from __future__ import annotations

import ctypes
import importlib.abc
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType

from stethoscope import names
from stethoscope.store import layout
from stethoscope.store.recorder import Recorder
from tests.process.children import PATIENCE, running, stay
from tests.process.stores import ACTIVE, REQUESTS, SECONDS, gatherer_in, recorder_in, segments, total, value

FORKS = 4
RECORDS = 5000


def record(recorder: Recorder, times: int) -> None:
    for _ in range(times):
        recorder.counter(REQUESTS, ("/a",)).add(1.0)
        recorder.histogram(SECONDS, ("/a",)).record(0.05)


def fork(work: Callable[[], None], call: Callable[[], int] = os.fork) -> int:
    with warnings.catch_warnings():
        # Forking with threads is what is tried here.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = call()
    if child == 0:
        work()
        os._exit(0)
    return child


def ended_well(children: list[int]) -> bool:
    return [os.waitpid(child, 0)[1] for child in children] == [0] * len(children)


def fork_after_use(pipe: Connection, place: Path) -> None:
    recorder = recorder_in(place)
    record(recorder, RECORDS)
    recorder.gauge(ACTIVE).add(1.0)
    children = [fork(lambda: record(recorder, RECORDS)) for _ in range(FORKS)]
    record(recorder, RECORDS)
    pipe.send(ended_well(children))
    stay(pipe)


def test_children_forked_after_use_and_their_parent_record_an_exact_sum(place: Path) -> None:
    """A16: gunicorn preload, granian, multiprocessing."""
    with running(fork_after_use, place) as parent:
        assert parent.hear() is True
        seen = gatherer_in(place).gather()
        assert (total(seen, REQUESTS), total(seen, SECONDS)) == ((FORKS + 2) * RECORDS,) * 2
        assert seen.workers == (parent.pid,)
        assert total(seen, ACTIVE) == 1
    assert total(gatherer_in(place).gather(), REQUESTS) == (FORKS + 2) * RECORDS


def fork_and_die(pipe: Connection, place: Path) -> None:
    recorder = recorder_in(place)
    recorder.gauge(ACTIVE).add(5.0)
    record(recorder, 10)
    pipe.send(fork(lambda: stay(pipe)))
    stay(pipe)


def test_a_parent_is_dead_when_it_has_died_though_its_children_live(place: Path) -> None:
    """A16: a lock belongs to all who inherited it, so children let go of their parent's."""
    with running(fork_and_die, place) as parent:
        child = parent.hear()
        assert isinstance(child, int)
        parent.kill()
        try:
            # The child lets go in its first instants, which may come after its parent's last ones.
            seen, never = gatherer_in(place).gather(), threading.Event()
            while seen.workers and not never.wait(0.05):
                seen = gatherer_in(place).gather()
            assert (total(seen, REQUESTS), total(seen, ACTIVE), seen.workers) == (10, 0, ())
        finally:
            os.kill(child, signal.SIGKILL)


def fork_in_the_middle_of_everything(pipe: Connection, place: Path) -> None:
    recorder, over = recorder_in(place), threading.Event()

    def churn() -> None:
        for number in range(100_000):
            if over.is_set():
                return
            recorder.histogram(SECONDS, (f"/{number % 1500}",)).record(number * 1e-4)

    def scrape() -> None:
        while not over.is_set():
            recorder.keep_house()

    def record_and_scrape() -> None:
        record(recorder, 100)
        recorder.snapshot()

    threads = [threading.Thread(target=work) for work in (churn, churn, scrape)]
    for thread in threads:
        thread.start()
    children = [fork(record_and_scrape) for _ in range(30)]
    pipe.send(ended_well(children))
    over.set()
    for thread in threads:
        thread.join()


def test_a_fork_while_other_threads_record_scrape_and_keep_house_leaves_no_child_hanging(place: Path) -> None:
    """A16: locks that are held at the fork are nobody's in the child."""
    with running(fork_in_the_middle_of_everything, place) as parent:
        assert parent.hear() is True
        assert value(gatherer_in(place).gather(), REQUESTS, "/a") == 30 * 100


class Importing(importlib.abc.MetaPathFinder):
    """Says when another thread imports the windows, and holds it up until somebody has forked or waits to."""

    def __init__(self) -> None:
        self.begun, self.forked = threading.Event(), threading.Event()

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if name == "stethoscope.store.history" and not self.begun.is_set():
            self.begun.set()
            self.forked.wait(0.5)


def fork_in_the_middle_of_an_import(pipe: Connection, place: Path) -> None:
    importing, recorder = Importing(), recorder_in(place)
    record(recorder, 1)
    sys.modules.pop("stethoscope.store.history", None)
    sys.meta_path.insert(0, importing)
    thread = threading.Thread(target=recorder.keep_house)
    thread.start()
    importing.begun.wait(PATIENCE)

    def look() -> None:
        signal.alarm(int(PATIENCE / 3))
        recorder.window(60)

    child = fork(look)
    importing.forked.set()
    pipe.send(ended_well([child]))
    thread.join()


def test_a_fork_while_the_housekeeper_imports_what_it_needs_leaves_no_child_waiting_for_that(place: Path) -> None:
    """A16: an import that is under way at the fork never ends in the child."""
    with running(fork_in_the_middle_of_an_import, place) as parent:
        assert parent.hear() is True


def fork_in_the_middle_of_a_companion(pipe: Connection, place: Path) -> None:
    recorder, begun, forked = recorder_in(place), threading.Event(), threading.Event()

    def make() -> object:
        recorder.every(60.0, "companion", lambda: None)
        begun.set()
        forked.wait(0.5)
        return object()

    def look() -> None:
        signal.alarm(int(PATIENCE / 3))
        recorder.companion("key", make)
        os._exit(0 if len(recorder.chores) == 1 else 1)

    thread = threading.Thread(target=recorder.companion, args=("key", make))
    thread.start()
    begun.wait(PATIENCE)
    child = fork(look)
    forked.set()
    pipe.send(ended_well([child]))
    thread.join()


def test_a_fork_while_another_thread_makes_a_companion_leaves_the_child_with_it_and_its_chores_once(
    place: Path,
) -> None:
    """A16: half made, it would have its chores already, and be made once more."""
    with running(fork_in_the_middle_of_a_companion, place) as parent:
        assert parent.hear() is True


def fork_without_hooks(pipe: Connection, place: Path) -> None:
    libc = ctypes.CDLL(None)
    recorder = recorder_in(place)
    record(recorder, 10)

    def work(number: int) -> None:
        # A series that this process has not used before: there the pid is compared.
        recorder.counter(REQUESTS, (f"/{'new' * number}",)).add(1.0)
        record(recorder, 10)

    pipe.send(ended_well([fork(partial(work, number), libc.fork) for number in range(FORKS)]))
    stay(pipe)


def test_a_fork_that_runs_no_hooks_is_noticed_at_the_first_new_series(place: Path) -> None:
    """A16: a C library that forks. Until then the child would write where its parent does."""
    with running(fork_without_hooks, place) as parent:
        assert parent.hear() is True
        seen = gatherer_in(place).gather()
        assert [value(seen, REQUESTS, f"/{'new' * number}") for number in range(FORKS)] == [1] * FORKS
        assert value(seen, REQUESTS, "/a") == 10 + FORKS * 10
        assert seen.workers == (parent.pid,)


def import_only(pipe: Connection, place: Path) -> None:
    recorder = recorder_in(place)
    recorder.counter(REQUESTS, ("/a",))
    recorder.histogram(SECONDS, ("/a",))
    pipe.send(threading.active_count())


def test_a_process_that_records_nothing_leaves_nothing_behind_and_starts_no_thread(place: Path) -> None:
    """B40: management commands, liveness probes and helpers."""
    with running(import_only, place / "unused") as child:
        assert child.hear() == 1
    assert not (place / "unused").exists()


def record_and_live(pipe: Connection, place: Path, routes: list[str]) -> None:
    recorder = recorder_in(place)
    recorder.gauge(ACTIVE).add(1.0)
    for route in routes:
        recorder.counter(REQUESTS, (route,)).add(1.0)
    pipe.send("ready")
    stay(pipe)


def test_a_dead_worker_is_dead_though_its_pid_is_alive_again_as_another_process(place: Path) -> None:
    """A17: liveness is the lock's, never the number's."""
    with running(record_and_live, place, ["/a"]) as first:
        first.hear()
        (name,) = segments(place)
        first.kill()
    data = bytearray((place / name).read_bytes()[: 1 << 15])
    with running(record_and_live, place, ["/b"]) as second:
        second.hear()
        # The dead one's segment now bears the pid of a process that lives and records.
        used = layout.HEADER.unpack_from(data)[-1]
        data[:64] = layout.header(bytes(range(16)), 0.0, second.pid, layout.Role.WORKER, used)
        (place / name).write_bytes(data)
        seen = gatherer_in(place).gather()
        assert (value(seen, REQUESTS, "/a"), value(seen, REQUESTS, "/b")) == (1, 1)
        assert (total(seen, ACTIVE), seen.workers) == (1, (second.pid,))


def test_two_workers_with_one_pid_are_two_workers(place: Path) -> None:
    """A17: two containers that share a folder."""
    with running(record_and_live, place, ["/a"]) as one, running(record_and_live, place, ["/b"]) as other:
        one.hear()
        other.hear()
        seen = gatherer_in(place).gather()
        assert value(seen, names.WORKERS) == 2


def test_a_worker_that_is_stopped_is_alive_and_read_all_the_same(place: Path) -> None:
    """B8: SIGSTOP at any instant holds up nobody."""
    with running(record_and_live, place, ["/a"]) as stopped:
        stopped.hear()
        os.kill(stopped.pid, signal.SIGSTOP)
        seen = gatherer_in(place).gather()
        assert (value(seen, REQUESTS, "/a"), total(seen, ACTIVE), seen.workers) == (1, 1, (stopped.pid,))
        os.kill(stopped.pid, signal.SIGCONT)

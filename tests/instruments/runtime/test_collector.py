"""Runs of the garbage collector are timed, and what comes in the middle of one is not lost by that."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from stethoscope import hot, names
from stethoscope.instruments.runtime import collector
from stethoscope.instruments.runtime.collector import Collector, RunsPlainly
from stethoscope.store.recorder import Recorder

INTERRUPTED = """
import ctypes, functools, gc, signal, sys
from stethoscope.instruments.runtime import collector

# What Ctrl-C does, done by nothing but compiled code between the collector's beginning and our callback.
signal.signal(signal.SIGINT, signal.default_int_handler)  # who runs the tests may ignore it
interrupt = ctypes.pythonapi.PyErr_SetInterrupt
interrupt.argtypes, interrupt.restype = [ctypes.py_object], ctypes.c_int
gc.disable()
gc.collect()
lost = []
sys.unraisablehook = lambda failure: lost.append(failure.exc_type.__name__)
runs = getattr(collector, sys.argv[1])(10)
gc.callbacks[:] = [functools.partial(min, key=interrupt), runs]
raised = ""
try:
    gc.collect()
except KeyboardInterrupt as error:
    raised = "raised"
gc.callbacks.clear()
print(raised, *set(lost), len(runs.take()))
"""


@pytest.fixture(params=["Runs", "RunsPlainly"])
def runs(request: pytest.FixtureRequest) -> Iterator[Any]:
    made = getattr(collector, request.param)(3)
    gc.disable()
    yield made
    gc.enable()


def test_each_run_is_kept_with_what_it_did_until_it_is_taken(runs: Any) -> None:
    info = {"generation": 1, "collected": 7, "uncollectable": 2}
    runs("stop", info)
    assert runs.take() == [], "its beginning was not seen"
    for generation in (1, 2):
        runs("start", {**info, "generation": generation})
        runs("stop", {**info, "generation": generation})
    first, second = runs.take()
    assert (first[0], *first[2:]) == (1, 7, 2)
    assert (second[0], *second[2:]) == (2, 7, 2)
    assert all(0 <= seconds < 60 for _, seconds, _, _ in (first, second))
    assert runs.take() == []
    for _ in range(5):
        runs("start", info)
        runs("stop", info)
    assert len(runs.take()) == 3, "no more than so many are kept"


def interrupted(kind: str) -> str:
    found = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, kind], capture_output=True, text=True, timeout=100, check=False
    )
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()


@pytest.mark.skipif(not hot.COMPILED, reason="only what is compiled can do it")
def test_an_interrupt_in_the_middle_of_a_run_reaches_the_app() -> None:
    assert interrupted("Runs") == "raised 1"


def test_in_python_it_can_not_and_so_this_is_what_the_compiled_one_is_for() -> None:
    assert "KeyboardInterrupt" in interrupted("RunsPlainly")


def test_the_collector_of_garbage_forgets_who_is_gone() -> None:
    watching = Collector(Recorder("garbage", lambda: None))
    watching.start()
    watching.start()
    runs = watching._runs
    assert gc.callbacks.count(runs) == 1
    gc.collect()
    watching.sample()
    assert watching._recorder.counter(names.GC_COLLECTIONS, ("2",)).get() >= 1
    assert isinstance(runs, collector.Runs | RunsPlainly)
    del watching
    gc.collect()
    assert runs not in gc.callbacks

"""The vitals of a worker and its machine, put together as a service's settings have chosen them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Final
from weakref import WeakKeyDictionary

from stethoscope.instruments.machine.process import ProcessVitals
from stethoscope.instruments.machine.system import CONFINES, MACHINE, ConfinesVitals, MachineVitals
from stethoscope.instruments.runtime.worker import Worker
from stethoscope.instruments.sampling import Sample, Sampler
from stethoscope.store.recorder import Recorder

_OFTEN: Final = 1.0
_NOW_AND_THEN: Final = 5.0
_SELDOM: Final = 60.0
"""Seconds between two samples."""

_workers: Final[WeakKeyDictionary[Recorder, Worker | None]] = WeakKeyDictionary()


def watch_worker(recorder: Recorder, instruments: Collection[str]) -> Callable[[], None] | None:
    """Have the processes that record into a service watched; what is returned is to be called for each request, on its loop.

    Of ``instruments``, ours are ``runtime`` (None is returned without it), ``process`` and ``machine``. A service has its
    vitals taken once, as the first one says who asks.
    """
    if recorder not in _workers:
        worker = Worker(recorder) if "runtime" in instruments else None
        _workers[recorder] = worker
        samples = [Sample(_OFTEN, worker.sample)] if worker else []
        samples += _samples_by_psutil(recorder, instruments)
        if samples:
            recorder.every(_OFTEN, "vitals", Sampler(samples, lambda error: recorder.failed("vitals", error)))
    found = _workers[recorder]
    return found.request if found else None


def watch_machine(recorder: Recorder, leads: Callable[[], bool]) -> Callable[[], None]:
    """For a process that is no worker: a function that samples the machine if ``leads`` says that it is to, when it is due.

    To be called about once a second. Raises ImportError without psutil.
    """
    return Sampler(_machine_samples(recorder, leads), lambda error: recorder.failed("vitals", error))


def _samples_by_psutil(recorder: Recorder, instruments: Collection[str]) -> list[Sample]:
    samples: list[Sample] = []
    try:
        if "process" in instruments:
            samples += _process_samples(recorder)
        if "machine" in instruments:
            samples += _machine_samples(recorder, lambda: recorder.leads(MACHINE))
            confines = ConfinesVitals(recorder, lambda: recorder.leads(CONFINES), Path("/"))
            samples.append(Sample(_NOW_AND_THEN, confines.sample))
    except ImportError as error:
        recorder.warn_once("psutil", "neither processes nor the machine are measured: %s", error)
    return samples


def _process_samples(recorder: Recorder) -> Iterator[Sample]:
    process = ProcessVitals(recorder)
    yield Sample(_NOW_AND_THEN, process.sample)
    yield Sample(_SELDOM, process.sample_seldom)


def _machine_samples(recorder: Recorder, leads: Callable[[], bool]) -> Iterator[Sample]:
    machine = MachineVitals(recorder, leads)
    yield Sample(_NOW_AND_THEN, machine.sample)
    yield Sample(_SELDOM, machine.sample_seldom)

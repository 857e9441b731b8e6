"""The vitals of a worker and its machine, put together as a service's settings have chosen them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Final

from stethoscope.instruments.machine.process import ProcessVitals
from stethoscope.instruments.machine.system import CONFINES, MACHINE, ConfinesVitals, MachineVitals
from stethoscope.instruments.runtime.worker import Worker
from stethoscope.instruments.sampling import Sample, Sampler
from stethoscope.store.recorder import Recorder
from stethoscope.thresholds import DEFAULTS, Thresholds

_OFTEN: Final = 2.0
_PROCESS: Final = 5.0
_MACHINE: Final = 10.0
_SELDOM: Final = 60.0
"""Seconds between two samples."""


def watch_worker(recorder: Recorder, instruments: Collection[str], thresholds: Thresholds = DEFAULTS) -> Worker | None:
    """Have the processes that record into a service watched; what is returned is to be told of requests.

    Of ``instruments``, ours are ``runtime`` (None is returned without it), ``process`` and ``machine``. A service's vitals
    are taken once, as whoever asks first says.
    """
    return recorder.companion(watch_worker, lambda: _watch(recorder, instruments, thresholds))


def _watch(recorder: Recorder, instruments: Collection[str], thresholds: Thresholds) -> Worker | None:
    worker = Worker(recorder, thresholds.event_loop_lag_p99) if "runtime" in instruments else None
    samples = [Sample(_OFTEN, worker.sample)] if worker else []
    samples += _samples_by_psutil(recorder, instruments)
    if samples:
        recorder.every(_OFTEN, "vitals", Sampler(samples, lambda error: recorder.failed("vitals", error)))
    return worker


def _samples_by_psutil(recorder: Recorder, instruments: Collection[str]) -> list[Sample]:
    samples: list[Sample] = []
    try:
        if "process" in instruments:
            samples += _process_samples(recorder)
        if "machine" in instruments:
            samples += machine_samples(recorder, lambda: recorder.leads(MACHINE))
            samples += _confines_samples(recorder)
    except ImportError as error:
        recorder.warn_once("psutil", "neither processes nor the machine are measured: %s", error)
    return samples


def _process_samples(recorder: Recorder) -> Iterator[Sample]:
    process = ProcessVitals(recorder)
    yield Sample(_PROCESS, process.sample)
    yield Sample(_SELDOM, process.sample_seldom)


def machine_samples(recorder: Recorder, leads: Callable[[], bool]) -> Iterator[Sample]:
    """What is sampled of the machine by the process that ``leads``."""
    machine = MachineVitals(recorder, leads)
    yield Sample(_MACHINE, machine.sample)
    yield Sample(_SELDOM, machine.sample_seldom)


def _confines_samples(recorder: Recorder) -> Iterator[Sample]:
    yield Sample(_MACHINE, ConfinesVitals(recorder, lambda: recorder.leads(CONFINES)).sample)

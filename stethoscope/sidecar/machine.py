"""The machine, sampled in place of the workers of each service."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from stethoscope.instruments.machine.system import MACHINE
from stethoscope.instruments.sampling import Sampler
from stethoscope.instruments.vitals import machine_samples
from stethoscope.store.deputy import Deputy
from stethoscope.store.watched import OnFailure, Watched

LOOK_EVERY: Final = 1.0
"""Seconds between two looks whether there is something to sample."""


class Machine:
    """Samples it into the folder of each service whose workers would do so. For one thread."""

    def __init__(self, services: Callable[[], Iterable[Watched]], on_failure: OnFailure) -> None:
        self._services = services
        self._failed = on_failure
        self._samplers: dict[Watched, tuple[Deputy, Sampler]] = {}

    def sample(self) -> None:
        """What is due. Workers give way when they next ask, which is within 10 seconds."""
        services = list(self._services())
        self._samplers = {service: self._samplers[service] for service in services if service in self._samplers}
        for service in services:
            try:
                self._sample(service)
            except Exception as error:
                self._failed("machine", error)

    def _sample(self, service: Watched) -> None:
        deputy = service.deputy()
        if deputy is None or not service.knows(MACHINE):
            return
        known = self._samplers.get(service)
        if known is None or known[0] is not deputy:
            samples = machine_samples(deputy, partial(service.leads, MACHINE))
            self._samplers[service] = known = (deputy, Sampler(samples, partial(self._failed, "machine")))
        known[1]()

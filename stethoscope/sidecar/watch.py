"""The thread that finds services, keeps house for them, and starts and ends their exporters."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from stethoscope.exporters.exporter import Exporter
from stethoscope.exporters.sending import FLUSH, close_all, make_all
from stethoscope.store.discovery import Discovery
from stethoscope.store.home import name_of_service
from stethoscope.store.housekeeper import STEP
from stethoscope.store.watched import Count, OnFailure, Watched

logger: Final = logging.getLogger("stethoscope")

LOOK_EVERY: Final = 1.0
"""Seconds between two looks for services."""

_LAST_LOOK: Final = 0.5
"""Seconds that a look has to end which has begun."""

_LATE: Final = 60.0


class Watch(threading.Thread):
    """Keeps `services` up to date. Other threads read it; nothing is taken out while they use it."""

    def __init__(
        self,
        discovery: Discovery,
        on_failure: OnFailure,
        count: Count,
        make_exporters: Callable[[Watched], list[Exporter]] = make_all,
    ) -> None:
        super().__init__(name="stethoscope watch", daemon=True)
        self.services: Mapping[str, Watched] = {}
        """What there is now, by key. Replaced whole, never changed."""
        self.problems: tuple[str, ...] = ()
        """What keeps a folder from being read, each in words."""
        self.on_forgotten: Callable[[], None] = lambda: None
        """Called when a service has been taken out, in this thread. Must not raise."""
        self._discovery = discovery
        self._failed = on_failure
        self._count = count
        self._make_exporters = make_exporters
        self._exporters: dict[str, list[Exporter]] = {}
        self._end = threading.Event()
        self._housekeeping_due = 0.0
        self._looked_at = 0.0

    @property
    def healthy(self) -> bool:
        """Whether the thread still looks for services."""
        return time.monotonic() - self._looked_at < _LATE

    def run(self) -> None:
        while not self._end.wait(LOOK_EVERY):
            self.look()

    def look(self) -> None:
        """One round. Never raises."""
        try:
            self._look()
            if time.monotonic() >= self._housekeeping_due:
                self._housekeeping_due = time.monotonic() + STEP
                self._keep_house()
        except Exception as error:
            self._failed("watch", error)
        self._looked_at = time.monotonic()

    def close(self) -> None:
        """Send what has not been sent, and give all duties back. Takes at most 3.5 seconds."""
        self._end.set()
        if self.is_alive():
            self.join(_LAST_LOOK)
        close_all([exporter for exporters in self._exporters.values() for exporter in exporters], FLUSH)
        for service in self.services.values():
            service.leave()

    def _look(self) -> None:
        found, problems = self._discovery.look({key: service.folder for key, service in self.services.items()})
        for problem in problems:
            if problem not in self.problems:
                logger.warning(problem)
        self.problems = tuple(problems)
        before = self.services
        self.services = {
            key: before[key]
            if key in before and before[key].folder is folder
            else Watched(name_of_service(folder), folder, self._failed, self._count)
            for key, folder in found.items()
        }
        self._forget({key: service for key, service in before.items() if self.services.get(key) is not service})
        for key, service in self.services.items():
            if before.get(key) is not service:
                self._begin(key, service)

    def _begin(self, key: str, service: Watched) -> None:
        logger.info("watching %s in %s", service.service, service.folder.path)
        self._housekeeping_due = 0.0
        # What is wrong with one service must not keep others from being looked after.
        try:
            self._exporters[key] = self._make_exporters(service)
        except Exception as error:
            self._failed("exporters", error)
        for exporter in self._exporters.get(key, ()):
            try:
                exporter.start()
            except Exception as error:
                self._failed("exporters", error)

    def _forget(self, ended: Mapping[str, Watched]) -> None:
        """All at once: where nothing takes what they send, one after the other would keep this thread for minutes."""
        for service in ended.values():
            logger.info("%s has ended: %s is gone", service.service, service.folder.path)
        close_all([exporter for key in ended for exporter in self._exporters.pop(key, [])], FLUSH)
        for service in ended.values():
            try:
                service.leave()
            except Exception as error:
                self._failed("watch", error)
        if ended:
            self.on_forgotten()

    def _keep_house(self) -> None:
        for service in self.services.values():
            try:
                service.keep_house()
            except Exception as error:
                self._failed("housekeeping", error)

"""What an exporter that sends by itself is, and what it sends from: the same in a worker and in the sidecar.

An exporter is made by a function that takes a `Source` and returns the exporter, or None where the
environment asks for none. The sidecar has a table of such functions (`stethoscope.sidecar.exporters`)
and makes one exporter of each for every service that it finds, when it finds it.

What an exporter promises, because a process has to end within 5 s whatever the other side does:

- `start` and what it starts never raise; failures go to `Source.failed`.
- It has at most one daemon thread of its own, and sends from there, never two things at once.
- It asks ``source.leads(duty)`` before each thing that it sends. Several workers, and the sidecar, run
  the same exporter; the one that leads sends.
- `close` returns when its time is over, sent or not. Waiting for the next try ends at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from stethoscope.store.snapshot import Snapshot


class Source(Protocol):
    """One service to export: a `stethoscope.store.recorder.Recorder` in its worker, a `stethoscope.store.watched.Watched` in the sidecar.

    All of it in any thread.
    """

    @property
    def service(self) -> str:
        """The service's name."""

    def snapshot(self) -> Snapshot:
        """A merged view of all workers. Takes milliseconds."""

    def leads(self, duty: str) -> bool:
        """Whether this process is the one that does ``duty`` for the service at present: see `stethoscope.store.lease`."""

    def failed(self, where: str, error: BaseException) -> None:
        """Count a failure of ours and log the first at each place. Never raises."""


class Exporter(Protocol):
    """Sends a service's numbers on, again and again, until it is closed."""

    def start(self) -> None:
        """Begin. Called once, and returns at once."""

    def close(self, seconds: float) -> None:
        """Send what has not been sent yet, if this process leads, and end. Returns within ``seconds``. Any number of times."""


MakeExporter = Callable[[Source], Exporter | None]
"""Makes an exporter for one service, or None where the environment asks for none. Raises `SettingsError` for mistakes in it."""

"""What an exporter that sends by itself is, and what it sends from: the same in a worker and in the sidecar.

An exporter is made by a function that takes a `Source` and returns the exporter, or None where the
environment asks for none. There is a table of such functions (`stethoscope.exporters.sending`):
a worker makes one exporter of each when it begins to record, the sidecar for every service that it finds.

What an exporter promises, because a process has to end within 5 s whatever the other side does:

- `start` and what it starts never raise; failures go to `Source.failed`.
- It has at most one daemon thread of its own, and sends from there, never two things at once.
- It asks ``source.leads(duty)`` before each thing that it sends. Several workers, and the sidecar, run
  the same exporter; the one that leads sends.
- `close` returns when its time is over, sent or not. Waiting for the next try ends at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from stethoscope.names import Metric, NoteKind
    from stethoscope.store.folder import Folder
    from stethoscope.store.notes import Note
    from stethoscope.store.snapshot import Snapshot


class Source(Protocol):
    """One service to export: a `stethoscope.store.recorder.Recorder` in its worker, a `stethoscope.store.watched.Watched` in the sidecar.

    All of it in any thread.
    """

    @property
    def service(self) -> str:
        """The service's name."""

    @property
    def folder(self) -> Folder | None:
        """Where the service's files are; None where a process records into private memory."""

    def snapshot(self) -> Snapshot:
        """A merged view of all workers. Takes milliseconds."""

    def notes(self, kind: NoteKind) -> list[Note]:
        """Notes of all workers, of each key the newest. Takes milliseconds."""

    def leads(self, duty: str) -> bool:
        """Whether this process is the one that does ``duty`` for the service at present: see `stethoscope.store.lease`."""

    def release(self, duty: str) -> None:
        """Leave ``duty`` to the next process that asks for it."""

    def count(self, metric: Metric, labels: tuple[str, ...], amount: float) -> None:
        """Add to a counter of the exporting process's own. Never raises."""

    def failed(self, where: str, error: BaseException) -> None:
        """Count a failure of ours and log the first at each place. Never raises."""


@runtime_checkable
class Closing(Protocol):
    """What has something to deliver before a process ends."""

    def close(self, seconds: float) -> None:
        """Send what has not been sent yet, if this process leads, and end. Returns within ``seconds``. Any number of times."""


class Exporter(Closing, Protocol):
    """Sends a service's numbers on, again and again, until it is closed."""

    def start(self) -> None:
        """Begin, and return at once. Called once in each process: exporters are made before an app's workers are forked."""


MakeExporter = Callable[[Source], Exporter | None]
"""Makes an exporter for one service, or None where the environment asks for none. Raises `SettingsError` for mistakes in it."""

"""Who does what a service needs done once: one of its workers, or the sidecar that relieves them.

A *duty* is such work, named: putting snapshots aside for windows, pushing over OTLP, asking the
database for its vitals. Whoever wants to do it asks each time before doing a piece of it:

    lease = Lease(folder, "otlp")
    …every interval…
    if lease.held():
        push()

or, where there is a recorder, just ``recorder.leads("otlp")``.

Guarantees
  G1  At most one process holds a duty. It keeps it from one call of `held` to the next until it
      calls `release`, ends (SIGKILL included), or has to give way.
  G2  When the holder has ended, the next process that asks gets the duty. Nobody waits, nothing times out.
  G3  A sidecar that is there for a duty (``relieves=True``) gets it: the worker that holds it gives
      way when it next asks. When the sidecar ends, a worker that asks gets it back.

They rest on file locks that end with their process (assumption 5 of docs/explanation/store.md). A holder that is
stopped (SIGSTOP), or never asks again, keeps its duty. Two files for each duty: ``NAME.lock`` is locked by
the holder, ``NAME.sidecar.lock`` by a sidecar, for as long as it wants the duty. A worker takes the
first and then looks at the second; a sidecar takes the second and then the first. So whichever
way the two overlap, one of them sees the other.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import Final
from weakref import WeakSet

from stethoscope.store.folder import Folder, try_lock, unlock, writer_holds

HOUSEKEEPING: Final = "housekeeping"
"""Putting snapshots aside, and folding the dead when nobody scrapes."""

OTLP: Final = "otlp"
"""Pushing a service's metrics over OTLP."""

_OFFERED: Final = (OTLP,)
"""Duties that a sidecar of another user can take on, because they need no writing into the folder."""

_leases: WeakSet[Lease] = WeakSet()


class Lease:
    """One process's claim to a duty of one service. Safe in any thread, and across forks: the child holds nothing.

    ``relieves`` is the sidecar's: workers give way to it. A duty that no sidecar takes on (it needs the
    app's own objects, say) is one of workers only: leave ``relieves`` False everywhere.
    """

    def __init__(self, folder: Folder, duty: str, *, relieves: bool = False) -> None:
        self._duty = _Lock(folder, duty)
        self._sidecar = _Lock(folder, f"{duty}.sidecar")
        self._relieves = relieves
        self._guard = threading.Lock()
        _leases.add(self)

    def held(self) -> bool:
        """Whether the duty is this process's, now taken if it was free. Three system calls; never waits, never raises."""
        with self._guard:
            if self._relieves:
                return self._sidecar.take() and self._duty.take()
            if self._duty.take() and not self._sidecar.is_taken():
                return True
            self._duty.release()
            return False

    def release(self) -> None:
        """Let go; whoever asks next gets the duty. Any number of times."""
        with self._guard:
            self._duty.release()
            self._sidecar.release()

    def _after_fork(self) -> None:
        self._guard = threading.Lock()
        self._duty.forget()
        self._sidecar.forget()


class Duties:
    """A process's claims to the duties of one service. Safe in any thread, and across forks.

    Without a ``folder`` there are no others, and all duties are this process's. ``relieves`` is as for a `Lease`.
    """

    def __init__(self, folder: Folder | None, *, relieves: bool = False) -> None:
        self._folder = folder
        self._relieves = relieves
        self._leases: dict[str, Lease] = {}

    def leads(self, duty: str) -> bool:
        """Whether ``duty`` is this process's, now taken if it was free; to be asked before each piece of it."""
        if self._folder is None:
            return True
        lease = self._leases.get(duty) or self._leases.setdefault(
            duty, Lease(self._folder, duty, relieves=self._relieves)
        )
        return lease.held()

    def release(self, duty: str) -> None:
        """Leave ``duty`` to the next process that asks for it. Any number of times."""
        if lease := self._leases.get(duty):
            lease.release()

    def release_all(self) -> None:
        for lease in list(self._leases.values()):
            with suppress(OSError):
                lease.release()


class _Lock:
    """A lock file, held or not. An unlocked file is left behind: deleting it would let two hold the lock."""

    def __init__(self, folder: Folder, name: str) -> None:
        self._folder = folder
        self._name = name
        self._descriptor = -1

    def take(self) -> bool:
        """Whether we hold it now. Never waits."""
        if self._descriptor >= 0:
            if os.fstat(self._descriptor).st_nlink > 0:
                return True
            self.release()  # somebody has emptied the folder, and the next may lock a new file
        with suppress(OSError):
            self._descriptor = self._folder.open_lock(self._name)
            if try_lock(self._descriptor):
                return True
            self.forget()
        return False

    def is_taken(self) -> bool:
        """Whether another process holds it."""
        with suppress(OSError):
            descriptor = self._folder.open(f"{self._name}.lock")
            try:
                return writer_holds(descriptor)
            finally:
                os.close(descriptor)
        return False

    def release(self) -> None:
        if self._descriptor >= 0:
            unlock(self._descriptor)
        self.forget()

    def forget(self) -> None:
        """Close without unlocking: a forked child has the parent's lock, and must not end it."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self.forget()


def is_known(folder: Folder, duty: str) -> bool:
    """Whether anybody has ever asked for a duty of a service. Raises OSError."""
    return f"{duty}.lock" in folder.names()


def offer(folder: Folder) -> None:
    """Make the files that a sidecar of another user locks, and could not make itself. Raises OSError."""
    for duty in _OFFERED:
        for name in (duty, f"{duty}.sidecar"):
            os.close(folder.open_lock(name))


def _after_fork_in_child() -> None:
    for lease in list(_leases):
        lease._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)

"""Where producers record: one recorder for each service of a process.

It hands out series (`stethoscope.store.catalogue`) and gives them their place in this process's segment
(`stethoscope.store.place`), which it makes at the first record and not before, and again after a fork. Consumers read through it
(`stethoscope.store.view`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar, Final, Protocol, TypeVar, cast
from weakref import WeakSet, ref

from stethoscope import names
from stethoscope.names import Metric, NoteKind
from stethoscope.store.catalogue import AnySeries, Catalogue, Entry
from stethoscope.store.folder import Folder
from stethoscope.store.forking import no_fork
from stethoscope.store.housekeeper import NEVER_AGAIN, Chore, Housekeeper
from stethoscope.store.layout import Role
from stethoscope.store.lease import HOUSEKEEPING
from stethoscope.store.leftovers import fold_leftovers
from stethoscope.store.place import Place, settle
from stethoscope.store.reporting import ReportingLock
from stethoscope.store.series import HistogramSeries, RequestSeries, Scalar, make_request
from stethoscope.store.view import View

if TYPE_CHECKING:
    from stethoscope.store.history import History
    from stethoscope.store.notes import Note
    from stethoscope.store.snapshot import Snapshot

T = TypeVar("T")

SERIES_CAP: Final = 2000
_GROWTH_RETRY: Final = 5.0


class FindFolder(Protocol):
    def __call__(self) -> Folder | None:
        """The folder to record into, or None when only private memory is left. Warns by itself."""


_recorders: WeakSet[Recorder] = WeakSet()


class Recorder:
    """Records into one service, for this process. Safe in any thread, and across forks.

    ``find_folder`` is called at the first record. ``series_cap`` bounds the series of each metric;
    what is beyond goes to the metric's overflow series.
    """

    _role: ClassVar[Role] = Role.WORKER

    def __init__(self, service: str, find_folder: FindFolder, series_cap: int = SERIES_CAP) -> None:
        self.service = service
        self._find_folder = find_folder
        self._cap = series_cap
        self._lock = ReportingLock()
        self._catalogue = Catalogue(series_cap, self._lock, self._attach)
        self.chores: list[Chore] = []
        self._companions: dict[Hashable, object] = {}
        self._start_over()
        _recorders.add(self)

    def _start_over(self) -> None:
        """The state of a process that has recorded nothing yet."""
        self._lock.start_over()
        self._process = os.getpid()
        self._place: Place | None = None
        self._view: View | None = None
        self._housekeeper: Housekeeper | None = None
        self._full_until = 0.0
        self._attaching = False

    # What producers call

    def counter(self, metric: Metric, labels: tuple[str, ...] = ()) -> Scalar:
        """The counter's or gauge's series with these label values, made if need be."""
        series = self._catalogue.find(metric, labels)
        assert isinstance(series, Scalar)
        return series

    gauge = counter

    def histogram(self, metric: Metric, labels: tuple[str, ...] = ()) -> HistogramSeries:
        """The histogram's series with these label values, made if need be."""
        series = self._catalogue.find(metric, labels)
        assert isinstance(series, HistogramSeries)
        return series

    def request(self, labels: tuple[str, ...]) -> RequestSeries:
        """The three series of a request's outcome: duration, and body sizes both ways."""
        return make_request(
            self.histogram(names.REQUEST_DURATION, labels),
            self.histogram(names.REQUEST_SIZE, labels),
            self.histogram(names.RESPONSE_SIZE, labels),
        )

    def note(self, kind: NoteKind, key: str, content: Mapping[str, object]) -> None:
        """Keep a text beside the numbers: ``content`` as JSON, until the next note of this ``key`` (`stethoscope.store.notes`).

        For what happens seldom: it takes some 20 µs, and a system call. Any thread. Never raises: a note that
        is too long for its kind, or finds no room, is lost and counted as a failure of ours.
        """
        try:
            self._here().notebook(kind).write(key, content)
        except Exception as error:
            self.failed("notes", error)

    def every(self, seconds: float, where: str, task: Callable[[], None]) -> None:
        """Have the housekeeping thread call ``task`` every ``seconds``, in each process that records, also after a fork.

        Chores share the thread: what may take long, or wait, needs one of its own. What ``task`` raises is
        counted as a failure of ours at ``where``.
        """
        self._take_on(Chore(seconds, where, task))

    def every_while(self, seconds: float, where: str, owner: T, task: Callable[[T], None]) -> None:
        """As `every`, with ``owner``, and only as long as somebody else keeps that: apps come and go."""
        chores = self.chores

        def forget(_: object) -> None:
            with suppress(ValueError):  # all of it is collected, and the list is empty already
                chores.remove(chore)

        # No WeakMethod: one that is collected together with what keeps its object may call itself back when it is gone.
        living = ref(owner, forget)

        def task_of_living() -> None:
            if (one := living()) is not None:
                task(one)

        chore = Chore(seconds, where, task_of_living)
        self._take_on(chore)

    def _take_on(self, chore: Chore) -> None:
        self.chores.append(chore)
        if self._housekeeper is not None:
            self._housekeeper.news.set()

    def once(self, where: str, task: Callable[[], None]) -> None:
        """Have the housekeeping thread call ``task`` once in each process that records, as soon as it records, also after a fork."""
        self.every(NEVER_AGAIN, where, task)

    def companion(self, key: Hashable, make: Callable[[], T]) -> T:
        """What each recorder has one of, and that lives as long as the recorder. Made once, whichever threads ask first.

        A table in the companion's own module would keep both alive forever. No child is forked while ``make`` runs: it
        would have the companion's chores, but not the companion.
        """
        if key not in self._companions:
            with no_fork:
                if key not in self._companions:
                    self._companions[key] = make()
        return cast("T", self._companions[key])

    def refuse(self, metric: Metric) -> None:
        """Count an observation that cannot be recorded: NaN, infinite, or negative where that means nothing."""
        self.counter(names.REFUSED_OBSERVATIONS, (metric.name,)).add(1.0)

    def count(self, metric: Metric, labels: tuple[str, ...], amount: float) -> None:
        """Add to a counter, for those who cannot do anything about it when that fails. Never raises."""
        with suppress(Exception):
            self.counter(metric, labels).add(amount)

    def failed(self, where: str, error: BaseException) -> None:
        """Count a failure of our own, and log the first at each place. Never raises."""
        with suppress(Exception):
            self.warn_once(where, "%s failed and was skipped; the app is not affected: %r", where, error)
            self.counter(names.INTERNAL_ERRORS, (where,)).add(1.0)

    def warn_once(self, topic: str, message: str, *arguments: object) -> None:
        self._lock.report_once(topic, message, *arguments)

    def has(self, metric: Metric, labels: tuple[str, ...]) -> bool:
        """Whether these label values have a series of their own by now, which the overflow series is not."""
        return self._catalogue.has(metric, labels)

    def here(self, metric: Metric) -> float:
        """The sum of a counter's or gauge's series, as this process has recorded them, without other workers."""
        return sum(series.get() for series in self._catalogue.of(metric) if isinstance(series, Scalar))

    # What consumers call

    @property
    def folder(self) -> Folder | None:
        """Where this service's files are; None where this process records into private memory."""
        return self._here().folder

    def snapshot(self) -> Snapshot:
        """A merged view of all workers of the service. Takes milliseconds: not for an event loop's thread."""
        return self._reading().snapshot()

    def window(self, seconds: float) -> Snapshot:
        """What all workers have recorded in the last ``seconds`` (60 to 900); its ``seconds`` say how long it really is."""
        return self._reading().window(seconds)

    def history(self) -> History | None:
        """What was put aside of all workers; None where this process records privately."""
        return self._reading().history()

    def notes(self, kind: NoteKind) -> list[Note]:
        """Notes of all workers, newest first; of each key the newest. Takes milliseconds."""
        return self._reading().notes(kind)

    def brief_notes(self, kind: NoteKind) -> list[Note]:
        """The same without what is long in them: lists and objects (`stethoscope.store.brief`). Faster from the second time on."""
        return self._reading().brief_notes(kind)

    def whole_note(self, kind: NoteKind, key: str) -> Note | None:
        """One of the notes that `brief_notes` has listed, with all of its content; None where it is there no more."""
        return self._reading().whole_note(kind, key)

    def _reading(self) -> View:
        """The service as it is seen from where this process records."""
        self._here()
        with self._lock.held:
            place = self._here()
            if self._view is None:
                self._view = View(self.service, place.folder, self._cap, place)
            return self._view

    # Places in the segment

    def _attach(self, series: AnySeries, entry: Entry, block: int | None) -> bool:
        """Give a series its place, and its block if one is asked for. False if the segment is full: the observation is lost."""
        if os.getpid() != self._process:  # forked by something that runs no hooks of Python
            self._after_fork()
        self._here()
        with self._lock.held:
            # Attaching already: a signal handler or a finalizer has interrupted this thread half-way through.
            attached = (
                not self._attaching and time.monotonic() >= self._full_until and self._attach_here(series, entry, block)
            )
            if not attached and self._place is not None:
                self._place.dropped.add(1.0)
        self._lock.tell()
        return attached

    def _attach_here(self, series: AnySeries, entry: Entry, block: int | None) -> bool:
        self._attaching = True
        try:
            self._here().attach(series, entry, block)
        except OSError as error:
            self._full_until = time.monotonic() + _GROWTH_RETRY
            self.warn_once("full", "the store cannot grow, new series are lost until there is room: %s", error)
            return False
        finally:
            self._attaching = False
        return True

    def _here(self) -> Place:
        """Where this process records; made at the first call."""
        place = self._place
        if place is None:
            folder = self._find_folder()  # not under the lock: it may log
            if folder is not None:
                fold_leftovers(folder, self._cap)
            with self._lock.held:
                if self._place is None:
                    place = settle(folder, self._role, None, self._lock, self._cap)
                    if self._place is None:
                        self._place = place
                        self._hire_housekeeper()
                    else:  # a signal handler has recorded meanwhile
                        place.leave()
                place = self._place
            self._lock.tell()
        return place

    def _hire_housekeeper(self) -> None:
        try:
            self._housekeeper = Housekeeper(self)
            self._housekeeper.start()
        except RuntimeError as error:  # no more threads, or the interpreter is about to end
            self.warn_once(
                "housekeeper",
                "numbers of ended workers are folded only when someone asks for metrics: %s",
                error,
            )

    # What a service needs done once

    def leads(self, duty: str) -> bool:
        """Whether this process is the one that does ``duty`` for the service; to be asked before each piece of it.

        See `stethoscope.store.lease`. Recording into private memory, each process does it for itself.
        """
        return self._here().duties.leads(duty)

    def release(self, duty: str) -> None:
        """Leave ``duty`` to the next process that asks for it."""
        if place := self._place:
            place.duties.release(duty)

    # Keeping house

    def keep_house(self) -> None:
        """Repair what has happened to the folder, and put a snapshot aside if this worker is the one to do so."""
        self._repair()
        view = self._reading()
        if view.folder is not None:
            if self.leads(HOUSEKEEPING):
                view.fold_notes()
                self._put_aside(view, view.folder.path)
            view.rest()

    def _repair(self) -> None:
        """Record where readers look again, if this process's segment was deleted or could not be made."""
        place = self._here()
        if not place.published and (place.claim is not None or self._could_publish()):
            self.move(self._find_folder)

    def _put_aside(self, view: View, path: str) -> None:
        try:
            view.put_aside()
        except OSError as error:
            self.warn_once(
                "history",
                "windows may cover more time than asked for: no snapshot can be put aside in %s: %s",
                path,
                error,
            )

    def _could_publish(self) -> bool:
        """Whether a segment can be made by now: the disk may have been full when this process started."""
        try:
            folder = self._find_folder()
            if folder is not None:
                folder.create_segment().withdraw()
        except OSError:
            return False
        return folder is not None

    def move(self, find_folder: FindFolder, service: str | None = None) -> None:
        """Go on in another folder, with all that this process has recorded."""
        folder = find_folder() if self._place else None
        with self._lock.held:
            self.service = service or self.service
            self._find_folder = find_folder
            old = self._place
            if old is None:
                return
            states = [(series, series.detach()) for series in [*self._catalogue, old.dropped]]
            # Detached means still: no thread can be between reading a series' place and using it, and
            # those that record now wait for our lock.
            self._place = settle(folder, self._role, old, self._lock, self._cap)
            for series, state in states:
                series.resume(self._place.segment, state)
            self._view = None
            self._place.take_notes(old)
            old.leave()
        self._lock.tell()

    def _after_fork(self) -> None:
        """In the child: let go of the parent's segment, whose lock would say that the parent lives."""
        place = self._place
        self._start_over()
        for series in self._catalogue:
            series.after_fork()
        if place is not None:
            place.release()


def _after_fork_in_child() -> None:
    for recorder in list(_recorders):
        recorder._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)

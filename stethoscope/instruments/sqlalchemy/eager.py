"""Relationships that the ORM loads ahead, and which of them a request looks at.

What a query loads ahead is read once from what it was compiled to. There is no event for a look at an
attribute that is loaded: while a request is watched, the attributes of the classes in question are of a class of ours, which
differs in that it takes note. It is the same object, and says of itself that it is of the class that it was of, so that it has the
same place in SQLAlchemy's caches.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from time import monotonic
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from sqlalchemy.orm.attributes import InstrumentedAttribute

from stethoscope.current import CURRENT
from stethoscope.instruments.database.ahead import Ahead, Looks
from stethoscope.instruments.database.call_site import call_site
from stethoscope.instruments.database.work import Work, work_of

if TYPE_CHECKING:
    from stethoscope.instruments.database.instrument import Instrument
    from stethoscope.instruments.database.query import Query

_MOST_WATCHED: Final = 4
"""Requests at once."""
_LONGEST: Final = 30.0
"""Seconds that a request is watched for: streams may last for hours."""

_none: Final[tuple[Ahead, ...]] = ()
_known: Final[WeakKeyDictionary[Any, tuple[Ahead, ...]]] = WeakKeyDictionary()
"""By what was compiled. Not by text: an app's own query may read as one of the ORM's."""

_watched: Final[dict[Work, Looks]] = {}
_swapped: Final[list[Any]] = []
_swapping: Final = threading.Lock()
"""Never waited for: it may have been held by a thread that a fork has left behind."""


class _Noting(InstrumentedAttribute[Any]):
    """Notes that something looks at it."""

    __slots__ = ()
    inherit_cache = True

    def __get__(self, instance: Any, owner: Any) -> Any:
        if instance is not None:
            try:
                _note(self.class_, self.key)
            except Exception:
                pass
        return InstrumentedAttribute.__get__(self, instance, owner)

    def _gen_cache_key(self, *arguments: Any) -> Any:
        """As it is without us: by it SQLAlchemy finds what it has compiled, and the class is a part of it."""
        key = InstrumentedAttribute._gen_cache_key(self, *arguments)
        return None if key is None else (key[0], InstrumentedAttribute, *key[2:])


def _note(owner: Any, key: str) -> None:
    request = CURRENT.get()
    if request is None:
        # A thread that does not know for whom it works.
        for looks in list(_watched.values()):
            looks.seen.add((owner, key))
        return
    work = work_of(request)
    found = None if work is None else _watched.get(work)
    if found is not None:
        found.seen.add((owner, key))


def look(instrument: Instrument, work: Work, query: Query, context: Any) -> None:
    """A query has run for the first time in a request: watch the request, if something was loaded ahead."""
    compiled = context.compiled
    if compiled is None:
        return
    aheads = _known.get(compiled)
    if aheads is None:
        aheads = _known[compiled] = _aheads(compiled, context)
    if not aheads:
        return
    if work.looks is None and instrument.chances.due(aheads):
        work.looks = _begin(work)
    if work.looks is not None:
        site = call_site()
        for ahead in aheads:
            work.ahead.setdefault(ahead, (query, site))
        _swap(aheads)


def _aheads(compiled: Any, context: Any) -> tuple[Ahead, ...]:
    """The names are SQLAlchemy's own and may change: then nothing is known, and nothing found."""
    try:
        return tuple(_read(compiled, context))
    except Exception:
        return _none


def _read(compiled: Any, context: Any) -> Iterator[Ahead]:
    state = compiled.compile_state
    for key in getattr(state, "attributes", ()):
        if key[0] == "eager_row_processor":
            yield _ahead(key[1][-1], "joined")
    path: Any = getattr(state, "current_path", ())
    options = context.execution_options.get("_sa_orm_load_options")
    if len(path) > 1 and options is not None and options._lazy_loaded_from is None and options._refresh_state is None:
        yield _ahead(path.prop, "selectin" if "primary_keys" in compiled.params else "subquery")


def _ahead(relationship: Any, way: str) -> Ahead:
    owner = relationship.parent.class_
    subject = f"{owner.__name__}.{relationship.key}"
    return Ahead(subject, owner, relationship.key, relationship.mapper.class_, way, relationship.lazy == way)


def _begin(work: Work) -> Looks | None:
    """Watch a request; None where there are enough, or its turn cannot be waited for."""
    _forget_old()
    if len(_watched) >= _MOST_WATCHED:
        return None
    looks = _watched[work] = Looks(lambda: _end(work))
    return looks


def _end(work: Work) -> None:
    _watched.pop(work, None)
    if not _watched and _swapping.acquire(blocking=False):
        try:
            while _swapped and not _watched:
                _swapped.pop().__class__ = InstrumentedAttribute
        finally:
            _swapping.release()


def _forget_old() -> None:
    """Requests that last for long, or were lost with the process that this one was forked from."""
    oldest = monotonic() - _LONGEST
    for work, looks in list(_watched.items()):
        if looks.since < oldest:
            _end(work)
            work.looks = None


def _swap(aheads: tuple[Ahead, ...]) -> None:
    """Have attributes of everything that is loaded note that something looks at them, until no request is watched."""
    if not _swapping.acquire(blocking=False):
        return
    try:
        for attribute in _attributes(aheads):
            if type(attribute) is InstrumentedAttribute:
                attribute.__class__ = _Noting
                _swapped.append(attribute)
    finally:
        _swapping.release()


def _attributes(aheads: tuple[Ahead, ...]) -> Iterator[Any]:
    for ahead in aheads:
        for one in (ahead.owner, ahead.target):
            for mapper in one.__mapper__.self_and_descendants:  # type: ignore[attr-defined]  # it is mapped
                yield from mapper.class_manager.values()

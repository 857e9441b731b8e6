"""What counters, gauges and histograms have in common: a definition, children by label values, and a series when they record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Generic, NoReturn, Self, TypeVar, cast

from stethoscope.instruments.definitions import label_value
from stethoscope.names import Metric
from stethoscope.store.recorder import SERIES_CAP

S = TypeVar("S")

_made: Final[dict[str, Labelled[object]]] = {}
"""The first metric made of each name: those made later share its children."""
_SHARED: Final = "series are shared by processes, and none can take back what another has recorded"


class Labelled(Generic[S]):
    """A metric of the user's own, or one of its children. ``S`` is what it records into."""

    __slots__ = ("_children", "_definition", "_labels", "_series")

    def _define(self, definition: Metric) -> None:
        self._definition = definition
        self._labels: tuple[str, ...] = ()
        self._series: S | None = None
        self._children: dict[tuple[str, ...], Self] | None = {} if definition.labels else None
        first = _made.setdefault(definition.name, cast("Labelled[object]", self))
        if isinstance(first, type(self)) and first is not self:
            self._children = cast(dict[tuple[str, ...], Self], first._children)

    def __repr__(self) -> str:
        values = dict(zip(self._definition.labels, self._labels, strict=False))
        return f"<{type(self).__name__} {self._definition.name!r}{f' {values}' if values else ''}>"

    def labels(self, *labelvalues: object, **labelkwargs: object) -> Self:
        """The child with these label values, given in order or by name.

        Values become text, of which 256 characters are kept. A metric has at most 2,000 label sets;
        further ones are recorded together in one series. Raises ValueError when the labels are not
        those of the metric.
        """
        if labelkwargs:
            labelvalues = self._in_order(labelvalues, labelkwargs)
        key = tuple([value if value.__class__ is str else str(value) for value in labelvalues])
        try:
            return self._children[key]  # type: ignore[index]  # checked in _child
        except (KeyError, TypeError):
            return self._child(key)

    def _in_order(self, labelvalues: tuple[object, ...], labelkwargs: Mapping[str, object]) -> tuple[object, ...]:
        if labelvalues:
            raise ValueError(f"labels() of {self!r} takes values in order or by name, got both")
        names = self._definition.labels
        if len(labelkwargs) == len(names):
            try:
                return tuple([labelkwargs[name] for name in names])
            except KeyError:
                pass
        raise ValueError(f"incorrect label names for {self!r}: expected {names!r}, got {tuple(labelkwargs)!r}")

    def _child(self, key: tuple[str, ...]) -> Self:
        children, names = self._children, self._definition.labels
        if children is None:
            raise ValueError(f"{self!r} {'has its labels already' if names else 'was defined without labels'}")
        if len(key) != len(names):
            raise ValueError(f"incorrect label count for {self!r}: expected {len(names)} {names!r}, got {key!r}")
        key = tuple([label_value(value) for value in key])
        child = children.get(key)
        if child is None:
            child = self._made_for(key)
            if len(children) < SERIES_CAP:  # those beyond find the overflow series each time
                child = children.setdefault(key, child)
        return child

    def _made_for(self, labels: tuple[str, ...]) -> Self:
        child = type(self).__new__(type(self))
        child._definition, child._labels, child._children, child._series = self._definition, labels, None, None
        return child

    def _find(self) -> S:
        """The series to record into, from now on the same."""
        self._check_labels()
        self._series = series = self._of_recorder()
        return series

    def _of_recorder(self) -> S:
        raise NotImplementedError

    def _check_labels(self) -> None:
        if self._children is not None:
            names = self._definition.labels
            raise ValueError(f"{self!r} is missing label values: call .labels() with values of {names!r} first")

    def _declare(self) -> None:
        for child in list((self._children or {}).values()):
            child._declare()

    def remove(self, *labelvalues: object) -> NoReturn:
        """Not offered. Raises NotImplementedError."""
        self._not_offered("remove", _SHARED)

    def remove_by_labels(self, labels: Mapping[str, str]) -> NoReturn:
        """Not offered. Raises NotImplementedError."""
        self._not_offered("remove_by_labels", _SHARED)

    def clear(self) -> NoReturn:
        """Not offered. Raises NotImplementedError."""
        self._not_offered("clear", _SHARED)

    def _not_offered(self, method: str, reason: str) -> NoReturn:
        raise NotImplementedError(f"{method}() is not offered by {self!r}: {reason}")


def declare() -> None:
    """Make what was defined, and has recorded nothing yet, appear as zero: counters, and gauges that are added up.

    Prometheus cannot see the first increase of a series that appears with it.
    """
    for metric in list(_made.values()):
        metric._declare()

"""What a metric of the user's own is called and what it is: checked when it is defined, once for each process."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from stethoscope import names
from stethoscope.names import OVERFLOW_LABEL, PER_WORKER, Kind, Merge, Metric

MOST_CHARACTERS: Final = 256
"""What is kept of a label value: whoever can choose values must not be able to fill the memory with them."""

METRIC_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_RESERVED: Final = {
    Kind.COUNTER: frozenset((OVERFLOW_LABEL,)),
    Kind.GAUGE: frozenset((OVERFLOW_LABEL,)),
    Kind.HISTOGRAM: frozenset((OVERFLOW_LABEL, "le", "quantile")),
}

_defined: Final[dict[str, Metric]] = {}
_taken: Final[dict[str, str]] = {}
"""Names of samples, and the family that has them."""


def define(
    kind: Kind,
    name: str,
    documentation: str,
    labelnames: Iterable[str] = (),
    *,
    namespace: str = "",
    subsystem: str = "",
    unit: str = "",
    bounds: tuple[float, ...] = (),
    merge: Merge = Merge.LIVESUM,
) -> Metric:
    """The metric of this definition. Defining it again gives the same one.

    Raises ValueError when a name cannot be, or is taken by another definition; TypeError when an
    argument is of the wrong type.
    """
    for argument, value in (("name", name), ("documentation", documentation), ("unit", unit)):
        if not isinstance(value, str):
            raise TypeError(f"{argument} of a {kind} must be a string, got {value!r}")
    metric = Metric(
        _full_name(kind, name, namespace, subsystem, unit),
        kind,
        documentation,
        _label_names(kind, labelnames, merge),
        unit,
        bounds,
        merge,
    )
    _claim(metric)
    return metric


def label_value(value: object) -> str:
    """A value as it is recorded: its text, of which 256 characters are kept."""
    return str(value)[:MOST_CHARACTERS]


def taken_by_another(metric: Metric) -> str:
    """A name of its samples that a metric of Stethoscope's or of the user's has already; empty where there is none."""
    taken = _taken_names()
    return next((sample for sample in metric.sample_names if taken.get(sample, metric.name) != metric.name), "")


def _full_name(kind: Kind, name: str, namespace: str, subsystem: str, unit: str) -> str:
    """As prometheus_client makes it: what is exposed of a counter ends in ``_total`` whether it is said here or not."""
    if not name:
        raise ValueError(f"name of a {kind} must not be empty")
    full = "_".join(part for part in (namespace, subsystem, name) if part)
    if kind is Kind.COUNTER:
        full = full.removesuffix("_total")
    if unit and not full.endswith(f"_{unit}"):
        full += f"_{unit}"
    if not METRIC_NAME.fullmatch(full):
        raise ValueError(
            f"invalid metric name {full!r}: expected letters, digits, '_' and ':', and no digit at the beginning"
        )
    return full


def _label_names(kind: Kind, labelnames: Iterable[str], merge: Merge) -> tuple[str, ...]:
    if isinstance(labelnames, str):
        raise TypeError(
            f"labelnames must be a sequence of names, got the string {labelnames!r}; write [{labelnames!r}]"
        )
    labels = tuple(labelnames)
    for label in labels:
        _check_label(kind, label)
    if "pid" in labels and merge in PER_WORKER:
        raise ValueError(f"reserved label name 'pid': with multiprocess_mode={str(merge)!r} it tells the workers apart")
    if len(set(labels)) < len(labels):
        raise ValueError(f"label names must differ from each other, got {labels!r}")
    return labels


def _check_label(kind: Kind, label: object) -> None:
    if not (isinstance(label, str) and LABEL_NAME.fullmatch(label)):
        raise ValueError(
            f"invalid label name {label!r}: expected letters, digits and '_', and no digit at the beginning"
        )
    if label.startswith("__") or label in _RESERVED[kind]:
        raise ValueError(f"reserved label name {label!r}: a {kind} cannot have it as a label of its own")


def _claim(metric: Metric) -> None:
    known = _defined.get(metric.name)
    if known == metric:
        return
    if known is not None:
        raise ValueError(f"metric {metric.name!r} is defined already, {_differences(known, metric)}")
    taken = _taken_names()
    for sample in metric.sample_names:
        if sample in taken:
            raise ValueError(f"metric {metric.name!r} cannot be: {sample!r} is a name of the metric {taken[sample]!r}")
    if _defined.setdefault(metric.name, metric) != metric:
        _claim(metric)  # another thread was faster
    taken.update(dict.fromkeys(metric.sample_names, metric.name))


def _taken_names() -> dict[str, str]:
    if not _taken:
        _taken.update({sample: metric.name for metric in names.METRICS for sample in metric.sample_names})
    return _taken


_FIELDS: Final = {
    "kind": "kind",
    "documentation": "help",
    "labelnames": "labels",
    "unit": "unit",
    "buckets": "bounds",
    "multiprocess_mode": "merge",
}


def _differences(known: Metric, metric: Metric) -> str:
    pairs = ((argument, getattr(known, field), getattr(metric, field)) for argument, field in _FIELDS.items())
    return ", ".join(
        f"with {argument} {_shown(one)} and not {_shown(other)}" for argument, one, other in pairs if one != other
    )


def _shown(value: object) -> str:
    return repr(str(value) if isinstance(value, str) else value)

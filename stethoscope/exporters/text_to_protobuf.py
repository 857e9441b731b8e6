"""A page of Prometheus text as protobuf: for families that another library renders, which knows no protobuf."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from stethoscope.exporters.wire import delimited, double, message, number

_TYPES: Final = {"counter": 0, "gauge": 1, "summary": 2, "untyped": 3, "histogram": 4}
_VALUE_FIELDS: Final = {"counter": 3, "gauge": 2, "untyped": 5}
_SAMPLE: Final = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: (-?\d+))?")
_LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ESCAPED: Final = re.compile(r"\\(.)")

Labels = tuple[tuple[str, str], ...]


class _Sample(NamedTuple):
    name: str
    labels: Labels
    value: float


def to_protobuf(page: bytes) -> bytes:
    """The page's families as delimited messages. Histograms keep their buckets; what cannot be read is left out."""
    families: list[tuple[str, str, str, list[_Sample]]] = []
    help = ""
    for line in page.decode().split("\n"):  # what else `splitlines` takes for an end can be within a label
        name, _, text = line[7:].partition(" ")
        if line.startswith("# HELP "):
            help = _unescaped(text)
        elif line.startswith("# TYPE "):
            families.append((name, text, help, []))
            help = ""
        elif families and (sample := _sample(line)):
            families[-1][3].append(sample)
    return b"".join([_family(*family) for family in families if family[1] in _TYPES])


def _sample(line: str) -> _Sample | None:
    found = _SAMPLE.fullmatch(line)
    if found is None:
        return None
    labels = tuple((name, _unescaped(value)) for name, value in _LABEL.findall(found[2] or ""))
    try:
        return _Sample(found[1], labels, float(found[3]))
    except ValueError:
        return None


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda match: "\n" if match[1] == "n" else match[1], text)


def _family(name: str, kind: str, help: str, samples: list[_Sample]) -> bytes:
    metrics = _grouped(name, kind, samples) if kind in ("histogram", "summary") else _plain(kind, samples)
    head = message(1, name.encode()) + message(2, help.encode()) + number(3, _TYPES[kind])
    return delimited(head + b"".join([message(4, metric) for metric in metrics]))


def _plain(kind: str, samples: Iterable[_Sample]) -> Iterator[bytes]:
    for sample in samples:
        yield _labels(sample.labels) + message(_VALUE_FIELDS[kind], double(1, sample.value))


def _grouped(name: str, kind: str, samples: Iterable[_Sample]) -> Iterator[bytes]:
    """Samples that differ in bound or quantile alone are one metric."""
    field, part = (7, "le") if kind == "histogram" else (4, "quantile")
    groups: dict[Labels, list[bytes]] = {}
    for sample in samples:
        labels = tuple(pair for pair in sample.labels if pair[0] != part)
        groups.setdefault(labels, []).append(_part(name, part, sample))
    for labels, parts in groups.items():
        yield _labels(labels) + message(field, b"".join(parts))


def _part(name: str, part: str, sample: _Sample) -> bytes:
    if sample.name == f"{name}_count":
        return number(1, int(sample.value))
    if sample.name == f"{name}_sum":
        return double(2, sample.value)
    place = float(dict(sample.labels).get(part, "nan"))
    if part == "le":
        return message(3, number(1, int(sample.value)) + double(2, place))
    return message(3, double(1, place) + double(2, sample.value))


def _labels(labels: Labels) -> bytes:
    return b"".join([message(1, message(1, name.encode()) + message(2, value.encode())) for name, value in labels])

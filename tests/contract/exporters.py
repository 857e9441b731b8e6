"""Every exporter in one shape: a snapshot goes in, and what a reader of its format sees comes out.

To have the contract run over another exporter, add it to `SUBJECTS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import pytest
from prometheus_client import parser as text_parser
from prometheus_client.openmetrics import parser as openmetrics_parser

from stethoscope.exporters.exposition import Exposition
from stethoscope.exporters.openmetrics import OPENMETRICS
from stethoscope.exporters.otlp.configuration import Configuration
from stethoscope.exporters.otlp.push import Pusher
from stethoscope.exporters.protobuf import PROTOBUF
from stethoscope.exporters.text import TEXT
from stethoscope.names import Metric, NoteKind
from stethoscope.store.folder import Folder
from stethoscope.store.notes import Note
from stethoscope.store.snapshot import Snapshot
from tests.exporters.client_model import families
from tests.receivers.otlp import Protocol, metrics

Labels = frozenset[tuple[str, str]]


class Seen(NamedTuple):
    """One series as a reader sees it: a number, or a distribution's count, sum and counts at its bounds."""

    value: float = math.nan
    observations: int = 0
    sum: float = 0.0
    cumulative: tuple[int, ...] = ()
    created: float = 0.0


Export = Callable[[Snapshot], Mapping[tuple[str, Labels], Seen]]
"""Names and labels are those of the Prometheus translation, a counter's without ``_total``."""


# Formats that are scraped.


def _scraped(format: Exposition, read: Callable[[bytes], Mapping[tuple[str, Labels], Seen]]) -> Any:
    @contextmanager
    def subject(monkeypatch: pytest.MonkeyPatch) -> Iterator[Export]:
        yield lambda snapshot: read(b"".join(format.render(snapshot)))

    return subject


def _read_text(parse: Callable[[str], Any]) -> Callable[[bytes], Mapping[tuple[str, Labels], Seen]]:
    def read(page: bytes) -> Mapping[tuple[str, Labels], Seen]:
        found: dict[tuple[str, Labels], Seen] = {}
        for family in parse(page.decode()):
            for sample in family.samples:
                labels = frozenset(pair for pair in sample.labels.items() if pair[0] != "le")
                key = (family.name, labels)
                seen = found.get(key, Seen())
                suffix = sample.name.removeprefix(family.name)
                if suffix == "_bucket":
                    seen = seen._replace(cumulative=(*seen.cumulative, int(sample.value)))
                elif suffix == "_created":
                    seen = seen._replace(created=sample.value)
                elif suffix == "_sum":
                    seen = seen._replace(sum=sample.value)
                elif suffix == "_count":
                    seen = seen._replace(observations=int(sample.value))
                else:
                    seen = seen._replace(value=sample.value)
                found[key] = seen
        return found

    return read


def _read_protobuf(page: bytes) -> Mapping[tuple[str, Labels], Seen]:
    found = {}
    for family in families(page):
        name = family.name.removesuffix("_total") if family.type == 0 else family.name
        for metric in family.metric:
            labels = frozenset((pair.name, pair.value) for pair in metric.label)
            if family.type == 4:
                one = metric.histogram
                counts = tuple(bucket.cumulative_count for bucket in one.bucket)
                seen = Seen(math.nan, one.sample_count, one.sample_sum, counts, _time(one.created_timestamp))
            elif family.type == 0:
                seen = Seen(metric.counter.value, created=_time(metric.counter.created_timestamp))
            else:
                seen = Seen(metric.gauge.value)
            found[name, labels] = seen
    return found


def _time(stamp: Any) -> float:
    return float(stamp.seconds + stamp.nanos / 1e9)


# What is pushed.


@dataclass
class Fixed:
    """A source of one snapshot, whose process leads."""

    taken: Snapshot
    service: str = "contract"
    folder: Folder | None = None
    counted: dict[tuple[str, ...], float] = field(default_factory=dict)

    def snapshot(self) -> Snapshot:
        return self.taken

    def notes(self, kind: NoteKind) -> list[Note]:
        return []

    def leads(self, duty: str) -> bool:
        return True

    def release(self, duty: str) -> None:
        return

    def count(self, metric: Metric, labels: tuple[str, ...], amount: float) -> None:
        self.counted[labels] = self.counted.get(labels, 0.0) + amount

    def failed(self, where: str, error: BaseException) -> None:
        raise error


def _pushed(protocol: Protocol) -> Any:
    @contextmanager
    def subject(monkeypatch: pytest.MonkeyPatch) -> Iterator[Export]:
        with metrics(protocol) as collector:
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)

            def export(snapshot: Snapshot) -> Mapping[tuple[str, Labels], Seen]:
                source = Fixed(snapshot)
                Pusher(source, Configuration(protocol)).push()
                assert all(error == "" for _, error in source.counted)
                return _read_otlp(collector.left(), snapshot)

            yield export

    return subject


def _read_otlp(received: list[Any], snapshot: Snapshot) -> Mapping[tuple[str, Labels], Seen]:
    names = {family.metric.otel or name: name for name, family in snapshot.families.items()}
    found = {}
    for push in received:
        once: set[tuple[str, Labels]] = set()
        for name, metric in push.metrics.items():
            data = getattr(metric, metric.WhichOneof("data"))
            for point in data.data_points:
                labels = frozenset((_label(one.key), _text(one.value)) for one in point.attributes)
                assert (names[name], labels) not in once, "a series came twice"
                once.add((names[name], labels))
                found[names[name], labels] = _seen(metric.WhichOneof("data"), point)
    return found


def _seen(kind: str, point: Any) -> Seen:
    created = point.start_time_unix_nano / 1e9
    if kind == "histogram":
        counts, total = [], 0
        for count in point.bucket_counts:
            total += count
            counts.append(total)
        return Seen(math.nan, point.count, point.sum, tuple(counts), created)
    return Seen(point.as_double, created=created if kind == "sum" else 0.0)


def _label(attribute: str) -> str:
    return {"process.pid": "pid"}.get(attribute, attribute.replace(".", "_"))


def _text(value: Any) -> str:
    plain = getattr(value, value.WhichOneof("value"))
    return str(plain).lower() if isinstance(plain, bool) else str(plain)


Subject = Callable[[pytest.MonkeyPatch], AbstractContextManager[Export]]

SUBJECTS: Final[Mapping[str, Subject]] = {
    "text": _scraped(TEXT, _read_text(text_parser.text_string_to_metric_families)),
    "openmetrics": _scraped(OPENMETRICS, _read_text(openmetrics_parser.text_string_to_metric_families)),
    "protobuf": _scraped(PROTOBUF, _read_protobuf),
    "OTLP over HTTP": _pushed("http/protobuf"),
    "OTLP over gRPC": _pushed("grpc"),
}

TELLS_CREATED: Final = frozenset(SUBJECTS) - {"text"}
"""Those whose readers are told since when a series counts."""

PAGES: Final[Mapping[str, Exposition]] = {"text": TEXT, "openmetrics": OPENMETRICS, "protobuf": PROTOBUF}

"""Exemplars: the newest trace of each bucket, of all workers, in every format that can have them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from stethoscope.exporters.openmetrics import OPENMETRICS
from stethoscope.exporters.otlp.translation import translate
from stethoscope.exporters.protobuf import PROTOBUF
from stethoscope.exporters.text import TEXT
from stethoscope.names import EXEMPLARS, REQUEST_DURATION
from stethoscope.store.exemplars import Exemplars, with_exemplars
from stethoscope.store.folder import Folder
from stethoscope.store.recorder import Recorder
from stethoscope.store.snapshot import Exemplar, Family, Snapshot
from tests.exporters.client_model import families
from tests.exporters.snapshots import histogram, snapshot

LABELS = ("GET", "/items", "200", "http", "")
TRACE, SPAN = 0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7


def worker(place: Path) -> Recorder:
    recorder = Recorder("traced", lambda: Folder(str(place)))
    recorder.histogram(REQUEST_DURATION, LABELS).record(0.3)
    recorder.histogram(REQUEST_DURATION, LABELS).record(99.0)
    return recorder


def found(recorder: Recorder) -> dict[int, Exemplar]:
    (series,) = with_exemplars(recorder).family(REQUEST_DURATION).series
    return dict(series.exemplars or {})


def keeping(recorder: Recorder, now: Callable[[], float] = lambda: 0.0) -> Exemplars:
    return Exemplars(recorder, now)


def test_each_bucket_has_the_newest_of_all_workers(tmp_path: Path) -> None:
    first, second = worker(tmp_path), worker(tmp_path)
    keeping(first).add(REQUEST_DURATION, LABELS, 0.3, 1, 2)
    keeping(first).add(REQUEST_DURATION, LABELS, 99.0, 3, 4)
    keeping(second).add(REQUEST_DURATION, LABELS, 0.4, 5, 6)
    exemplars = found(second)
    assert {bucket: one[:3] for bucket, one in exemplars.items()} == {7: (0.4, 5, 6), 14: (99.0, 3, 4)}
    assert exemplars.keys() == found(first).keys()


def test_a_process_writes_one_a_second_for_each_bucket(tmp_path: Path) -> None:
    recorder, times = worker(tmp_path), iter((0.0, 0.9, 1.1))
    exemplars = keeping(recorder, lambda: next(times))
    traces = []
    for trace in (1, 2, 3):
        exemplars.add(REQUEST_DURATION, LABELS, 0.3, trace, 1)
        traces.append(found(recorder)[7].trace_id)
    assert traces == [1, 1, 3]


def test_what_does_not_fit_or_can_not_be_read_is_left_out(tmp_path: Path) -> None:
    recorder = worker(tmp_path)
    keeping(recorder).add(REQUEST_DURATION, ("GET", "/" * 500, "200", "http", ""), 0.3, 1, 2)
    recorder.note(EXEMPLARS, "no JSON", {})
    recorder.note(
        EXEMPLARS, '["http_server_request_duration_seconds",["GET","/items","200","http",""],3]', {"value": "x"}
    )
    recorder.note(EXEMPLARS, '["gone",[],0]', {"value": 1, "trace_id": "1", "span_id": "1"})
    assert found(recorder) == {}
    assert "stethoscope_internal_errors" not in recorder.snapshot().families


@pytest.fixture
def traced() -> Snapshot:
    one = histogram(REQUEST_DURATION, LABELS, [0.3, 0.3, 99.0])
    exemplars = {7: Exemplar(0.3, TRACE, SPAN, 1_700_000_000.5), 14: Exemplar(99.0, 1, 2, 1_700_000_001.0)}
    return snapshot(Family(REQUEST_DURATION, (replace(one, exemplars=exemplars),)))


def test_openmetrics_has_them_at_their_buckets(traced: Snapshot) -> None:
    page = b"".join(OPENMETRICS.render(traced)).decode()
    (family,) = text_string_to_metric_families(page)  # type: ignore[no-untyped-call]
    exemplars = {sample.labels["le"]: sample.exemplar for sample in family.samples if sample.exemplar}
    assert exemplars.keys() == {"0.5", "+Inf"}
    exemplar = exemplars["0.5"]
    assert exemplar is not None
    assert exemplar.labels == {"trace_id": f"{TRACE:032x}", "span_id": f"{SPAN:016x}"}
    assert (exemplar.value, float(exemplar.timestamp or 0)) == (0.3, 1_700_000_000.5)
    assert b"#" not in b"".join(TEXT.render(traced)).replace(b"# HELP", b"").replace(b"# TYPE", b"")


def test_protobuf_has_them_at_their_buckets(traced: Snapshot) -> None:
    (family,) = families(b"".join(PROTOBUF.render(traced)))
    buckets = [bucket for bucket in family.metric[0].histogram.bucket if bucket.HasField("exemplar")]
    assert [bucket.upper_bound for bucket in buckets] == [0.5, float("inf")]
    assert {pair.name: pair.value for pair in buckets[0].exemplar.label}["trace_id"] == f"{TRACE:032x}"
    assert buckets[0].exemplar.timestamp.nanos == 500_000_000


@pytest.mark.parametrize("exponential", [False, True])
def test_otlp_has_them_with_their_ids(traced: Snapshot, exponential: bool) -> None:
    metric = translate(traced.family(REQUEST_DURATION), traced.taken_at, exponential=exponential)
    (point,) = metric.data.data_points
    assert [(one.value, one.trace_id, one.span_id) for one in point.exemplars] == [(0.3, TRACE, SPAN), (99.0, 1, 2)]

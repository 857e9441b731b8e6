"""What any exporter must do; in words in docs/how-to/write-an-exporter.md."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from stethoscope.names import REQUEST_DURATION, Kind, Metric
from stethoscope.store.distribution import Distribution
from stethoscope.store.folder import Folder
from stethoscope.store.recorder import Recorder
from stethoscope.store.snapshot import Family, Series, Snapshot
from tests.contract.exporters import PAGES, SUBJECTS, TELLS_CREATED, Export, Labels, Seen
from tests.exporters.snapshots import BORN, every_corner, histogram, snapshot
from tests.process.children import running
from tests.process.conftest import place

__all__ = ["place"]

ODD = 'quotes " and \\ backslash, \n new line, \t tab, ümlaut 🩺 {a="b"} # 1.0'


@pytest.fixture(params=SUBJECTS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def export(name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Export]:
    with SUBJECTS[name](monkeypatch) as ready:
        yield ready


def labels(metric: Metric, series: Series) -> Labels:
    named = {(key, value) for key, value in zip(metric.labels, series.labels, strict=True) if value}
    named |= {("otel_metric_overflow", "true")} if series.overflow else set()
    return frozenset(named | ({("pid", str(series.pid))} if series.pid else set()))


def fits(text: str) -> str:
    """A label's value with all that some format cannot have left out: what it becomes there is its own affair."""
    return "".join(character for character in text if character.isprintable() or character in "\n\t")


def alike(found: Labels) -> Labels:
    return frozenset((key, fits(value).replace("\ufffd", "")) for key, value in found)


def test_an_empty_snapshot_is_nothing_to_see(export: Export) -> None:
    assert export(snapshot()) == {}
    assert export(snapshot(Family(REQUEST_DURATION, ()))) == {}


def test_every_instrument_is_seen_as_it_was_recorded(export: Export) -> None:
    taken = every_corner()
    found = {(key, alike(labels)): seen for (key, labels), seen in export(taken).items()}
    assert len(found) == sum(len(family.series) for family in taken.families.values())
    for family in taken.families.values():
        for series in family.series:
            seen = found[family.metric.name, alike(labels(family.metric, series))]
            if isinstance(series.value, Distribution):
                assert (seen.observations, seen.sum) == (series.value.count, series.value.sum)
                assert seen.cumulative == series.value.cumulative
            else:
                assert seen.value == series.value or (math.isnan(seen.value) and math.isnan(series.value))


def test_any_label_value_comes_through(export: Export) -> None:
    metric = Metric("odd_labels", Kind.GAUGE, f"Help: {ODD}", ("one", "two"))
    taken = snapshot(Family(metric, (Series((ODD, "plain"), 1.0, BORN), Series(("plain", ODD), 2.0, BORN))))
    found = {labels: seen.value for (_, labels), seen in export(taken).items()}
    assert found == {frozenset({("one", ODD), ("two", "plain")}): 1.0, frozenset({("one", "plain"), ("two", ODD)}): 2.0}


def test_what_can_not_be_told_apart_is_one_series(export: Export) -> None:
    metric = Metric("surrogates", Kind.COUNTER, "Odd.", ("a",))
    taken = snapshot(Family(metric, (Series(("\ud800",), 1.0, BORN), Series(("\udfff",), 2.0, BORN))))
    assert [seen.value for seen in export(taken).values()] == [3.0]


def test_counters_that_are_no_numbers_are_zero(export: Export) -> None:
    metric = Metric("broken", Kind.COUNTER, "Broken.", ("a",))
    taken = snapshot(Family(metric, (Series(("x",), math.nan, BORN), Series(("y",), -1.0, BORN))))
    assert [seen.value for seen in export(taken).values()] == [0.0, 0.0]


def test_ten_thousand_series_are_all_there(export: Export) -> None:
    metric = Metric("many", Kind.COUNTER, "Many.", ("number",))
    wide = Metric("wide_seconds", Kind.HISTOGRAM, "Wide.", ("number",), "seconds", (0.1, 1.0))
    counters = tuple(Series((str(number),), float(number), BORN) for number in range(9_000))
    histograms = tuple(histogram(wide, [str(number)], [0.05, 2.0]) for number in range(1_000))
    found = export(snapshot(Family(metric, counters), Family(wide, histograms)))
    assert len(found) == 10_000
    assert sum(seen.value for (key, _), seen in found.items() if key == "many") == sum(range(9_000))
    assert {seen.cumulative for (key, _), seen in found.items() if key != "many"} == {(1, 1, 2)}


COUNTED = Metric("counted", Kind.COUNTER, "Counted.")
TIMED = Metric("timed_seconds", Kind.HISTOGRAM, "Timed.", (), "seconds", (0.1, 1.0))


def count_and_wait(pipe: Connection, folder: Path, times: int) -> None:
    recorder = Recorder("contract", lambda: Folder(str(folder)))
    for _ in range(times):
        recorder.counter(COUNTED).add(1.0)
        recorder.histogram(TIMED).record(0.5)
    pipe.send(times)
    signal.pause()


def test_a_restart_is_no_reset(name: str, export: Export, place: Path) -> None:
    def seen() -> dict[str, Seen]:
        taken = Recorder("contract", lambda: Folder(str(place))).snapshot()
        ours = {key: family for key, family in taken.families.items() if key in ("counted", "timed_seconds")}
        return {key: one for (key, _), one in export(Snapshot("contract", taken.taken_at, ours)).items()}

    with running(count_and_wait, place, 3) as first:
        first.hear()
        before = seen()
        first.kill()
    with running(count_and_wait, place, 4) as second:
        second.hear()
        after = seen()
    assert (before["counted"].value, after["counted"].value) == (3.0, 7.0)
    assert (before["timed_seconds"].cumulative, after["timed_seconds"].cumulative) == ((0, 3, 3), (0, 7, 7))
    if name in TELLS_CREATED:
        assert after["counted"].created == before["counted"].created > 0
        assert after["timed_seconds"].created == before["timed_seconds"].created > 0
    assert os.listdir(place)


def test_several_can_export_at_once(export: Export) -> None:
    taken = snapshot(Family(COUNTED, (Series((), 5.0, BORN),)))
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda _: export(taken), range(12)))
    # Pushes go to one receiver, where whoever looks first finds them.
    values = [seen.value for found in results for seen in found.values()]
    assert set(values) == {5.0}
    assert len(values) <= 12


@pytest.mark.parametrize("page", PAGES)
def test_an_export_can_be_left_in_the_middle(page: str) -> None:
    """The pushing ones: tests.otlp.test_faults, where they are closed while a receiver hangs."""
    half = PAGES[page].render(every_corner())
    next(half)
    half.close()  # type: ignore[attr-defined]  # a generator
    assert b"".join(PAGES[page].render(every_corner())) == b"".join(PAGES[page].render(every_corner()))

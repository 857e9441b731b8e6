"""When a line that blocks an event loop is a finding, and what is said of it."""

from __future__ import annotations

import time

import pytest

from stethoscope import names
from stethoscope.current import Current
from stethoscope.diagnosis.finding import Finding
from stethoscope.diagnosis.findings import findings
from stethoscope.frames import Place
from stethoscope.instruments.runtime.blocked import BLOCKED_FROM, WITHIN, BlockedLines
from stethoscope.instruments.runtime.stall_notes import StallNotes
from stethoscope.instruments.runtime.stalls import Stall
from stethoscope.names.findings import Illness, Severity
from stethoscope.thresholds import DEFAULTS
from tests.middleware.scripted import Records, exchange_of, http_scope

HERE = Place("app.py", 3, "f", own=True)
LOOP = Place("asyncio/base_events.py", 9, "run", own=False)


@pytest.fixture
def lines(records: Records) -> BlockedLines:
    return BlockedLines(records.recorder, DEFAULTS.event_loop_lag_p99)


def stall(
    seconds: float,
    place: Place = HERE,
    *,
    ongoing: bool = False,
    told_before: bool = False,
    later: float = 0.0,
    request: Current | None = None,
) -> Stall:
    seen_at = time.time() + later
    return Stall("asyncio", seconds, (place,), 3, 3, request, "", seen_at, ongoing, told_before, seconds + 0.05)


def found(records: Records) -> list[Finding]:
    recorder = records.recorder
    return findings(recorder.snapshot(), recorder.notes(names.FINDINGS_FOUND))


def test_line_that_blocks_again_and_again_is_found_with_all_its_times(records: Records, lines: BlockedLines) -> None:
    for _ in range(BLOCKED_FROM - 1):
        lines.add(stall(0.2))
    assert found(records) == []
    lines.add(stall(0.15))
    lines.add(stall(0.12))
    (finding,) = found(records)
    assert (finding.kind, finding.severity, finding.occurrences) == (Illness.BLOCKED_LOOP, Severity.WARNING, 4)
    assert finding.evidence == {"site": "app.py:3 in f", "seconds": 0.12, "worst_seconds": 0.2}
    assert finding.summary.startswith("app.py:3 in f blocked the event loop, for 200 ms or more at the longest")


def test_one_above_the_critical_lag_makes_it_critical(records: Records, lines: BlockedLines) -> None:
    for seconds in (0.12, 0.3, 0.12):
        lines.add(stall(seconds))
    (finding,) = found(records)
    assert (finding.severity, finding.occurrences) == (Severity.CRITICAL, 3)


def test_one_of_a_second_is_found_at_once_and_counted_once_however_often_it_is_told(
    records: Records, lines: BlockedLines
) -> None:
    lines.add(stall(1.02, ongoing=True))
    (finding,) = found(records)
    assert finding.occurrences == 1
    lines.add(stall(2.1, ongoing=True, told_before=True))
    lines.add(stall(2.5, told_before=True))
    (finding,) = found(records)
    assert (finding.occurrences, finding.evidence["worst_seconds"]) == (1, 2.5)


def test_route_is_told_of_a_request_that_goes_on_and_left_it_in_the_scope(
    records: Records, lines: BlockedLines
) -> None:
    request = exchange_of(records, http_scope(path_template="/orders/{id}"))
    for add in (lines.add, StallNotes(records.recorder).add):
        add(stall(1.02, request=request))
    assert request.route is None
    (finding,) = found(records)
    assert finding.route == "/orders/{id}"
    (note,) = records.recorder.notes(names.STALLS)
    assert note.content["route"] == "/orders/{id}"


def test_several_lines_and_what_is_short_or_nobodys_are_none(records: Records, lines: BlockedLines) -> None:
    for number in range(10):
        lines.add(stall(0.2, Place("app.py", number, "f", own=True)))
        lines.add(stall(0.09))
        lines.add(stall(3.0, LOOP))
    assert found(records) == []


def test_one_now_and_then_is_none(records: Records, lines: BlockedLines) -> None:
    for number in range(10):
        lines.add(stall(0.2, later=number * WITHIN))
    assert found(records) == []
    lines.add(stall(0.2, later=9 * WITHIN + 1))
    lines.add(stall(0.2, later=9 * WITHIN + 2))
    (finding,) = found(records)
    assert finding.occurrences == 12


def test_user_says_what_is_long(records: Records) -> None:
    lines = BlockedLines(records.recorder, DEFAULTS.event_loop_lag_p99._replace(warn=0.5, critical=None))
    for seconds in (0.4, 0.4, 0.4, 0.6, 0.6):
        lines.add(stall(seconds))
    assert found(records) == []
    lines.add(stall(0.6))
    (finding,) = found(records)
    assert (finding.severity, finding.occurrences) == (Severity.WARNING, 3)


def test_longest_is_that_of_all_workers(records: Records, lines: BlockedLines) -> None:
    other = BlockedLines(records.recorder, DEFAULTS.event_loop_lag_p99)
    lines.add(stall(1.5))
    other.add(stall(1.1))
    (finding,) = found(records)
    assert (finding.occurrences, finding.evidence["seconds"], finding.evidence["worst_seconds"]) == (2, 1.1, 1.5)

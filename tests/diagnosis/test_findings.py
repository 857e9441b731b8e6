"""Findings of a service, from numbers and notes alone."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

import pytest

from stethoscope import names
from stethoscope.diagnosis.finding import Finding
from stethoscope.diagnosis.findings import findings
from stethoscope.names.findings import Illness, Severity
from stethoscope.store.recorder import Recorder


@pytest.fixture
def recorder() -> Recorder:
    return Recorder("diagnosed", lambda: None)


def see(
    recorder: Recorder,
    kind: str,
    subject: str,
    evidence: Mapping[str, object],
    severity: str = "warning",
    times: int = 1,
) -> None:
    """As instruments do it."""
    recorder.counter(names.FINDINGS, (kind, severity, "/orders", subject)).add(times)
    content = {"kind": kind, "severity": severity, "route": "/orders", "subject": subject, "evidence": evidence}
    recorder.note(names.FINDINGS_FOUND, f"{kind} {subject}", content)


def found(recorder: Recorder) -> list[Finding]:
    return findings(recorder.snapshot(), recorder.notes(names.FINDINGS_FOUND))


def test_finding_has_its_count_its_times_and_the_latest_evidence(recorder: Recorder) -> None:
    before = time.time()
    see(recorder, "n_plus_one", "Order.items", {"queries": 30, "seconds": 0.1, "loader": "lazy", "many": True}, times=2)
    see(recorder, "n_plus_one", "Order.items", {"queries": 40, "seconds": 0.25, "loader": "lazy", "many": True})
    (finding,) = found(recorder)
    assert (finding.kind, finding.severity, finding.route, finding.subject, finding.occurrences) == (
        Illness.N_PLUS_ONE,
        Severity.WARNING,
        "/orders",
        "Order.items",
        3,
    )
    assert before <= finding.first_seen <= finding.last_seen <= time.time()
    assert finding.evidence["queries"] == 40
    assert finding.summary == "Order.items was loaded for each object on its own: 40 queries in one request, 250 ms"
    assert (
        finding.cure == "Load it with its owners: add .options(selectinload(Order.items)) to the query that loads them."
    )


def test_what_was_critical_once_is_critical_and_all_times_count(recorder: Recorder) -> None:
    see(recorder, "blocking_query", "app.py:3 in f", {"times": 1, "seconds": 0.001}, times=5)
    see(recorder, "blocking_query", "app.py:3 in f", {"times": 1, "seconds": 0.5}, "critical")
    (finding,) = found(recorder)
    assert (finding.severity, finding.occurrences) == (Severity.CRITICAL, 6)


def test_worst_and_most_frequent_come_first(recorder: Recorder) -> None:
    see(recorder, "repeated_query", "a", {}, times=2)
    see(recorder, "repeated_query", "b", {}, times=9)
    see(recorder, "repeated_query", "c", {}, "critical")
    assert [finding.subject for finding in found(recorder)] == ["c", "b", "a"]


def test_lost_note_leaves_a_finding_without_evidence(recorder: Recorder) -> None:
    recorder.counter(names.FINDINGS, ("far_offset", "warning", "/orders", "abc")).add(1.0)
    (finding,) = found(recorder)
    assert finding.evidence == {}
    assert finding.last_seen == finding.first_seen


def test_kinds_of_a_later_version_are_left_out(recorder: Recorder) -> None:
    see(recorder, "something_new", "x", {})
    see(recorder, "repeated_query", "x", {}, severity="whatever")
    assert found(recorder) == []


@pytest.mark.parametrize("kind", Illness)
@pytest.mark.parametrize(
    "evidence", [{}, {"loader": "refresh"}, {"loader": "columns", "site": "a.py:1 in f", "table": "t"}]
)
def test_each_kind_has_words_whatever_evidence_is_there(
    recorder: Recorder, kind: Illness, evidence: Mapping[str, object]
) -> None:
    see(recorder, kind, "subject", evidence)
    (finding,) = found(recorder)
    for sentence in (finding.summary, finding.cure):
        assert sentence
        assert "None" not in sentence
    assert finding.cure.endswith(".")
    assert ".." not in finding.cure
    json.dumps(finding.evidence)


@pytest.mark.parametrize(
    ("kind", "evidence", "said"),
    [
        (Illness.HELD_TRANSACTION, {"worst_seconds": 1.5016}, "a connection of shop was held for 1.5 s in which"),
        (Illness.HELD_TRANSACTION, {"worst_seconds": 0.99949}, "held for 999 ms"),
        (Illness.HELD_TRANSACTION, {"worst_seconds": 1234.5}, "held for 1,234 s"),
        (
            Illness.BLOCKING_QUERY,
            {"times": 1, "seconds": 0.0006},
            "1 synchronous query on the event loop's thread, 0.6 ms",
        ),
        (Illness.BLOCKING_QUERY, {"times": 3}, "3 synchronous queries on"),
        (Illness.CONCURRENT_QUERY, {"text": "SELECT sum(id)\nFROM item"}, "“SELECT sum(id) FROM item” was sent while"),
        (Illness.REPEATED_QUERY, {"text": "SELECT 1", "table": "item"}, "the query of item was sent"),
    ],
)
def test_figures_and_statements_are_said_as_people_read_them(
    recorder: Recorder, kind: Illness, evidence: Mapping[str, object], said: str
) -> None:
    see(recorder, kind, "shop", evidence)
    (finding,) = found(recorder)
    assert said in finding.summary


def test_pool_that_ran_out_is_found_from_its_numbers(recorder: Recorder) -> None:
    waits = recorder.histogram(names.POOL_WAIT_TIME, ("shop",))
    for _ in range(20):
        waits.record(0.001)
    assert found(recorder) == []
    for _ in range(5):
        waits.record(2.0)
    (slow,) = found(recorder)
    assert (slow.kind, slow.severity, slow.subject) == (Illness.POOL_EXHAUSTED, Severity.WARNING, "shop")
    recorder.counter(names.POOL_TIMEOUTS, ("shop",)).add(3.0)
    recorder.gauge(names.POOL_SIZE, ("shop",)).set(5.0)
    (failed,) = found(recorder)
    assert (failed.severity, failed.occurrences, failed.evidence["size"]) == (Severity.CRITICAL, 3 + 5, 5)


def test_pool_from_which_nobody_got_a_connection_is_found_without_a_length_of_waits(recorder: Recorder) -> None:
    """As after a reset: there were waits before, and since then all of them were in vain."""
    recorder.histogram(names.POOL_WAIT_TIME, ("shop",)).record(0.001)
    before = recorder.snapshot()
    recorder.counter(names.POOL_TIMEOUTS, ("shop",)).add(1.0)
    (finding,) = findings(recorder.snapshot().minus(before, 60.0), [])
    assert json.dumps(finding.evidence, allow_nan=False) == '{"timeouts": 1, "checkouts": 0}'
    assert finding.summary == "connections of shop ran out: 1 wait ended without one"
    assert finding.occurrences == 1


def test_waits_that_took_long_are_counted_one_by_one(recorder: Recorder) -> None:
    waits = recorder.histogram(names.POOL_WAIT_TIME, ("shop",))
    for seconds, times in ((1.0, 90), (0.001, 10)):
        for _ in range(times):
            waits.record(seconds)
    recorder.histogram(names.POOL_CREATE_TIME, ("shop",)).record(0.9)
    (finding,) = found(recorder)
    assert finding.occurrences == 89


def test_database_that_takes_long_to_open_connections_has_no_pool_that_ran_out(recorder: Recorder) -> None:
    waits, created = (recorder.histogram(one, ("shop",)) for one in (names.POOL_WAIT_TIME, names.POOL_CREATE_TIME))
    for _ in range(5):
        waits.record(0.3)
        created.record(0.04)  # and what the driver asks a new one for
    assert found(recorder) == []
    waits.record(0.3)
    (finding,) = found(recorder)
    assert finding.kind == Illness.POOL_EXHAUSTED


def test_line_that_blocks_because_of_a_synchronous_query_is_found_once(recorder: Recorder) -> None:
    facts = {"worst_seconds": 0.4}
    see(recorder, "blocking_query", "shop/app/orders.py:3 in f", {"times": 1, "seconds": 0.4})
    see(recorder, "blocked_loop", "/srv/shop/app/orders.py:3 in f", facts, "critical")
    see(recorder, "blocking_query", "orders.py:5 in h", {})
    see(recorder, "blocked_loop", "orders.py:5 in h", facts, "critical")
    assert {finding.kind for finding in found(recorder)} == {Illness.BLOCKING_QUERY}
    see(recorder, "blocked_loop", "/srv/shop/app/orders.py:9 in g", facts, "critical")
    assert Illness.BLOCKED_LOOP in {finding.kind for finding in found(recorder)}


@pytest.mark.parametrize(
    ("query", "blocked"),
    [
        ("views.py:12 in f", "billing/views.py:12 in f"),
        ("views.py:12 in f", "previews.py:12 in f"),
        ("views.py:12 in f", "/srv/billing/views.py:12 in f"),
        ("app/billing/views.py:12 in f", "old/app/billing/views.py:12 in f"),
        ("", "views.py:12 in f"),
    ],
)
def test_line_of_another_file_that_is_called_alike_is_a_finding_of_its_own(
    recorder: Recorder, query: str, blocked: str
) -> None:
    see(recorder, "blocking_query", query, {})
    see(recorder, "blocked_loop", blocked, {})
    assert {finding.kind for finding in found(recorder)} == {Illness.BLOCKING_QUERY, Illness.BLOCKED_LOOP}

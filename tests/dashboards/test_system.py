"""What the API says of the machine, the workers and their Python."""

from __future__ import annotations

from stethoscope.dashboards.documents.system import system
from stethoscope.store.notes import Note
from tests.dashboards.boards import busy


def stall(where: str, worker: int, times: int, longest: float) -> Note:
    content = {
        "where": where,
        "times": times,
        "longest_seconds": longest,
        "longest_at_most_seconds": longest + 0.06,
        "worker": worker,
        "stack": [],
    }
    return Note(f"{worker} {where}", 100.0, content)


def test_what_blocked_event_loops_is_of_all_workers_together() -> None:
    notes = [stall("a.py:1 in f", 41, 2, 0.2), stall("b.py:2 in g", 41, 1, 0.1), stall("a.py:1 in f", 42, 3, 0.5)]
    found = system("all", busy(), notes)["stalls"]
    assert [(one["where"], one["times"], one["worker"]) for one in found] == [
        ("a.py:1 in f", 5, 41),
        ("b.py:2 in g", 1, 41),
    ]
    assert (found[0]["longest_seconds"], found[0]["longest_at_most_seconds"]) == (0.5, 0.56)

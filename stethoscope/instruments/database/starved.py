"""How long the running thread had something to do and no processor to do it on: that is no waiting of its own."""

from __future__ import annotations

_SCHEDULER = "/proc/thread-self/schedstat"


def starved() -> float:
    """Seconds since the thread was started (Linux, sched-stats: "time spent waiting on a runqueue"); 0.0 where nobody knows.

    Some 10 µs. What a thread waits for the interpreter, which another one holds that is starved itself, is not in it.
    """
    try:
        with open(_SCHEDULER, "rb", buffering=0) as file:
            return int(file.read(100).split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0

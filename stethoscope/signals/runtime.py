"""Signals of workers: event loop, threads, garbage collection, memory, files."""

from __future__ import annotations

from typing import Final

from stethoscope.names import (
    ANYIO_BORROWED,
    ANYIO_LIMIT,
    ANYIO_WAIT,
    ANYIO_WAITING,
    EXECUTOR_LIMIT,
    EXECUTOR_QUEUED,
    EXECUTOR_THREADS,
    GC_COLLECTED,
    GC_COLLECTIONS,
    GC_PAUSE,
    GC_UNCOLLECTABLE,
    LOOP_LAG,
    LOOP_STALLS,
    LOOP_TASKS,
    PROCESS_CONTEXT_SWITCHES,
    PROCESS_CPU_TIME,
    PROCESS_CPU_UTILIZATION,
    PROCESS_DISK_IO,
    PROCESS_FILES,
    PROCESS_FILES_LIMIT,
    PROCESS_MEMORY,
    PROCESS_MEMORY_UNIQUE,
    PROCESS_MEMORY_VIRTUAL,
    PROCESS_PAGING_FAULTS,
    PROCESS_SOCKETS,
    PROCESS_THREADS,
    PROCESS_UPTIME,
    WORKER_STARTS,
    Metric,
)
from stethoscope.names.attributes import SERVICE_LABEL
from stethoscope.signals.promql import Frame, amount, highest, how_many, least, level, per_second, quantile, select
from stethoscope.signals.signal import Signal

WORKER: Final = (SERVICE_LABEL, "pid")
"""Labels that tell the workers of a host apart: in two containers of a pod both may have the process ID 1."""


def _of_each(metric: Metric, frame: Frame) -> str:
    """The worst of a gauge that each worker has, for the labels that are kept."""
    return highest(metric, frame)


def _each(frame: Frame) -> str:
    """Labels of each worker of each host; what scraping calls a service may have the name of one of them."""
    return ", ".join(frame.only(*frame.target_labels).keep(*WORKER).by)


def files_used(frame: Frame) -> str:
    """The share of its file descriptors that the worst worker has open."""
    by = f" by ({', '.join(frame.by)})" if frame.by else ""
    return f"max{by} ({select(PROCESS_FILES, frame)} / on ({_each(frame)}) {select(PROCESS_FILES_LIMIT, frame)})"


LAG: Final = Signal(
    "Event-loop lag p99",
    "How long does every request of a worker wait because something holds up the event loop?",
    "s",
    lambda frame: quantile(0.99, LOOP_LAG, frame),
    "event_loop_lag_p99",
)
LAG_P50: Final = Signal("p50", LAG.question, "s", lambda frame: quantile(0.5, LOOP_LAG, frame))
LAG_P99: Final = Signal("p99", LAG.question, "s", LAG.expression, LAG.threshold)
STALLS: Final = Signal(
    "Stalls",
    "How often does something block the event loop for more than 100 ms?",
    "short",
    lambda frame: how_many(LOOP_STALLS, frame),
)
TASKS: Final = Signal("Tasks", "How many tasks are not done?", "short", lambda frame: level(LOOP_TASKS, frame))
THREADS_BORROWED: Final = Signal(
    "in use",
    "Do sync endpoints have to wait, because all of AnyIO's threads are in use?",
    "short",
    lambda frame: level(ANYIO_BORROWED, frame),
)
THREADS_WAITING: Final = Signal(
    "waiting", THREADS_BORROWED.question, "short", lambda frame: level(ANYIO_WAITING, frame)
)
THREADS_LIMIT: Final = Signal("limit", THREADS_BORROWED.question, "short", lambda frame: level(ANYIO_LIMIT, frame))
THREADS_WAIT: Final = Signal(
    "Wait for a thread p95",
    "How long do calls wait for one of AnyIO's threads, of those that have to?",
    "s",
    lambda frame: quantile(0.95, ANYIO_WAIT, frame),
)
EXECUTOR: Final = (
    Signal(
        "threads",
        "Do calls of asyncio.to_thread have to wait?",
        "short",
        lambda frame: level(EXECUTOR_THREADS, frame),
    ),
    Signal("waiting", "", "short", lambda frame: level(EXECUTOR_QUEUED, frame)),
    Signal("limit", "", "short", lambda frame: level(EXECUTOR_LIMIT, frame)),
)
GC_P99: Final = Signal(
    "Pause p99",
    "How long does the garbage collector hold up all Python code of a worker?",
    "s",
    lambda frame: quantile(0.99, GC_PAUSE, frame.keep("cpython_gc_generation")),
)
GC_TIME: Final = Signal(
    "Time in garbage collection",
    "What share of its time does a worker spend in garbage collection?",
    "percentunit",
    lambda frame: amount(GC_PAUSE, frame),
)
GC_RUNS: Final = Signal(
    "Collections",
    "How often does the garbage collector run?",
    "ops",
    lambda frame: per_second(GC_COLLECTIONS, frame.keep("cpython_gc_generation")),
)
GC_FREED: Final = Signal(
    "freed",
    "How much garbage is in cycles, so that only the collector finds it?",
    "ops",
    lambda frame: per_second(GC_COLLECTED, frame),
)
GC_STUCK: Final = Signal("not to be freed", "", "ops", lambda frame: per_second(GC_UNCOLLECTABLE, frame))
MEMORY: Final = Signal(
    "resident",
    "How much memory does each worker take, and does it grow without end?",
    "bytes",
    lambda frame: _of_each(PROCESS_MEMORY, frame),
)
MEMORY_UNIQUE: Final = Signal(
    "its own",
    "How much memory would be free if the worker ended?",
    "bytes",
    lambda frame: _of_each(PROCESS_MEMORY_UNIQUE, frame),
)
MEMORY_VIRTUAL: Final = Signal(
    "address space",
    "How much address space does each worker take?",
    "bytes",
    lambda frame: _of_each(PROCESS_MEMORY_VIRTUAL, frame),
)
WORKER_CPU: Final = Signal(
    "Processor of a worker",
    "Is any worker's core used up? A worker's Python code runs on one.",
    "percentunit",
    lambda frame: f"max by ({', '.join(frame.keep(*WORKER).by)}) ({_both_modes(frame)})",
    "cpu_use",
)


def _both_modes(frame: Frame) -> str:
    return f"sum by ({_each(frame)}) ({select(PROCESS_CPU_UTILIZATION, frame)})"


CPU_SECONDS: Final = Signal(
    "Processor time",
    "How many cores do the workers use, and is it the app or the kernel?",
    "short",
    lambda frame: per_second(PROCESS_CPU_TIME, frame.keep("cpu_mode")),
)
THREADS: Final = Signal(
    "Threads", "How many threads do workers have?", "short", lambda frame: level(PROCESS_THREADS, frame)
)
FILES: Final = Signal(
    "File descriptors",
    "What share of the file descriptors that it may have is open, in the worst worker?",
    "percentunit",
    files_used,
    "open_files",
)
FILES_OPEN: Final = Signal(
    "open files", "Do open files grow without end?", "short", lambda frame: level(PROCESS_FILES, frame)
)
SOCKETS_OPEN: Final = Signal("sockets", "", "short", lambda frame: level(PROCESS_SOCKETS, frame))
SWITCHES: Final = Signal(
    "Context switches",
    "Do threads wait (voluntary), or are there not enough cores (involuntary)?",
    "ops",
    lambda frame: per_second(PROCESS_CONTEXT_SWITCHES, frame.keep("process_context_switch_type")),
)
FAULTS: Final = Signal(
    "Page faults",
    "Do workers wait for memory from disk (major)?",
    "ops",
    lambda frame: per_second(PROCESS_PAGING_FAULTS, frame.keep("system_paging_fault_type")),
)
WORKER_DISK: Final = Signal(
    "Disk",
    "How much do workers read from and write to disks?",
    "Bps",
    lambda frame: per_second(PROCESS_DISK_IO, frame.keep("disk_io_direction")),
)
UPTIME: Final = Signal(
    "Youngest worker", "How long does the youngest worker run?", "s", lambda frame: least(PROCESS_UPTIME, frame)
)
STARTS: Final = Signal(
    "Workers started",
    "Are workers started again and again?",
    "short",
    lambda frame: how_many(WORKER_STARTS, frame),
)

"""Runtime & process: what the workers and their machine are short of."""

from __future__ import annotations

from typing import Final

from stethoscope.signals import machine
from stethoscope.signals.board import Board, Row
from stethoscope.signals.http import QUEUED
from stethoscope.signals.own import VERSIONS, WORKING
from stethoscope.signals.panels import stat, timeseries
from stethoscope.signals.runtime import (
    CPU_SECONDS,
    EXECUTOR,
    FAULTS,
    FILES,
    FILES_OPEN,
    GC_FREED,
    GC_P99,
    GC_RUNS,
    GC_STUCK,
    GC_TIME,
    LAG,
    LAG_P50,
    LAG_P99,
    MEMORY,
    MEMORY_UNIQUE,
    MEMORY_VIRTUAL,
    SOCKETS_OPEN,
    STALLS,
    STARTS,
    SWITCHES,
    TASKS,
    THREADS,
    THREADS_BORROWED,
    THREADS_LIMIT,
    THREADS_WAIT,
    THREADS_WAITING,
    UPTIME,
    WORKER,
    WORKER_CPU,
    WORKER_DISK,
)
from stethoscope.signals.signal import HOST

_EACH: Final = (HOST, *WORKER)
_OF_EACH: Final = "{{<host>}} {{service_name}} {{pid}}"

RUNTIME: Final = Board(
    "runtime",
    "Runtime & process",
    "Event loops, threads, garbage collection and memory of the workers, and their machines.",
    (
        Row(
            "At a glance",
            (
                stat(LAG),
                stat(machine.CPU),
                stat(machine.MEMORY),
                stat(FILES, "File descriptors"),
                stat(WORKING),
                stat(UPTIME),
                stat(STARTS, window="$__range"),
                stat(machine.KILLS, window="$__range"),
            ),
        ),
        Row(
            "Event loop and threads",
            (
                timeseries("Event-loop lag", LAG_P50, LAG_P99),
                timeseries("Stalls", STALLS, bars=True, nothing="none"),
                timeseries("Tasks", TASKS, keep=(HOST,), legend="{{<host>}}"),
                timeseries("AnyIO's threads", THREADS_BORROWED, THREADS_WAITING, THREADS_LIMIT),
                timeseries("Wait for a thread p95", THREADS_WAIT, nothing="none waits"),
                timeseries("Default executor", *EXECUTOR),
                timeseries(
                    "Queue in front p95", QUEUED, keep=(HOST,), legend="{{<host>}}", width=12, nothing="not told"
                ),
                timeseries(
                    "Versions", VERSIONS, legend="{{service_version}}", width=12, stacked=True, nothing="not told"
                ),
            ),
        ),
        Row(
            "Workers",
            (
                timeseries("Memory of workers", MEMORY, keep=_EACH, legend=_OF_EACH),
                timeseries("Processor of workers", WORKER_CPU, keep=(HOST,), legend=_OF_EACH),
                timeseries("Time in garbage collection", GC_TIME, keep=(HOST,), legend="{{<host>}}"),
                timeseries("Pauses for garbage collection p99", GC_P99, legend="generation {{cpython_gc_generation}}"),
                timeseries("Open files and sockets", FILES_OPEN, SOCKETS_OPEN),
                timeseries("Processor time", CPU_SECONDS, legend="{{cpu_mode}}", stacked=True),
            ),
        ),
        Row(
            "Workers in depth",
            (
                timeseries("Memory of their own", MEMORY_UNIQUE, keep=_EACH, legend=_OF_EACH),
                timeseries("Address space", MEMORY_VIRTUAL, keep=_EACH, legend=_OF_EACH),
                timeseries("Threads", THREADS, keep=(HOST,), legend="{{<host>}}"),
                timeseries("Collections", GC_RUNS, legend="generation {{cpython_gc_generation}}"),
                timeseries("Garbage in cycles", GC_FREED, GC_STUCK),
                timeseries("Context switches", SWITCHES, legend="{{process_context_switch_type}}"),
                timeseries("Page faults", FAULTS, legend="{{system_paging_fault_type}}"),
                timeseries("Disk of workers", WORKER_DISK, legend="{{disk_io_direction}}"),
            ),
            collapsed=True,
        ),
        Row(
            "Machine",
            (
                timeseries("Processor of the machine", machine.MODES, legend="{{cpu_mode}}", stacked=True),
                timeseries("Cores by mode", machine.MODE_SECONDS, legend="{{cpu_mode}}", stacked=True),
                timeseries("Load", machine.LOAD, legend="{{window}}"),
                timeseries("Cores", *machine.CORES),
                timeseries("Throttled", machine.THROTTLED),
                timeseries(
                    "Memory of the machine", machine.MEMORY_STATES, legend="{{system_memory_state}}", stacked=True
                ),
                timeseries("Memory limits", *machine.MEMORY_LIMITS),
                timeseries("Swap", machine.SWAP, legend="{{system_paging_state}}"),
                timeseries("Swapping", machine.SWAPPING, legend="{{system_paging_direction}}"),
                timeseries("Space used", machine.SPACE, legend="{{system_filesystem_mountpoint}}"),
                timeseries(
                    "Space",
                    machine.SPACE_STATES,
                    legend="{{system_filesystem_mountpoint}} {{system_filesystem_state}}",
                ),
                timeseries("Disk", machine.DISK, legend="{{system_device}} {{disk_io_direction}}"),
                timeseries("Disk operations", machine.DISK_OPS, legend="{{system_device}} {{disk_io_direction}}"),
                timeseries("Disk busy", machine.DISK_BUSY, legend="{{system_device}}"),
                timeseries("Network", machine.NETWORK, legend="{{network_interface_name}} {{network_io_direction}}"),
                timeseries(
                    "Network errors",
                    machine.NETWORK_FAILS,
                    legend="{{network_interface_name}} {{network_io_direction}}",
                ),
                timeseries("Machine up", machine.MACHINE_UPTIME),
            ),
            collapsed=True,
        ),
    ),
)

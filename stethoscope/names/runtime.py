"""Metrics of each process that serves the app, and of its Python: process and CPython runtime semantic conventions.

Gauges are one series for each living worker, told apart by ``pid``; counters and histograms are of all workers.
"""

from __future__ import annotations

from stethoscope.names.metric import Kind, Merge, Metric

# Pauses and lags: from what nobody notices to what makes clients give up.
PAUSE_BOUNDS = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_GENERATION = ("cpython_gc_generation",)


def _worker(name: str, help: str, labels: tuple[str, ...] = (), unit: str = "", otel: str = "") -> Metric:
    return Metric(name, Kind.GAUGE, help, labels, unit, merge=Merge.LIVEALL, otel=otel)


def _count(name: str, help: str, labels: tuple[str, ...] = (), unit: str = "", otel: str = "") -> Metric:
    return Metric(name, Kind.COUNTER, help, labels, unit, otel=otel)


def _pauses(name: str, help: str, labels: tuple[str, ...], otel: str) -> Metric:
    return Metric(name, Kind.HISTOGRAM, help, labels, "seconds", PAUSE_BOUNDS, otel=otel)


PROCESS_CPU_TIME = _count(
    "process_cpu_time_seconds",
    "Processor time of the workers, by mode (user, system).",
    ("cpu_mode",),
    "seconds",
    "process.cpu.time",
)
PROCESS_CPU_UTILIZATION = _worker(
    "process_cpu_utilization_ratio",
    "Processor time of the worker since the sample before, as a share of one core: several threads can make it more than 1.",
    ("cpu_mode",),
    "ratio",
    "process.cpu.utilization",
)
PROCESS_MEMORY = _worker(
    "process_memory_usage_bytes", "Physical memory of the worker (RSS).", (), "bytes", "process.memory.usage"
)
PROCESS_MEMORY_VIRTUAL = _worker(
    "process_memory_virtual_bytes", "Address space of the worker (VMS).", (), "bytes", "process.memory.virtual"
)
PROCESS_MEMORY_UNIQUE = _worker(
    "stethoscope_process_memory_unique_bytes",
    "Physical memory that no other process shares (USS): what would be free if the worker ended.",
    (),
    "bytes",
    "stethoscope.process.memory.unique",
)
PROCESS_THREADS = _worker("process_thread_count", "Threads of the worker.", (), "", "process.thread.count")
PROCESS_FILES = _worker(
    "process_unix_file_descriptor_count",
    "File descriptors that the worker has open.",
    (),
    "",
    "process.unix.file_descriptor.count",
)
PROCESS_FILES_LIMIT = _worker(
    "stethoscope_process_file_descriptor_limit",
    "File descriptors that the worker may have open (RLIMIT_NOFILE). None where there is no limit.",
    (),
    "",
    "stethoscope.process.file_descriptor.limit",
)
PROCESS_SOCKETS = _worker(
    "stethoscope_process_sockets",
    "Sockets that the worker has open: connections of clients, to databases and services, and those it listens on.",
    (),
    "",
    "stethoscope.process.sockets",
)
PROCESS_CONTEXT_SWITCHES = _count(
    "process_context_switches",
    "Times that threads of the workers left the processor: to wait (voluntary), or because others had to run (involuntary).",
    ("process_context_switch_type",),
    "",
    "process.context_switches",
)
PROCESS_PAGING_FAULTS = _count(
    "process_paging_faults",
    "Page faults of the workers, by type (minor; major, which waited for a disk).",
    ("system_paging_fault_type",),
    "",
    "process.paging.faults",
)
PROCESS_DISK_IO = _count(
    "process_disk_io_bytes",
    "Bytes that the workers had read from and written to disks, by direction (read, write).",
    ("disk_io_direction",),
    "bytes",
    "process.disk.io",
)
PROCESS_UPTIME = _worker(
    "process_uptime_seconds", "Time since the worker was started.", (), "seconds", "process.uptime"
)
WORKER_STARTS = _count(
    "stethoscope_worker_starts",
    "Workers that have begun to serve. What is more than there are workers are restarts.",
    otel="stethoscope.worker.starts",
)

GC_COLLECTIONS = _count(
    "cpython_gc_collections",
    "Runs of the garbage collector, by generation.",
    _GENERATION,
    "",
    "cpython.gc.collections",
)
GC_COLLECTED = _count(
    "cpython_gc_collected_objects",
    "Objects that the garbage collector freed, by generation.",
    _GENERATION,
    "",
    "cpython.gc.collected_objects",
)
GC_UNCOLLECTABLE = _count(
    "cpython_gc_uncollectable_objects",
    "Objects that the garbage collector found to be garbage and could not free, by generation.",
    _GENERATION,
    "",
    "cpython.gc.uncollectable_objects",
)
GC_PAUSE = _pauses(
    "stethoscope_gc_pause_duration_seconds",
    "Time that a run of the garbage collector held up all Python code of the worker, by generation.",
    _GENERATION,
    "stethoscope.gc.pause.duration",
)

LOOP_LAG = _pauses(
    "stethoscope_event_loop_lag_seconds",
    "Time by which the event loop ran a timer too late, beyond the precision of its clock: what every request of the worker waits.",
    ("event_loop",),
    "stethoscope.event_loop.lag",
)
LOOP_STALLS = _count(
    "stethoscope_event_loop_stalls",
    "Times that something blocked the event loop for 100 ms or longer, measured to within 60 ms. What it was is in the report.",
    ("event_loop",),
    "",
    "stethoscope.event_loop.stalls",
)
LOOP_TASKS = _worker(
    "stethoscope_event_loop_tasks",
    "Tasks of the worker's event loops that are not done.",
    (),
    "",
    "stethoscope.event_loop.tasks",
)

ANYIO_LIMIT = _worker(
    "stethoscope_anyio_threads_limit",
    "Calls that may be in AnyIO's threads at once: sync endpoints and dependencies of Starlette and FastAPI run there.",
    (),
    "",
    "stethoscope.anyio.threads.limit",
)
ANYIO_BORROWED = _worker(
    "stethoscope_anyio_threads_borrowed",
    "Calls that are in AnyIO's threads now.",
    (),
    "",
    "stethoscope.anyio.threads.borrowed",
)
ANYIO_WAITING = _worker(
    "stethoscope_anyio_threads_waiting",
    "Calls that wait for a thread of AnyIO's.",
    (),
    "",
    "stethoscope.anyio.threads.waiting",
)
ANYIO_WAIT = _pauses(
    "stethoscope_anyio_threads_wait_duration_seconds",
    "Time that calls waited for one of AnyIO's threads, of those that had to wait.",
    (),
    "stethoscope.anyio.threads.wait.duration",
)

EXECUTOR_LIMIT = _worker(
    "stethoscope_default_executor_threads_limit",
    "Threads that the event loop's default executor may have (asyncio.to_thread, run_in_executor).",
    (),
    "",
    "stethoscope.default_executor.threads.limit",
)
EXECUTOR_THREADS = _worker(
    "stethoscope_default_executor_threads",
    "Threads that the event loop's default executor has.",
    (),
    "",
    "stethoscope.default_executor.threads",
)
EXECUTOR_QUEUED = _worker(
    "stethoscope_default_executor_queued",
    "Calls that wait for a thread of the event loop's default executor.",
    (),
    "",
    "stethoscope.default_executor.queued",
)

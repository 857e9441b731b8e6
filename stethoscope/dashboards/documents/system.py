"""The machine, the workers, and their Python."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final, TypedDict

from stethoscope import names
from stethoscope.dashboards.documents.notes import number, parts, text, whole
from stethoscope.dashboards.documents.performance import Latency, latency
from stethoscope.dashboards.documents.reading import by_worker, first, label_values, numbers, total, with_labels
from stethoscope.dashboards.documents.window import Window, WindowName, described
from stethoscope.names import Metric
from stethoscope.store.notes import Note
from stethoscope.store.snapshot import Snapshot
from stethoscope.store.timeline import summed

_MOST_STALLS: Final = 20


class Disk(TypedDict):
    """A file system."""

    mountpoint: Annotated[str, "Where it is mounted."]
    use_ratio: Annotated[float, "Share of its space that is used (0 to 1)."]


class Network(TypedDict):
    """A network interface."""

    interface: Annotated[str, "Its name."]
    receive_bytes_per_second: Annotated[float, "Bytes received per second of the window."]
    transmit_bytes_per_second: Annotated[float, "Bytes transmitted per second of the window."]


class Machine(TypedDict):
    """The machine, and what of it the service may use (its cgroup's limits, where it has any)."""

    cpu_use_ratio: Annotated[float | None, "Processor time used, as a share of what may be used (0 to 1)."]
    cpu_limit_cores: Annotated[float | None, "Cores that may be used: the quota, the affinity, or all there are."]
    cpu_throttled_ratio: Annotated[float, "Share of the window in which threads waited because the quota was used up."]
    load_1m: Annotated[float | None, "Threads that ran or waited to run or for a disk, averaged over 1 minute."]
    load_5m: Annotated[float | None, "The same over 5 minutes."]
    load_15m: Annotated[float | None, "The same over 15 minutes."]
    memory_use_ratio: Annotated[float | None, "Memory in use, as a share of what may be used (0 to 1)."]
    memory_limit_bytes: Annotated[float | None, "Memory that may be used: the limit, or what the machine has."]
    swap_used_bytes: Annotated[float, "Swap in use on the machine."]
    disks: Annotated[list[Disk], "File systems."]
    networks: Annotated[list[Network], "Network interfaces."]


class Worker(TypedDict):
    """A living worker process, as it was sampled last."""

    pid: Annotated[
        int | str, "Its process id; more than that (1-3fa2, say) where a worker in another container has the same."
    ]
    uptime_seconds: Annotated[float | None, "Time since it was started."]
    cpu_ratio: Annotated[float | None, "Processor time, as a share of one core."]
    memory_bytes: Annotated[float | None, "Physical memory (RSS)."]
    memory_unique_bytes: Annotated[float | None, "Physical memory that no other process shares (USS)."]
    threads: Annotated[float | None, "Threads."]
    open_files: Annotated[float | None, "Open file descriptors."]
    open_files_limit: Annotated[float | None, "File descriptors that may be open."]
    sockets: Annotated[float | None, "Open sockets."]
    tasks: Annotated[float | None, "Tasks of its event loops that are not done."]
    thread_calls: Annotated[float | None, "Calls in AnyIO's threads now, where sync endpoints run."]
    thread_limit: Annotated[float | None, "Calls that may be in AnyIO's threads at once."]
    thread_waiting: Annotated[float | None, "Calls that wait for a thread of AnyIO's."]
    executor_queued: Annotated[float | None, "Calls that wait for a thread of the default executor."]


class Generation(TypedDict):
    """A generation of the garbage collector."""

    generation: Annotated[str, "0 holds the youngest objects, 2 the oldest."]
    collection_count: Annotated[float, "Runs in the window."]
    collected_count: Annotated[float, "Objects freed in the window."]
    pause: Annotated[Latency, "Time that a run held up all Python code of its worker."]


class Stall(TypedDict):
    """A line of code that blocked an event loop for 100 ms or longer, measured to within 60 ms."""

    where: Annotated[str, "The line: the innermost of the app's own code."]
    times: Annotated[int, "Times that it was seen, by all workers together."]
    longest_seconds: Annotated[float, "How long the longest of them was, at least."]
    longest_at_most_seconds: Annotated[float, "How long the longest of them was, at most: 100 ms or more."]
    route: Annotated[str, "The route of the request that was waited for; empty outside of requests."]
    request_id: Annotated[str, "Its correlation ID."]
    worker: Annotated[int, "The worker that saw it last."]
    last_at_unix_seconds: Annotated[float, "When it was seen last, as Unix time."]
    stack: Annotated[list[str], "Where the loop's thread was, the innermost first."]


class System(TypedDict):
    """The machine, the workers, and their Python."""

    window: Window
    machine: Machine
    workers: Annotated[list[Worker], "The living workers, by process id."]
    worker_starts: Annotated[float, "Workers started in the window."]
    event_loop_lag: Annotated[Latency, "How late event loops ran a timer: what every request of the worker waits."]
    event_loop_stalls: Annotated[
        float,
        "Times in the window that something blocked an event loop for 100 ms or longer, measured to within 60 ms.",
    ]
    stalls: Annotated[list[Stall], "What blocked event loops, the latest first."]
    queue_time: Annotated[Latency, "Time that requests were under way from the proxy in front."]
    thread_wait: Annotated[Latency, "Time that calls waited for one of AnyIO's threads."]
    garbage_collection: Annotated[list[Generation], "The garbage collector, by generation."]
    store_bytes: Annotated[float, "Shared memory reserved for this service's numbers."]
    own_failures: Annotated[float, "Failures of Stethoscope itself in the window; none of them reached the app."]


def system(name: WindowName, window: Snapshot, stalls: Iterable[Note]) -> System:
    return System(
        window=described(name, window),
        machine=machine(window),
        workers=workers(window),
        worker_starts=total(window, names.WORKER_STARTS),
        event_loop_lag=lag(window),
        event_loop_stalls=total(window, names.LOOP_STALLS),
        stalls=_stalls(stalls),
        queue_time=_latency(window, names.QUEUE_DURATION),
        thread_wait=_latency(window, names.ANYIO_WAIT),
        garbage_collection=_generations(window),
        store_bytes=total(window, names.STORE_SIZE),
        own_failures=total(window, names.INTERNAL_ERRORS),
    )


def lag(window: Snapshot) -> Latency:
    """How late the event loops of all workers are."""
    return _latency(window, names.LOOP_LAG)


def machine(window: Snapshot) -> Machine:
    loads = {series.labels[0]: value for series, value in numbers(window, names.LOAD_AVERAGE)}
    return Machine(
        cpu_use_ratio=first(window, names.CPU_USED),
        cpu_limit_cores=first(window, names.CPU_LIMIT),
        cpu_throttled_ratio=total(window, names.CPU_THROTTLED) / (window.seconds or 1.0),
        load_1m=loads.get("1m"),
        load_5m=loads.get("5m"),
        load_15m=loads.get("15m"),
        memory_use_ratio=first(window, names.MEMORY_USED),
        memory_limit_bytes=first(window, names.MEMORY_LIMIT),
        swap_used_bytes=total(window, names.PAGING_USAGE, system_paging_state="used"),
        disks=[
            Disk(mountpoint=series.labels[1], use_ratio=value)
            for series, value in numbers(window, names.FILESYSTEM_UTILIZATION)
        ],
        networks=[_network(window, name) for name in label_values(window, names.NETWORK_IO, "network_interface_name")],
    )


def workers(window: Snapshot) -> list[Worker]:
    def of(metric: Metric) -> dict[int | str, float]:
        return by_worker(window, metric)

    uptime, cpu, memory, unique = map(
        of,
        (names.PROCESS_UPTIME, names.PROCESS_CPU_UTILIZATION, names.PROCESS_MEMORY, names.PROCESS_MEMORY_UNIQUE),
    )
    threads, files, files_limit, sockets = map(
        of, (names.PROCESS_THREADS, names.PROCESS_FILES, names.PROCESS_FILES_LIMIT, names.PROCESS_SOCKETS)
    )
    tasks, calls, limit, waiting, queued = map(
        of,
        (
            names.LOOP_TASKS,
            names.ANYIO_BORROWED,
            names.ANYIO_LIMIT,
            names.ANYIO_WAITING,
            names.EXECUTOR_QUEUED,
        ),
    )
    return [
        Worker(
            pid=pid,
            uptime_seconds=uptime.get(pid),
            cpu_ratio=cpu.get(pid),
            memory_bytes=memory.get(pid),
            memory_unique_bytes=unique.get(pid),
            threads=threads.get(pid),
            open_files=files.get(pid),
            open_files_limit=files_limit.get(pid),
            sockets=sockets.get(pid),
            tasks=tasks.get(pid),
            thread_calls=calls.get(pid),
            thread_limit=limit.get(pid),
            thread_waiting=waiting.get(pid),
            executor_queued=queued.get(pid),
        )
        for pid in window.workers
    ]


def _stalls(notes: Iterable[Note]) -> list[Stall]:
    by_line: dict[str, list[Note]] = {}
    for note in notes:  # the newest first, and of each worker one
        by_line.setdefault(text(note.content, "where"), []).append(note)
    return [_stall(of_workers) for of_workers in list(by_line.values())[:_MOST_STALLS]]


def _stall(of_workers: list[Note]) -> Stall:
    note, content = of_workers[0], of_workers[0].content
    return Stall(
        where=text(content, "where"),
        times=sum(whole(one.content, "times") for one in of_workers),
        longest_seconds=_longest(of_workers, "longest_seconds"),
        longest_at_most_seconds=_longest(of_workers, "longest_at_most_seconds"),
        route=text(content, "route"),
        request_id=text(content, "request_id"),
        worker=whole(content, "worker"),
        last_at_unix_seconds=number(content, "ended_at") or note.written_at,
        stack=[
            f"{text(place, 'file')}:{whole(place, 'line')} {text(place, 'function')}"
            for place in parts(content, "stack")
        ],
    )


def _longest(notes: Iterable[Note], name: str) -> float:
    return max(number(note.content, name) or 0.0 for note in notes)


def _network(window: Snapshot, interface: str) -> Network:
    seconds = window.seconds or 1.0
    received, sent = (
        total(window, names.NETWORK_IO, network_interface_name=interface, network_io_direction=direction) / seconds
        for direction in ("receive", "transmit")
    )
    return Network(interface=interface, receive_bytes_per_second=received, transmit_bytes_per_second=sent)


def _generations(window: Snapshot) -> list[Generation]:
    label = names.GC_COLLECTIONS.labels[0]
    return [
        Generation(
            generation=generation,
            collection_count=total(window, names.GC_COLLECTIONS, **{label: generation}),
            collected_count=total(window, names.GC_COLLECTED, **{label: generation}),
            pause=latency(
                summed(names.GC_PAUSE, with_labels(window, names.GC_PAUSE, **{label: generation})),
                window.seconds or 1.0,
            ),
        )
        for generation in label_values(window, names.GC_COLLECTIONS, label)
    ]


def _latency(window: Snapshot, metric: Metric) -> Latency:
    return latency(summed(metric, window.family(metric).series), window.seconds or 1.0)

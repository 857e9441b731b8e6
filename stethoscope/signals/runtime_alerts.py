"""Alerts on workers and machines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

from stethoscope.names import (
    ACTIVE_REQUESTS,
    ANYIO_WAITING,
    MEMORY_USED,
    OUT_OF_MEMORY_KILLS,
    WORKER_STARTS,
    WORKERS,
)
from stethoscope.names.attributes import SERVICE_LABEL
from stethoscope.signals import machine
from stethoscope.signals.alert import Alert, Condition, beyond
from stethoscope.signals.config import Config
from stethoscope.signals.own import WORKING
from stethoscope.signals.promql import Frame, highest, how_many, level, select, summed
from stethoscope.signals.runtime import FILES, LAG
from stethoscope.signals.signal import HOST, Expression, Signal


def _on_each_host(
    signal: Signal, holds: Mapping[str, str], *more: str, window: str = "5m", guard: Expression | None = None
) -> Callable[[Config], Iterable[Condition]]:
    return lambda config: beyond(signal, holds, window=window, keep=(config.instance_label, *more), guard=guard)(config)


def _answered(frame: Frame) -> str:
    """Guard: a worker of it answered requests within the hour, which is told for as long as the worker lives."""
    return f"group by ({', '.join(frame.by)}) (last_over_time({select(ACTIVE_REQUESTS, frame)}[1h]))"


def _restarts(frame: Frame) -> str:
    """Starts for each worker that there was in the window; one, where no scrape saw any."""
    there = summed(f"max_over_time({select(WORKERS, frame)}{frame.range})", frame)
    return f"{how_many(WORKER_STARTS, frame)} / clamp_min({there}, 1)"


_WORKERS: Final = replace(WORKING, threshold="workers")
_RESTARTS: Final = Signal("Starts of a worker", "Are workers started again and again?", "short", _restarts, "restarts")


def _leaking(config: Config) -> Iterable[Condition]:
    frame = config.in_rules("2h").keep(config.instance_label)
    by = ", ".join(frame.by)
    soon = f"max by ({by}) (predict_linear({select(MEMORY_USED, frame)}{frame.range}, 4 * 3600)) > 1"
    yield Condition("warning", f"{soon}\nand {highest(MEMORY_USED, frame)} > 0.6", "30m")


def _killed(config: Config) -> Iterable[Condition]:
    killed = how_many(OUT_OF_MEMORY_KILLS, config.in_rules("15m").keep(config.instance_label))
    yield Condition("critical", f"{killed} > 0", "0m")


def _no_threads(config: Config) -> Iterable[Condition]:
    waiting = level(ANYIO_WAITING, config.in_rules().keep(config.instance_label))
    yield Condition("warning", f"{waiting} > 0", "5m")


RUNTIME_ALERTS: Final = (
    Alert(
        "ASGIEventLoopLag",
        _on_each_host(LAG, {"warn": "5m", "critical": "2m"}),
        "The event loops of <service> on {{ $labels.<host> }} are late by {{ $value | humanizeDuration }}",
        "Something holds up the event loop: all requests of the worker wait while it does.",
        "Everything is slow at once, health checks included.",
        (
            "Runtime & process, “Stalls”: if there are any, the report says in which line of code.",
            "“Processor of workers” at 100 %: there is more work than one core can do.",
            "“Pauses for garbage collection” of the same length: too many objects in cycles.",
        ),
        (
            "Blocking code: await it, or move it to a thread.",
            "Work: more workers, or less work for each request.",
        ),
        board="runtime",
        labels=(HOST,),
    ),
    Alert(
        "ASGIThreadsExhausted",
        _no_threads,
        "{{ $value | humanize }} calls of <service> on {{ $labels.<host> }} wait for a thread",
        "All of AnyIO's threads are in use: sync endpoints and dependencies wait for one.",
        "Requests to sync endpoints are slow, however idle the processor is.",
        ("Runtime & process, “AnyIO's threads”: do they wait for a slow database or upstream?",),
        ("Make the endpoint async, or what it waits for fast. More threads are the last resort.",),
        board="runtime",
        labels=(HOST,),
    ),
    Alert(
        "ASGINoWorkers",
        _on_each_host(_WORKERS, {"warn": "10m", "critical": "2m"}, SERVICE_LABEL, guard=_answered),
        "{{ $value }} workers of <service>{{ with $labels.service_name }} ({{ . }}){{ end }} live on {{ $labels.<host> }}",
        "A service answered requests on this host within the last hour, and has no worker any more. Its sidecar still answers scrapes, "
        "so that the target is not down.",
        "Users of this host get nothing.",
        (
            "The log of the server: an exception at start, a signal, or no memory.",
            "Was it stopped on purpose? The alert then ends by itself after an hour.",
        ),
        ("Start it; after a deploy: roll back.",),
        board="runtime",
        labels=(HOST, SERVICE_LABEL),
    ),
    Alert(
        "ASGIRestartLoop",
        _on_each_host(_RESTARTS, {"warn": "0m", "critical": "0m"}, window="15m"),
        'Each worker of <service> on {{ $labels.<host> }} was started {{ printf "%.1f" $value }} times in a quarter of an hour',
        "Workers end and are started again and again.",
        "Requests under way are lost each time, and every start takes time from others.",
        (
            "The log of the server: an exception at start, a signal, or no memory.",
            "“Killed for memory” on Runtime & process.",
        ),
        ("After a deploy: roll back.",),
        board="runtime",
        labels=(HOST,),
    ),
    Alert(
        "ASGIHighCPU",
        _on_each_host(machine.CPU, {"warn": "10m", "critical": "10m"}),
        "<service> on {{ $labels.<host> }} uses {{ $value | humanizePercentage }} of its processor time",
        "Almost all processor time that the service may use is used.",
        "Requests wait for the processor. Event-loop lag says how much.",
        ("Runtime & process: is it the app (user) or the kernel (system)? Is the cgroup throttled?",),
        ("More hosts or cores; or find out what the time goes to, with a profiler.",),
        board="runtime",
        labels=(HOST,),
    ),
    Alert(
        "ASGIHighMemory",
        _on_each_host(machine.MEMORY, {"warn": "10m", "critical": "2m"}),
        "{{ $value | humanizePercentage }} of the memory of {{ $labels.<host> }} is in use by <service> or beside it",
        "Little memory is left of what may be used.",
        "The kernel kills a process when nothing is left.",
        ("Runtime & process, “Memory of workers”: does one grow, or are there many?",),
        ("Fewer workers, a higher limit, or an end to the growth; recycling workers wins time.",),
        board="runtime",
        labels=(HOST,),
    ),
    Alert(
        "ASGIMemoryLeak",
        _leaking,
        "Memory of {{ $labels.<host> }} of <service> will be used up within four hours",
        "Memory grows steadily, and is more than half used already.",
        "As for ASGIHighMemory, in some hours.",
        ("Runtime & process over a day: a saw's teeth are restarts, a ramp is a leak.",),
        (
            "Recycle workers to win time (`--limit-max-requests`), and find what is kept: tracemalloc compares two moments.",
        ),
        board="runtime",
        labels=(HOST,),
    ),
    Alert(
        "ASGIOutOfMemory",
        _killed,
        'The kernel killed {{ printf "%.0f" $value }} processes of <service> on {{ $labels.<host> }}',
        "The kernel killed processes because the memory they may use was used up.",
        "Requests under way were lost.",
        ("As for ASGIHighMemory.",),
        ("As for ASGIHighMemory.",),
        board="runtime",
        labels=(HOST,),
    ),
    Alert(
        "ASGIFileDescriptors",
        _on_each_host(FILES, {"warn": "5m", "critical": "5m"}),
        "A worker of <service> on {{ $labels.<host> }} has {{ $value | humanizePercentage }} of its file descriptors open",
        "A worker is close to its limit of open files and sockets.",
        "Beyond it no connection is accepted and no file opened.",
        ("“Open files and sockets”: a rise without end is a leak of connections or files.",),
        ("Raise the limit (`ulimit -n`, `LimitNOFILE=`) to win time; close what is opened.",),
        board="runtime",
        labels=(HOST,),
    ),
    Alert(
        "ASGIDiskFull",
        _on_each_host(machine.SPACE, {"warn": "10m", "critical": "5m"}, "system_filesystem_mountpoint"),
        "{{ $value | humanizePercentage }} of {{ $labels.system_filesystem_mountpoint }} on {{ $labels.<host> }} is in use",
        "A file system is almost full.",
        "What has to write fails: uploads, logs, databases.",
        ("What grows there? Logs and temporary files are the usual ones.",),
        ("Remove it, and let something rotate it.",),
        board="runtime",
        labels=(HOST, "system_filesystem_mountpoint"),
    ),
)

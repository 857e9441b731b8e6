"""Cases for the alerts on databases, workers and machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.grafana.case import BOTH, CRITICAL, NONE, WARNING, Case, levels, values

POOL = "db_client_connection_pool_name"
HOST: Mapping[str, str] = {"instance": "a"}


def gauge(name: str, *pieces: tuple[int, float], labels: str = "", host: str = "a") -> dict[str, str]:
    return {f'{name}{{job="shop", instance="{host}"{labels}}}': levels(*pieces)}


def _used(used: float, most: float | None = 20, pool: str = "main") -> dict[str, str]:
    """From minute 30 to 60 so many of a pool's connections are used; another host's pool is idle."""
    of = f', {POOL}="{pool}"'
    limits = {} if most is None else {**gauge("db_client_connection_max", (120, most), labels=of)}
    state = of + ', db_client_connection_state="{}"'
    return {
        **limits,
        **gauge("db_client_connection_count", (30, 1), (30, used), (60, 1), labels=state.format("used")),
        **gauge("db_client_connection_count", (120, 100), labels=state.format("idle")),
        **gauge("db_client_connection_count", (120, 1), labels=state.format("used"), host="b"),
        **({} if most is None else gauge("db_client_connection_max", (120, most), labels=of, host="b")),
    }


def _pools() -> Iterator[Case]:
    name, labels = "ASGIDBPoolSaturated", {"instance": "a", POOL: "main"}
    yield Case(
        name,
        "19 of 20 are in use",
        _used(19),
        {29: NONE, 34: NONE, 35: BOTH, 59: BOTH, 64: CRITICAL, 65: NONE},
        (50, dict.fromkeys(("warning", "critical"), "95% of the connections of pool main of shop are in use")),
        labels=labels,
    )
    yield Case(name, "17 of 20 are in use", _used(17), {50: WARNING}, labels=labels)
    yield Case(name, "14 of 20 are in use", _used(14), {50: NONE}, labels=labels)
    yield Case(name, "a pool without a limit", _used(500, None), {50: NONE}, labels=labels)
    shared: dict[str, str] = {}
    for service, used, most in (("shop", 19, 20), ("till", 1, 20), ("stock", 500, None)):
        of = f', {POOL}="main", service_name="{service}"'
        shared |= gauge("db_client_connection_count", (120, used), labels=f'{of}, db_client_connection_state="used"')
        shared |= {} if most is None else gauge("db_client_connection_max", (120, most), labels=of)
    yield Case(name, "services of a page have a pool of that name each", shared, {50: BOTH}, labels=labels)
    yield Case(
        name,
        "and none is full",
        {series: text.replace("19+", "14+") for series, text in shared.items()},
        {50: NONE},
        labels=labels,
    )
    name = "ASGIDBConnectionsHigh"
    yield Case(
        name,
        "55 are in use of a pool without a limit",
        _used(55, None),
        {34: NONE, 35: WARNING, 59: WARNING, 60: NONE},
        (50, {"warning": "55 connections are in use in a pool of shop that has no limit"}),
        labels=labels,
    )
    yield Case(
        name,
        "one of this name had a limit, and is gone",
        _used(55, 0),
        {34: NONE, 35: WARNING, 60: NONE},
        labels=labels,
    )
    others = {
        **gauge("db_client_connection_max", (120, 60), labels=f', {POOL}="other"'),
        **gauge("db_client_connection_max", (120, 60), labels=f', {POOL}="main"', host="b"),
        f'db_client_connection_max{{job="other", instance="a", {POOL}="main"}}': levels((120, 60)),
    }
    yield Case(name, "other pools have limits", {**_used(55, None), **others}, {50: WARNING}, labels=labels)
    yield Case(name, "45 are in use", _used(45, None), {50: NONE}, labels=labels)
    yield Case(name, "of a pool with a limit its share counts", _used(90, 100), {50: NONE}, labels=labels)


def _waiting() -> Iterator[Case]:
    name, labels, of = "ASGIDBPoolWaiting", {"instance": "a", POOL: "main"}, f', {POOL}="main"'
    said = {"critical": "Requests of shop wait for a connection of pool main"}
    yield Case(
        name,
        "some wait",
        gauge("db_client_connection_pending_requests", (30, 0), (10, 1), (60, 0), labels=of),
        {29: NONE, 31: NONE, 32: CRITICAL, 44: CRITICAL, 45: NONE},
        (35, said),
        labels=labels,
    )
    timeouts = f'db_client_connection_timeouts_total{{job="shop", instance="a"{of}}}'
    yield Case(
        name,
        "some wait in vain",
        {timeouts: values((30, 0), (10, 0.1), (60, 0))},
        {30: NONE, 32: NONE, 33: CRITICAL, 44: CRITICAL, 48: CRITICAL, 51: NONE},
        (40, said),
        labels=labels,
    )
    yield Case(
        name,
        "none waits",
        gauge("db_client_connection_pending_requests", (90, 0), labels=of),
        {60: NONE},
        labels=labels,
    )


def _queries() -> Iterator[Case]:
    def queries(slow: float, very: float = 0, some: float = 0, rate: float = 5) -> dict[str, str]:
        """Half an hour in which a share takes 100 to 500 ms, ``very`` 50 to 100 ms, and ``some`` 10 to 50 ms."""
        labels, metric = 'job="shop", instance="a", db_operation_name="SELECT"', "db_client_operation_duration_seconds"
        bounds = {"0.01": 1 - slow - very - some, "0.05": 1 - slow - very, "0.1": 1 - slow, "0.5": 1.0, "+Inf": 1.0}
        found = {
            f'{metric}_bucket{{{labels}, le="{bound}"}}': values((30, rate), (30, rate * share), (60, rate))
            for bound, share in bounds.items()
        }
        return {**found, f"{metric}_count{{{labels}}}": values((120, rate))}

    name = "ASGISlowQueries"
    yield Case(
        name,
        "5.5 % are slow",
        queries(0.055),
        {44: NONE, 45: WARNING, 60: WARNING, 61: NONE},
        (50, {"warning": "5.5% of the queries of shop are slow"}),
    )
    yield Case(name, "4.5 % are slow", queries(0.045), {50: NONE})
    yield Case(name, "almost all are slow", queries(0.95), {50: WARNING})
    yield Case(name, "too few to say", queries(0.5, rate=0.09), {50: NONE})
    yield Case(name, "just enough", queries(0.5, rate=0.11), {50: WARNING})
    name = "ASGIDBLatency"
    yield Case(
        name,
        "the 95th percentile is 300 ms",
        queries(0.1),
        {38: NONE, 39: CRITICAL, 42: CRITICAL, 43: BOTH, 60: BOTH, 65: CRITICAL, 68: NONE},
        (50, dict.fromkeys(("warning", "critical"), "The slowest 5 % of queries of shop take longer than 300ms")),
    )
    yield Case(name, "the 95th percentile is 180 ms", queries(0.0625), {50: WARNING})
    yield Case(name, "the 95th percentile is 55 ms", queries(0, very=0.0555), {50: WARNING})
    yield Case(name, "the 95th percentile is 46 ms", queries(0, some=0.5), {50: NONE})
    yield Case(name, "too few to say", queries(0.5, rate=0.09), {50: NONE})
    yield Case(name, "just enough", queries(0.5, rate=0.11), {50: BOTH})


def _lag() -> Iterator[Case]:
    def late(share: float, near: float = 0, some: float = 0, mid: float = 0, host: str = "a") -> dict[str, str]:
        """Half an hour in which a share of timers is 250 to 500 ms late, ``mid`` 100 to 250, ``near`` 50 to 100, ``some`` 25 to 50."""
        labels, metric = f'job="shop", instance="{host}", event_loop="uvloop"', "stethoscope_event_loop_lag_seconds"
        bounds = {
            "0.025": 1 - share - mid - near - some,
            "0.05": 1 - share - mid - near,
            "0.1": 1 - share - mid,
            "0.25": 1 - share,
            "0.5": 1.0,
            "+Inf": 1.0,
        }
        return {
            f'{metric}_bucket{{{labels}, le="{bound}"}}': values((30, 10), (30, 10 * part), (60, 10))
            for bound, part in bounds.items()
        }

    name = "ASGIEventLoopLag"
    yield Case(
        name,
        "the 99th percentile is 375 ms",
        {**late(0.02), **late(0, host="b")},
        {34: NONE, 35: CRITICAL, 37: CRITICAL, 38: BOTH, 60: BOTH, 66: CRITICAL, 68: NONE},
        (50, dict.fromkeys(("warning", "critical"), "The event loops of shop on a are late by 375ms")),
        labels=HOST,
    )
    yield Case(name, "the 99th percentile is 270 ms", late(0.0109), {50: BOTH}, labels=HOST)
    yield Case(name, "the 99th percentile is 240 ms", late(0.0099, near=0.001), {50: WARNING}, labels=HOST)
    yield Case(name, "the 99th percentile is 55 ms", late(0, near=0.0111), {50: WARNING}, labels=HOST)
    yield Case(name, "the 99th percentile is 45 ms", late(0, some=0.5), {50: NONE}, labels=HOST)
    yield Case(name, "the 99th percentile is 247 ms", late(0, mid=0.5), {50: WARNING}, labels=HOST)


def _shares() -> Iterator[Case]:
    """Gauges of a host with a threshold for a warning and one for worse."""
    mount = ', system_filesystem_mountpoint="/data"'
    for name, metric, more, warn, critical, warn_hold, critical_hold, said in (
        (
            "ASGIHighCPU",
            "stethoscope_cpu_utilization_ratio",
            "",
            0.8,
            0.95,
            10,
            10,
            "shop on a uses {} of its processor time",
        ),
        (
            "ASGIHighMemory",
            "stethoscope_memory_utilization_ratio",
            "",
            0.85,
            0.95,
            10,
            2,
            "{} of the memory of a is in use by shop or beside it",
        ),
        ("ASGIDiskFull", "system_filesystem_utilization_ratio", mount, 0.85, 0.95, 10, 5, "{} of /data on a is in use"),
    ):
        labels = {**HOST, **({"system_filesystem_mountpoint": "/data"} if more else {})}
        high, over = critical + 0.01, 60

        def held(value: float, metric: str = metric, more: str = more) -> dict[str, str]:
            quiet = gauge(metric, (120, 0.1), labels=more, host="b")
            return {**gauge(metric, (30, 0.1), (30, value), (60, 0.1), labels=more), **quiet}

        first, last = min(warn_hold, critical_hold), max(warn_hold, critical_hold)
        yield Case(
            name,
            f"{high:g}",
            held(high),
            {
                29: NONE,
                30 + first - 1: NONE,
                30 + critical_hold: CRITICAL if critical_hold < warn_hold else BOTH,
                **({30 + last - 1: CRITICAL} if first < last else {}),
                30 + last: BOTH,
                over - 1: BOTH,
                over: CRITICAL,
                over + 4: CRITICAL,
                over + 5: NONE,
            },
            (50, dict.fromkeys(("warning", "critical"), said.format(f"{high * 100:g}%"))),
            labels=labels,
        )
        yield Case(name, "below critical", held(critical - 0.01), {50: WARNING}, labels=labels)
        yield Case(name, "beyond warning", held(warn + 0.01), {50: WARNING}, labels=labels)
        yield Case(name, "below warning", held(warn - 0.01), {50: NONE}, labels=labels)


def _first_process(count: float, service: str = "", host: str = "a", job: str = "shop") -> dict[str, str]:
    """The files of a process that a container of its own begins with, for half an hour many; its service where there are several."""
    of = f', service_name="{service}"' if service else ""
    labels = f'{{job="{job}", instance="{host}", pid="1"{of}}}'
    return {
        f"process_unix_file_descriptor_count{labels}": levels((30, 10), (30, count), (60, 10)),
        f"stethoscope_process_file_descriptor_limit{labels}": levels((120, 1000)),
    }


def _files() -> Iterator[Case]:
    name = "ASGIFileDescriptors"

    def opened(count: float) -> dict[str, str]:
        """Of two workers, one of which has many files open for half an hour."""
        return {
            **gauge("process_unix_file_descriptor_count", (30, 100), (30, count), (60, 100), labels=', pid="1"'),
            **gauge("process_unix_file_descriptor_count", (120, 100), labels=', pid="2"'),
            **gauge("stethoscope_process_file_descriptor_limit", (120, 1000), labels=', pid="1"'),
            **gauge("stethoscope_process_file_descriptor_limit", (120, 1000), labels=', pid="2"'),
        }

    said = "A worker of shop on a has 91% of its file descriptors open"
    yield Case(
        name,
        "910 of 1,000",
        opened(910),
        {34: NONE, 35: BOTH, 59: BOTH, 64: CRITICAL, 65: NONE},
        (50, dict.fromkeys(("warning", "critical"), said)),
        labels=HOST,
    )
    yield Case(name, "890 of 1,000", opened(890), {50: WARNING}, labels=HOST)
    yield Case(
        name,
        "the app and the sidecar have the same process ID, and so has a worker of each other host and service",
        {
            **_first_process(910, "shop"),
            **_first_process(10, "stethoscope-sidecar"),
            **_first_process(10, host="b"),
            **_first_process(10, job="till"),
        },
        {34: NONE, 35: BOTH, 59: BOTH},
        labels={"job": "shop", **HOST},
    )
    yield Case(name, "790 of 1,000", opened(790), {50: NONE}, labels=HOST)


def _threads() -> Iterator[Case]:
    name = "ASGIThreadsExhausted"
    yield Case(
        name,
        "a call waits in one of two workers",
        {
            **gauge("stethoscope_anyio_threads_waiting", (30, 0), (30, 1), (30, 0), labels=', pid="1"'),
            **gauge("stethoscope_anyio_threads_waiting", (90, 0), labels=', pid="2"'),
        },
        {29: NONE, 34: NONE, 35: WARNING, 59: WARNING, 60: NONE},
        (40, {"warning": "1 calls of shop on a wait for a thread"}),
        labels=HOST,
    )


def _no_workers() -> Iterator[Case]:
    name = "ASGINoWorkers"

    def living(*pieces: tuple[int, float], answers: int = 30, service: str = "shop") -> dict[str, str]:
        """Workers of a service behind a sidecar that serves several; what is in flight is told while one of them lives."""
        of = f', service_name="{service}"'
        return {
            **gauge("stethoscope_workers", *pieces, labels=of),
            **gauge("http_server_active_requests", (answers, 0), labels=of),
        }

    others = {**living((150, 1), answers=150, service="blog"), **gauge("stethoscope_workers", (150, 2), host="b")}
    yield Case(
        name,
        "all workers of one service are killed, and nobody starts it again",
        {**others, **living((30, 2), (120, 0))},
        {30: NONE, 31: NONE, 32: CRITICAL, 60: CRITICAL, 87: CRITICAL, 93: CRITICAL, 96: NONE, 140: NONE},
        (40, {"critical": "0 workers of shop (shop) live on a"}),
        labels={**HOST, "service_name": "shop"},
    )
    alone = gauge("stethoscope_workers", (30, 2), (60, 0))
    in_flight = gauge("http_server_active_requests", (30, 0))
    yield Case(name, "a page with one service", {**alone, **in_flight}, {31: NONE, 32: CRITICAL}, labels=HOST)
    yield Case(name, "nothing between one and none", living((30, 2), (60, 0.9)), {50: CRITICAL}, labels=HOST)
    yield Case(name, "one worker is left", living((30, 2), (60, 1), answers=90), {50: NONE, 80: NONE})
    yield Case(name, "a deploy of two minutes", living((30, 2), (2, 0), (60, 2)), {31: NONE, 32: NONE, 40: NONE})
    yield Case(name, "a script has ended", gauge("stethoscope_workers", (30, 1), (60, 0)), {40: NONE, 80: NONE})


def _restarts() -> Iterator[Case]:
    name, starts = "ASGIRestartLoop", 'stethoscope_worker_starts_total{job="shop", instance="a"}'

    def started(times: float) -> dict[str, str]:
        """Each of four workers, so often in a quarter of an hour from minute 30 on."""
        rate = 4 * times / 900
        return {starts: values((30, 0), (15, rate), (60, 0), start=4), **gauge("stethoscope_workers", (120, 4))}

    yield Case(
        name,
        "2.2 times each",
        started(2.2),
        {30: NONE, 42: NONE, 45: WARNING, 47: NONE, 60: NONE},
        (45, {"warning": "Each worker of shop on a was started 2.2 times in a quarter of an hour"}),
        labels=HOST,
    )
    yield Case(name, "1.8 times each", started(1.8), {45: NONE}, labels=HOST)
    yield Case(name, "a deploy", started(1), {45: NONE}, labels=HOST)
    alive = gauge("stethoscope_workers", (120, 0))
    yield Case(name, "no scrape sees one alive", {**started(2.2 / 4), **alive}, {45: WARNING}, labels=HOST)
    yield Case(name, "no scrape sees the one that is meant to be", {**started(1.8 / 4), **alive}, {45: NONE})
    dying = gauge("stethoscope_workers", (30, 4), (90, 0))
    yield Case(name, "from some time on no worker lives", {**started(2.2), **dying}, {45: WARNING}, labels=HOST)
    gap = gauge("stethoscope_workers", (36, 4), (1, 0), (83, 4))
    yield Case(name, "a deploy that a scrape meets while none lives", {**started(1), **gap}, {36: NONE, 45: NONE})


def _leak() -> Iterator[Case]:
    name, metric = "ASGIMemoryLeak", 'stethoscope_memory_utilization_ratio{job="shop", instance="a"}'

    def growing(first: float, per_hour: float) -> dict[str, str]:
        """Steady for two hours, then growing for four."""
        step = per_hour / 60
        return {metric: f"{first}+0x119 {first + step:.10g}+{step:.10g}x239"}

    yield Case(
        name,
        "a twentieth an hour: four hours before the end it is 80 %",
        growing(0.65, 0.05),
        {119: NONE, 325: NONE, 335: WARNING},
        (335, {"warning": "Memory of a of shop will be used up within four hours"}),
        labels=HOST,
    )
    yield Case(name, "fast, and not much yet", growing(0.2, 0.22), {255: NONE, 263: WARNING}, labels=HOST)
    yield Case(name, "much, and steady", growing(0.9, 0), {240: NONE}, labels=HOST)


def _killed() -> Iterator[Case]:
    name, metric = "ASGIOutOfMemory", 'stethoscope_out_of_memory_kills_total{job="shop", instance="a"}'
    yield Case(
        name,
        "two processes",
        {metric: "0+0x29 2+0x60"},
        {29: NONE, 30: CRITICAL, 44: CRITICAL, 49: CRITICAL, 51: NONE},
        (40, {"critical": "The kernel killed 2 processes of shop on a"}),
        labels=HOST,
    )
    yield Case(name, "none", {metric: "3+0x90"}, {60: NONE}, labels=HOST)


STATE_CASES: tuple[Case, ...] = (
    *_pools(),
    *_waiting(),
    *_queries(),
    *_lag(),
    *_shares(),
    *_files(),
    *_threads(),
    *_no_workers(),
    *_restarts(),
    *_leak(),
    *_killed(),
)

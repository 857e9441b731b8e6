"""What this process uses: processor time, memory, threads, files, context switches."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Final

from stethoscope import names
from stethoscope.instruments.machine.growth import Growth
from stethoscope.store.clock import since_boot
from stethoscope.store.recorder import Recorder

_OWN_FILES: Final = "/proc/self/fd"


class ProcessVitals:
    """Samples of this process, also when it was forked. What the platform cannot tell, or not this user, is left out.

    Raises ImportError without psutil.
    """

    def __init__(self, recorder: Recorder) -> None:
        import psutil

        self._psutil = psutil
        self._recorder = recorder
        self._unknown = (psutil.Error, OSError, AttributeError, NotImplementedError, ImportError)
        self._start_over()

    def _start_over(self) -> None:
        """The state of a process that has not been looked at yet."""
        self._process = self._psutil.Process()
        self._growth = Growth(self._recorder, from_zero=True)
        self._busy: tuple[float, float, float] | None = None
        self._started: float | None = None

    def sample(self) -> None:
        """What is cheap: some 300 µs."""
        if self._process.pid != os.getpid():
            self._start_over()
        with self._process.oneshot():
            self._each(
                self._cpu,
                self._memory,
                self._threads,
                self._files,
                self._files_limit,
                self._switches,
                self._faults,
                self._io,
                self._uptime,
            )

    def sample_seldom(self) -> None:
        """What takes the longer, the larger the process is."""
        self._each(self._unique_memory, self._sockets)

    def _each(self, *samples: Callable[[], None]) -> None:
        for sample in samples:
            try:
                sample()
            except self._unknown:
                continue

    def _set(self, metric: names.Metric, value: float, labels: tuple[str, ...] = ()) -> None:
        self._recorder.gauge(metric, labels).set(value)

    def _uptime(self) -> None:
        """By the clock that nobody sets, from the first look on."""
        now = since_boot()
        if self._started is None:
            self._started = now - max(0.0, time.time() - self._process.create_time())
        self._set(names.PROCESS_UPTIME, now - self._started)

    def _cpu(self) -> None:
        now, times = time.monotonic(), self._process.cpu_times()
        before, self._busy = self._busy, (now, times.user, times.system)
        for at, mode, seconds in ((1, "user", times.user), (2, "system", times.system)):
            self._growth.follow(names.PROCESS_CPU_TIME, (mode,), seconds)
            if before is not None and now > before[0]:
                share = max(0.0, seconds - before[at]) / (now - before[0])
                self._set(names.PROCESS_CPU_UTILIZATION, share, (mode,))

    def _memory(self) -> None:
        memory = self._process.memory_info()
        self._set(names.PROCESS_MEMORY, memory.rss)
        self._set(names.PROCESS_MEMORY_VIRTUAL, memory.vms)

    def _unique_memory(self) -> None:
        self._set(names.PROCESS_MEMORY_UNIQUE, self._process.memory_full_info().uss)

    def _threads(self) -> None:
        self._set(names.PROCESS_THREADS, self._process.num_threads())

    def _files(self) -> None:
        self._set(names.PROCESS_FILES, self._process.num_fds())

    def _files_limit(self) -> None:
        import resource  # not on Windows

        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if limit != resource.RLIM_INFINITY:
            self._set(names.PROCESS_FILES_LIMIT, limit)

    def _sockets(self) -> None:
        on_linux = sys.platform == "linux"
        count = _own_sockets() if on_linux else len(self._process.net_connections(kind="all"))
        self._set(names.PROCESS_SOCKETS, count)

    def _switches(self) -> None:
        switches = self._process.num_ctx_switches()
        self._growth.follow(names.PROCESS_CONTEXT_SWITCHES, ("voluntary",), switches.voluntary)
        self._growth.follow(names.PROCESS_CONTEXT_SWITCHES, ("involuntary",), switches.involuntary)

    def _faults(self) -> None:
        import resource  # not on Windows

        used = resource.getrusage(resource.RUSAGE_SELF)
        self._growth.follow(names.PROCESS_PAGING_FAULTS, ("minor",), used.ru_minflt)
        self._growth.follow(names.PROCESS_PAGING_FAULTS, ("major",), used.ru_majflt)

    def _io(self) -> None:
        io = self._process.io_counters()
        self._growth.follow(names.PROCESS_DISK_IO, ("read",), io.read_bytes)
        self._growth.follow(names.PROCESS_DISK_IO, ("write",), io.write_bytes)


def _own_sockets() -> int:
    """Of a socket, the link that stands for its descriptor says ``socket:[inode]`` (proc(5)): no tables of the kernel's are read."""
    count = 0
    for name in os.listdir(_OWN_FILES):
        try:
            count += os.readlink(f"{_OWN_FILES}/{name}").startswith("socket:")
        except OSError:  # closed meanwhile
            continue
    return count

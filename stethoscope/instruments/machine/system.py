"""What the machine uses, and how much of what the service may use is used."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from stethoscope import names
from stethoscope.instruments.machine.cgroups import Cgroup
from stethoscope.instruments.machine.growth import Growth
from stethoscope.store.recorder import Recorder

MACHINE: Final = "machine"
"""The duty (`stethoscope.store.lease`) of sampling the machine: a sidecar's, where it may write to the service's folder."""

CONFINES: Final = "confines"
"""The duty of sampling what the service may use, which is one worker's: a sidecar can be in another cgroup."""

_MOST_FILESYSTEMS: Final = 20
# psutil's names of modes in the words of the semantic conventions; guests' time is in the user's.
_MODES: Final[Mapping[str, str]] = {
    "user": "user",
    "nice": "nice",
    "system": "system",
    "idle": "idle",
    "iowait": "iowait",
    "irq": "interrupt",
    "softirq": "interrupt",
    "steal": "steal",
}
_IDLE: Final = ("idle", "iowait")


class MachineVitals:
    """Samples of the whole machine, while this process is the one whose duty it is. Raises ImportError without psutil."""

    def __init__(self, recorder: Recorder, leads: Callable[[], bool]) -> None:
        import psutil

        self._psutil = psutil
        self._recorder = recorder
        self._leads = leads
        self._growth = Growth(recorder, from_zero=False)
        self._processor = Processor()

    def sample(self) -> None:
        """Some 1 ms."""
        if self._leads():
            for sample in (self._cpu, self._load, self._memory, self._swap, self._disks, self._network):
                self._try(sample)
        else:
            self._growth.forget()
            self._processor.forget()

    def sample_seldom(self) -> None:
        """Space of file systems."""
        if self._leads():
            self._try(self._filesystems)

    def _try(self, sample: Callable[[], None]) -> None:
        """What this platform cannot tell is left out."""
        try:
            sample()
        except (self._psutil.Error, OSError, AttributeError, NotImplementedError, RuntimeError):
            return

    def _set(self, metric: names.Metric, value: float, labels: tuple[str, ...] = ()) -> None:
        self._recorder.gauge(metric, labels).set(value)

    def _cpu(self) -> None:
        times = self._processor.read()
        for mode, seconds in times.items():
            self._growth.follow(names.CPU_TIME, (mode,), seconds)
        for mode, share in self._processor.shares.items():
            self._set(names.CPU_UTILIZATION, share, (mode,))
        self._set(names.CPU_COUNT, os.cpu_count() or 1)
        self._set(names.SYSTEM_UPTIME, time.time() - self._psutil.boot_time())

    def _load(self) -> None:
        for window, load in zip(("1m", "5m", "15m"), os.getloadavg(), strict=True):
            self._set(names.LOAD_AVERAGE, load, (window,))

    def _memory(self) -> None:
        memory = self._psutil.virtual_memory()
        cached, buffers = getattr(memory, "cached", 0), getattr(memory, "buffers", 0)
        used = max(0, memory.total - memory.free - cached - buffers)
        for state, value in (("used", used), ("free", memory.free), ("cached", cached), ("buffers", buffers)):
            self._set(names.SYSTEM_MEMORY, value, (state,))
        self._set(names.SYSTEM_MEMORY_LIMIT, memory.total)
        self._set(names.SYSTEM_MEMORY_AVAILABLE, memory.available)

    def _swap(self) -> None:
        if sys.platform == "linux" and not os.access("/proc/vmstat", os.R_OK):
            return  # psutil would print a warning
        swap = self._psutil.swap_memory()
        self._set(names.PAGING_USAGE, swap.used, ("used",))
        self._set(names.PAGING_USAGE, swap.free, ("free",))
        for direction, pages in (("in", swap.sin), ("out", swap.sout)):
            self._growth.follow(names.PAGING_OPERATIONS, (direction,), pages // os.sysconf("SC_PAGE_SIZE"))

    def _disks(self) -> None:
        for disk, io in (self._psutil.disk_io_counters(perdisk=True) or {}).items():
            if not _is_whole_disk(disk) or not (io.read_count or io.write_count):
                continue
            for direction in ("read", "write"):
                labels = (disk, direction)
                self._growth.follow(names.DISK_IO, labels, getattr(io, f"{direction}_bytes"))
                self._growth.follow(names.DISK_OPERATIONS, labels, getattr(io, f"{direction}_count"))
            self._growth.follow(names.DISK_IO_TIME, (disk,), getattr(io, "busy_time", 0) / 1000)

    def _network(self) -> None:
        for interface, io in self._psutil.net_io_counters(pernic=True).items():
            if interface.startswith("veth"):  # a container's other end, with another name every time
                continue
            for direction, octets, errors in (
                ("receive", io.bytes_recv, io.errin),
                ("transmit", io.bytes_sent, io.errout),
            ):
                self._growth.follow(names.NETWORK_IO, (interface, direction), octets)
                self._growth.follow(names.NETWORK_ERRORS, (interface, direction), errors)

    def _filesystems(self) -> None:
        for device, place in list(self._mounted())[:_MOST_FILESYSTEMS]:
            space = os.statvfs(place)
            total, free = space.f_blocks * space.f_frsize, space.f_bavail * space.f_frsize
            used = (space.f_blocks - space.f_bfree) * space.f_frsize
            if not total:
                continue
            for state, value in (("used", used), ("free", free), ("reserved", total - used - free)):
                self._set(names.FILESYSTEM_USAGE, value, (device, place, state))
            self._set(names.FILESYSTEM_UTILIZATION, used / (used + free), (device, place))

    def _mounted(self) -> Iterator[tuple[str, str]]:
        """Each device once, at the shortest of the places where it is mounted, and what the root is on.

        Nothing that is on another machine: asking for its space could take forever.
        """
        mounted = {"/": "root"}
        devices = set()
        for partition in sorted(self._psutil.disk_partitions(all=False), key=lambda one: len(one.mountpoint)):
            if partition.device not in devices and os.path.isdir(partition.mountpoint):
                devices.add(partition.device)
                mounted[partition.mountpoint] = partition.device
        return ((device, place) for place, device in mounted.items())


class ConfinesVitals:
    """Samples of what the service may use and does use: its cgroup's where that is limited, else the machine's."""

    def __init__(self, recorder: Recorder, leads: Callable[[], bool], root: Path = Path("/")) -> None:
        import psutil

        self._psutil = psutil
        self._recorder = recorder
        self._leads = leads
        self._cgroup = Cgroup(root)
        self._growth = Growth(recorder, from_zero=False)
        self._processor = Processor()
        self._used: tuple[float, float] | None = None

    def sample(self) -> None:
        if self._leads():
            self._cpu()
            self._memory()
        else:
            self._growth.forget()
            self._processor.forget()
            self._used = None

    def _set(self, metric: names.Metric, value: float) -> None:
        self._recorder.gauge(metric).set(value)

    def _cpu(self) -> None:
        cpu = self._cgroup.cpu()
        cores = _cores()
        limit = min(cores, cpu.limit or cores)
        self._set(names.CPU_LIMIT, limit)
        if cpu.throttled is not None:
            self._growth.follow(names.CPU_THROTTLED, (), cpu.throttled)
        if cpu.limit is None or cpu.used is None:
            self._processor.read()
            if shares := self._processor.shares:
                self._set(names.CPU_USED, 1.0 - sum(shares.get(mode, 0.0) for mode in _IDLE))
            return
        now, before = time.monotonic(), self._used
        self._used = (now, cpu.used)
        if before is not None and now > before[0]:
            self._set(names.CPU_USED, max(0.0, cpu.used - before[1]) / (now - before[0]) / limit)

    def _memory(self) -> None:
        confined, machine = self._cgroup.memory(), self._psutil.virtual_memory()
        if confined.kills is not None:
            self._growth.follow(names.OUT_OF_MEMORY_KILLS, (), confined.kills)
        limit, used = confined.limit, confined.used
        if limit is None or used is None or limit > machine.total:
            limit, used = machine.total, machine.total - machine.available
        self._set(names.MEMORY_LIMIT, limit)
        self._set(names.MEMORY_USED, used / limit)


class Processor:
    """Processor time of the machine, and how it was shared since the reading before."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self._before: dict[str, float] = {}
        self.shares: dict[str, float] = {}

    def read(self) -> dict[str, float]:
        """Seconds by mode since the machine was started."""
        import psutil

        times = psutil.cpu_times()._asdict()
        now: dict[str, float] = {}
        for theirs, mode in _MODES.items():
            if theirs in times:
                now[mode] = now.get(mode, 0.0) + times[theirs]
        spent = {mode: max(0.0, seconds - self._before[mode]) for mode, seconds in now.items() if mode in self._before}
        total = sum(spent.values())
        self._before = now
        self.shares = {mode: seconds / total for mode, seconds in spent.items()} if total else {}
        return now


def _cores() -> float:
    """Those that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _is_whole_disk(name: str) -> bool:
    """A partition's numbers are in its disk's; a loop or memory device is none."""
    if sys.platform != "linux":
        return True
    return os.path.exists(f"/sys/block/{name.replace('/', '!')}") and not name.startswith(("loop", "ram", "zram"))

"""What a control group lets its processes have, and what they use of it (Linux, cgroups(7); versions 1 and 2).

A limit may be set on the process's own group or on any above it; the tightest one holds, and what is used is read where
that one is. In a container the upper groups are out of sight, and so is what is set there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

_UNLIMITED: Final = 1 << 60
"""Bytes from which on a memory limit of version 1, where none is a very large number, is none."""


class Cpu(NamedTuple):
    """``limit`` in cores, None where there is none; ``used`` and ``throttled`` in seconds since the group was made."""

    limit: float | None = None
    used: float | None = None
    throttled: float | None = None


class Memory(NamedTuple):
    """In bytes. ``used`` is without caches of files that are not in use; ``kills`` how many processes the kernel killed."""

    limit: int | None = None
    used: int | None = None
    kills: int | None = None


class Cgroup:
    """The group of this process, below ``root`` of the file system. Where there is none, nothing is limited.

    Where the process is in it is looked up once. What cannot be read is None.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        own = _own_groups(root)
        mounts = list(_mounts(root))
        self._cpu = _levels(mounts, own, "cpu")
        self._accounts = _levels(mounts, own, "cpuacct")
        self._memory = _levels(mounts, own, "memory")
        self._unified = _levels(mounts, own, "")

    def cpu(self) -> Cpu:
        limited = [(limit, level) for level in self._unified if (limit := _quota(level))]
        if limited or not self._cpu:
            limit, level = min(limited, default=(None, next(iter(self._unified), None)))
            return _cpu_2(limit, level) if level else Cpu()
        return self._cpu_1()

    def _cpu_1(self) -> Cpu:
        limited = [(limit, at) for at, level in enumerate(self._cpu) if (limit := _quota_1(level))]
        limit, at = min(limited, default=(None, 0))
        used = _number(self._accounts[at] / "cpuacct.usage") if at < len(self._accounts) else None
        throttled = _table(self._cpu[at] / "cpu.stat").get("throttled_time")
        return Cpu(limit, _scaled(used, 1e9), _scaled(throttled, 1e9))

    def memory(self) -> Memory:
        levels = self._memory or self._unified
        name = "memory.limit_in_bytes" if self._memory else "memory.max"
        limits = [(limit, level) for level in levels if (limit := _number(level / name)) and limit < _UNLIMITED]
        limit, level = min(limits, default=(None, next(iter(levels), None)))
        if level is None:
            return Memory()
        return _memory_1(limit, level) if self._memory else _memory_2(limit, level)


def _cpu_2(limit: float | None, level: Path) -> Cpu:
    table = _table(level / "cpu.stat")
    return Cpu(limit, _scaled(table.get("usage_usec"), 1e6), _scaled(table.get("throttled_usec"), 1e6))


def _memory_1(limit: int | None, level: Path) -> Memory:
    used = _without(_number(level / "memory.usage_in_bytes"), _table(level / "memory.stat").get("total_inactive_file"))
    return Memory(limit, used, _table(level / "memory.oom_control").get("oom_kill"))


def _memory_2(limit: int | None, level: Path) -> Memory:
    used = _without(_number(level / "memory.current"), _table(level / "memory.stat").get("inactive_file"))
    return Memory(limit, used, _table(level / "memory.events").get("oom_kill"))


def _quota(level: Path) -> float | None:
    """Cores, of a ``cpu.max``: microseconds in each period, or ``max``, and the period."""
    fields = _text(level / "cpu.max").split()
    if len(fields) != 2 or not all(field.isdecimal() and int(field) for field in fields):
        return None
    return int(fields[0]) / int(fields[1])


def _quota_1(level: Path) -> float | None:
    quota, period = _number(level / "cpu.cfs_quota_us"), _number(level / "cpu.cfs_period_us")
    return quota / period if quota and period and quota > 0 else None


class _Mount(NamedTuple):
    """Where a hierarchy is mounted, which of its groups is seen there, and its controllers (one empty name for version 2)."""

    place: Path
    group: str
    controllers: frozenset[str]


def _own_groups(root: Path) -> dict[str, str]:
    """By controller, the group of this process. Version 2 has one for all, under an empty name."""
    groups = {}
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        groups.update(dict.fromkeys(controllers.split(","), group))
    return groups


def _mounts(root: Path) -> Iterator[_Mount]:
    """Of ``/proc/self/mountinfo`` (proc(5)): … 4th root, 5th mount point, … "-", type, source, super options."""
    for line in _text(root / "proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        place, kind = before.split(), after.split()
        if len(place) >= 5 and len(kind) >= 3 and kind[0] in ("cgroup", "cgroup2"):
            controllers = frozenset(kind[2].split(",")) if kind[0] == "cgroup" else frozenset([""])
            yield _Mount(root / place[4].lstrip("/"), place[3], controllers)


def _levels(mounts: list[_Mount], own: dict[str, str], controller: str) -> list[Path]:
    """The folders of this process's group and of those above it, as far as they can be seen."""
    mount = next((one for one in mounts if controller in one.controllers), None)
    if mount is None or controller not in own:
        return []
    # In a container without a namespace of its own, the group is told as the machine knows it, and mounted at the top.
    group = own[controller]
    below = group.removeprefix(mount.group.rstrip("/")) if _is_below(group, mount.group) else ""
    folder = mount.place / below.strip("/")
    levels = [folder, *folder.parents]
    return [level for level in levels[: levels.index(mount.place) + 1] if level.is_dir()]


def _is_below(group: str, upper: str) -> bool:
    return f"{group}/".startswith(f"{upper.rstrip('/')}/") and ".." not in group.split("/")


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.removeprefix("-").isdecimal() else None


def _table(path: Path) -> dict[str, int]:
    """Lines of a name and a number."""
    pairs = (line.split() for line in _text(path).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}


def _scaled(value: int | None, by: float) -> float | None:
    return None if value is None else value / by


def _without(used: int | None, unused: int | None) -> int | None:
    return None if used is None else max(0, used - (unused or 0))

"""Signals of the machine, and of what of it the service may use."""

from __future__ import annotations

from typing import Final

from stethoscope.names import (
    CPU_COUNT,
    CPU_LIMIT,
    CPU_THROTTLED,
    CPU_TIME,
    CPU_USED,
    CPU_UTILIZATION,
    DISK_IO,
    DISK_IO_TIME,
    DISK_OPERATIONS,
    FILESYSTEM_USAGE,
    FILESYSTEM_UTILIZATION,
    LOAD_AVERAGE,
    MEMORY_LIMIT,
    MEMORY_USED,
    NETWORK_ERRORS,
    NETWORK_IO,
    OUT_OF_MEMORY_KILLS,
    PAGING_OPERATIONS,
    PAGING_USAGE,
    SYSTEM_MEMORY,
    SYSTEM_MEMORY_AVAILABLE,
    SYSTEM_MEMORY_LIMIT,
    SYSTEM_UPTIME,
    Metric,
)
from stethoscope.signals.promql import Frame, highest, how_many, least, per_second, select, summed
from stethoscope.signals.signal import Signal


def _rate(metric: Metric, frame: Frame) -> str:
    """The rate of a counter of the machine, of each target once: on a common page every service of the machine has it."""
    by = ", ".join(dict.fromkeys((*frame.scrape_labels, *frame.by, *metric.labels)))
    return summed(f"max by ({by}) (rate({select(metric, frame, '_total')}{frame.range}))", frame)


CPU: Final = Signal(
    "Processor used",
    "How much of the processor time that it may use does the service use?",
    "percentunit",
    lambda frame: highest(CPU_USED, frame),
    "cpu_use",
)
MEMORY: Final = Signal(
    "Memory used",
    "How much of the memory that it may use is in use?",
    "percentunit",
    lambda frame: highest(MEMORY_USED, frame),
    "memory_use",
)
THROTTLED: Final = Signal(
    "Throttled",
    "How long do threads wait because the processor quota is used up?",
    "s",
    lambda frame: per_second(CPU_THROTTLED, frame),
)
KILLS: Final = Signal(
    "Killed for memory",
    "Did the kernel kill processes because memory was used up?",
    "short",
    lambda frame: how_many(OUT_OF_MEMORY_KILLS, frame),
)
CORES: Final = (
    Signal(
        "may be used",
        "How many cores may the service use, and has the machine?",
        "short",
        lambda frame: least(CPU_LIMIT, frame),
    ),
    Signal("of the machine", "", "short", lambda frame: least(CPU_COUNT, frame)),
)
MODES: Final = Signal(
    "Processor of the machine",
    "What is the machine's processor time spent on? Steal is what other virtual machines took.",
    "percentunit",
    lambda frame: highest(CPU_UTILIZATION, frame.keep("cpu_mode")),
)
MODE_SECONDS: Final = Signal(
    "Cores by mode",
    "How many cores are busy, and with what?",
    "short",
    lambda frame: _rate(CPU_TIME, frame.keep("cpu_mode")),
)
LOAD: Final = Signal(
    "Load",
    "How many threads want to run or wait for a disk? More than there are cores means waiting.",
    "short",
    lambda frame: highest(LOAD_AVERAGE, frame.keep("window")),
)
MEMORY_STATES: Final = Signal(
    "Memory of the machine",
    "What is the machine's memory used for?",
    "bytes",
    lambda frame: highest(SYSTEM_MEMORY, frame.keep("system_memory_state")),
)
MEMORY_LIMITS: Final = (
    Signal(
        "may be used",
        "How much memory is there, and how much is left?",
        "bytes",
        lambda frame: least(MEMORY_LIMIT, frame),
    ),
    Signal("of the machine", "", "bytes", lambda frame: least(SYSTEM_MEMORY_LIMIT, frame)),
    Signal("available", "", "bytes", lambda frame: least(SYSTEM_MEMORY_AVAILABLE, frame)),
)
SWAP: Final = Signal(
    "Swap", "Is swap in use?", "bytes", lambda frame: highest(PAGING_USAGE, frame.keep("system_paging_state"))
)
SWAPPING: Final = Signal(
    "Swapping",
    "Does the machine swap?",
    "ops",
    lambda frame: _rate(PAGING_OPERATIONS, frame.keep("system_paging_direction")),
)
SPACE: Final = Signal(
    "Space used",
    "Which file system is filling up?",
    "percentunit",
    lambda frame: highest(FILESYSTEM_UTILIZATION, frame.keep("system_filesystem_mountpoint")),
    "disk_use",
)
SPACE_STATES: Final = Signal(
    "Space",
    "How much space have the file systems?",
    "bytes",
    lambda frame: highest(FILESYSTEM_USAGE, frame.keep("system_filesystem_mountpoint", "system_filesystem_state")),
)
DISK: Final = Signal(
    "Disk",
    "How much is read from and written to disks?",
    "Bps",
    lambda frame: _rate(DISK_IO, frame.keep("system_device", "disk_io_direction")),
)
DISK_OPS: Final = Signal(
    "Disk operations",
    "How often are disks read and written?",
    "iops",
    lambda frame: _rate(DISK_OPERATIONS, frame.keep("system_device", "disk_io_direction")),
)
DISK_BUSY: Final = Signal(
    "Disk busy",
    "What share of the time is a disk busy?",
    "percentunit",
    lambda frame: _rate(DISK_IO_TIME, frame.keep("system_device")),
)
NETWORK: Final = Signal(
    "Network",
    "How much is received and transmitted?",
    "Bps",
    lambda frame: _rate(NETWORK_IO, frame.keep("network_interface_name", "network_io_direction")),
)
NETWORK_FAILS: Final = Signal(
    "Network errors",
    "Do network interfaces have errors?",
    "ops",
    lambda frame: _rate(NETWORK_ERRORS, frame.keep("network_interface_name", "network_io_direction")),
)
MACHINE_UPTIME: Final = Signal(
    "Machine up", "How long does the machine run?", "s", lambda frame: least(SYSTEM_UPTIME, frame)
)

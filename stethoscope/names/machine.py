"""Metrics of the machine: system semantic conventions, and what of it the service may use.

Sampled by one process of a service, so that they are there once however many workers there are.
"""

from __future__ import annotations

from stethoscope.names.metric import Kind, Merge, Metric


def _gauge(name: str, help: str, labels: tuple[str, ...] = (), unit: str = "", otel: str = "") -> Metric:
    return Metric(name, Kind.GAUGE, help, labels, unit, merge=Merge.LIVEMOSTRECENT, otel=otel)


def _count(name: str, help: str, labels: tuple[str, ...] = (), unit: str = "", otel: str = "") -> Metric:
    return Metric(name, Kind.COUNTER, help, labels, unit, otel=otel)


CPU_UTILIZATION = _gauge(
    "system_cpu_utilization_ratio",
    "Share of the machine's processor time since the sample before, by mode (user, system, idle, iowait, steal, …).",
    ("cpu_mode",),
    "ratio",
    "system.cpu.utilization",
)
CPU_TIME = _count(
    "system_cpu_time_seconds",
    "Processor time of the machine, all cores together, by mode.",
    ("cpu_mode",),
    "seconds",
    "system.cpu.time",
)
CPU_COUNT = _gauge("system_cpu_logical_count", "Logical cores of the machine.", (), "", "system.cpu.logical.count")
LOAD_AVERAGE = _gauge(
    "stethoscope_system_load_average",
    "Threads that ran or waited to run or for a disk, averaged over a window (1m, 5m, 15m).",
    ("window",),
    "",
    "stethoscope.system.load_average",
)
SYSTEM_MEMORY = _gauge(
    "system_memory_usage_bytes",
    "Memory of the machine by state (used, free, cached, buffers).",
    ("system_memory_state",),
    "bytes",
    "system.memory.usage",
)
SYSTEM_MEMORY_LIMIT = _gauge("system_memory_limit_bytes", "Memory of the machine.", (), "bytes", "system.memory.limit")
SYSTEM_MEMORY_AVAILABLE = _gauge(
    "system_linux_memory_available_bytes",
    "Memory that programs can still have without swapping, as the kernel estimates it.",
    (),
    "bytes",
    "system.linux.memory.available",
)
PAGING_USAGE = _gauge(
    "system_paging_usage_bytes", "Swap by state (used, free).", ("system_paging_state",), "bytes", "system.paging.usage"
)
PAGING_OPERATIONS = _count(
    "system_paging_operations",
    "Pages swapped, by direction (in, out).",
    ("system_paging_direction",),
    "",
    "system.paging.operations",
)
DISK_IO = _count(
    "system_disk_io_bytes",
    "Bytes read from and written to disks.",
    ("system_device", "disk_io_direction"),
    "bytes",
    "system.disk.io",
)
DISK_OPERATIONS = _count(
    "system_disk_operations",
    "Reads from and writes to disks.",
    ("system_device", "disk_io_direction"),
    "",
    "system.disk.operations",
)
DISK_IO_TIME = _count(
    "system_disk_io_time_seconds",
    "Time that a disk was busy.",
    ("system_device",),
    "seconds",
    "system.disk.io_time",
)
FILESYSTEM_USAGE = _gauge(
    "system_filesystem_usage_bytes",
    "Space of file systems by state (used, free, reserved).",
    ("system_device", "system_filesystem_mountpoint", "system_filesystem_state"),
    "bytes",
    "system.filesystem.usage",
)
FILESYSTEM_UTILIZATION = _gauge(
    "system_filesystem_utilization_ratio",
    "Share of a file system's space that is used, of what programs without privileges may use.",
    ("system_device", "system_filesystem_mountpoint"),
    "ratio",
    "system.filesystem.utilization",
)
NETWORK_IO = _count(
    "system_network_io_bytes",
    "Bytes that network interfaces received and transmitted.",
    ("network_interface_name", "network_io_direction"),
    "bytes",
    "system.network.io",
)
NETWORK_ERRORS = _count(
    "system_network_errors",
    "Errors of network interfaces.",
    ("network_interface_name", "network_io_direction"),
    "",
    "system.network.errors",
)
SYSTEM_UPTIME = _gauge("system_uptime_seconds", "Time since the machine was started.", (), "seconds", "system.uptime")

CPU_LIMIT = _gauge(
    "stethoscope_cpu_limit",
    "Cores that the service may use: the cgroup's quota, the affinity, or all there are.",
    (),
    "",
    "stethoscope.cpu.limit",
)
CPU_USED = _gauge(
    "stethoscope_cpu_utilization_ratio",
    "Processor time used since the sample before, as a share of what may be used: by the cgroup where it has a quota, else by the machine.",
    (),
    "ratio",
    "stethoscope.cpu.utilization",
)
CPU_THROTTLED = _count(
    "stethoscope_cpu_throttled_seconds",
    "Time that the cgroup's threads had to wait because its quota was used up.",
    (),
    "seconds",
    "stethoscope.cpu.throttled",
)
MEMORY_LIMIT = _gauge(
    "stethoscope_memory_limit_bytes",
    "Memory that the service may use: the cgroup's limit, or the machine's memory.",
    (),
    "bytes",
    "stethoscope.memory.limit",
)
MEMORY_USED = _gauge(
    "stethoscope_memory_utilization_ratio",
    "Memory in use as a share of what may be used, without caches that can be given up: by the cgroup where it has a limit, else by the machine.",
    (),
    "ratio",
    "stethoscope.memory.utilization",
)
OUT_OF_MEMORY_KILLS = _count(
    "stethoscope_out_of_memory_kills",
    "Processes of the cgroup that the kernel killed because its memory was used up.",
    (),
    "",
    "stethoscope.out_of_memory.kills",
)

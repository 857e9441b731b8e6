"""Resident memory of a process as Linux counts it, pages of shared memory that it touched included.

Not `getrusage`: its maximum is handed down from the process that started this one.
"""

from __future__ import annotations

import re
from pathlib import Path


def resident_bytes(pid: int) -> int:
    """What is resident now."""
    return _field(pid, "VmRSS")


def peak_bytes(pid: int) -> int:
    """The most that ever was resident since the program started."""
    return _field(pid, "VmHWM")


def _field(pid: int, name: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    if found is None:
        raise OSError(f"/proc/{pid}/status has no {name}")
    return int(found[1]) * 1024

"""What `import stethoscope` takes and what it brings along; see README, "Import"."""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
from collections import Counter
from importlib.metadata import PackageNotFoundError, requires
from typing import Final

from benchmarks.report import Floor, Result

MILLISECONDS_FLOOR: Final = 40.0
PACKAGE: Final = "stethoscope"

# What an interpreter had before is no fault of the package: site-packages may preload things.
# The probe's own import of json comes last, so that it does not pay for the package.
_PROBE: Final = """
import sys, time
before = set(sys.modules)
begin = time.perf_counter()
import {package}
seconds = time.perf_counter() - begin
after = set(sys.modules)
import json
names = sorted({{name.partition(".")[0] for name in after - before}} - set(sys.stdlib_module_names))
print(json.dumps([seconds, names]))
"""


def probe(package: str) -> tuple[float, list[str]]:
    """Seconds of one import in a fresh interpreter, and the top-level modules outside the standard library."""
    output = subprocess.run(
        [sys.executable, "-c", _PROBE.format(package=package)], capture_output=True, text=True, check=True
    ).stdout
    seconds, names = json.loads(output)
    return seconds, names


def slowest(package: str, count: int) -> list[tuple[str, float]]:
    """The modules with the most own time in one import, in milliseconds."""
    command = [sys.executable, "-X", "importtime", "-c", f"import {package}"]
    log = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    own: Counter[str] = Counter()
    for match in re.finditer(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", log):
        own[match[2]] += int(match[1])
    return [(name, micros / 1e3) for name, micros in own.most_common(count)]


def declared() -> set[str]:
    """Modules that the package may load: itself and, with all they need, its required dependencies."""
    found: set[str] = set()
    waiting = [PACKAGE]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _required(name)
    return {name.replace("-", "_") for name in found}


def _required(package: str) -> list[str]:
    try:
        lines = requires(package) or []
    except PackageNotFoundError:
        return []
    return [re.split(r"[^\w.-]", line, maxsplit=1)[0].lower() for line in lines if "extra ==" not in line]


def run(interpreters: int) -> Result:
    probes = [probe(PACKAGE) for _ in range(interpreters)]
    times = [seconds * 1e3 for seconds, _ in probes]
    loaded = probes[0][1]
    optional = sorted(set(loaded) - declared())
    return Result(
        name="imports",
        floors=[
            Floor("import time", MILLISECONDS_FLOOR, statistics.median(times), " ms", spread=_spread(times)),
            Floor("optional libraries loaded by the import", 0, len(optional), spread=", ".join(optional)),
        ],
        columns=("slowest modules", "own ms"),
        rows=[(name, f"{milliseconds:.1f}") for name, milliseconds in slowest(PACKAGE, 8)],
        readings={"milliseconds": times, "loaded": loaded},
        note=f"{interpreters} fresh interpreters, median. Loaded besides the standard library: {', '.join(loaded)}.",
    )


def _spread(values: list[float]) -> str:
    return f"{min(values):.1f}–{max(values):.1f}"

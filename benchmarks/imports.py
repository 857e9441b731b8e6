"""What `import stethoscope` takes and what it brings along; see README, "Import"."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from benchmarks.report import Floor, Result

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MILLISECONDS_FLOOR: Final = 40.0
PACKAGE: Final = "stethoscope"
IMPORT: Final = f"import {PACKAGE}"
SERVED: Final = f"from {PACKAGE} import install"
"""What an app asks for: the layer and all that it needs are imported with it."""

# What an interpreter had before is no fault of the package: site-packages may preload things.
# The probe's own import of json comes last, so that it does not pay for the package.
_PROBE: Final = """
import sys, time
before = set(sys.modules)
begin_wall, begin = time.perf_counter(), time.process_time()
{statement}
seconds, wall = time.process_time() - begin, time.perf_counter() - begin_wall
after = set(sys.modules)
import json
names = sorted({{name.partition(".")[0] for name in after - before}} - set(sys.stdlib_module_names))
print(json.dumps([seconds, wall, names]))
"""


@dataclass(frozen=True, slots=True)
class Probe:
    """One import in a fresh interpreter: processor and wall time, and what was loaded outside the standard library."""

    seconds: float
    wall_seconds: float
    loaded: list[str]


def probe(env: Mapping[str, str], statement: str) -> Probe:
    output = subprocess.run(
        [sys.executable, "-c", _PROBE.format(statement=statement)], capture_output=True, text=True, check=True, env=env
    ).stdout
    return Probe(*json.loads(output))


@contextmanager
def compiled() -> Iterator[Mapping[str, str]]:
    """An environment in which all bytecode is compiled already, as an installer leaves it, whatever this one says."""
    with TemporaryDirectory(prefix="bench-") as cache:
        env = {**os.environ, "PYTHONPYCACHEPREFIX": cache}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        probe(env, SERVED)
        yield env


def slowest(env: Mapping[str, str], count: int) -> list[tuple[str, float]]:
    """The modules with the most own time when an app is served, in milliseconds."""
    command = [sys.executable, "-X", "importtime", "-c", SERVED]
    log = subprocess.run(command, capture_output=True, text=True, check=True, env=env).stderr
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
    found: dict[str, list[Probe]] = {IMPORT: [], SERVED: []}
    with compiled() as env:
        for _ in range(interpreters):
            for statement, probes in found.items():
                probes.append(probe(env, statement))
        modules = slowest(env, 10)
    times, served = ([each.seconds * 1e3 for each in probes] for probes in found.values())
    walls = [each.wall_seconds * 1e3 for each in found[IMPORT]]
    loaded = found[SERVED][0].loaded
    optional = sorted(set(loaded) - declared())
    return Result(
        name="imports",
        floors=[
            Floor("import time", MILLISECONDS_FLOOR, statistics.median(times), " ms", spread=_spread(times)),
            Floor("optional libraries loaded by the import", 0, len(optional), spread=", ".join(optional)),
        ],
        columns=("slowest modules", "own ms"),
        rows=[(name, f"{milliseconds:.1f}") for name, milliseconds in modules],
        readings={"milliseconds": times, "served_milliseconds": served, "wall_milliseconds": walls, "loaded": loaded},
        note=f"{interpreters} fresh interpreters, median of processor time; wall time {_spread(walls)} ms. "
        f"`{SERVED}` takes {statistics.median(served):.1f} ms ({_spread(served)}), the modules above among them. "
        f"Loaded besides the standard library: {', '.join(loaded)}.",
    )


def _spread(values: list[float]) -> str:
    return f"{min(values):.1f}–{max(values):.1f}"

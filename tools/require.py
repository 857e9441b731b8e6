"""Check that the commands which a target of the Makefile drives are installed; as root on Debian, install what is not.

    python tools/require.py test        # or bench

Run by ``make test`` and ``make bench`` before they begin, with the standard library alone. Nothing is started: a Debian
package of a daemon starts it when it is installed, and a test run must not leave one behind.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Need:
    """A command, the Debian package that has it, and the systemd unit which that package starts."""

    command: str
    package: str
    unit: str | None = None


TEST = (
    Need("cc", "build-essential"),
    Need("chromium", "chromium"),
    Need("curl", "curl"),
    Need("nginx", "nginx-light", unit="nginx.service"),
    Need("pg_ctlcluster", "postgresql", unit="postgresql.service"),
    Need("promtool", "prometheus", unit="prometheus.service"),
    Need("amtool", "prometheus-alertmanager", unit="prometheus-alertmanager.service"),
    Need("victoria-metrics", "victoria-metrics", unit="victoria-metrics.service"),
    Need("docker-compose", "docker-compose"),
    Need("systemd-analyze", "systemd"),
    Need("wrk", "wrk"),
)
BENCH = (
    Need("cc", "build-essential"),
    Need("taskset", "util-linux"),
    Need("valgrind", "valgrind"),
    Need("wrk", "wrk"),
)
NEEDS = {"test": TEST, "bench": BENCH}


def missing(needs: Iterable[Need]) -> list[Need]:
    """Those whose command is not on PATH."""
    return [need for need in needs if shutil.which(need.command) is None]


def install(needs: list[Need]) -> None:
    """Install the packages through apt, with their daemons neither started now nor at boot."""
    packages = [need.package for need in needs]
    units = [need.unit for need in needs if need.unit and Path("/run/systemd/system").is_dir()]
    # With systemd a masked unit is not started by its package, and a --runtime mask that an
    # interrupted run leaves behind is gone at the next boot. Elsewhere invoke-rc.d asks the
    # runlevel, and in 1 (single user) nothing starts. A policy-rc.d file would outlive an
    # interrupted run and keep the daemons of later installations from starting.
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    apt = ["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0"]
    command = [*apt, "install", "--yes", "--no-install-recommends", *packages]
    systemctl(units, "mask", "--runtime")
    try:
        if subprocess.run(command, env=environment, check=False).returncode != 0:
            # Either the package lists are too old, or there are none yet.
            subprocess.run([*apt, "update"], env=environment, check=True)
            subprocess.run(command, env=environment, check=True)
    finally:
        systemctl(units, "unmask", "--runtime")
    systemctl(units, "disable")


def systemctl(units: list[str], *action: str) -> None:
    """Apply an action of systemctl to the units; none is fine."""
    if units:
        subprocess.run(["systemctl", "--quiet", *action, *units], check=True)


def explain(target: str, needs: list[Need]) -> str:
    """What is missing and how to get it."""
    lines = [f"  {need.command:<12} Debian package: {need.package}" for need in needs]
    packages = " ".join(need.package for need in needs)
    return "\n".join(
        [
            f"`make {target}` needs commands that are not installed:",
            *lines,
            f"Install them (apt-get install --no-install-recommends {packages}),",
            f"or run `make {target}` once as root on Debian or Ubuntu, which does it.",
        ]
    )


def main(target: str) -> int:
    lacking = missing(NEEDS[target])
    if lacking and os.geteuid() == 0 and shutil.which("apt-get"):
        print("Installing:", ", ".join(need.package for need in lacking), flush=True)
        try:
            install(lacking)
        except subprocess.CalledProcessError as error:
            print(f"apt-get failed: {error}", file=sys.stderr)
        lacking = missing(NEEDS[target])
    if lacking:
        print(explain(target, lacking), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

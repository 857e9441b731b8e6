"""The pages whose exact bytes are kept: one for each exposition format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from zlib import crc32

from google.protobuf import text_format

from stethoscope.exporters.exposition import render
from stethoscope.exporters.openmetrics import OPENMETRICS
from stethoscope.exporters.protobuf import PROTOBUF
from stethoscope.exporters.text import TEXT
from tests.exporters.client_model import families
from tests.exporters.snapshots import every_corner


def _protobuf() -> bytes:
    """What the bytes say, for people, and a checksum of the bytes that say it."""
    page = b"".join(PROTOBUF.render(every_corner()))
    said = "\n".join(text_format.MessageToString(family, as_utf8=True) for family in families(page))
    return f"# {len(page)} bytes, CRC-32 {crc32(page):08x}\n\n{said}".encode()


PAGES: dict[str, Callable[[], bytes]] = {
    "text": lambda: b"".join(render(every_corner(), TEXT)),
    "openmetrics": lambda: b"".join(render(every_corner(), OPENMETRICS)),
    "protobuf": _protobuf,
}


def path(name: str) -> Path:
    return Path(__file__).with_name(f"{name}.txt")


def rendered(name: str) -> bytes:
    return PAGES[name]()

"""The Prometheus text format, version 0.0.4 (prometheus.io, "Exposition formats")."""

from __future__ import annotations

from typing import Final

from stethoscope.exporters.exposition import Format, escape_help
from stethoscope.names import Kind, Metric


def _metadata(metric: Metric) -> str:
    # The format has no suffixes for counters: the family is named as its samples are.
    name = f"{metric.name}_total" if metric.kind is Kind.COUNTER else metric.name
    return f"# HELP {name} {escape_help(metric.help)}\n# TYPE {name} {metric.kind}\n"


def _no_created(name: bytes, labels: bytes, created: float) -> bytes:
    # Only as a gauge family of its own could it be said, which would be a third of the page for little.
    return b""


TEXT: Final = Format(
    content_type="text/plain; version=0.0.4; charset=utf-8",
    metadata=_metadata,
    created=_no_created,
    end=b"",
)

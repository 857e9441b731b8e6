"""The OpenMetrics text format, version 1.0.0 (OpenMetrics specification, "Text Format")."""

from __future__ import annotations

from typing import Final

from stethoscope.exporters.exposition import Format, escape_label, number
from stethoscope.names import Metric


def _metadata(metric: Metric) -> str:
    name, unit = metric.name, metric.unit
    # "UNIT": a family's name must end with its unit, so a unit that the name does not tell is left out.
    unit_line = f"# UNIT {name} {unit}\n" if unit and name.endswith(f"_{unit}") else ""
    return f"# HELP {name} {escape_label(metric.help)}\n# TYPE {name} {metric.kind}\n{unit_line}"


def _created(name: bytes, labels: bytes, created: float) -> bytes:
    return b"%b_created%b %b\n" % (name, labels, number(created).encode())


OPENMETRICS: Final = Format(
    content_type="application/openmetrics-text; version=1.0.0; charset=utf-8",
    metadata=_metadata,
    created=_created,
    end=b"# EOF\n",
    exemplars=True,
)

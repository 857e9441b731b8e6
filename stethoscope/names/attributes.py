"""What labels are called in OpenTelemetry: attributes of the semantic conventions have dots, which a label cannot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_NAMESPACES: Final = frozenset(
    (
        "cpu",
        "cpython",
        "db",
        "disk",
        "error",
        "http",
        "network",
        "otel",
        "process",
        "server",
        "service",
        "system",
        "url",
    )
)
_OTHERWISE: Final[Mapping[str, str]] = {
    "http_response_status_code": "http.response.status_code",
    "pid": "process.pid",
    "process_context_switch_type": "process.context_switch.type",
}
WHOLE_NUMBERS: Final = frozenset(("http.response.status_code", "process.pid", "server.port"))
"""Attributes that are integers in the conventions; all others are texts."""

SERVICE_LABEL: Final = "service_name"
"""Label that tells services apart where several are given together; where there is one, its series lack it."""


def attribute(label: str) -> str:
    """The attribute that a label of one of our metrics stands for; the label itself where the conventions have none."""
    if label in _OTHERWISE:
        return _OTHERWISE[label]
    return label.replace("_", ".") if label.partition("_")[0] in _NAMESPACES else label

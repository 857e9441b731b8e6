"""What other layers of this process send over OTLP themselves: a metric must not arrive twice under one name.

FastAPI's own telemetry and the instrumentations of opentelemetry-contrib measure requests under the conventions' names,
into a MeterProvider of the SDK. That is where it shows: each reader of a provider knows the instruments that were
used, and the exporter it sends with. The SDK has no public way to ask. Where it keeps this in another way, nothing is found, and
our numbers are sent as ever.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any


def sent_by_others() -> frozenset[str]:
    """OpenTelemetry names of metrics that this process's SDK has measurements of, and sends over OTLP. Any thread."""
    sdk: Any = sys.modules.get("opentelemetry.sdk.metrics")
    if sdk is None:
        return frozenset()
    readers = getattr(sdk.MeterProvider, "_all_metric_readers", ())
    return frozenset(name for reader in list(readers) for name in _measured_with(reader))


def _measured_with(reader: Any) -> Iterator[str]:
    exporter, collect = (getattr(reader, name, None) for name in ("_exporter", "_collect"))
    if ".otlp." not in type(exporter).__module__:
        return
    storages = getattr(getattr(collect, "__self__", None), "_reader_storages", {})
    instruments: Iterable[Any] = getattr(storages.get(reader), "_instrument_view_instrument_matches", ())
    for instrument in list(instruments):
        yield instrument.name

"""Grafana's own model of a dashboard, from its Foundation SDK: which keys it knows."""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Iterator
from typing import Any

with warnings.catch_warnings():
    # The classic model is what every version of Grafana imports.
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    register_default_plugins()


def unknown_keys(dashboard: dict[str, Any]) -> list[str]:
    """Keys that Grafana's own model does not keep."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        again = json.loads(json.dumps(Dashboard.from_json(copy.deepcopy(dashboard)), cls=JSONEncoder))
    return [*_lost(dashboard, again, "")]


def _lost(given: Any, kept: Any, path: str) -> Iterator[str]:
    if isinstance(given, dict):
        for key, value in given.items():
            if not isinstance(kept, dict) or key not in kept:
                # An empty value is the same as none.
                if value not in (None, "", [], {}, False):
                    yield f"{path}/{key}"
            else:
                yield from _lost(value, kept[key], f"{path}/{key}")
    elif isinstance(given, list) and isinstance(kept, list):
        if len(given) != len(kept):
            yield f"{path}: {len(given)} items, {len(kept)} kept"
        for number, (one, other) in enumerate(zip(given, kept, strict=False)):
            yield from _lost(one, other, f"{path}/{number}")

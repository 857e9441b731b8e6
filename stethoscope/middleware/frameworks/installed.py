"""How our own layer is recognised, so that installing twice adds none."""

from __future__ import annotations


def is_layer(app: object) -> bool:
    """Whether ``app`` is a layer of this package, by the module of its class."""
    return type(app).__module__.partition(".")[0] == "stethoscope"

"""Stethoscope with every default on and tracing on, of which the sampler wants a request in ten million.

One ratio above 0, because none is a case of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.contenders.traced import set_up
from stethoscope import Stethoscope

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def wrap(app: ASGIApp) -> ASGIApp:
    set_up(1e-7)
    return Stethoscope(app)

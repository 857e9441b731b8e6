"""Stethoscope with every default on and each request traced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.contenders.traced import set_up
from stethoscope import Stethoscope

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def wrap(app: ASGIApp) -> ASGIApp:
    set_up(1.0)
    return Stethoscope(app)

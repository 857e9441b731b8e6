"""Stethoscope with the instrument `runtime` alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stethoscope import Stethoscope

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def wrap(app: ASGIApp) -> ASGIApp:
    return Stethoscope(app, instruments=["runtime"], tracing=False, sentry=False)

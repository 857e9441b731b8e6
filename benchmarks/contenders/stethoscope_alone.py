"""Stethoscope without any instrument: what each of them is held against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stethoscope import Stethoscope

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def wrap(app: ASGIApp) -> ASGIApp:
    return Stethoscope(app, instruments=[], tracing=False, sentry=False)

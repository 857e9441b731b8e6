"""Watching what the app has made: engines so far."""

from __future__ import annotations

from typing import TypeVar

from stethoscope.instruments import sqlalchemy

Watched = TypeVar("Watched")


def watch(target: Watched) -> Watched:
    """Watch an ``Engine`` or ``AsyncEngine`` of SQLAlchemy; returns it: ``engine = stethoscope.watch(create_engine(…))``.

    Its queries are recorded for this process's service from now on, and so is its pool. Engines are found
    without it where `stethoscope.install` was called and the setting ``instruments`` has not said otherwise; a
    script needs it. Doing it twice is doing it once. Raises TypeError for anything else, `SettingsError` when the
    environment has mistakes.
    """
    if not sqlalchemy.watch(target):
        raise TypeError(f"watch() takes an Engine or AsyncEngine of SQLAlchemy, got {target!r}")
    return target

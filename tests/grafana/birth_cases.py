"""Cases for what counts the first sample of a series that begins late: an error that happens for the first time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from tests.grafana.case import NONE, Case

LAST: Final = 200
"""Minute of the last samples."""


def born(
    alert: str,
    series: str,
    count: int,
    severities: frozenset[str],
    summary: str,
    *,
    window: int = 10,
    beside: Mapping[str, str] | None = None,
    **labels: str,
) -> Iterator[Case]:
    """``series`` of host a begins with ``count``, which is enough to fire for the ``window``, in minutes. ``beside`` is there all the time."""
    first = window + 30
    there = {**(beside or {}), **_workers()}
    later, end = first + window - 2, first + window + 1
    yield Case(
        alert,
        "a series begins beside others",
        {**there, **_workers("b"), series: _from(first, count)},
        {first - 1: NONE, first + 1: severities, later: severities, end: NONE},
        (first + 1, dict.fromkeys(severities, summary)),
        labels=labels,
    )
    yield Case(
        alert,
        "a target is scraped for the first time, and has counted before",
        {**(beside or {}), **_workers(first=first), series: _from(first, count)},
        {first: NONE, first + 5: NONE, later: NONE},
    )
    yield Case(
        alert,
        "a target was not scraped for a while",
        {series: _gap(first, count, 8), **{one: _gap(first, 1, 8) for one in _workers()}, **(beside or {})},
        dict.fromkeys(range(first, first + window + 6), NONE),
    )
    yield Case(
        alert,
        "a series comes back",
        {**there, series: _gap(first, count, 8)},
        dict.fromkeys(range(first, first + window + 6), NONE),
    )
    yield Case(
        alert,
        "a series that was there for moments comes back",
        {**there, series: f"_x{first - window - 3} {count}x2 _x{window} {count}x{window}"},
        {first + 2: NONE},
    )
    page = {series.replace("}", ', service_name="shop"}'): _from(first, count)}
    new = _workers(first=first, service="shop")
    yield Case(
        alert,
        "another service of the page was there before, and this one is new",
        {**(beside or {}), **_workers(service="till"), **new, **page},
        {first: NONE, first + 5: NONE, later: NONE},
    )
    yield Case(
        alert,
        "another service of the page is new, and this one was there before",
        {**(beside or {}), **_workers(first=first, service="till"), **_workers(service="shop"), **page},
        {first + 1: severities, later: severities},
        labels=labels,
    )
    yield Case(
        alert,
        "another job has the same host",
        {**there, **_workers(job="other", first=first), series: _from(first, count)},
        {first + 1: severities, later: severities},
        labels={"job": "shop", **labels},
    )


def _workers(host: str = "a", *, job: str = "shop", first: int = 0, service: str = "") -> dict[str, str]:
    of = f', service_name="{service}"' if service else ""
    return {f'stethoscope_workers{{job="{job}", instance="{host}"{of}}}': _from(first, 1)}


def _from(first: int, value: int) -> str:
    return (f"_x{first} " if first else "") + f"{value}+0x{LAST - first}"


def _gap(first: int, value: int, minutes: int) -> str:
    return f"{value}+0x{first - 1} _x{minutes} {value}+0x{LAST - first - minutes}"

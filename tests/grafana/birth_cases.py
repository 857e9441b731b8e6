"""Cases for what counts the first sample of a series that begins late: an error that happens for the first time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.grafana.case import NONE, Case

_FIRST, _LAST = 40, 100
"""Minutes of the series' first sample and of the last one of all."""


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
    there = {**(beside or {}), **_workers()}
    later, end = _FIRST + window - 2, _FIRST + window + 1
    yield Case(
        alert,
        "a series begins beside others",
        {**there, **_workers("b"), series: _from(_FIRST, count)},
        {_FIRST - 1: NONE, _FIRST: severities, later: severities, end: NONE},
        (_FIRST + 1, dict.fromkeys(severities, summary)),
        labels=labels,
    )
    yield Case(
        alert,
        "a target is scraped for the first time, and has counted before",
        {**(beside or {}), **_workers(first=_FIRST), series: _from(_FIRST, count)},
        {_FIRST: NONE, _FIRST + 5: NONE, later: NONE},
    )
    yield Case(
        alert,
        "a target was not scraped for a while",
        {series: _gap(count, 8), **{one: _gap(1, 8) for one in _workers()}, **(beside or {})},
        dict.fromkeys(range(_FIRST, _FIRST + window + 6), NONE),
    )
    yield Case(
        alert,
        "a series comes back",
        {**there, series: _gap(count, 8)},
        dict.fromkeys(range(_FIRST, _FIRST + window + 6), NONE),
    )
    yield Case(
        alert,
        "a series that was there for moments comes back",
        {**there, series: f"_x{_FIRST - window - 3} {count}x2 _x{window} {count}x{_LAST}"},
        {_FIRST + 2: NONE},
    )
    page = {series.replace("}", f', service_name="{one}"}}'): text for one, text in (("shop", _from(_FIRST, count)),)}
    new = _workers(first=_FIRST, service="shop")
    yield Case(
        alert,
        "another service of the page was there before, and this one is new",
        {**(beside or {}), **_workers(service="till"), **new, **page},
        {_FIRST: NONE, _FIRST + 5: NONE, later: NONE},
    )
    yield Case(
        alert,
        "another service of the page is new, and this one was there before",
        {**(beside or {}), **_workers(first=_FIRST, service="till"), **_workers(service="shop"), **page},
        {_FIRST: severities, later: severities},
        labels=labels,
    )
    yield Case(
        alert,
        "another job has the same host",
        {**there, **_workers(job="other", first=_FIRST), series: _from(_FIRST, count)},
        {_FIRST: severities, later: severities},
        labels={"job": "shop", **labels},
    )


def _workers(host: str = "a", *, job: str = "shop", first: int = 0, service: str = "") -> dict[str, str]:
    of = f', service_name="{service}"' if service else ""
    return {f'stethoscope_workers{{job="{job}", instance="{host}"{of}}}': _from(first, 1)}


def _from(first: int, value: int) -> str:
    return (f"_x{first} " if first else "") + f"{value}+0x{_LAST - first}"


def _gap(value: int, minutes: int) -> str:
    return f"{value}+0x{_FIRST - 1} _x{minutes} {value}+0x{_LAST - _FIRST - minutes}"

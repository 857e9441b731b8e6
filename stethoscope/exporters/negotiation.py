"""Which format and which coding a reader wants: ``Accept`` and ``Accept-Encoding`` (RFC 9110, sections 12.5.1 and 12.5.3)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from stethoscope.exporters.exposition import Exposition
from stethoscope.exporters.openmetrics import OPENMETRICS
from stethoscope.exporters.protobuf import PROTOBUF
from stethoscope.exporters.text import TEXT

_QUALITY: Final = re.compile(r"(0(\.\d{0,3})?|1(\.0{0,3})?)\Z")


@dataclass(frozen=True, slots=True)
class _Offer:
    """A format with the versions under which readers know it; no version asked for is fine too."""

    format: Exposition
    type: str
    versions: frozenset[str]


# The first is what a reader gets that accepts both alike or neither: any reader understands it.
_OFFERS: Final = (
    _Offer(TEXT, "text/plain", frozenset({"", "0.0.4"})),
    # 0.0.1 is what Prometheus called the format before its standard; the lines are the same.
    _Offer(OPENMETRICS, "application/openmetrics-text", frozenset({"", "1.0.0", "0.0.1"})),
)
# Only when native histograms are asked for: Prometheus servers that know them keep nothing else of a page with both.
_NATIVE: Final = _Offer(
    PROTOBUF, "application/vnd.google.protobuf", frozenset({"io.prometheus.client.metricfamily/delimited"})
)


@dataclass(frozen=True, slots=True)
class _Range:
    """One member of an Accept header. ``place`` counts from 0 in the header's order."""

    type: str
    version: str
    quality: float
    place: int

    def closeness(self, offer: _Offer) -> int:
        """How exactly the offer is meant: 0 not at all, up to 4 by type and version."""
        if self.type == offer.type:
            return (3 + bool(self.version)) if self.version in offer.versions else 0
        main_type = offer.type.partition("/")[0]
        return {f"{main_type}/*": 2, "*/*": 1}.get(self.type, 0)


def choose_format(accept: str, *, native: bool = False) -> Exposition:
    """The format that ``accept``, an Accept header's value, prefers; Prometheus text when it knows none of ours or is empty.

    Of equal qualities the one named more exactly wins, then the one named first. ``native`` offers the format that
    has native histograms too.
    """
    ranges = list(_ranges(accept))
    offers = (*_OFFERS, _NATIVE) if native else _OFFERS
    ranked = [(rank, offer.format) for offer in offers if (rank := _rank(offer, ranges)) is not None]
    return max(ranked, key=lambda pair: pair[0])[1] if ranked else TEXT


def _rank(offer: _Offer, ranges: list[_Range]) -> tuple[float, int, int] | None:
    # RFC 9110: the range that is closest to the offer decides, even when it decides for zero.
    matches = [(one.closeness(offer), one.quality, -one.place) for one in ranges if one.closeness(offer)]
    if not matches:
        return None
    closeness, quality, place = max(matches)
    return (quality, closeness, place) if quality else None


def _ranges(accept: str) -> Iterator[_Range]:
    for place, (name, parameters) in enumerate(_members(accept)):
        quality = _quality(parameters)
        if quality is not None:
            yield _Range(name, _version(parameters), quality, place)


def _version(parameters: dict[str, str]) -> str:
    """What tells apart formats of one type: a version, or the messages and their coding."""
    if "proto" in parameters:
        return f"{parameters['proto']}/{parameters.get('encoding', '')}"
    return parameters.get("version", "")


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether a reader with this Accept-Encoding header wants gzip at least as much as no coding."""
    qualities = {
        name: quality for name, parameters in _members(accept_encoding) if (quality := _quality(parameters)) is not None
    }
    gzip = qualities.get("gzip", qualities.get("x-gzip", qualities.get("*", 0.0)))
    return gzip > 0 and gzip >= qualities.get("identity", 0.0)


def _members(header: str) -> Iterator[tuple[str, dict[str, str]]]:
    for member in header.lower().split(","):
        name, *parameters = (part.strip() for part in member.split(";"))
        pairs = (parameter.partition("=") for parameter in parameters)
        yield name, {key.strip(): value.strip().strip('"') for key, _, value in pairs}


def _quality(parameters: dict[str, str]) -> float | None:
    text = parameters.get("q", "1")
    return float(text) if _QUALITY.match(text) else None

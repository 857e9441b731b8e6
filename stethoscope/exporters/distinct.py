"""Series of a family as a reader can tell them apart, whatever characters their labels have."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar

from stethoscope.names import Metric
from stethoscope.store.distribution import Distribution
from stethoscope.store.snapshot import Family, Series

Key = TypeVar("Key")

_SURROGATES: Final = re.compile("[\ud800-\udfff]")


def distinct(family: Family, key: Callable[[Metric, Series], Key]) -> list[tuple[Key, Series]]:
    """The family's series, each with its labels as ``key`` gives them.

    Values that differ only in characters which have to be replaced are one series to a reader, which would
    refuse all of them if it met the series twice. They are added up.
    """
    metric = family.metric
    keyed = [(key(metric, series), series) for series in family.series]
    if len({labels for labels, _ in keyed}) == len(keyed):
        return keyed
    joined: dict[Key, Series] = {}
    for labels, series in keyed:
        joined[labels] = _sum(joined[labels], series) if labels in joined else series
    return list(joined.items())


def _sum(one: Series, other: Series) -> Series:
    created = min(one.created, other.created)
    if isinstance(one.value, Distribution) and isinstance(other.value, Distribution):
        return replace(one, value=one.value.plus(other.value), created=created)
    assert not isinstance(one.value, Distribution)
    assert not isinstance(other.value, Distribution)
    return replace(one, value=one.value + other.value, created=created)


def encodable(text: str) -> str:
    """``text`` as UTF-8 can have it: lone surrogates become U+FFFD."""
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)

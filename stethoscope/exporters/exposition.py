"""Snapshot to text exposition: the lines that Prometheus text and OpenMetrics have in common.

Pure: bytes from numbers, nothing about how they travel. What differs between the formats is a
`Format`, given in `text` and `openmetrics`.

A scrape of 600 series of a 14-bucket histogram is 10,000 lines, so a series costs one ``%`` and one
``replace``: the family's bucket lines are one template in which NUL stands for what all of a series'
lines begin with. No label can contain a NUL, because escaping replaces it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol

from stethoscope.exporters.distinct import distinct
from stethoscope.names import OVERFLOW_LABEL, Kind, Metric
from stethoscope.store.distribution import Distribution
from stethoscope.store.snapshot import Exemplar, Family, Series, Snapshot

_SERIES_PER_CHUNK: Final = 32
"""About 0.2 ms of rendering and 80 kB of text for a histogram: what a caller waits for between two chunks."""


class Exposition(Protocol):
    """A format in which a snapshot can be scraped."""

    @property
    def content_type(self) -> str:
        """As HTTP has it."""

    def render(self, snapshot: Snapshot, names: frozenset[str] | None = None, also: bytes = b"") -> Iterator[bytes]:
        """The page, in chunks between which others can have their turn; see `render`."""


@dataclass(frozen=True, slots=True)
class Format:
    """What one text format does in its own way.

    ``metadata`` gives the lines before a family's samples. ``created`` gives the line, or none, that
    says since when a series counts: from family name, braced labels and Unix time in seconds.
    ``end`` closes the page. ``exemplars`` says whether bucket lines can have them.
    """

    content_type: str
    metadata: Callable[[Metric], str]
    created: Callable[[bytes, bytes, float], bytes]
    end: bytes
    exemplars: bool = False

    def render(self, snapshot: Snapshot, names: frozenset[str] | None = None, also: bytes = b"") -> Iterator[bytes]:
        return render(snapshot, self, names, also)


def render(
    snapshot: Snapshot, format: Format, names: frozenset[str] | None = None, also: bytes = b""
) -> Iterator[bytes]:
    """The exposition page of ``snapshot``, in chunks of at most some 100 kB, valid UTF-8 when joined.

    ``names`` limits the page to families of which it has the name or a sample's name. Such a family is
    given whole: part of a histogram is no valid OpenMetrics. ``also`` is whole families already in
    ``format``, none of them ours, put before the end.
    """
    for family in snapshot.families.values():
        if names is None or not names.isdisjoint(family.metric.sample_names):
            yield from _family(family, format)
    if also:
        yield also
    if format.end:
        yield format.end


def _family(family: Family, format: Format) -> Iterator[bytes]:
    metric = family.metric
    lines = _LINES[metric.kind](metric, format)
    labelled = distinct(family, _labels)
    yield format.metadata(metric).encode()
    for start in range(0, len(labelled), _SERIES_PER_CHUNK):
        yield b"".join([lines(labels, series) for labels, series in labelled[start : start + _SERIES_PER_CHUNK]])


# Sample lines of one series, by kind. Labels come with a comma at their end unless they are empty.

_Lines = Callable[[bytes, Series], bytes]


def _counter_lines(metric: Metric, format: Format) -> _Lines:
    name, created = metric.name.encode(), format.created

    def lines(labels: bytes, series: Series) -> bytes:
        braced = _braced(labels)
        return b"%b_total%b %b\n" % (name, braced, _counted(series.value)) + created(name, braced, series.created)

    return lines


def _gauge_lines(metric: Metric, format: Format) -> _Lines:
    name = metric.name.encode()

    def lines(labels: bytes, series: Series) -> bytes:
        assert not isinstance(series.value, Distribution)
        return b"%b%b %b\n" % (name, _braced(labels), number(series.value).encode())

    return lines


def _histogram_lines(metric: Metric, format: Format) -> _Lines:
    name, created = metric.name.encode(), format.created
    begin, buckets, rest = (
        name + b"_bucket{",
        _bucket_template(metric.bounds),
        b"%b_sum%%b %%b\n%b_count%%b %%d\n" % (name, name),
    )

    def lines(labels: bytes, series: Series) -> bytes:
        distribution = series.value
        assert isinstance(distribution, Distribution)
        cumulative, braced = distribution.cumulative, _braced(labels)
        lines = buckets % cumulative
        if series.exemplars and format.exemplars:
            lines = _with_exemplars(lines, series.exemplars)
        return (
            lines.replace(b"\0", begin + labels)
            + rest % (braced, _counted(distribution.sum), braced, cumulative[-1])
            + created(name, braced, series.created)
        )

    return lines


def _with_exemplars(lines: bytes, exemplars: Mapping[int, Exemplar]) -> bytes:
    """OpenMetrics 1.0, "Exemplars"."""
    parts = lines.splitlines()
    for bucket, one in exemplars.items():
        if bucket < len(parts):
            ids = f'trace_id="{one.trace_id:032x}",span_id="{one.span_id:016x}"'
            parts[bucket] += f" # {{{ids}}} {number(one.value)} {number(one.stamp)}".encode()
    return b"\n".join(parts) + b"\n"


_LINES: Final = {Kind.COUNTER: _counter_lines, Kind.GAUGE: _gauge_lines, Kind.HISTOGRAM: _histogram_lines}


def _bucket_template(bounds: tuple[float, ...]) -> bytes:
    return "".join([f'\0le="{bound(upper)}"}} %d\n' for upper in (*bounds, float("inf"))]).encode()


def _counted(value: float | Distribution) -> bytes:
    # OpenMetrics 1.0, "Counter" and "Histogram": neither NaN nor negative. max() answers 0.0 for both.
    assert not isinstance(value, Distribution)
    return number(max(0.0, value)).encode()


# Labels.


def _labels(metric: Metric, series: Series) -> bytes:
    labels = _label_text(metric.labels, series.labels)
    if series.overflow:
        labels += b'%b="true",' % OVERFLOW_LABEL.encode()
    return b'%bpid="%b",' % (labels, str(series.pid).encode()) if series.pid else labels


# The same label sets come in every scrape, and in several families of one scrape. An entry is about
# 0.7 kB, so that the cache stays below 3 MB; beyond it a scrape is slower by 1.5 µs a series.
@lru_cache(maxsize=4096)
def _label_text(names: tuple[str, ...], values: tuple[str, ...]) -> bytes:
    # An empty value and an absent label are the same to Prometheus; absence is shorter.
    return "".join(
        [f'{name}="{escape_label(value)}",' for name, value in zip(names, values, strict=True) if value]
    ).encode()


def _braced(labels: bytes) -> bytes:
    return b"{%b}" % labels[:-1] if labels else b""


# Characters and numbers.

_ESCAPES: Final = {"\\": r"\\", "\n": r"\n", '"': r"\""}
_HELP_ESCAPES: Final = {"\\": r"\\", "\n": r"\n"}
# Control characters except tab, and lone surrogates: not encodable, or read as a line's end by some parser.
_UNFIT: Final = "\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff"
_IN_LABEL: Final = re.compile(f'[\\\\\n"{_UNFIT}]')
_IN_HELP: Final = re.compile(f"[\\\\\n{_UNFIT}]")
_REPLACEMENT: Final = "\ufffd"


def escape_label(value: str) -> str:
    """``value`` as it stands between the quotes of a label; both formats, and OpenMetrics' help texts, have the same rule.

    What no reader can be given (control characters but tab and newline, lone surrogates) becomes U+FFFD.
    """
    return _IN_LABEL.sub(lambda match: _ESCAPES.get(match[0], _REPLACEMENT), value)


def escape_help(text: str) -> str:
    """``text`` as a help text of the Prometheus text format, where quotes stay as they are."""
    return _IN_HELP.sub(lambda match: _HELP_ESCAPES.get(match[0], _REPLACEMENT), text)


_SPECIAL: Final = {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}


def number(value: float) -> str:
    """The shortest text that reads back as ``value``."""
    text = repr(value)
    return _SPECIAL.get(text, text)


def bound(value: float) -> str:
    """A bucket's bound in canonical form (OpenMetrics 1.0, "Considerations: Canonical Numbers"): ``1.0``, ``1e+06``, ``+Inf``.

    A bound is part of a series' identity, so every exporter has to spell it alike.
    """
    text = number(value)
    whole, _, fraction = text.partition(".")
    if len(whole) <= 6 or not whole.isdigit() or "e" in fraction:
        return text
    digits = (whole + fraction).rstrip("0")
    return f"{digits[0]}{'.' if digits[1:] else ''}{digits[1:]}e+{len(whole) - 1:02d}"

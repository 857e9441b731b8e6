"""Signals of Stethoscope itself: whether what it says can be believed, and what it takes."""

from __future__ import annotations

from typing import Final

from stethoscope.names import (
    DROPPED_EXPORTS,
    DROPPED_LINES,
    DROPPED_OBSERVATIONS,
    EXPORTED_POINTS,
    FINDINGS,
    INTERNAL_ERRORS,
    OVERFLOWED_SERIES,
    PRIVATE_STORE,
    REFUSED_OBSERVATIONS,
    REFUSED_QUEUE_TIMES,
    SERVICE_INFO,
    SKIPPED_SEGMENTS,
    STORE_SIZE,
    WORKERS,
)
from stethoscope.signals.promql import Frame, counted, grown, highest, how_many, label_of, level, select, summed
from stethoscope.signals.signal import Signal


def lost(frame: Frame) -> str:
    """All that was not recorded as it should have been, in the window. All but one of the counters appear when they have something to count."""
    late = (grown(select(metric, frame, "_total"), frame) for metric in (INTERNAL_ERRORS, REFUSED_OBSERVATIONS))
    dropped = f"increase({select(DROPPED_OBSERVATIONS, frame, '_total')}{frame.range})"
    return summed("\nor ".join((dropped, *late)), frame)


def scraped(name: str, frame: Frame) -> str:
    """What Prometheus itself writes down about a scrape, of targets that expose our metrics."""
    targets = ", ".join(one for one in frame.targets if label_of(one) in frame.scrape_labels)
    written = f"{name}{{{targets}}}" if targets else name
    return f"{written} and on ({', '.join(frame.scrape_labels)}) {select(WORKERS, frame)}"


def of_each_target(name: str, frame: Frame) -> str:
    """The greatest of that, for each target of a service; for each service whose page it is, where several share it."""
    by, on = ", ".join(frame.target_labels), ", ".join(frame.scrape_labels)
    if frame.scrape_labels == frame.target_labels:
        return f"max by ({by}) ({scraped(name, frame)})"
    services = f"group by ({', '.join(dict.fromkeys((*frame.target_labels, *frame.scrape_labels)))}) ({select(WORKERS, frame)})"
    return f"max by ({by}) ({services} * on ({on}) group_left () max by ({on}) ({scraped(name, frame)}))"


WORKING: Final = Signal(
    "Workers", "How many processes record into the service?", "short", lambda frame: level(WORKERS, frame)
)
UP: Final = Signal(
    "Targets up", "How many of the targets can be scraped?", "short", lambda frame: f"sum({scraped('up', frame)})"
)
FAILURES: Final = Signal(
    "Internal failures",
    "Does Stethoscope itself fail anywhere? No failure reaches the app, but its numbers may be missing.",
    "short",
    lambda frame: counted(INTERNAL_ERRORS, frame),
)
REFUSED: Final = Signal(
    "Refused observations",
    "Is anything observed that is no number, or negative where that has no meaning?",
    "short",
    lambda frame: counted(REFUSED_OBSERVATIONS, frame),
)
DROPPED: Final = Signal(
    "Dropped observations",
    "Are observations lost because the store cannot grow?",
    "short",
    lambda frame: how_many(DROPPED_OBSERVATIONS, frame),
)
OVERFLOWED: Final = Signal(
    "Overflowed label sets",
    "Which metrics have more label sets than their cap, so that the rest shares one series?",
    "short",
    lambda frame: counted(OVERFLOWED_SERIES, frame.keep("metric")),
)
LOST: Final = Signal("Lost observations", "Is anything not recorded as it should be?", "short", lost)
SKIPPED: Final = Signal(
    "Skipped files",
    "Are there files of workers that cannot be read, and why?",
    "short",
    lambda frame: level(SKIPPED_SEGMENTS, frame.keep("reason")),
)
PRIVATE: Final = Signal(
    "Private stores",
    "Does any worker keep its numbers to itself because it cannot use shared memory?",
    "short",
    lambda frame: highest(PRIVATE_STORE, frame),
)
STORE: Final = Signal(
    "Shared memory",
    "How much memory do the numbers of all workers take?",
    "bytes",
    lambda frame: level(STORE_SIZE, frame),
)
LOST_EXPORTS: Final = Signal(
    "Lost exports",
    "Do spans and events fail to get to other systems, and why?",
    "short",
    lambda frame: how_many(DROPPED_EXPORTS, frame.keep("exporter", "reason")),
)
POINTS: Final = Signal(
    "Pushed points",
    "How many data points are pushed over OTLP, and which errors keep others from arriving?",
    "short",
    lambda frame: how_many(EXPORTED_POINTS, frame.keep("otel_component_type", "error_type")),
)
LOST_LINES: Final = Signal(
    "Lines missing in the request log",
    "Are requests missing in the request log?",
    "short",
    lambda frame: how_many(DROPPED_LINES, frame),
)
REFUSED_TIMES: Final = Signal(
    "Refused queue times",
    "Does the proxy in front say when requests came in a form that can be believed?",
    "short",
    lambda frame: how_many(REFUSED_QUEUE_TIMES, frame.keep("reason")),
)
VERSIONS: Final = Signal(
    "Versions",
    "Which versions of the service run, and on how many targets?",
    "short",
    lambda frame: summed(select(SERVICE_INFO, frame), frame, *SERVICE_INFO.labels),
)
FOUND: Final = Signal(
    "Findings",
    "What has diagnosis found wrong, and on which routes? The report says what to do about it.",
    "short",
    lambda frame: how_many(FINDINGS, frame.keep("kind", "severity")),
)
SCRAPE_SECONDS: Final = Signal(
    "Scrape",
    "How long does a scrape take?",
    "s",
    lambda frame: f"max by ({frame.target_labels[-1]}) ({scraped('scrape_duration_seconds', frame)})",
)
SAMPLES: Final = Signal(
    "Series",
    "How many series does each target expose?",
    "short",
    lambda frame: of_each_target("scrape_samples_post_metric_relabeling", frame),
    "scrape_samples",
)

"""Where a metric of the user's own is recorded: in the default recorder, found at the first record.

Nothing here raises: what cannot be recorded is dropped, with one warning.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Final

from stethoscope import names
from stethoscope.names import Metric
from stethoscope.store.registry import default_recorder
from stethoscope.store.series import HistogramSeries, Scalar, make_histogram, make_scalar

logger = logging.getLogger("stethoscope")

_reported: Final[set[str]] = set()


def find_scalar(metric: Metric, labels: tuple[str, ...]) -> Scalar:
    """The series of a counter or gauge; one that drops what it is given where the recorder has none for it."""
    try:
        return default_recorder().counter(metric, labels)
    except Exception as error:
        report(f"metric {metric.name!r}", error)
        return make_scalar(lambda series: False)


def find_histogram(metric: Metric, labels: tuple[str, ...]) -> HistogramSeries:
    """The series of a histogram, in the same way."""
    try:
        return default_recorder().histogram(metric, labels)
    except Exception as error:
        report(f"metric {metric.name!r}", error)
        return make_histogram(metric, lambda series, block: False)


def refuse(metric: Metric) -> None:
    """Count an observation that means nothing, such as NaN."""
    with suppress(Exception):
        default_recorder().refuse(metric)


def report(what: str, error: Exception) -> None:
    """Count a failure of ours, and log the first one of each metric."""
    with suppress(Exception):
        if what not in _reported:
            _reported.add(what)
            logger.warning("%s is not recorded; the app is not affected: %s", what, str(error) or repr(error))
        default_recorder().counter(names.INTERNAL_ERRORS, ("metrics",)).add(1.0)

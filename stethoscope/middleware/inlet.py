"""Where requests of one method and scheme are counted: series by what came of them, looked up once and kept."""

from __future__ import annotations

import os
from typing import Final

from stethoscope import names
from stethoscope.names import OTHER_METHOD
from stethoscope.store.recorder import HistogramSeries, Recorder, Scalar

_SCHEMES: Final = frozenset(("http", "https", "ws", "wss"))
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"))
_MOST_REMEMBERED: Final = 10_000


def known_methods() -> frozenset[str]:
    """HTTP methods that may be a label value, case-sensitive (HTTP semantic conventions, ``http.request.method``)."""
    chosen = os.environ.get("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS")
    return frozenset(part.strip() for part in chosen.split(",")) if chosen else _METHODS


class Outcome:
    """The series of one method, scheme, route, status and error type."""

    __slots__ = ("_duration", "_received", "_sends_body", "_sent")

    def __init__(self, recorder: Recorder, labels: tuple[str, ...], *, sends_body: bool) -> None:
        self._duration = recorder.histogram(names.REQUEST_DURATION, labels)
        self._received = recorder.histogram(names.REQUEST_SIZE, labels)
        self._sent = recorder.histogram(names.RESPONSE_SIZE, labels)
        self._sends_body = sends_body

    def record(self, seconds: float, received: int, sent: int) -> None:
        self._duration.record(seconds)
        self._received.record(received)
        self._sent.record(sent if self._sends_body else 0)


class Inlet:
    """For one method and scheme. Any thread."""

    def __init__(self, recorder: Recorder, method: str, scheme: str) -> None:
        self._recorder = recorder
        self._method = method
        self._scheme = scheme
        self._outcomes: dict[tuple[str, int, str], Outcome] = {}
        self.active: Scalar = recorder.gauge(names.ACTIVE_REQUESTS, (method, scheme))

    def outcome(self, route: str, status: int, error: str) -> Outcome:
        key = (route, status, error)
        try:
            return self._outcomes[key]
        except KeyError:
            return self._add(key)

    def _add(self, key: tuple[str, int, str]) -> Outcome:
        route, status, error = key
        labels = (self._method, route, str(status or ""), self._scheme, error)
        outcome = Outcome(self._recorder, labels, sends_body=self._method != "HEAD")
        if len(self._outcomes) < _MOST_REMEMBERED:  # what comes after that is in the overflow series, as a rule
            self._outcomes[key] = outcome
        return outcome

    def first_byte(self, route: str) -> HistogramSeries:
        return self._recorder.histogram(names.FIRST_BYTE, (self._method, route, self._scheme))

    def background(self, route: str, error: str) -> HistogramSeries:
        return self._recorder.histogram(names.BACKGROUND_DURATION, (self._method, route, self._scheme, error))


class Inlets:
    """All inlets of a recorder. What is not a known method or scheme shares one place each, so that clients can not make up series."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._known = known_methods()
        self._inlets: dict[tuple[str, str], Inlet] = {}

    def find(self, method: str, scheme: str) -> Inlet:
        try:
            return self._inlets[method, scheme]
        except KeyError:
            return self._add(method if method in self._known else OTHER_METHOD, scheme if scheme in _SCHEMES else "")

    def _add(self, method: str, scheme: str) -> Inlet:
        return self._inlets.setdefault((method, scheme), Inlet(self._recorder, method, scheme))

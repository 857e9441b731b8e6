"""Where requests of one method and scheme are counted: series by what came of them, looked up once and kept."""

from __future__ import annotations

from typing import Final

from stethoscope import hot, names
from stethoscope.asgi import known_methods
from stethoscope.names import OTHER_METHOD
from stethoscope.store.recorder import Recorder
from stethoscope.store.series import HistogramSeries, RequestSeries, Scalar

_SCHEMES: Final = frozenset(("http", "https", "ws", "wss"))
_MOST_REMEMBERED: Final = 10_000


class Inlet(hot.Inlet):
    """For one method and scheme. Any thread."""

    def __init__(self, recorder: Recorder, method: str, scheme: str) -> None:
        self._recorder = recorder
        self._method = method
        self._scheme = scheme
        self.sends_body = method != "HEAD"
        self.outcomes: dict[tuple[str, int, str], RequestSeries] = {}
        self.active: Scalar = recorder.gauge(names.ACTIVE_REQUESTS, (method, scheme))

    def add_outcome(self, route: str, status: int, error: str) -> RequestSeries:
        """The series of what is not in ``outcomes`` yet. Status 0 stands for none sent."""
        outcome = self._recorder.request(self.labels(route, status, error))
        if len(self.outcomes) < _MOST_REMEMBERED:  # what comes after that is in the overflow series, as a rule
            self.outcomes[route, status, error] = outcome
        return outcome

    def labels(self, route: str, status: int, error: str) -> tuple[str, ...]:
        """The label values of an outcome's series."""
        return (self._method, route, str(status or ""), self._scheme, error)

    def first_byte(self, route: str) -> HistogramSeries:
        return self._recorder.histogram(names.FIRST_BYTE, (self._method, route, self._scheme))

    def background(self, route: str, error: str) -> HistogramSeries:
        return self._recorder.histogram(names.BACKGROUND_DURATION, (self._method, route, self._scheme, error))


class Inlets(dict[tuple[str, str], Inlet]):
    """Inlets by method and scheme.

    What is not a known method or scheme shares one place each, found by `find` only, so that clients
    can not make up series.
    """

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder
        self._known = known_methods()

    def find(self, method: str, scheme: str) -> Inlet:
        """The inlet for a request of this method and scheme, made if need be."""
        key = (method if method in self._known else OTHER_METHOD, scheme if scheme in _SCHEMES else "")
        return self.get(key) or self.setdefault(key, Inlet(self._recorder, *key))

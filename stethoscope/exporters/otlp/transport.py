"""Sending metrics through the official OTLP exporters, and learning what became of them.

The exporters only tell their caller yes or no; why not, and when to come back, goes to the log. And they do not look at what
the receiver has refused of a request that it accepted. So each is made with an ear of ours in it, and what it logs
in our thread is kept as the reason instead of being repeated with every failure.

Within the time for one request (``OTEL_EXPORTER_OTLP_TIMEOUT``) the exporters try again by themselves.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, detach, set_value
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData

from stethoscope.exporters.secrets import without_secrets

if TYPE_CHECKING:
    import requests


UNASKED: Final = "unknown"
"""The `error.type` of a request of which no receiver was asked: the exporter could not encode it, or found it too large."""


@dataclass(slots=True)
class Outcome:
    """What became of one request. ``error`` is an `error.type`, empty where the request was accepted.

    ``rejected`` is how many points the receiver refused of a request that it accepted. ``retry_after`` is how
    many seconds the receiver wants to be left alone, 0 where it says nothing. ``reason`` is for people, without
    whatever secrets an address in it has. ``final`` is true where the same request would fail again, and others may not.
    """

    error: str = ""
    rejected: int = 0
    retry_after: float = 0.0
    reason: str = ""
    final: bool = False

    def __post_init__(self) -> None:
        self.reason = without_secrets(self.reason)


class Transport:
    """Sends to one receiver, through an official exporter. For one thread at a time, but for `close`."""

    def __init__(self, exporter: MetricExporter, component: str, loggers: tuple[str, ...], heard: _Heard) -> None:
        self._exporter = exporter
        self._loggers = loggers
        self._heard = heard
        self._closed = False
        self.component = component
        """`otel.component.type` of the semantic conventions."""

    def send(self, data: MetricsData) -> Outcome:
        """Send, and wait for the answer. Raises nothing for what a receiver does."""
        heard = self._heard
        # As long as nothing is heard; an exporter that is closed refuses whatever it is given.
        heard.outcome = Outcome(error=UNASKED, final=not self._closed)
        with _kept_from_the_log(self._loggers, heard), _not_instrumented():
            try:
                accepted = self._exporter.export(data) is MetricExportResult.SUCCESS
            except Exception as error:  # of a request that cannot even be made
                return Outcome(error=type(error).__qualname__, reason=str(error), final=not self._closed)
        outcome = heard.outcome
        # A redirect is good enough for the exporter, and not for us.
        if accepted and outcome.error in ("", UNASKED):
            return Outcome(rejected=outcome.rejected, reason=outcome.reason)
        reason = outcome.reason or "; ".join(heard.logged[-1:])
        return Outcome(outcome.error, 0, outcome.retry_after, reason, outcome.final)

    def close(self) -> None:
        """Give up what is under way, as far as that can be, and close connections. Any thread, any number of times."""
        if not self._closed:
            self._closed = True
            self._exporter.shutdown()


@dataclass(slots=True)
class _Heard:
    """What the ear in an exporter has heard of the present request."""

    outcome: Outcome = field(default_factory=Outcome)
    logged: list[str] = field(default_factory=list)

    def answer(self, body: bytes) -> None:
        """The body of an answer that says yes: it may name points that were refused (OTLP, "Partial Success")."""
        try:
            partial = ExportMetricsServiceResponse.FromString(body).partial_success
        except Exception as error:  # protobuf's DecodeError; receivers answer with all kinds of things
            self.outcome = Outcome(reason=f"an answer that is not an ExportMetricsServiceResponse: {error}")
        else:
            self.outcome = Outcome(rejected=partial.rejected_data_points, reason=partial.error_message)


@contextmanager
def _not_instrumented() -> Iterator[None]:
    """Have instrumentations of HTTP and gRPC clients make no spans and metrics of our own requests."""
    token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
    try:
        yield
    finally:
        detach(token)


_MOST_KEPT: Final = 10


@contextmanager
def _kept_from_the_log(names: tuple[str, ...], heard: _Heard) -> Iterator[None]:
    """Keep what this thread logs under these names; other threads' records pass."""
    heard.logged.clear()
    thread = threading.get_ident()

    def keep(record: logging.LogRecord) -> bool:
        if record.thread != thread:
            return True
        if len(heard.logged) < _MOST_KEPT:
            heard.logged.append(record.getMessage())
        return False

    loggers = [logging.getLogger(name) for name in names]
    for logger in loggers:
        logger.addFilter(keep)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(keep)


def _exporter(make: Callable[[], MetricExporter]) -> MetricExporter:
    """Raises ValueError for what the environment has wrong, in which an endpoint may be told whole otherwise."""
    try:
        return make()
    except Exception as error:
        raise ValueError(without_secrets(f"{type(error).__qualname__}: {error}")) from None


def http() -> Transport:
    """OTLP over HTTP with protobuf. Raises ImportError where ``stethoscope[otlp]`` is not installed, and ValueError."""
    import requests
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    heard = _Heard()

    class Listening(requests.Session):
        def request(self, *args: Any, **options: Any) -> requests.Response:
            try:
                # A redirect would take headers with keys to another host, and mostly becomes a GET without the metrics.
                response = super().request(*args, **{**options, "allow_redirects": False})
            except Exception as error:
                heard.outcome = Outcome(error=type(error).__qualname__, reason=str(error))
                raise
            _hear_response(heard, response)
            return response

    return Transport(
        _exporter(lambda: OTLPMetricExporter(session=Listening())),
        "otlp_http_metric_exporter",
        ("opentelemetry.exporter.otlp.proto.http.metric_exporter", "urllib3.connectionpool"),
        heard,
    )


def _hear_response(heard: _Heard, response: requests.Response) -> None:
    status = response.status_code
    if not 200 <= status < 300:
        wait = _seconds(response.headers.get("retry-after", ""))
        leads = f", which leads to {response.headers.get('location')} and is not followed" if status < 400 else ""
        reason = f"{status} {response.reason}{leads}"
        heard.outcome = Outcome(str(status), 0, wait, reason, final=status not in _RETRYABLE_STATUSES)
    elif response.headers.get("content-type", "").startswith("application/x-protobuf"):
        heard.answer(response.content)
    else:  # some receivers answer with nothing, or with JSON, which says the same in its own way
        heard.outcome = Outcome()


_RETRYABLE_STATUSES: Final = (429, 502, 503, 504)
"""OTLP 1.10, "Retryable Response Codes": with any other status of failure the request must not be sent again as it is."""


def _seconds(text: str) -> float:
    """Seconds of a Retry-After header; 0.0 for a date, which the exporter waits for itself if it is near."""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0.0


def grpc() -> Transport:
    """OTLP over gRPC. Raises as `http` does."""
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter

    heard = _Heard()

    class Listening(OTLPMetricExporter):
        # Called at the beginning and whenever the exporter reconnects. The exporter has no public place for an
        # interceptor; where this method is gone, refused points are not counted and all else is as before.
        def _initialize_channel_and_stub(self) -> None:
            super()._initialize_channel_and_stub()  # type: ignore[no-untyped-call]
            self._client: Any = _Ear(self._client, heard)

    return Transport(
        _exporter(Listening), "otlp_grpc_metric_exporter", ("opentelemetry.exporter.otlp.proto.grpc.exporter",), heard
    )


class _Ear:
    """Around the stub that calls the receiver."""

    def __init__(self, stub: Any, heard: _Heard) -> None:
        self._stub = stub
        self._heard = heard

    def Export(self, **call: Any) -> Any:  # noqa: N802  # the service's name for it
        from grpc import RpcError

        try:
            answer = self._stub.Export(**call)
        except RpcError as error:
            self._heard.outcome = _of_rpc_error(error)
            raise
        self._heard.answer(answer.SerializeToString())
        return answer


_RETRYABLE_CODES: Final = frozenset(
    ("CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS")
)
"""OTLP 1.10, "Failures" of OTLP/gRPC; and RESOURCE_EXHAUSTED where the receiver says that it recovers."""


def _of_rpc_error(error: Any) -> Outcome:
    from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]

    code, wait, recovers = error.code().name, 0.0, False
    for key, value in error.trailing_metadata() or ():
        if key == "google.rpc.retryinfo-bin":
            delay = RetryInfo.FromString(value).retry_delay
            wait, recovers = delay.seconds + delay.nanos / 1e9, code == "RESOURCE_EXHAUSTED"
    return Outcome(code, 0, wait, f"{code}: {error.details()}", final=not (recovers or code in _RETRYABLE_CODES))

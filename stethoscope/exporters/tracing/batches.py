"""Sending spans in batches, from a thread: bounded in memory and time, with all that is lost counted.

Not the SDK's processor: that one waits up to 30 s for a collector that hangs when the process ends, tells
nobody how much it dropped, and hands a child the connections of its parent. The exporters are the
official ones, and retry as they see fit within their own time-out (10 s by default).
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple
from weakref import WeakSet

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, Context, attach, set_value
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from stethoscope import names
from stethoscope.exporters.secrets import without_secrets

if TYPE_CHECKING:
    from stethoscope.store.recorder import Recorder

_LAST_SECONDS: Final = 3.0
"""For what is left when the process ends."""


class Limits(NamedTuple):
    """As the standard variables of a batch span processor have them."""

    queue: int = 2048
    batch: int = 512
    delay_s: float = 5.0

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Limits:
        """``OTEL_BSP_…``; what is no number above 0 counts as not set, as the specification wants it."""
        queue = _number(environ, "OTEL_BSP_MAX_QUEUE_SIZE", cls().queue)
        batch = _number(environ, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", cls().batch)
        delay_ms = _number(environ, "OTEL_BSP_SCHEDULE_DELAY", 5000)
        return cls(queue, min(batch, queue), delay_ms / 1000)


def _number(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name, "").strip()
    return int(text) if text.isascii() and text.isdigit() and int(text) > 0 else default


class Batches(SpanProcessor):
    """Hands sampled spans to an exporter. Any thread may end spans; one thread in each process sends.

    A span that finds the queue full, a batch that its exporter gives up, and what is left 3 s after the
    end has begun are counted as lost, the first loss is logged. Nothing waits for the exporter but the
    end of the process. A forked child sends what ends in the child, over connections of its own.
    """

    def __init__(self, make_exporter: Callable[[], SpanExporter], recorder: Recorder, limits: Limits) -> None:
        self._make_exporter = make_exporter
        self._recorder = recorder
        self._limits = limits
        self._start_over()
        _all.add(self)

    def _start_over(self) -> None:
        self._queue: deque[ReadableSpan] = deque()
        self._wake = threading.Event()
        self._empty = threading.Event()
        self._hiring = threading.Lock()
        self._thread: threading.Thread | None = None
        self._exporter: SpanExporter | None = None
        self._closed = False

    def on_end(self, span: ReadableSpan) -> None:
        context = span.context
        if context is None or not context.trace_flags.sampled:
            return
        waiting = len(self._queue)
        if self._closed or waiting >= self._limits.queue:
            self._lose(1, "closed" if self._closed else "queue_full")
            return
        self._queue.append(span)
        if not self._is_hired():
            self._hire()
        if waiting + 1 >= self._limits.batch:
            self._wake.set()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send all that has ended. False when that was not possible in time."""
        if not self._is_hired():
            if not self._queue:
                return True
            self._hire()
        until = monotonic() + timeout_millis / 1000
        while True:
            self._empty.clear()
            self._wake.set()
            if not self._empty.wait(max(0.0, until - monotonic())):
                return False
            if not self._queue:  # else the last of them ended when the thread had looked for more
                return True

    def shutdown(self) -> None:
        """Send what is left, for 3 s at most."""
        if self._closed:
            return
        self._closed = True
        self._wake.set()
        deadline = monotonic() + _LAST_SECONDS
        if self._thread is not None:
            self._thread.join(deadline - monotonic())
        if left := len(self._queue):
            self._queue.clear()
            self._lose(left, "closed")

    def _is_hired(self) -> bool:
        # It may have ended: an exporter can raise what is no Exception.
        return self._thread is not None and self._thread.is_alive()

    def _hire(self) -> None:
        try:
            with self._hiring:
                if not self._is_hired() and not self._closed:
                    thread = threading.Thread(target=self._run, name="stethoscope-spans", daemon=True)
                    thread.start()
                    self._thread = thread
        except RuntimeError as error:  # no more threads, or the interpreter is about to end
            self._recorder.failed("spans", error)  # not under the lock: a log handler may end a span

    def _run(self) -> None:
        # Of what an exporter does nothing is traced, or it would never end.
        attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True, Context()))
        while not self._closed:
            self._wake.wait(self._limits.delay_s)
            self._wake.clear()
            self._send_all()
        self._send_all()
        if self._exporter is not None:
            self._exporter.shutdown()

    def _send_all(self) -> None:
        while self._queue:
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), self._limits.batch))]
            said, sent = _Quiet(), False
            try:
                with said:
                    if self._exporter is None:
                        self._exporter = self._make_exporter()
                    sent = self._exporter.export(batch) is SpanExportResult.SUCCESS
            except Exception as error:
                said.last = repr(error)
            finally:
                if not sent:
                    self._lose(len(batch), "not_delivered", without_secrets(said.last))
        self._empty.set()

    def _lose(self, count: int, reason: str, why: str = "") -> None:
        try:
            self._recorder.counter(names.DROPPED_EXPORTS, ("traces", reason)).add(float(count))
            self._recorder.warn_once(
                f"spans {reason}",
                "spans are lost (%s), which stethoscope_dropped_exports_total counts from now on; the app is not affected. %s",
                reason,
                why,
            )
        except Exception as error:  # a log handler's
            self._recorder.failed("spans", error)


class _Quiet(logging.Filter):
    """Keeps back what exporters log in this thread, which may be a line a batch, and remembers the last of it."""

    def __init__(self) -> None:
        super().__init__()
        self.last = ""
        self._thread = threading.get_ident()
        self._loggers: list[logging.Logger] = []

    def filter(self, record: logging.LogRecord) -> bool:
        if record.thread != self._thread:
            return True
        self.last = record.getMessage()
        return False

    def __enter__(self) -> _Quiet:
        # A filter is asked on the very logger that was called, and on none above it.
        # In one step, because other threads make loggers meanwhile.
        all_of_them = list(logging.root.manager.loggerDict)
        known = [name for name in all_of_them if name.startswith(_NOISY)]
        self._loggers = [logging.getLogger(name) for name in known]
        for logger in self._loggers:
            logger.addFilter(self)
        return self

    def __exit__(self, *_: object) -> None:
        for logger in self._loggers:
            logger.removeFilter(self)


_NOISY: Final = ("opentelemetry.exporter", "urllib3", "requests", "grpc")

_all: Final[WeakSet[Batches]] = WeakSet()


def flush(seconds: float) -> None:
    """Have all that waits in this process sent, for so long."""
    until = monotonic() + seconds
    for batches in list(_all):
        batches.force_flush(max(0, round((until - monotonic()) * 1000)))


def _after_fork_in_child() -> None:
    for batches in list(_all):
        batches._start_over()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)

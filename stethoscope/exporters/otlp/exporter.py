"""The exporter that pushes metrics over OTLP, as workers and the sidecar have it."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from stethoscope.exporters.exporter import Source
from stethoscope.exporters.otlp.configuration import GRPC, Configuration
from stethoscope.exporters.periodic import Periodic
from stethoscope.store.lease import OTLP

if TYPE_CHECKING:
    from stethoscope.exporters.otlp.push import Pusher

logger = logging.getLogger("stethoscope")

_PACKAGES: Final = {GRPC: "opentelemetry.exporter.otlp.proto.grpc"}


def otlp_exporter(source: Source) -> OTLPExporter | None:
    """The exporter for one service; None where the environment asks for none, or what it needs is not installed."""
    configuration = Configuration.of()
    if configuration is None or not _is_installed(configuration.protocol):
        return None
    return OTLPExporter(source, configuration)


def _is_installed(protocol: str) -> bool:
    package = _PACKAGES.get(protocol, "opentelemetry.exporter.otlp.proto.http")
    try:
        found = find_spec(package) is not None
    except ImportError:  # of a package that it is in
        found = False
    if not found:
        logger.warning("no metrics are sent over OTLP, because %s is missing: pip install 'stethoscope[otlp]'", package)
    return found


class OTLPExporter:
    """Pushes a service's metrics. In its own thread, and only while this process leads."""

    def __init__(self, source: Source, configuration: Configuration) -> None:
        self._source = source
        self._configuration = configuration
        self._pusher: Pusher | None = None
        self._periodic = Periodic("stethoscope-otlp", configuration.interval)

    def start(self) -> None:
        """Begin. A process that can have no more threads does not push; others may."""
        self._pusher = None
        try:
            self._periodic.start(self._work, self._prepare)
        except RuntimeError as error:
            self._source.failed("otlp", error)

    def close(self, seconds: float) -> None:
        """Push a last time if this process leads, and end. Returns within ``seconds``, whatever the receiver does."""
        self._periodic.close(seconds)
        if not self._periodic.inherited:
            self._dismiss()
        self._source.release(OTLP)

    def _prepare(self) -> None:
        """Import what takes long before it is needed: at the end of a process there is no time for it."""
        try:
            if self._source.leads(OTLP):
                self._leading()
        except Exception as error:
            self._source.failed("otlp", error)

    def _work(self) -> float:
        try:
            if self._source.leads(OTLP):
                return self._leading().push()
            self._dismiss()  # whoever has led meanwhile knows better what has arrived
        except Exception as error:
            self._source.failed("otlp", error)
        return 0.0

    def _dismiss(self) -> None:
        """Close connections, which would otherwise stay open until a full garbage collection: a sidecar sees many services end."""
        pusher, self._pusher = self._pusher, None
        if pusher is not None:
            pusher.give_up()

    def _leading(self) -> Pusher:
        if self._pusher is None:
            from stethoscope.exporters.otlp.push import Pusher  # costly, and only for the one that leads

            self._pusher = Pusher(self._source, self._configuration)
        return self._pusher

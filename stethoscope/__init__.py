"""Observability for any ASGI app: exact request metrics, right across all workers."""

from stethoscope.current import request_id
from stethoscope.install import Stethoscope, install
from stethoscope.instruments.metrics import Counter, Gauge, Histogram
from stethoscope.instruments.timer import timer
from stethoscope.reading import snapshot
from stethoscope.settings import SettingsError

__all__ = [
    "Counter",
    "Gauge",
    "Histogram",
    "SettingsError",
    "Stethoscope",
    "install",
    "request_id",
    "snapshot",
    "timer",
]

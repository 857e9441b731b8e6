"""Observability for any ASGI app: exact request metrics, right across all workers."""

from stethoscope.install import Stethoscope, install
from stethoscope.middleware.exchange import request_id
from stethoscope.settings import SettingsError

__all__ = ["SettingsError", "Stethoscope", "install", "request_id"]

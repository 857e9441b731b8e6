"""The same app with a tracer provider, as an app would set it up: spans go nowhere."""

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from tests.native.app import app

trace.set_tracer_provider(TracerProvider())

__all__ = ["app"]

"""Whether Sentry is told: by SENTRY_DSN, or because the app has initialised the SDK."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stethoscope.current import Current
    from stethoscope.exporters.sentry.requests import SentryRequests
    from stethoscope.middleware.layer import Layer
    from stethoscope.sentry_options import SentryOptions
    from stethoscope.settings import Settings

Details = Callable[["Current"], Mapping[str, object]]
"""What else is known of a request by now, such as its database work."""


def begin_sentry(
    layer: Layer, settings: Settings, options: SentryOptions, details: Details
) -> Callable[[], SentryRequests | None]:
    """Initialise the SDK if SENTRY_DSN is set and nobody has. Returns what makes the observer.

    ``details`` go into the context of events, as they are.

    At once, because the SDK's integrations change how frameworks build their apps. SENTRY_DSN without
    sentry-sdk makes one warning.
    """
    if os.environ.get("SENTRY_DSN"):
        try:
            from stethoscope.exporters.sentry.client import initialise

            initialise(options)
        except ImportError as error:
            layer.recorder.warn_once(
                "sentry",
                "nothing is sent to Sentry, although SENTRY_DSN is set: %s. To install it: pip install 'stethoscope[sentry]'",
                error,
            )
        except Exception as error:  # such as a DSN that is none
            layer.recorder.failed("sentry", error)

    def make() -> SentryRequests | None:
        if "sentry_sdk" not in sys.modules:
            return None
        from stethoscope.exporters.sentry.client import Client, is_initialised

        if not is_initialised():
            return None
        from stethoscope.exporters.sentry.requests import SentryRequests

        return SentryRequests(layer, settings, Client(layer.recorder, settings, options), details)

    return make

"""What the numbers are of: resource attributes and instrumentation scope."""

from __future__ import annotations

import os
import socket
import uuid
from importlib import metadata
from typing import Final

from opentelemetry.sdk.resources import (
    SERVICE_INSTANCE_ID,
    SERVICE_NAME,
    TELEMETRY_SDK_LANGUAGE,
    TELEMETRY_SDK_NAME,
    TELEMETRY_SDK_VERSION,
    OTELResourceDetector,
    Resource,
)
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from stethoscope.store.folder import Folder

_NAMESPACE: Final = uuid.UUID("0f5c6f0e-6d0e-5c5b-9a52-2f6a4b6f3f0d")


def resource_of(service: str, folder: Folder | None) -> Resource:
    """The service as a resource, with what ``OTEL_RESOURCE_ATTRIBUTES`` adds.

    All workers of a service push in turn as one: where the environment gives no ``service.instance.id``, it is made of the
    host and the folder that they share. Workers in private memory, who push each for itself, differ in it.
    """
    attributes: dict[str, str] = {
        TELEMETRY_SDK_LANGUAGE: "python",
        TELEMETRY_SDK_NAME: "opentelemetry",
        TELEMETRY_SDK_VERSION: metadata.version("opentelemetry-sdk"),
        SERVICE_NAME: service,
    }
    # Not Resource.create, which needs a thread pool: the first push may be the one at the interpreter's end.
    given = OTELResourceDetector().detect()
    if not given.attributes.get(SERVICE_INSTANCE_ID):
        place = f"{os.getpid()}" if folder is None else folder.identity
        attributes[SERVICE_INSTANCE_ID] = str(uuid.uuid5(_NAMESPACE, f"{socket.gethostname()}/{place}"))
    return given.merge(Resource(attributes))


def scope() -> InstrumentationScope:
    return InstrumentationScope("stethoscope", metadata.version("stethoscope"))

"""What is compared: one file per rival, each a function `wrap(app) -> app`.

A contender is imported only in the process that measures it, so that no rival's imports, patches or
registries are present while another one runs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

CONTENDERS: Final = {
    "bare": "benchmarks.contenders.bare",
    "wrap": "benchmarks.contenders.wrap",
    "headers": "benchmarks.contenders.headers",
    "stethoscope": "benchmarks.contenders.stethoscope",
    "stack": "benchmarks.contenders.stack",
    "stack-multiprocess": "benchmarks.contenders.stack_multiprocess",
    "pfi": "benchmarks.contenders.pfi",
    "opentelemetry": "benchmarks.contenders.opentelemetry",
    "stethoscope-alone": "benchmarks.contenders.stethoscope_alone",
    "stethoscope-runtime": "benchmarks.contenders.stethoscope_runtime",
    "stethoscope-queue": "benchmarks.contenders.stethoscope_queue",
    "stethoscope-requests": "benchmarks.contenders.stethoscope_requests",
    "stethoscope-unsampled": "benchmarks.contenders.stethoscope_unsampled",
    "stethoscope-sampled": "benchmarks.contenders.stethoscope_sampled",
    "opentelemetry-unsampled": "benchmarks.contenders.opentelemetry_unsampled",
    "opentelemetry-sampled": "benchmarks.contenders.opentelemetry_sampled",
}


def wrap(name: str, app: ASGIApp) -> ASGIApp:
    """`app` as the contender called `name` would serve it; KeyError for an unknown name."""
    wrapper = cast("Callable[[ASGIApp], ASGIApp]", import_module(CONTENDERS[name]).wrap)
    return wrapper(app)

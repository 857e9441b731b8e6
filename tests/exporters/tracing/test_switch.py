"""Whether requests are traced, and what finding out costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SERVE = """
import asyncio, sys
import opentelemetry.trace
import stethoscope
from tests.middleware.observed import call, http_scope
from tests.middleware.scripted import plain
{provider}
assert call(stethoscope.install(plain), http_scope("GET", "/"))
print("opentelemetry.sdk.trace" in sys.modules)
"""
PROVIDER = (
    "from opentelemetry.sdk.trace import TracerProvider; opentelemetry.trace.set_tracer_provider(TracerProvider())"
)


@pytest.mark.parametrize(("provider", "imported"), [("", "False\n"), (PROVIDER, "True\n")], ids=["none", "one"])
def test_the_sdk_is_not_imported_for_an_app_that_only_has_the_api(provider: str, imported: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SERVE.format(provider=provider)],
        capture_output=True,
        check=True,
        text=True,
        env={"STETHOSCOPE_DIR": str(tmp_path), "PYTHONPATH": ":".join(path for path in sys.path if path)},
    )
    assert done.stdout == imported

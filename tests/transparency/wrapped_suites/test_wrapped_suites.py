"""No test of Starlette or FastAPI fails wrapped that does not fail bare.

uvicorn's suite is not among them: some of its WebSocket tests hang now and then, bare as well as wrapped.
"""

from __future__ import annotations

import sys

import pytest

from tests.transparency.wrapped_suites.suites import Run, Suite, run_suite

NEEDS_LOGFIRE = "needs logfire, whose pytest plugin would be loaded into every run of ours"
ASKS_US = "sets the variables that ask us to push metrics over OTLP too, and counts what is logged about it"

STARLETTE = Suite("starlette")
FASTAPI = Suite(
    "fastapi",
    left_out={
        f"tests/test_telemetry/{test}": NEEDS_LOGFIRE
        for test in (
            "test_background.py::test_background_task_integrations[logfire]",
            "test_background.py::test_background_task_integrations[native_logfire]",
            "test_environment_integrations.py::test_environment_export_with_existing_integrations[logfire]",
            "test_environment_integrations.py::test_environment_export_with_existing_integrations[logfire-opt-out]",
            "test_integrations.py::test_current_logfire[before]",
            "test_integrations.py::test_current_logfire[after]",
            "test_integrations.py::test_logfire_global_provider_without_fastapi_instrumentor",
            "test_native_integrations.py::test_logfire_native_spans_and_exception_logs",
            "test_runtime.py::test_registration_provider_prefers_public_metric_reader",
            "test_runtime.py::test_concurrent_provider_owner_wins[True]",
        )
    }
    | {
        f"tests/test_telemetry/{test}": ASKS_US
        for test in (
            "test_runtime.py::test_concurrent_provider_owner_wins[False]",
            "test_runtime.py::test_invalid_configuration_warns_without_disabling_providers",
        )
    },
)

pytestmark = [pytest.mark.timeout(2400)]


def say(capfd: pytest.CaptureFixture[str], *lines: str) -> None:
    """Past pytest's capture: what was run has to be read in every log, not only in a failing one."""
    with capfd.disabled():
        print("", *lines, sep="\n", file=sys.stderr)


def summary(suite: Suite, mode: str, run: Run) -> str:
    through = ", ".join(f"{count} {kind}" for kind, count in sorted(run.scopes.items()))
    return f"{suite.name} {suite.version} {mode}: {len(run.outcomes)} tests, {len(run.failed)} failed; {through}"


def looked_into(suite: Suite, mode: str, failed: set[str]) -> tuple[set[str], set[str]]:
    """Of the tests that failed wrapped, those that fail bare too, and those that pass when run wrapped once more."""
    if not failed:
        return set(), set()
    tests = sorted(failed)
    bare, again = run_suite(suite, "bare", *tests).failed, run_suite(suite, mode, *tests).failed
    return bare, failed - bare - again


@pytest.mark.parametrize(
    ("suite", "mode"),
    [
        (STARLETTE, "without-headers"),
        (STARLETTE, "default-headers"),
        (FASTAPI, "without-headers"),
    ],
    ids=[
        "starlette-without-headers",
        "starlette-default-headers",
        "fastapi-without-headers",
    ],
)
def test_suite_gives_the_same_verdicts_wrapped(suite: Suite, mode: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A4, A10, A11, A13: other people's tests cannot tell that every app of theirs is wrapped."""
    wrapped = run_suite(suite, mode)
    bare, unsteady = looked_into(suite, mode, wrapped.failed)
    broken = wrapped.failed - bare - unsteady
    say(
        capfd,
        summary(suite, mode, wrapped),
        *(f"  left out: {test} ({reason})" for test, reason in suite.left_out.items()),
        *(f"  fails bare, so it proves nothing: {test}" for test in sorted(bare)),
        *(f"  failed once wrapped and passed when run again: {test}" for test in sorted(unsteady)),
        *(f"  fails only wrapped: {test}" for test in sorted(broken)),
    )
    assert broken == set()
    assert all(wrapped.scopes.get(kind, 0) > 0 for kind in ("http", "websocket", "lifespan"))

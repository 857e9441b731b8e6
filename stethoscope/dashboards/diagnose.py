"""The command ``stethoscope diagnose``: what was found wrong, from an address or from this host's folders.

The exit status is 1 where a finding is at least as severe as ``--fail-on`` says, else 0.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from stethoscope.dashboards.documents.diagnosis import Diagnosis, Finding, findings
from stethoscope.dashboards.documents.window import Moment
from stethoscope.dashboards.source import add_source_arguments, answer, one_service, question, settings_of
from stethoscope.dashboards.terminal import shown
from stethoscope.diagnosis.finding import SEVERITIES
from stethoscope.names import FINDINGS_FOUND
from stethoscope.names.findings import Severity

_NEVER: Final = "never"


def add_arguments(parser: ArgumentParser) -> None:
    add_source_arguments(parser)
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="output for people or for programs (default: text)"
    )
    parser.add_argument(
        "--fail-on",
        choices=(*map(str, SEVERITIES), _NEVER),
        default=str(Severity.WARNING),
        help="exit with status 1 if a finding is this severe or more (default: warning)",
    )


def run(arguments: Namespace) -> int:
    """Look once, and print it. Raises `CommandError`."""
    found = _from_address(arguments) if arguments.address else _from_folder(arguments)
    print(json.dumps(Diagnosis(items=found), indent=2) if arguments.format == "json" else "\n".join(lines(found)))
    return int(any(_fails(one, arguments.fail_on) for one in found))


def _fails(finding: Finding, limit: str) -> bool:
    return limit != _NEVER and SEVERITIES.index(Severity(finding["severity"])) <= SEVERITIES.index(Severity(limit))


def _from_address(arguments: Namespace) -> list[Finding]:
    return answer(question(arguments, "diagnosis", {}), Diagnosis)["items"]


def _from_folder(arguments: Namespace) -> list[Finding]:
    settings = settings_of(arguments)
    watched = one_service(settings)
    moment = Moment(watched.snapshot(), watched.history())
    return findings(moment.window("all"), watched.notes(FINDINGS_FOUND), settings.thresholds)


def lines(found: list[Finding]) -> Iterator[str]:
    """A report: the worst first, each with what shows it and what cures it."""
    if not found:
        yield "nothing found"
    for finding in found:
        yield from _finding(finding)
    if found:
        yield _totals(found)


def _finding(finding: Finding) -> Iterator[str]:
    evidence = finding["evidence"]
    yield f"{finding['severity']}: {finding['kind']}{_of(finding['route'])}"
    yield f"  {shown(finding['summary'])}"
    for label, text in (("cure", finding["cure"]), ("line", evidence.get("site")), ("query", evidence.get("text"))):
        if text:
            yield f"  {label + ':':<7}{shown(' '.join(str(text).split()))}"
    yield f"  {'seen:':<7}{_seen(finding)}"
    yield ""


def _of(route: str) -> str:
    return f" in {shown(route)}" if route else ""


def _seen(finding: Finding) -> str:
    times = finding["occurrences"]
    request = finding["evidence"].get("request_id")
    return (
        f"{times:,} time{'s' * (times != 1)}, {_time(finding['first_at_unix_seconds'])} to "
        f"{_time(finding['last_at_unix_seconds'])}{f', last in request {shown(str(request))}' if request else ''}"
    )


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}Z"


def _totals(found: list[Finding]) -> str:
    counts = [(severity, sum(one["severity"] == severity for one in found)) for severity in SEVERITIES]
    return ", ".join(f"{count} {severity}" for severity, count in counts if count)

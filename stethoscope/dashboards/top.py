"""The command ``stethoscope top``: the overview in a terminal, from an address or from this host's folders."""

from __future__ import annotations

import os
import shutil
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import cast

from stethoscope.command import CommandError
from stethoscope.dashboards.documents.diagnosis import findings
from stethoscope.dashboards.documents.overview import Overview, overview
from stethoscope.dashboards.documents.performance import last_errors
from stethoscope.dashboards.documents.window import WINDOWS, Moment, WindowName
from stethoscope.dashboards.source import add_source_arguments, answer, one_service, question, settings_of
from stethoscope.dashboards.terminal import lines
from stethoscope.names import FINDINGS_FOUND, REQUESTS

_OTHER_SCREEN, _BACK = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_HOME, _CLEAR_REST = "\x1b[H", "\x1b[J"
_CLEAR_LINE = "\x1b[K"

Look = Callable[[], Overview]


def add_arguments(parser: ArgumentParser) -> None:
    add_source_arguments(parser)
    parser.add_argument("--window", choices=WINDOWS, default="1m", help="how far back the numbers go (default: 1m)")
    parser.add_argument(
        "--interval", type=float, default=2.0, metavar="SECONDS", help="seconds between two looks (default: 2)"
    )
    parser.add_argument("--once", action="store_true", help="print it once and exit")


def run(arguments: Namespace) -> int:
    """Look until interrupted, or once. Raises `CommandError`."""
    if not arguments.interval > 0:
        raise CommandError(f"--interval {arguments.interval:g} is not valid: expected seconds above 0")
    look = _from_address(arguments) if arguments.address else _from_folder(arguments)
    if arguments.once or not sys.stdout.isatty():
        print("\n".join(_drawn(look(), sys.stdout.isatty())))
        return 0
    return _go_on(look, arguments.interval)


def _go_on(look: Look, interval: float) -> int:
    print(_OTHER_SCREEN, end="")
    try:
        while True:
            text = f"{_CLEAR_LINE}\n".join(_drawn(look(), True))
            print(f"{_HOME}{text}{_CLEAR_LINE}{_CLEAR_REST}", end="", flush=True)
            time.sleep(interval)
    finally:
        print(_BACK, end="", flush=True)


def _drawn(document: Overview, colour: bool) -> list[str]:
    width, height = shutil.get_terminal_size((100, 40))
    return lines(document, width, height - 1, colour=colour and "NO_COLOR" not in os.environ)


def _from_address(arguments: Namespace) -> Look:
    asked = question(arguments, "overview", {"window": arguments.window})
    return lambda: answer(asked, Overview)


def _from_folder(arguments: Namespace) -> Look:
    settings = settings_of(arguments)
    watched = one_service(settings)
    name = cast("WindowName", arguments.window)

    def look() -> Overview:
        moment = Moment(watched.snapshot(), watched.history())
        found = findings(moment.window("all"), watched.notes(FINDINGS_FOUND), settings.thresholds)
        errors = last_errors(watched.brief_notes(REQUESTS))
        return overview(name, moment.window(name), settings.thresholds, found, errors)

    return look

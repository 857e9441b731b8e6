"""The command ``stethoscope top``: the overview in a terminal, from an address or from this host's folders."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import Final, cast
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

from stethoscope.command import CommandError
from stethoscope.dashboards.documents.diagnosis import findings
from stethoscope.dashboards.documents.overview import Overview, overview
from stethoscope.dashboards.documents.performance import last_errors
from stethoscope.dashboards.documents.window import WINDOWS, Moment, WindowName
from stethoscope.dashboards.terminal import lines
from stethoscope.names import FINDINGS_FOUND, REQUESTS
from stethoscope.settings import Settings
from stethoscope.store.discovery import Discovery
from stethoscope.store.home import default_places
from stethoscope.store.watched import Watched

_PREFIX: Final = "/_stethoscope"
_SECONDS: Final = 10
_MOST_BYTES: Final = 8 << 20
_OTHER_SCREEN, _BACK = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_HOME, _CLEAR_REST = "\x1b[H", "\x1b[J"
_CLEAR_LINE = "\x1b[K"

Look = Callable[[], Overview]


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "address",
        nargs="?",
        help="of an app or a sidecar, such as http://127.0.0.1:8000 (default: this host's folders)",
    )
    parser.add_argument("--service", metavar="NAME", help="the service to look at, where there are several")
    parser.add_argument(
        "--dir", metavar="FOLDER", help="where services record (default: STETHOSCOPE_DIR, else as apps do)"
    )
    parser.add_argument("--token", help="bearer token of the address (default: STETHOSCOPE_TOKEN)")
    parser.add_argument("--window", choices=WINDOWS, default="1m", help="what the numbers cover (default: 1m)")
    parser.add_argument(
        "--interval", type=float, default=2.0, metavar="SECONDS", help="from one look to the next (default: 2)"
    )
    parser.add_argument("--once", action="store_true", help="look once, and print it")


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
    address = str(arguments.address)
    parts = urlsplit(address if "://" in address else f"http://{address}")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise CommandError(f"{address} is no address: expected one such as http://127.0.0.1:8000")
    base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/') or _PREFIX}"
    url = f"{base}/api/overview?{urlencode({'window': arguments.window})}"
    token = arguments.token or os.environ.get("STETHOSCOPE_TOKEN")
    request = Request(url, headers={"authorization": f"Bearer {token}"} if token else {})
    return lambda: _asked(request)


def _asked(request: Request) -> Overview:
    try:
        with urlopen(request, timeout=_SECONDS) as response:
            return cast("Overview", json.loads(response.read(_MOST_BYTES)))
    except HTTPError as error:
        hint = ": give the token by --token or STETHOSCOPE_TOKEN" if error.code in (401, 403) else ""
        raise CommandError(f"{request.full_url} answers {error.code} {error.reason}{hint}") from error
    except (URLError, OSError) as error:
        raise CommandError(f"{request.full_url} can not be reached: {getattr(error, 'reason', error)}") from error
    except ValueError as error:
        raise CommandError(f"{request.full_url} does not answer as Stethoscope does: {error}") from error


def _from_folder(arguments: Namespace) -> Look:
    settings = Settings.resolve(service=arguments.service, dir=arguments.dir)
    places = [settings.dir] if settings.dir else list(default_places())
    found, problems = Discovery(places, services=(settings.service,) if settings.service else ()).look({})
    if len(found) != 1:
        known = f"there are {', '.join(sorted(found))}: choose one by --service" if found else "there is none"
        raise CommandError(
            f"one service is looked at; in {', '.join(places)} {known}{''.join(f'; {one}' for one in problems)}"
        )
    [(key, folder)] = found.items()
    watched = Watched(key.partition("@")[0], folder, lambda where, error: None)
    name = cast("WindowName", arguments.window)

    def look() -> Overview:
        moment = Moment(watched.snapshot(), watched.history(), watched.notes)
        found = findings(moment.window("all"), moment.notes(FINDINGS_FOUND), settings.thresholds)
        return overview(name, moment.window(name), settings.thresholds, found, last_errors(moment.notes(REQUESTS)))

    return look

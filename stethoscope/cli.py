"""The command line: which commands there are, and how each of them ends.

To add a command, write a module as `stethoscope.command` says, and add one line to `COMMANDS`.

| exit status | when |
|---|---|
| what ``run`` returns | the command has ended by itself |
| 2 | the user got something wrong: one line on stderr says what, and what to do |
| 130 | interrupted from the keyboard |
| 141 | whoever read stdout stopped reading (as a shell shows SIGPIPE) |
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Final, NamedTuple, NoReturn, cast

from stethoscope.command import Command, CommandError
from stethoscope.settings import SettingsError


class Entry(NamedTuple):
    """A command: its module, a line for ``--help``, and the extra that has what the module imports, if any."""

    module: str
    summary: str
    extra: str | None = None


COMMANDS: Final[Mapping[str, Entry]] = {
    "sidecar": Entry("stethoscope.sidecar.command", "serve the metrics of all services on this host", "sidecar"),
    "top": Entry("stethoscope.dashboards.top", "show how a service is doing, in the terminal"),
    "diagnose": Entry("stethoscope.dashboards.diagnose", "say what is wrong with a service, and how to fix it"),
    "dashboards": Entry("stethoscope.signals.commands.dashboards", "write Grafana dashboards"),
    "rules": Entry("stethoscope.signals.commands.rules", "write recording and alerting rules for Prometheus"),
    "alertmanager": Entry("stethoscope.signals.commands.alertmanager", "write a configuration for Alertmanager"),
    "runbook": Entry("stethoscope.signals.commands.runbook", "write a runbook: what to do when an alert fires"),
    "stack": Entry(
        "stethoscope.signals.commands.stack", "write what runs all of it: provisioning, compose, Kubernetes"
    ),
}
"""All commands by name, in the order of ``--help``. A module is imported when its command is chosen, and not before."""


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see '{self.prog} --help'\n")


class _Version(argparse.Action):
    """Looks the version up only when asked: that is slow, and a checkout that was not installed has none."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib import metadata

        print(f"stethoscope {metadata.version('stethoscope')}")
        parser.exit()


def main(argv: Sequence[str] | None = None, commands: Mapping[str, Entry] = COMMANDS) -> int:
    """Run the command that ``argv`` (by default of the process) names; returns the exit status.

    Raises SystemExit where argparse does: after ``--help``, and for wrong arguments.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    chosen = _front(commands).parse_args(arguments[:1]).command
    prog, entry = f"stethoscope {chosen}", commands[chosen]
    try:
        return _run(prog, entry, arguments[1:])
    except (CommandError, SettingsError) as error:
        return _fail(prog, str(error))
    except ModuleNotFoundError as error:
        if not entry.extra or (error.name or "").startswith("stethoscope"):
            raise
        return _fail(prog, f"needs {error.name}, which is not installed: pip install 'stethoscope[{entry.extra}]'")
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The interpreter flushes stdout once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _front(commands: Mapping[str, Entry]) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="stethoscope",
        usage="stethoscope [--version] command …",
        description="Observability for any ASGI app, from the command line.",
        epilog="\n".join(["commands:", *(f"  {name:<14}{entry.summary}" for name, entry in commands.items())])
        + "\n\nEach command has its own --help.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    parser.add_argument("command", choices=list(commands), help=argparse.SUPPRESS)
    return parser


def _run(prog: str, entry: Entry, argv: Sequence[str]) -> int:
    command = cast("Command", import_module(entry.module))
    parser = _Parser(prog=prog, description=f"{entry.summary[:1].upper()}{entry.summary[1:]}.")
    command.add_arguments(parser)
    status = command.run(parser.parse_args(argv))
    sys.stdout.flush()
    return status


def _fail(prog: str, text: str) -> int:
    print(f"{prog}: {' '.join(text.split())}", file=sys.stderr)
    return 2

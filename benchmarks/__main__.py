"""`python -m benchmarks`: every measure, or the one that is named."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from benchmarks import inprocess
from benchmarks.apps import APPS, make_app
from benchmarks.contenders import CONTENDERS, wrap
from benchmarks.machine import machine_facts
from benchmarks.report import Result, render, render_floors, render_table, save

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def _inprocess(options: argparse.Namespace) -> Result:
    contenders = inprocess.DEFAULT_CONTENDERS
    if options.contender:
        asked = {"bare", "wrap", *options.contender}
        apps = [options.app] if options.app else list(contenders)
        contenders = {app: tuple(name for name in CONTENDERS if name in asked) for app in apps}
    elif options.app:
        contenders = {options.app: contenders[options.app]}
    return inprocess.run(contenders, options.rounds, options.processes)


def _only(options: argparse.Namespace) -> None:
    """One contender's loop in this very process, for a profiler to look at."""
    from benchmarks.inprocess_worker import time_requests

    app = options.app or "raw"
    for contender in options.contender or ["stethoscope"]:
        seconds = time_requests(wrap(contender, make_app(app)), options.requests)
        print(f"{contender} ({app}): {seconds * 1e6:.2f} µs per request, unwarmed and not compared")


MEASURES: dict[str, Callable[[argparse.Namespace], Result]] = {
    "inprocess": _inprocess,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    measures = parser.add_subparsers(dest="measure", metavar="measure")
    command = measures.add_parser("inprocess", help="cost per request, contender minus bare")
    command.add_argument("--rounds", type=int, default=40)
    command.add_argument("--processes", type=int, default=3, help="processes per contender")
    command.add_argument("--contender", action="append", choices=[*CONTENDERS])
    command.add_argument("--app", choices=APPS)
    command.add_argument("--only", action="store_true", help="run the loop here, to be profiled")
    command.add_argument("--requests", type=int, default=200_000, help="with --only")
    return parser


def _options(arguments: Sequence[str]) -> tuple[list[str], argparse.Namespace]:
    """The measures to run and their options; without a measure, all of them with defaults."""
    parser = _parser()
    options = parser.parse_args(arguments)
    return ([options.measure], options) if options.measure else ([*MEASURES], options)


def main(arguments: Sequence[str]) -> int:
    """Runs, prints and saves; 1 when a floor was missed, else 0."""
    names, options = _options(arguments)
    if getattr(options, "only", False):
        _only(options)
        return 0
    machine = machine_facts()
    print(render_table(("machine", ""), machine.items()))
    results = []
    for name in names:
        own = options if options.measure else _parser().parse_args([name])
        result = MEASURES[name](own)
        results.append(result)
        print(f"\n{render(result)}\n\n(saved as {save(result, machine).name})", flush=True)
    floors = [floor for result in results for floor in result.floors]
    if len(results) > 1:
        print("\n## All floors\n\n" + render_floors(floors))
    return 0 if all(floor.met for floor in floors) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

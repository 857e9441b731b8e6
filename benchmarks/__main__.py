"""`python -m benchmarks`: every measure, or the one that is named."""

from __future__ import annotations

import argparse
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from benchmarks import (
    accuracy,
    api,
    database,
    exports,
    imports,
    inprocess,
    instructions,
    memory,
    scrape,
    throughput,
    tracing,
    viewers,
    vitals,
)
from benchmarks.apps import APPS, make_app
from benchmarks.contenders import CONTENDERS, wrap
from benchmarks.machine import machine_facts
from benchmarks.report import Floor, Result, render, render_floors, render_table, save

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Measure:
    """One subcommand: what it says about itself, its whole-number options, and how it is run."""

    help: str
    options: Mapping[str, int]
    run: Callable[[argparse.Namespace], Result]
    chooses_contenders: bool = False


MEASURES: Final = {
    "inprocess": Measure(
        "cost per request in the process, contender minus bare",
        {"rounds": 50, "processes": 5},
        lambda options: inprocess.run(
            _chosen(options, inprocess.DEFAULT_CONTENDERS), options.rounds, options.processes
        ),
        chooses_contenders=True,
    ),
    "throughput": Measure(
        "requests per second under uvicorn and wrk",
        {"rounds": 8, "seconds": 2},
        lambda options: throughput.run(
            _chosen(options, throughput.DEFAULT_CONTENDERS), options.rounds, options.seconds
        ),
        chooses_contenders=True,
    ),
    "instructions": Measure(
        "instructions that a server takes for a request, counted by valgrind",
        {"seconds": 10},
        lambda options: instructions.run(_chosen(options, instructions.DEFAULT_CONTENDERS), options.seconds),
        chooses_contenders=True,
    ),
    "tracing": Measure(
        "what OpenTelemetry's traces add to a request in the process",
        {"rounds": 50, "processes": 5},
        lambda options: tracing.run(options.rounds, options.processes),
    ),
    "exports": Measure(
        "requests per second while metrics are pushed to receivers that are well, ill, or away",
        {"rounds": 8, "seconds": 2},
        lambda options: exports.run(options.rounds, options.seconds),
    ),
    "vitals": Measure(
        "what sampling takes of a core, and what instruments add to a request",
        {"rounds": 50, "processes": 5, "seconds": 20, "periods": 3},
        lambda options: vitals.run(options.rounds, options.processes, options.seconds, options.periods),
    ),
    "scrape": Measure(
        "one scrape of eight workers, and the memory it reads",
        {"rounds": 7},
        lambda options: scrape.run(options.rounds),
    ),
    "api": Measure(
        "how long the metrics API takes to answer for eight workers and 200 routes",
        {"rounds": 40},
        lambda options: api.run(options.rounds),
    ),
    "accuracy": Measure(
        "error of merged quantiles",
        {"values": 200_000},
        lambda options: accuracy.run(options.values),
    ),
    "memory": Measure(
        "growth of resident memory",
        {"requests": 1_000_000},
        lambda options: memory.run(options.requests),
    ),
    "viewers": Measure(
        "the app's p99 while many look at its live page",
        {"viewers": 1000, "rounds": 8, "seconds": 6},
        lambda options: viewers.run(options.viewers, options.rounds, options.seconds),
    ),
    "database": Measure(
        "cost of a query, and of looking for what is ill",
        {"rounds": 15, "processes": 4, "pairs": 100},
        lambda options: database.run(options.rounds, options.processes, options.pairs),
    ),
    "imports": Measure(
        "time and weight of `import stethoscope`",
        {"interpreters": 31},
        lambda options: imports.run(options.interpreters),
    ),
}


def _chosen(options: argparse.Namespace, defaults: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
    """Contenders by app: the defaults, or those named beside the two that all are compared with."""
    apps = [options.app] if options.app else [*defaults]
    if not options.contender:
        return {app: defaults[app] for app in apps}
    named = {"bare", "wrap", *options.contender}
    return {app: [name for name in CONTENDERS if name in named] for app in apps}


def _loop(options: argparse.Namespace) -> None:
    """One contender's loop in this very process, for a profiler to look at."""
    from benchmarks.inprocess_worker import time_requests

    app = options.app or "raw"
    for contender in options.contender or ["stethoscope"]:
        seconds = time_requests(wrap(contender, make_app(app)), options.requests)
        print(f"{contender} ({app} app): {seconds * 1e6:.2f} µs per request, app included, compared with nothing")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="measure", metavar="measure")
    for name, measure in MEASURES.items():
        command = commands.add_parser(name, help=measure.help)
        for option, default in measure.options.items():
            command.add_argument(f"--{option}", type=int, default=default, help=f"default {default:,}")
        if measure.chooses_contenders:
            command.add_argument("--contender", action="append", choices=[*CONTENDERS], help="may be repeated")
            command.add_argument("--app", choices=APPS)
        if name == "inprocess":
            command.add_argument("--only", action="store_true", help="run one loop here, for a profiler")
            command.add_argument("--requests", type=int, default=200_000, help="with --only, default 200,000")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Runs, prints and saves; 1 when a floor was missed, else 0."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if getattr(options, "only", False):
        _loop(options)
        return 0
    machine = machine_facts()
    print(render_table(("machine", ""), machine.items()))
    floors: list[Floor] = []
    for name in [options.measure] if options.measure else [*MEASURES]:
        result = MEASURES[name].run(options if options.measure else parser.parse_args([name]))
        floors += result.floors
        print(f"\n{render(result)}\n\nReadings: {save(result, machine)}", flush=True)
    if not options.measure:
        print(f"\n## All floors\n\n{render_floors(floors)}")
    return 0 if all(floor.met for floor in floors) else 1


if __name__ == "__main__":
    # As an interrupt does: a benchmark that is told to stop takes its servers and workers with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(sys.argv[1:]))

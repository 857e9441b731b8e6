"""``stethoscope stack``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from stethoscope.signals import files, options


def add_arguments(parser: ArgumentParser) -> None:
    options.add(parser)


def run(arguments: Namespace) -> int:
    return options.write(files.KINDS["stack"], arguments)

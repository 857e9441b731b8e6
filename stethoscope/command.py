"""What a command of ``stethoscope`` is: a module with two functions.

    def add_arguments(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--service", help="…")

    def run(arguments: argparse.Namespace) -> int:           # the exit status
        …

`stethoscope.cli` finds the module in its table and imports it when the command is chosen; the module
imports what is heavy, or belongs to an extra, as late as it likes. Results go to stdout and nothing
else does. A mistake of the user's is a `CommandError` (or `SettingsError`) raised by ``run``: one line on stderr and
exit status 2. argparse does the same with mistakes in the arguments themselves.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Protocol


class CommandError(Exception):
    """The user asked for something that cannot be done. The text is one line: what came, what is accepted, what to do."""


class Command(Protocol):
    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the command's own arguments."""

    def run(self, arguments: Namespace) -> int:
        """Do it; returns the exit status. Raises `CommandError`."""

"""Middlewares that are broken on purpose, each in one way that somebody has shipped.

Each names the cases that must catch it: an oracle that lets one of them pass proves nothing.
"""

from __future__ import annotations

from tests.transparency.mutants import around_the_call, headers, incoming, outgoing

MUTANTS = tuple(
    mutant for module in (headers, outgoing, incoming, around_the_call) for mutant in module.mutants.members
)

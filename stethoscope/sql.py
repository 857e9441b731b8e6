"""Texts of statements in parts, and the same texts without their literals.

The scanner goes through a statement once and takes time linear in its length. Where it cannot know whether something
is a literal, it takes it for one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

MOST_CHARACTERS: Final = 16_384
"""Of a statement that are looked at."""

_BEFORE_NAMES: Final = frozenset(("FROM", "JOIN", "INTO", "UPDATE", "TABLE", "AS", "ON", "."))

_BACKSLASH: Final = frozenset(("mysql", "mariadb"))
"""Products in which a backslash escapes within strings, and ``#`` begins a comment."""
_STRICT: Final = frozenset(("postgresql", "oracle.db", "microsoft.sql_server", "ibm.db2", "cockroachdb"))
"""Products in which double quotes are only ever around names, and a backslash is a character like others."""

_ESCAPED: Final = r"'(?:[^'\\]|''|\\.)*(?:'|$)"
_PLAIN: Final = r"'(?:[^']|'')*(?:'|$)"


def _scanner(string: str, comment: str) -> re.Pattern[str]:
    return re.compile(
        rf"""
          (?P<space>\s+)
        | (?P<comment>{comment}[^\n]*|/\*.*?(?:\*/|$))
        | (?P<string>[Ee]{_ESCAPED}|(?:[NnBbXxUu]&?)?{string}|\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|$))
        | (?P<quoted>{string.replace("'", '"')})
        | (?P<backtick>`(?:[^`]|``)*(?:`|$))
        | (?P<named>%\([^)]*\)s|(?<![:\w]):[^\W\d]\w*)
        | (?P<numbered>[$:]\d+)
        | (?P<unnamed>\?|%s)
        | (?P<word>[^\W\d][\w$]*)
        | (?P<number>(?:\d[\w.]*|\.\d[\w]*)(?:(?<=[eE])[+-]\d+)?)
        | (?P<cast>::)
        | (?P<sign>.)
        """,
        re.VERBOSE | re.DOTALL,
    )


_SCANNERS: Final = {False: _scanner(_PLAIN, "--"), True: _scanner(_ESCAPED, r"(?:--|\#)")}


class Token(NamedTuple):
    kind: str
    text: str


def without_literals(sql: str, system: str = "") -> str:
    """A statement with ``?`` for each literal, its placeholders as they are. Comments are gone. Never raises.

    Of a longer one its first 16 kB, with an ellipsis.

    ``system`` is a database product (``db.system.name``); of one that is not known the rules are not known either.
    """
    shown = {"literal", "number"}
    text = "".join(["?" if kind in shown else text for kind, text in tokens_of(sql[:MOST_CHARACTERS], system)])
    return f"{text}…" if len(sql) > MOST_CHARACTERS else text


def tokens_of(sql: str, system: str) -> Iterator[Token]:
    """Tokens without comments, literals as ``?``; spaces are one space."""
    strict = system in _STRICT
    if not strict and system not in _BACKSLASH and system != "sqlite" and ("\\" in sql or "#" in sql):
        # Unknown rules for strings and comments: where one ends cannot be told.
        sql = re.split(r"['\"$]", sql, maxsplit=1)[0] + " ?"
    before = ""
    spaced = False
    for match in _SCANNERS[system in _BACKSLASH].finditer(sql):
        kind = match.lastgroup or "sign"
        if kind == "tag":
            kind = "string"
        if kind in ("space", "comment"):
            spaced = True
            continue
        if spaced and before:
            yield Token("space", " ")
        spaced = False
        text = match.group()
        if kind in ("string", "number") or (kind == "quoted" and not strict and before.upper() not in _BEFORE_NAMES):
            yield Token(
                "number" if kind == "number" and text.isdecimal() else "literal", text if kind == "number" else ""
            )
        else:
            yield Token(kind, text)
        before = text

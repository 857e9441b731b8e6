"""What a statement is about, without its literals.

Of a statement 16 kB are read. Where it cannot be known whether something is a literal, it is taken for one: none is ever kept.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, NamedTuple

from stethoscope.sql import MOST_CHARACTERS, Token, tokens_of

_MOST_TEXT: Final = 1_800


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


OPERATIONS: Final = _words(
    "ALTER ANALYZE BEGIN CALL COMMIT COPY CREATE DECLARE DELETE DO DROP EXEC EXECUTE EXPLAIN FETCH GRANT INSERT LISTEN "
    "LOCK MERGE NOTIFY PRAGMA REFRESH REINDEX RELEASE REPLACE REVOKE ROLLBACK SAVEPOINT SELECT SET SHOW START TABLE "
    "TRUNCATE UPDATE UPSERT USE VACUUM VALUES"
)
OTHER_OPERATION: Final = "_OTHER"
_DATA: Final = frozenset(("SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"))
_AFTER_TABLE: Final = _words(
    "WHERE SET VALUES ORDER GROUP LIMIT OFFSET FETCH HAVING RETURNING FOR UNION INTERSECT EXCEPT WINDOW SELECT DEFAULT "
    "USING ON AS"
)
_CHANGING: Final = frozenset(("INSERT", "UPDATE", "DELETE", "MERGE"))
_ANEW: Final = _words(
    "CLOCK_TIMESTAMP CURRVAL GEN_RANDOM_UUID GET_LOCK LASTVAL NEWID NEXTVAL PG_NOTIFY RAND RANDOM RELEASE_LOCK SETVAL TIMEOFDAY "
    "UUID UUID_GENERATE_V4"
)
_LOCKING: Final = ("PG_ADVISORY_", "PG_TRY_ADVISORY_")
"""Functions that change something, or say something else each time."""
_NO_TABLE: Final = frozenset(("ONLY", "LATERAL", "UNNEST"))

_CAST: Final = re.compile(
    r"(?<=\?)::\w+(?: (?:WITH(?:OUT)? TIME ZONE|PRECISION|VARYING))?(?:\(\?(?:, \?)*\))?(?:\[\])*", re.IGNORECASE
)
_LIST: Final = re.compile(r"\((?:\?|NULL|DEFAULT|TRUE|FALSE)(?:, (?:\?|NULL|DEFAULT|TRUE|FALSE))+\)", re.IGNORECASE)
_SHORT_LIST: Final = re.compile(r"\b(IN|VALUES) \(\?\)", re.IGNORECASE)
_ROWS: Final = re.compile(r"\(…\)(?:, \(…\))+")


class Operand(NamedTuple):
    """Where the number behind OFFSET or LIMIT is: in the statement, or among its parameters, by name or place."""

    number: int | None = None
    name: str = ""
    place: int = -1

    def value(self, parameters: object) -> int | None:
        """The number; None where it cannot be found."""
        if self.number is not None:
            return self.number
        try:
            value = parameters[self.name or self.place]  # type: ignore[index]  # whatever it is
        except (TypeError, LookupError):
            return None
        return value if isinstance(value, int) else None


@dataclass(frozen=True, slots=True)
class Outline:
    """A statement without its literals. ``text`` is bounded, ``fingerprint`` made of all that was looked at.

    ``collection`` is the table of a statement about one, else empty.
    """

    fingerprint: str
    text: str
    operation: str
    collection: str
    reads: bool
    """Whether it asks for rows and changes nothing, so that asking again at once is answered the same."""
    offset: Operand | None
    is_part: bool
    """Whether it asks for a part of what there is, to be asked for the next: a page, or those of a list of values."""


def outline(sql: str, system: str) -> Outline:
    """The outline of a statement for a database product (``db.system.name``). Never raises."""
    tokens = list(tokens_of(sql[:MOST_CHARACTERS], system))
    text = _rendered(tokens)
    operation, start = _operation(tokens)
    offset = _operand(tokens, "OFFSET") or _first_of_two(tokens)
    return Outline(
        fingerprint=blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest(),
        text=text[:_MOST_TEXT] + ("…" if len(text) > _MOST_TEXT else ""),
        operation=operation,
        collection=_collection(operation, tokens[start:]),
        reads=operation == "SELECT" and not _changes(tokens),
        offset=offset,
        is_part=offset is not None or _asks_for_many(tokens) or _is_page(tokens),
    )


def _joined(tokens: Sequence[Token]) -> str:
    shown = {"literal", "number", "named", "numbered", "unnamed"}
    return "".join(["?" if kind in shown else text for kind, text in tokens])


def _rendered(tokens: Sequence[Token]) -> str:
    text = re.sub(r"\(\s+", "(", re.sub(r"\s+\)", ")", re.sub(r"\s*,\s*", ", ", _joined(tokens))))
    text = _LIST.sub("(…)", _CAST.sub("", text))
    return _ROWS.sub("(…)", _SHORT_LIST.sub(r"\1 (…)", text)).strip().rstrip(";")


def _operation(tokens: Sequence[Token]) -> tuple[str, int]:
    """The statement's verb, and the index of the token after it. Common table expressions are passed over."""
    words = ((index, token.text.upper()) for index, token in enumerate(tokens) if token.kind == "word")
    first = next(words, None)
    if first is None:
        return OTHER_OPERATION, 0
    index, word = first
    if word == "WITH":
        return _verb_outside_parentheses(tokens)
    return (word if word in OPERATIONS else OTHER_OPERATION), index + 1


def _verb_outside_parentheses(tokens: Sequence[Token]) -> tuple[str, int]:
    depth = 0
    for index, (kind, text) in enumerate(tokens):
        depth += (text == "(") - (text == ")")
        if depth == 0 and kind == "word" and text.upper() in _DATA:
            return text.upper(), index + 1
    return OTHER_OPERATION, 0


def _changes(tokens: Sequence[Token]) -> bool:
    """Whether a statement that asks for rows does more than that: in a common table expression, or by a function."""
    seen = [token.text.upper() for token in tokens if token.kind != "space"]
    for before, word, after in zip(["", *seen], seen, [*seen[1:], ""], strict=False):
        if word in _CHANGING and before not in ("FOR", "KEY"):  # FOR UPDATE, FOR NO KEY UPDATE
            return True
        if after == "(" and (word in _ANEW or word.startswith(_LOCKING)):
            return True
    return False


def _collection(operation: str, rest: Sequence[Token]) -> str:
    introduced_by = {"SELECT": "FROM", "DELETE": "FROM", "INSERT": "INTO", "REPLACE": "INTO", "MERGE": "INTO"}
    tokens = [token for token in rest if token.kind != "space"]
    if operation == "UPDATE":
        return _name(tokens)[0]
    word = introduced_by.get(operation)
    depth = 0
    for index, (kind, text) in enumerate(tokens) if word else ():
        depth += (text == "(") - (text == ")")
        if depth == 0 and kind == "word" and text.upper() == word:
            name, after = _name(tokens[index + 1 :])
            alone = operation != "SELECT" or not _joins(tokens[index + 1 + after :])
            return name if alone else ""
    return ""


def _name(tokens: Sequence[Token]) -> tuple[str, int]:
    """The name at the beginning, with its schema; and how many tokens it takes."""
    parts: list[str] = []
    for index, (kind, text) in enumerate(tokens):
        if kind in ("word", "quoted", "backtick") and len(parts) % 2 == 0 and text.upper() not in _NO_TABLE:
            parts.append(text.strip('"`'))
        elif text == "." and len(parts) % 2 == 1:
            parts.append(".")
        else:
            return "".join(parts)[:128], index
    return "".join(parts)[:128], len(tokens)


def _joins(tokens: Sequence[Token]) -> bool:
    """Whether more tables follow."""
    depth = 0
    for index, (kind, text) in enumerate(tokens):
        depth += (text == "(") - (text == ")")
        if depth == 0 and index == 0 and text == "(":
            return True
        if depth == 0 and (text == "," or (kind == "word" and text.upper() == "JOIN")):
            return True
        if depth == 0 and kind == "word" and text.upper() in _AFTER_TABLE - {"AS", "ON", "USING"}:
            return False
    return False


def _asks_for_many(tokens: Sequence[Token]) -> bool:
    """Whether there is a list of several values behind an IN."""
    solid = [token.text.upper() if token.kind == "word" else token.kind for token in tokens if token.kind != "space"]
    texts = [token.text for token in tokens if token.kind != "space"]
    for index, word in enumerate(solid):
        if word == "IN" and texts[index + 1 : index + 2] == ["("] and "SELECT" not in solid[index + 2 : index + 3]:
            end = next((at for at in range(index, len(texts)) if texts[at] == ")"), len(texts))
            if "," in texts[index:end]:
                return True
    return False


def _is_page(tokens: Sequence[Token]) -> bool:
    """Whether it compares with the last key of the page before, as keyset pagination does."""
    words = [token.text.upper() for token in tokens if token.kind != "space"]
    return "LIMIT" in words and "ORDER" in words and (">" in words or "<" in words)


def _operand(tokens: Sequence[Token], keyword: str) -> Operand | None:
    return next(
        (_operand_at(tokens, index) for index, token in enumerate(tokens) if token.text.upper() == keyword), None
    )


def _operand_at(tokens: Sequence[Token], index: int) -> Operand | None:
    """What stands behind the token at ``index``."""
    following = next((at for at in range(index + 1, len(tokens)) if tokens[at].kind != "space"), None)
    if following is None:
        return None
    kind, text = tokens[following]
    if kind == "number":
        return Operand(number=int(text[:18]))
    if kind == "named":
        return Operand(name=text[2:-2] if text.startswith("%") else text[1:])
    if kind == "numbered":
        return Operand(place=int(text[1:9]) - 1)
    if kind == "unnamed":
        return Operand(place=sum(token.kind == "unnamed" for token in tokens[:following]))
    return None


def _first_of_two(tokens: Sequence[Token]) -> Operand | None:
    """The offset of ``LIMIT offset, count``."""
    solid = [token for token in tokens if token.kind != "space"]
    for index, token in enumerate(solid[:-3]):
        if token.text.upper() == "LIMIT" and solid[index + 2].text == ",":
            return _operand(tokens, "LIMIT")
    return None

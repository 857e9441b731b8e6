"""YAML of what rules and configurations are made of: mappings, lists, texts, numbers, truth values.

Texts are plain words, or quoted as JSON quotes them, which YAML 1.2 reads alike; a text of several lines is
a literal block.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

# What some reader could take for another type, or for syntax, is quoted.
_PLAIN: Final = re.compile(r"[A-Za-z_/][\w./-]*")
_WORDS: Final = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))
_BLOCK: Final = re.compile(r"(?:[^\s\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff][^\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]*\n+)+")


def dump(value: object) -> str:
    """``value`` as one YAML document, with a newline at its end."""
    return "\n".join([*_lines(value), ""])


def _lines(value: object) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        for key, one in value.items():
            yield from _entry(f"{_scalar(key)}:", one)
    elif isinstance(value, Sequence) and not isinstance(value, str) and value:
        for one in value:
            lines = list(_lines(one)) if _nested(one) else [*_entry("", one)]
            yield f"- {lines[0].strip()}" if not _nested(one) else f"- {lines[0]}"
            yield from (f"  {line}" if line else "" for line in lines[1:])
    else:
        yield _scalar(value)


def _entry(key: str, value: object) -> Iterator[str]:
    if _nested(value):
        yield key
        yield from (f"  {line}" if line else "" for line in _lines(value))
    elif isinstance(value, str) and "\n" in value[:-1] and _BLOCK.fullmatch(f"{value}\n") and value[-2:] != "\n\n":
        yield f"{key} |" if value.endswith("\n") else f"{key} |-"
        yield from (f"  {line}" if line else "" for line in value.splitlines())
    else:
        yield f"{key} {_scalar(value)}"


def _nested(value: object) -> bool:
    return isinstance(value, Mapping | Sequence) and not isinstance(value, str) and bool(value)


def _scalar(value: object) -> str:
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
            return value
        # Fewer backslashes where a text holds quotes, as PromQL does.
        simple = '"' in value and value.isprintable()
        return f"'{value.replace(chr(39), chr(39) * 2)}'" if simple else json.dumps(value, ensure_ascii=False)
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, Sequence):
        return "[]"
    # YAML 1.1 takes an exponent after a whole number for a word.
    return re.sub(r"^(-?\d+)e", r"\1.0e", json.dumps(value))

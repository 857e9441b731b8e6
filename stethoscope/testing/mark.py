"""What ``@pytest.mark.stethoscope(…)`` says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

ACCEPTED: Final = "stethoscope(max_queries=…, no_n_plus_one=True)"


class MarkError(Exception):
    """The arguments of a mark are wrong. The text is one line: what came, and what is accepted."""


@dataclass(frozen=True, slots=True)
class Mark:
    """``max_queries`` is None where any number is fine."""

    max_queries: int | None = None
    no_n_plus_one: bool = False


def read(positional: Sequence[object], named: Mapping[str, object]) -> Mark:
    """Raises `MarkError`."""
    wrong = [*_wrong(positional, named)]
    if wrong:
        raise MarkError(f"@pytest.mark.{ACCEPTED} is what is accepted, got {', '.join(wrong)}")
    return Mark(**named)  # type: ignore[arg-type]  # by now they are


def _wrong(positional: Sequence[object], named: Mapping[str, object]) -> list[str]:
    if not positional and not named:
        return ["neither: it would check nothing"]
    most, never = named.get("max_queries"), named.get("no_n_plus_one", False)
    return [
        *(f"{value!r} without a name" for value in positional),
        *(f"{name}={value!r}" for name, value in named.items() if name not in ("max_queries", "no_n_plus_one")),
        *([] if most is None or _is_number(most) else [f"max_queries={most!r}: expected a whole number from 0 on"]),
        *([] if isinstance(never, bool) else [f"no_n_plus_one={never!r}: expected True or False"]),
    ]


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0

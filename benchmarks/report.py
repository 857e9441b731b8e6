"""What a measure found, as a table for people and JSON for machines."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

RESULTS: Final = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Floor:
    """One requirement and what was measured for it; without `at_most` it is the least accepted."""

    measure: str
    must: float
    got: float
    unit: str = ""
    at_most: bool = True
    spread: str = ""
    disturbed: bool = False

    @property
    def met(self) -> bool:
        """Whether the requirement holds; what was disturbed has shown nothing, so it does not."""
        if self.disturbed:
            return False
        return self.got <= self.must if self.at_most else self.got >= self.must

    def cells(self) -> tuple[str, ...]:
        sign = "≤" if self.at_most else "≥"
        verdict = "DISTURBED" if self.disturbed else "met" if self.met else "MISSED"
        must = f"{sign} {self.must:g}{self.unit}"
        return (self.measure, must, f"{self.got:.3g}{self.unit}", self.spread, verdict)


@dataclass(frozen=True, slots=True)
class Result:
    """One run of one measure: its floors, a table of what lies behind them, and raw readings."""

    name: str
    floors: Sequence[Floor]
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    readings: Mapping[str, object] = field(default_factory=dict)
    note: str = ""


def render_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, padded so that it also reads well in a terminal."""
    lines = [tuple(columns), *(tuple(row) for row in rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    padded = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([padded[0], rule, *padded[1:]])


def render_floors(floors: Iterable[Floor]) -> str:
    columns = ("measure", "must", "got", "spread", "verdict")
    return render_table(columns, (floor.cells() for floor in floors))


def render(result: Result) -> str:
    parts = [f"## {result.name}", render_table(result.columns, result.rows)]
    if result.floors:
        parts.append(render_floors(result.floors))
    if result.note:
        parts.append(result.note)
    return "\n\n".join(parts)


def save(result: Result, machine: Mapping[str, str]) -> Path:
    """Writes the run under `results/`, never over an earlier one; returns the file's path."""
    RESULTS.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    path = RESULTS / f"{now:%Y%m%dT%H%M%S.%f}-{result.name}.json"
    document = {"at": now.isoformat(), "machine": dict(machine), **asdict(result)}
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    return path

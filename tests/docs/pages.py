"""The documents, taken apart: code blocks, headings, links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent.parent
DOCS: Final = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
"""What users read."""

PAGES: Final = (*DOCS, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", ROOT / "benchmarks" / "README.md")

_FENCE: Final = re.compile(r"```(\S*)")
_FILE: Final = re.compile(r"# (\S+\.\w+)")
_LINK: Final = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING: Final = re.compile(r"#{1,6} (.*)")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. ``line`` is that of its fence, from 1; ``file`` the name that its first line gives it."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def file(self) -> str | None:
        named = _FILE.fullmatch(self.text.partition("\n")[0])
        return named[1] if named else None

    def __str__(self) -> str:
        return f"{name(self.page)}:{self.line}"


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str | None = None) -> Iterator[Block]:
    """Blocks in one language, or in all. Raises ValueError for a fence that nothing closes."""
    opened: tuple[int, str] | None = None
    inside: list[str] = []
    for number, line in enumerate(page.read_text().splitlines(), 1):
        fence = _FENCE.fullmatch(line)
        if opened is None:
            opened, inside = ((number, fence[1]), []) if fence else (None, [])
        elif line == "```":
            if language in (None, opened[1]):
                yield Block(page, *opened, "\n".join([*inside, ""]))
            opened = None
        else:
            inside.append(line)
    if opened:
        raise ValueError(f"{name(page)}:{opened[0]}: nothing closes this fence")


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    lines = page.read_text().splitlines()
    for block in blocks(page):
        for number in range(block.line, block.line + block.text.count("\n") + 1):
            lines[number - 1] = ""
    return "\n".join(lines)


def links(page: Path) -> list[str]:
    return _LINK.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """What links may name in a page: its headings as GitHub spells them."""
    headings = (_HEADING.fullmatch(line) for line in prose(page).splitlines())
    return {re.sub(r"[^\w\- ]", "", heading[1].lower()).replace(" ", "-") for heading in headings if heading}

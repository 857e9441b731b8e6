"""Pages of other registries, made to fit into ours: no family twice, one end."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

_END: Final = b"# EOF\n"
_METADATA: Final = re.compile(rb"^# (?:HELP|TYPE|UNIT) (\S+)", re.MULTILINE)


def fit(page: bytes, taken: Collection[str]) -> tuple[bytes, tuple[str, ...]]:
    """``page`` (Prometheus text or OpenMetrics) without its end mark and without families that have a name in ``taken``.

    Also returns the names of the families left out: a reader refuses a whole page in which a family
    comes twice. A family is everything from its first metadata line to the next family's.
    """
    page = page.removesuffix(_END)
    named = {match[1].decode(errors="replace") for match in _METADATA.finditer(page)}
    refused = named.intersection(taken)
    if refused:
        page = _without(page, {name.encode() for name in refused})
    if page and not page.endswith(b"\n"):
        page += b"\n"
    return page, tuple(sorted(refused))


def _without(page: bytes, names: set[bytes]) -> bytes:
    kept, keeps = [], True
    # Not splitlines(): a label may hold a carriage return.
    for line in page.split(b"\n"):
        match = _METADATA.match(line)
        if match:
            keeps = match[1] not in names
        if keeps:
            kept.append(line)
    return b"\n".join(kept)

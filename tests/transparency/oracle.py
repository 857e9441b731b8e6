"""The differential oracle: the same script bare and wrapped, and every difference between the two journals."""

from __future__ import annotations

from collections.abc import Collection, Coroutine

import anyio

from tests.transparency.added_headers import header_difference
from tests.transparency.case import Case
from tests.transparency.pictures import Start
from tests.transparency.stage import FIRST_START, Entry, Stage, Wrap

# Long enough for a busy machine; a script that hangs is a difference, found after this many seconds.
PATIENCE_SECONDS = 20.0


def differences(
    case: Case,
    wrap: Wrap,
    backend: str,
    *,
    added: Collection[str] = (),
    patience_seconds: float = PATIENCE_SECONDS,
) -> list[str]:
    """What differs between the bare and the wrapped run, in words; nothing if `wrap` is transparent.

    `added` names the response headers that the wrapper documents to add.
    """
    bare = journal_of(case, lambda app: app, backend, patience_seconds)
    wrapped = journal_of(case, wrap, backend, patience_seconds)
    lanes = sorted({entry.lane for entry in (*bare, *wrapped)})
    return [
        f"{case.name} [{backend}] {difference}"
        for lane in lanes
        if (difference := first_difference(in_lane(bare, lane), in_lane(wrapped, lane), case, added))
    ]


def in_lane(journal: list[Entry], lane: str) -> list[Entry]:
    return [entry for entry in journal if entry.lane == lane]


def journal_of(case: Case, wrap: Wrap, backend: str, patience_seconds: float) -> list[Entry]:
    """Play a case once and return all that happened, how it ended included."""
    stage = Stage(wrap)
    try:
        if backend == "by hand":
            run_by_hand(case, stage)
        else:
            anyio.run(play_patiently, case, stage, patience_seconds, backend=backend)
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        stage.note("script ends by", repr(error))
    return stage.journal


async def play_patiently(case: Case, stage: Stage, patience_seconds: float) -> None:
    with anyio.fail_after(patience_seconds):
        await case.script(stage)


def run_by_hand(case: Case, stage: Stage) -> None:
    """Run a script on no event loop: it suspends nowhere, or steps its own coroutines."""
    script = case.script(stage)
    assert isinstance(script, Coroutine)
    try:
        script.send(None)
    except StopIteration:
        return
    script.close()
    raise RuntimeError("the script suspended where no event loop is")


def first_difference(bare: list[Entry], wrapped: list[Entry], case: Case, added: Collection[str]) -> str | None:
    for index, (without, with_us) in enumerate(zip(bare, wrapped, strict=False)):
        if difference := entry_difference(without, with_us, case, added):
            return f"at {index}: {difference}"
    if len(bare) == len(wrapped):
        return None
    longer, label = (bare, "is missing") if len(bare) > len(wrapped) else (wrapped, "is extra")
    return f"at {min(len(bare), len(wrapped))}: {longer[min(len(bare), len(wrapped))]} {label}"


def entry_difference(bare: Entry, wrapped: Entry, case: Case, added: Collection[str]) -> str | None:
    """Without headers all has to be equal; with headers the first start is compared without them."""
    if bare == wrapped and (case.malformed or not added or bare.what != FIRST_START):
        return None
    if added and bare.what == wrapped.what == FIRST_START:
        without, with_us = bare.detail, wrapped.detail
        if isinstance(without, Start) and isinstance(with_us, Start):
            return header_difference(without, with_us, added)
    return f"bare {bare}, wrapped {wrapped}"

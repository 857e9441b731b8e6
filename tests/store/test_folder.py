"""A folder that many look into at once."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path

from stethoscope.store.folder import Folder


def at_once(look: Callable[[], None], threads: int = 4) -> None:
    """In threads that take turns all the time."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        running = [threading.Thread(target=look) for _ in range(threads)]
        for one in running:
            one.start()
        for one in running:
            one.join(60)
    finally:
        sys.setswitchinterval(interval)


def test_threads_that_list_it_at_once_all_see_everything(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path / "folder"))
    expected = {f"{number:032x}" for number in range(300)}
    for name in expected:
        folder.write(name, b"")
    wrong: list[int] = []

    def look() -> None:
        for _ in range(100):
            found = folder.names()
            if set(found) != expected or len(found) != len(expected):
                wrong.append(len(found))

    at_once(look)
    assert wrong == []

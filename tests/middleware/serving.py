from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

from stethoscope.current import CURRENT


@contextlib.contextmanager
def serving(request_id: str) -> Iterator[None]:
    """What the `with` block does, it does as within a request of this correlation ID."""
    token = CURRENT.set(cast("None", SimpleNamespace(request_id=request_id)))
    try:
        yield
    finally:
        CURRENT.reset(token)

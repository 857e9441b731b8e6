"""The service that is looked at, and what to do to it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import httpx

TOKEN = "a-token-for-the-page"


@dataclass(frozen=True, slots=True)
class Watched:
    """``page`` is the address of its live page."""

    client: httpx.Client
    page: str

    def visit(self, path: str, times: int = 1, **options: object) -> None:
        """Make requests, whatever becomes of them."""
        for _ in range(times):
            with suppress(httpx.HTTPError):
                self.client.get(path, **options)  # type: ignore[arg-type]

    def wake(self, workers: int) -> None:
        """Make requests until so many workers have answered one: before that a worker has nothing to show."""
        seen: set[int] = set()
        for _ in range(500):
            httpx.get(self.client.base_url.join("/fast"), timeout=10)  # on a connection of its own
            answer = self.client.get(f"{self.page}api/system", headers={"authorization": f"Bearer {TOKEN}"})
            seen.update(answer.json()["window"]["workers"])
            if len(seen) >= workers:
                return
        raise AssertionError(f"only {len(seen)} workers answer")

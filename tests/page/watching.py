"""The service that is looked at, and what to do to it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx

TOKEN = "a-token-for-the-page"


@dataclass(frozen=True, slots=True)
class Watched:
    """``pages`` are the addresses of its live page, by who serves it."""

    client: httpx.Client
    pages: Mapping[str, str]

    def visit(self, path: str, times: int = 1, **options: object) -> None:
        """Make requests, whatever becomes of them."""
        for _ in range(times):
            with suppress(httpx.HTTPError):
                self.client.get(path, **options)  # type: ignore[arg-type]

    def ask(self, path: str, served: str = "app") -> Any:
        """What the API answers."""
        answer = self.client.get(
            f"{self.pages[served]}api/{path}", headers={"authorization": f"Bearer {TOKEN}"}
        ).raise_for_status()
        return answer.json()

    def wake(self, workers: int) -> None:
        """Make requests until so many workers have answered one: before that a worker has nothing to show."""
        seen: set[int] = set()
        for _ in range(500):
            httpx.get(self.client.base_url.join("/fast"), timeout=60)  # on a connection of its own
            seen.update(self.ask("system")["window"]["workers"])
            if len(seen) >= workers:
                return
        raise AssertionError(f"only {len(seen)} workers answer")

"""Visits to every ill and every cured route, so that each illness has the occasion to show.

python -m examples.shop.illnesses.traffic http://127.0.0.1:8000
"""

from __future__ import annotations

import asyncio
import sys
from typing import Final

import httpx
import sqlalchemy as sa

from examples.shop.illnesses.engines import URL

_AT_ONCE: Final = 8
_SECONDS: Final = 60.0


async def visit(url: str, ward: str) -> None:
    """``ward`` is "ill" or "cured"."""
    async with httpx.AsyncClient(base_url=f"{url}/{ward}", timeout=_SECONDS) as client:
        for path in ("n-plus-one", "repeated-query", "blocking-query"):
            await ask(client, path)
        for _ in range(4):  # fewer may do without by chance
            await ask(client, "unused-eager-load")
        for _ in range(3):  # fewer may be a garbage collection, or the first time
            await ask(client, "blocked-loop")
        await ask(client, "leaked-connection?customer=ann")
        await ask(client, "sequential-scan?voucher=v40000&invoice=i40000")
        for _ in range(2):  # one alone may have been a thread that waited for a processor
            await client.post("held-transaction")
        await asyncio.gather(*(ask(client, f"pool-exhausted?customer={number}") for number in range(_AT_ONCE)))
        await asyncio.gather(*(ask(client, "concurrent-query") for _ in range(_AT_ONCE)))
        await turn_pages(client, ward)
        await ask(client, "stale-connection")
        await asyncio.to_thread(disconnect, {"ill": "unpinged", "cured": "pinged"}[ward])
        await client.get("stale-connection")  # an error, if it is not cured
        if ward == "cured":
            await ask(client, "blocking-query/async")


async def ask(client: httpx.AsyncClient, path: str) -> httpx.Response:
    response = await client.get(path)
    response.raise_for_status()
    return response


async def turn_pages(client: httpx.AsyncClient, ward: str) -> None:
    """To a page that is far behind, by its number; or through the first ones, by their bookmarks."""
    if ward == "ill":
        await ask(client, "far-offset?page=1000")
        return
    bookmark = ""
    for _ in range(3):
        page = await ask(client, f"far-offset{'?' if bookmark else ''}{bookmark}")
        bookmark = str(httpx.QueryParams({"bookmark": page.json()["next"]}))


def disconnect(name: str) -> None:
    """As a proxy does that closes what is idle, or a server that starts anew: end the connections of one engine."""
    engine = sa.create_engine(URL.set(drivername="postgresql+pg8000"), poolclass=sa.NullPool)
    ended = sa.text("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = :name")
    with engine.connect() as connection:
        connection.execute(ended, {"name": name})


async def main(url: str) -> None:
    for ward in ("cured", "ill"):
        await visit(url, ward)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

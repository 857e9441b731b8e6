"""Customers of the shop: what they ask for, how often, and what they count themselves.

The tally is of requests sent, by the method and route template under which the shop should have
counted them; nothing here is timed.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

WEBSOCKET = "WS"

Ask = Callable[["Customers"], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Visit:
    """One kind of request: how often it is made, where it belongs, and how it is made."""

    weight: int
    method: str
    route: str
    ask: Ask


def plain(method: str, path: str, **options: object) -> Ask:
    """A request whose response is read to its end. ``#`` in the path becomes a product's number."""

    async def ask(customers: Customers) -> None:
        request = customers.client.build_request(method, path.replace("#", str(random.randint(1, 10))), **options)  # type: ignore[arg-type]
        await customers.client.send(request)

    return ask


async def order(customers: Customers) -> None:
    await customers.client.post("/orders/", json={"product_id": random.randint(1, 10), "quantity": 2})


async def pay(customers: Customers) -> None:
    # When an app raises, uvicorn closes the connection after the complete response: a second
    # request on the same connection could meet that closing and get no answer.
    await customers.client.post(f"/orders/{random.randint(1, 10)}/payment", headers={"connection": "close"})


async def leave_early(customers: Customers) -> None:
    """Reads three events of an endless stream and closes the connection."""
    async with customers.client.stream("GET", "/orders/events") as response:
        lines = response.aiter_lines()
        for _ in range(6):
            await anext(lines)


async def give_up(customers: Customers) -> None:
    """Loses patience before the response starts."""
    try:
        await customers.client.get("/office/reports/2026-10", timeout=0.1)
    except httpx.ReadTimeout:
        pass


async def watch_stock(customers: Customers) -> None:
    shop = customers.client.base_url
    async with connect(f"ws://{shop.host}:{shop.port}/products/{random.randint(1, 10)}/stock") as socket:
        for _ in range(3):
            await socket.send("how many?")
            await socket.recv()


def scan(customers: Customers) -> Awaitable[httpx.Response]:
    """What every public server gets: paths invented on the spot."""
    return customers.client.get(f"/{random.randrange(10**9)}/wp-login.php")


# The first visit of all waits until the server is up.
WELCOME = Visit(2, "GET", "/", plain("GET", "/", timeout=30.0))

VISITS = (
    WELCOME,
    Visit(30, "GET", "/products/", plain("GET", "/products/")),
    Visit(30, "GET", "/products/{product_id}", plain("GET", "/products/#")),
    Visit(3, "GET", "/products/{product_id}", plain("GET", "/products/404")),
    Visit(12, "GET", "/products/search", plain("GET", "/products/search", params={"q": "lamp"})),
    Visit(4, "PUT", "/products/{product_id}/photo", plain("PUT", "/products/#/photo", content=b"\x89" * 200_000)),
    Visit(10, "POST", "/orders/", order),
    Visit(10, "POST", "/orders/{order_id}/payment", pay),
    Visit(6, "GET", "/orders/export", plain("GET", "/orders/export")),
    Visit(3, "GET", "/orders/events", leave_early),
    Visit(3, "GET", "/office/reports/{month}", plain("GET", "/office/reports/2026-11")),
    Visit(2, "GET", "/office/reports/{month}", give_up),
    Visit(4, WEBSOCKET, "/products/{product_id}/stock", watch_stock),
    Visit(4, "GET", "__unmatched__", scan),
    Visit(1, "_OTHER", "__unmatched__", plain("PROPFIND", "/dav")),
)


def plan() -> Iterator[Visit]:
    """Endless: each kind once, then kinds at random by their weight."""
    yield from VISITS
    while True:
        yield from random.choices(VISITS, [visit.weight for visit in VISITS])


@dataclass(slots=True)
class Customers:
    """Customers at one shop, who make the visits of a common plan until told to stop."""

    client: httpx.AsyncClient
    plan: Iterator[Visit] = field(default_factory=plan)
    sent: Counter[tuple[str, str]] = field(default_factory=Counter)
    unanswered: int = 0

    async def shop(self, stop: asyncio.Event) -> None:
        """One customer: one visit after the other, with a pause between them."""
        while not stop.is_set():
            await self.make(next(self.plan))
            await pause(stop, random.expovariate(20))

    async def make(self, visit: Visit) -> None:
        self.sent[visit.method, visit.route] += 1
        try:
            await visit.ask(self)
        except (httpx.HTTPError, WebSocketException, OSError):
            self.unanswered += 1


async def pause(stop: asyncio.Event, seconds: float | None) -> None:
    """Wait, but no longer than until told to stop; without a time, until then."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass

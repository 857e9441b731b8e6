"""Run the shop with customers in it, and show what Stethoscope measured.

    python -m examples.shop.demo [--seconds 15] [--workers 2] [--customers 8] [--port 8000]

Ends after the given time or on Ctrl-C, with a table, and leaves neither processes nor files behind.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time

import httpx

import stethoscope
from examples.shop.report import in_flight, rows, table
from examples.shop.server import Shop, ShopFailed, open_shop
from examples.shop.traffic import WELCOME, Customers, pause
from stethoscope.store.snapshot import Snapshot

SERVICE = "shop"
"""What the shop calls itself in `examples.shop.app`."""

ANSWER_SECONDS = 5.0
"""How long a customer waits for an answer."""

SETTLE_SECONDS = 3.0
"""How long the shop may take to notice that its last customer left."""


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo", description="A shop, customers, and what was measured.")
    parser.add_argument("--seconds", type=float, help="end after this time (default: on Ctrl-C)")
    parser.add_argument("--workers", type=at_least_one, default=2, help="processes of the server (default: 2)")
    parser.add_argument("--customers", type=at_least_one, default=8, help="customers at once (default: 8)")
    parser.add_argument("--port", type=int, help="port on 127.0.0.1 (default: a free one)")
    return parser.parse_args(words)


def at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


async def demo(options: argparse.Namespace) -> None:
    """Raises `ShopFailed`, in a group, when the server cannot run."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_shop(options.workers, options.port) as shop:
        async with asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(shop.failed())
            await shop.opened()
            await visits(shop, options, stop)
            watch.cancel()


async def visits(shop: Shop, options: argparse.Namespace, stop: asyncio.Event) -> None:
    """All that happens while the shop is open."""
    async with httpx.AsyncClient(base_url=shop.url, timeout=ANSWER_SECONDS) as client:
        customers = Customers(client)
        await customers.make(WELCOME)
        print(introduction(shop, options), flush=True)
        started = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(options.customers):
                tasks.create_task(customers.shop(stop))
            tasks.create_task(show_progress(stop))
            await pause(stop, options.seconds)
            stop.set()
        seconds = time.monotonic() - started
        print(conclusion(await settled(), customers, seconds), flush=True)


async def settled() -> Snapshot:
    """The numbers once the shop has noticed that the last customer left."""
    deadline = time.monotonic() + SETTLE_SECONDS
    snapshot = await asyncio.to_thread(stethoscope.snapshot, SERVICE)
    while in_flight(snapshot) and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
        snapshot = await asyncio.to_thread(stethoscope.snapshot, SERVICE)
    return snapshot


def introduction(shop: Shop, options: argparse.Namespace) -> str:
    metrics = f"{shop.url}/_stethoscope/metrics"
    return f"""
A shop on uvicorn with {options.workers} workers, and {options.customers} customers in it.

  The shop       {shop.url}/docs
  The live page  {shop.url}/_stethoscope/
                 asks for the token: {shop.token}
  Live metrics   {metrics}
                 behind a token: curl -H 'Authorization: Bearer {shop.token}' {metrics}

{"Ctrl-C" if options.seconds is None else f"After {options.seconds:g} s, or on Ctrl-C, it"} ends with a table of what was measured.
"""


async def show_progress(stop: asyncio.Event) -> None:
    """A line that is rewritten every second; in a log, a line every five."""
    interval, start, end = (1.0, "\r", "") if sys.stdout.isatty() else (5.0, "", "\n")
    started = time.monotonic()
    await pause(stop, interval)
    while not stop.is_set():
        snapshot = await asyncio.to_thread(stethoscope.snapshot, SERVICE)
        print(start + progress(snapshot, time.monotonic() - started), end=end, flush=True)
        await pause(stop, interval)


def progress(snapshot: Snapshot, seconds: float) -> str:
    found = rows(snapshot).values()
    count, errors = sum(row.durations.count for row in found), sum(row.errors for row in found)
    figures = (
        f"{count:6,} requests  {count / seconds:5.0f} per s  {errors:4,} errors  {in_flight(snapshot):3} in flight"
    )
    return f"  {seconds:4.0f} s  {figures}  {len(snapshot.workers)} workers"


def conclusion(snapshot: Snapshot, customers: Customers, seconds: float) -> str:
    sent = customers.sent.total()
    counted = sum(row.durations.count for row in rows(snapshot).values())
    lost = f"; {customers.unanswered} got no answer" if customers.unanswered else ""
    return f"""

{table(snapshot, customers.sent, seconds)}

The customers sent {sent:,} requests in {seconds:.1f} s{lost}; the {len(snapshot.workers)} workers together counted {counted:,}.
"sent" is the customers' own count; all else was measured in the shop. "left" are customers gone before the end.
"""


def main() -> int:
    try:
        asyncio.run(demo(arguments()))
    except* ShopFailed as failures:
        print(*failures.exceptions, sep="\n", file=sys.stderr)
        failed = True
    else:
        failed = False
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

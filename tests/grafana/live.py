"""The shop under traffic with faults, watched by Prometheus and Alertmanager: shared by all tests that look at it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from sqlalchemy import NullPool, create_engine, text

from examples.shop.traffic import Customers, Visit
from tests.postgresql import Cluster
from tests.servers import HOST, Server, free_port, serve

TOKEN: Final = "token-of-the-grafana-tests"
CUSTOMERS: Final = 6
VERSION: Final = "1.2.3"


@dataclass(frozen=True, slots=True)
class Shop:
    server: Server
    faults: Path

    def break_down(self, share: float = 0.0, seconds: float = 0.0) -> None:
        """From now on this share of requests fails, and each waits for so long first."""
        self.faults.write_text(f"{share} {seconds}")


@contextlib.contextmanager
def shop(folder: Path, database: Cluster) -> Iterator[Shop]:
    faults = folder / "faults"
    faults.write_text("0 0")
    engine = create_engine(database.url("pg8000"), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS visits (number int)"))
    env = {
        "SHOP_DATABASE": str(folder / "shop.sqlite3"),
        "SHOP_FAULTS": str(faults),
        "SHOP_POSTGRESQL": database.url("pg8000"),
        # Nobody listens there, and no file of that name can be written: what is lost is shown too.
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{HOST}:{free_port()}",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
        "OTEL_METRIC_EXPORT_INTERVAL": "5000",
        "OTEL_BSP_MAX_QUEUE_SIZE": "2",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "2",
        "OTEL_TRACES_SAMPLER": "traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.2",
        "OTEL_RESOURCE_ATTRIBUTES": f"service.version={VERSION}",
        "STETHOSCOPE_REQUEST_LOG": str(folder),
        "STETHOSCOPE_INSTRUMENTS": "default,database-vitals",
        "STETHOSCOPE_DIR": str(folder / "segments"),
        "STETHOSCOPE_TOKEN": TOKEN,
    }
    with serve("uvicorn", "tests.grafana.shop:app", workers=2, env=env) as server, customers(server.url):
        yield Shop(server, faults)


class Patient(Customers):
    """Customers who are not put off by an error where they wait for a stream."""

    async def make(self, visit: Visit) -> None:
        with contextlib.suppress(StopAsyncIteration):
            await super().make(visit)


async def stamp(request: httpx.Request) -> None:
    """As a proxy in front does it, which is wrong now and then."""
    request.headers["x-request-start"] = f"t={time.time():.3f}" if random.random() < 0.9 else "lately"


@contextlib.contextmanager
def customers(url: str) -> Iterator[None]:
    """Customers in the shop, from a thread of their own, until the block ends."""
    ready, loops = threading.Event(), []

    async def visit() -> None:
        stop = asyncio.Event()
        loops.append((asyncio.get_running_loop(), stop))
        ready.set()
        async with httpx.AsyncClient(base_url=url, timeout=10, event_hooks={"request": [stamp]}) as client:
            crowd = Patient(client)
            async with asyncio.TaskGroup() as tasks:
                for _ in range(CUSTOMERS):
                    tasks.create_task(crowd.shop(stop))

    thread = threading.Thread(target=lambda: asyncio.run(visit()))
    thread.start()
    ready.wait()
    try:
        yield
    finally:
        loop, stop = loops[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join()


def scraping(target: str, rules: str = "", alertmanager: str = "", native: bool = False) -> str:
    """A configuration of Prometheus that scrapes every other second; ``native`` asks for native histograms.

    A scrape may take as long as that and no longer: a busy machine is given the time to answer.
    """
    alerting = (
        f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{alertmanager}']}}]}}]}}" if alertmanager else ""
    )
    return f"""
global: {{scrape_interval: 2s, scrape_timeout: 2s, evaluation_interval: 1s}}
rule_files: [{rules}]
{alerting}
scrape_configs:
  - job_name: shop
    metrics_path: /_stethoscope/metrics
    params: {{histograms: [{"native" if native else "classic"}]}}
    authorization: {{credentials: {TOKEN}}}
    static_configs: [{{targets: ['{target}']}}]
"""

"""A shop that measures itself with prometheus_client. Served by several workers."""

from __future__ import annotations

import os
from collections.abc import Iterable
from urllib.parse import parse_qs

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Info, Metric, Summary
from prometheus_client.core import GaugeMetricFamily
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from stethoscope.exporters.exposition import render
from stethoscope.exporters.openmetrics import OPENMETRICS
from stethoscope.exporters.text import TEXT
from stethoscope.instruments.prometheus_client import adopt, foreign
from stethoscope.settings import Settings
from stethoscope.store.registry import recorder_for

BOOTED = Counter("shop_boots", "Counted while the module is imported, before anything is adopted.")
BOOTED.inc()

recorder = recorder_for(Settings.resolve(), "shop")
adopt(recorder)

SOLD = Counter("shop_sold", "Sold.", ["sku"])
PRICE = Histogram("shop_price", "Price.", buckets=(1, 5, 10))
WEIGHT = Summary("shop_weight", "Weight.")
IN_FLIGHT = Gauge("shop_in_flight", "In flight.", multiprocess_mode="livesum")
SERVED_BY = Gauge("shop_served_by", "Sold by each worker.")
Info("shop_build", "Build.").info({"version": "7"})


class Weather:
    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily("shop_outside_celsius", "Outside.", value=21.5)


REGISTRY.register(Weather())


async def sell(request: Request) -> Response:
    with IN_FLIGHT.track_inprogress():
        SOLD.labels(request.path_params["sku"]).inc()
        PRICE.observe(4.5)
        WEIGHT.observe(100)
        SERVED_BY.inc()
    return PlainTextResponse(str(os.getpid()))


async def metrics(request: Request) -> Response:
    openmetrics = parse_qs(request.url.query).get("format") == ["openmetrics"]
    return PlainTextResponse(await run_in_threadpool(page, openmetrics))


def page(openmetrics: bool) -> bytes:
    snapshot = recorder.snapshot()
    return b"".join(render(snapshot, OPENMETRICS if openmetrics else TEXT, None, foreign(snapshot, openmetrics)))


app = Starlette(routes=[Route("/sell/{sku}", sell, methods=["POST"]), Route("/page", metrics)])

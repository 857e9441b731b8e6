"""Other projects' names, against what those projects say of the same traffic."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable, Iterable
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI, Response
from fastapi.responses import RedirectResponse, StreamingResponse
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric as Collected
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import REGISTRY, Collector
from prometheus_fastapi_instrumentator import Instrumentator
from starlette_exporter import PrometheusMiddleware
from starlette_exporter.optional_metrics import request_body_size, response_body_size

import stethoscope
from stethoscope.exporters.renamed import renamed
from stethoscope.exporters.text import TEXT
from stethoscope.names import REQUEST_DURATION, WORKERS, Metric
from stethoscope.names.others import INSTRUMENTATOR_DURATION, STARLETTE_DURATION
from stethoscope.store.distribution import Distribution
from stethoscope.store.snapshot import Family
from tests.exporters.snapshots import distribution, every_corner, histogram, snapshot

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def shop() -> FastAPI:
    app = FastAPI()

    @app.get("/items/{number}")
    def item(number: int) -> Response:
        return Response("x" * number)

    @app.post("/items")
    def add(body: dict[str, int]) -> dict[str, int]:
        return body

    @app.get("/old")
    def old() -> RedirectResponse:
        return RedirectResponse("/items/1")

    @app.get("/broken")
    def broken() -> None:
        raise LookupError("broken")

    @app.get("/stream")
    def stream() -> StreamingResponse:
        return StreamingResponse(iter([b"ab", b"cd"]))

    return app


REQUESTS = (
    ("GET", "/items/7"),
    ("GET", "/items/30"),
    ("GET", "/items/none"),
    ("POST", "/items"),
    ("GET", "/old"),
    ("GET", "/broken"),
    ("DELETE", "/items/7"),
)


async def visit(app: Any, more: Iterable[tuple[str, str]] = ()) -> None:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        for method, path in (*REQUESTS, *more):
            await client.request(method, path, json={"apples": 3} if method == "POST" else None)


def samples(families: Iterable[Collected], wanted: Callable[[str], bool]) -> Samples:
    """Numbers that do not depend on how long a request took."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
        if wanted(sample.name) and "le" not in sample.labels and not sample.name.endswith(("seconds_sum", "_created"))
    }


def ours(names: str, service: str, more: Iterable[tuple[str, str]] = ()) -> list[Collected]:
    app = stethoscope.install(shop(), service=service)
    asyncio.run(visit(app, more))
    page = b"".join(TEXT.render(renamed(stethoscope.snapshot(service), [names])))
    return list(text_string_to_metric_families(page.decode()))


def unlike(found: Samples, expected: Samples) -> Samples:
    """What is different in ours. What a server's error page weighs they do not see, as it is sent outside of them."""
    assert found.keys() == expected.keys()
    assert len(found) > 20
    pages = {key for key in found if "response" in key[0] and ("/broken" in dict(key[1]).values())}
    return {key: value for key, value in found.items() if value != expected[key] and key not in pages}


def collected(registry: Collector) -> list[Collected]:
    return list(registry.collect())


def test_instrumentator_says_the_same_of_the_same_traffic(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STETHOSCOPE_DIR", str(tmp_path_factory.mktemp("one")))
    registry, unmatched = CollectorRegistry(), [("GET", "/nowhere"), ("GET", "/nothing")]
    theirs = shop()
    Instrumentator(registry=registry).instrument(theirs)
    asyncio.run(visit(theirs, unmatched))
    expected = samples(collected(registry), lambda name: True)
    wanted = re.compile("http_re(?!quests_inprogress)").match
    found = samples(ours("instrumentator", "one", unmatched), lambda name: bool(wanted(name)))
    assert unlike(found, expected) == {}


def test_starlette_exporter_says_the_same_of_the_same_traffic(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STETHOSCOPE_DIR", str(tmp_path_factory.mktemp("two")))
    theirs = shop()
    optional = [request_body_size, response_body_size]
    theirs.add_middleware(PrometheusMiddleware, app_name="two", optional_metrics=optional)
    asyncio.run(visit(theirs, [("GET", "/nowhere")]))
    expected = samples(collected(REGISTRY), lambda name: name.startswith("starlette_"))
    found = samples(
        ours("starlette_exporter", "two", [("GET", "/nowhere")]), lambda name: name.startswith("starlette_")
    )
    assert unlike(found, expected) == {}


def test_requests_alone_are_renamed_and_ours_go_on_beside_if_wanted() -> None:
    instead = renamed(every_corner(), ["instrumentator"])
    assert REQUEST_DURATION.name not in instead.families
    assert {WORKERS.name, "plain_numbers", "http_requests"} <= instead.families.keys()
    beside = renamed(every_corner(), ["stethoscope", "instrumentator", "starlette_exporter"])
    assert {REQUEST_DURATION.name, "http_requests", "starlette_requests"} <= beside.families.keys()


def test_what_the_cap_refused_stays_told_apart() -> None:
    (requests,) = [
        one for one in renamed(every_corner(), ["instrumentator"]).families["http_requests"].series if one.overflow
    ]
    assert requests.value == 1.0


def test_nothing_recorded_is_nothing_renamed() -> None:
    families = renamed(snapshot(), ["instrumentator", "starlette_exporter"]).families
    assert {name: family.series for name, family in families.items()} == dict.fromkeys(families, ())


@pytest.mark.parametrize(
    ("convention", "metric", "exact"),
    [
        ("instrumentator", INSTRUMENTATOR_DURATION, (0.1, 0.5, 1.0, 2.0, 4.0, 10.0)),
        ("starlette_exporter", STARLETTE_DURATION, STARLETTE_DURATION.bounds),
    ],
)
def test_counts_at_shared_bounds_are_exact_and_close_at_others(
    convention: str, metric: Metric, exact: tuple[float, ...]
) -> None:
    values = np.random.default_rng(3).lognormal(-1, 1.5, 5000).tolist()
    family = Family(REQUEST_DURATION, (histogram(REQUEST_DURATION, ["GET", "/", "200", "http", ""], values),))
    (series,) = renamed(snapshot(family), [convention]).families[metric.name].series
    assert isinstance(series.value, Distribution)
    true = distribution(metric, values)
    for bound, count, truth in zip((*metric.bounds, math.inf), series.value.cumulative, true.cumulative, strict=True):
        assert count == truth or bound not in exact
        assert (
            sum(value <= bound / 1.012 for value in values) <= count <= sum(value <= bound * 1.012 for value in values)
        )
    assert series.value.sum == pytest.approx(sum(values))

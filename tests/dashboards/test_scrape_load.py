"""What a scrape of a large service costs the app that it is served by."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from stethoscope.store import turns
from stethoscope.store.distribution import Distribution
from stethoscope.store.snapshot import Family, Snapshot
from tests.dashboards.calling import call, endpoints, http_scope
from tests.exporters.snapshots import large
from tests.servers import KINDS, Kind, serve


class Progress:
    """Counts the histograms that have been rendered."""

    def __init__(self) -> None:
        self.rendered = 0

    def watching(self, snapshot: Snapshot) -> Snapshot:
        families = {
            name: Family(family.metric, tuple(replace(one, value=Watched(self, one.value)) for one in family.series))
            for name, family in snapshot.families.items()
        }
        return replace(snapshot, families=families)


class Watched(Distribution):
    """A distribution that is counted when it is rendered."""

    def __init__(self, progress: Progress, value: float | Distribution) -> None:
        assert isinstance(value, Distribution)
        super().__init__(value.buckets, value.cells, value.sum)
        self._progress = progress

    @property
    def cumulative(self) -> tuple[int, ...]:
        self._progress.rendered += 1
        return self.buckets.explicit_counts(self.cells)


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_event_loop_goes_on_while_a_page_is_rendered(coding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """B25: of 1,800 histograms (4 MB of text) few are rendered between two turns of the event loop.

    Counted in histograms, not in time, so that it says the same on a busy machine. A quick interpreter renders some
    hundred in the millisecond after which the thread gives way; here it does so after each 32. Without that, some 900
    are rendered in the interpreter's 5 ms.
    """
    monkeypatch.setattr(turns, "TURN", 0.0)
    progress = Progress()
    snapshot = progress.watching(large())
    app = endpoints(lambda: snapshot)
    scope = http_scope("/_stethoscope/metrics", token="s3cret", headers=[("accept-encoding", coding)])

    async def main() -> list[int]:
        seen = [0]
        scrape = asyncio.create_task(call(app, scope))
        while not scrape.done():
            await asyncio.sleep(0)
            if progress.rendered != seen[-1]:
                seen.append(progress.rendered)
        assert (await scrape).status == 200
        return seen

    seen = asyncio.run(main())
    steps = [later - earlier for earlier, later in pairwise(seen)]
    assert sum(steps) == 1800
    assert max(steps) <= 600
    assert len(steps) >= 15


_APP = """
from tests.dashboards.calling import endpoints

served = endpoints(metrics_path="/metrics")

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await served(scope, receive, send)
"""


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    kind: Kind = request.param
    (tmp_path / "scraped.py").write_text(_APP)
    with serve(kind, "scraped:app", cwd=tmp_path) as server:
        yield server.url


def test_every_server_serves_the_page(url: str) -> None:
    """B26, B35: negotiation, gzip, HEAD and access as a scraper meets them."""
    bearer = {"authorization": "Bearer s3cret"}
    with httpx.Client(base_url=url) as client:
        page = client.get("/_stethoscope/metrics", headers=bearer)
        assert page.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert page.headers["content-encoding"] == "gzip"
        assert "http_server_request_duration_seconds_bucket" in page.text
        openmetrics = {"accept": "application/openmetrics-text;version=1.0.0", "accept-encoding": "identity"}
        whole = client.get("/metrics/", headers=openmetrics)
        assert whole.text.endswith("# EOF\n")
        head = client.head("/metrics", headers=openmetrics)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers.get("content-length", str(len(whole.content))) == str(len(whole.content))
        assert client.get("/metrics", headers={"x-forwarded-for": "127.0.0.1"}).status_code == 401
        assert client.get("/_stethoscope/metrics").status_code == 401
        assert client.post("/_stethoscope/metrics", headers=bearer, content=b"x" * 10_000).status_code == 405

"""Real servers with several workers; the app measures itself with prometheus_client."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.servers import Kind, Server, serve

APP = "tests.instruments.apps.shop:app"

Samples = dict[tuple[str, ...], float]


class Shop:
    def __init__(self, server: Server) -> None:
        self.server = server
        self.sold: Counter[int] = Counter()
        """What was sold, by the worker that sold it."""
        self._last: Samples = {}

    def sell(self, times: int) -> None:
        for _ in range(times):
            # Each on a connection of its own, so that all workers get some.
            answer = httpx.post(f"{self.server.url}/sell/tea")
            self.sold[int(answer.text)] += 1

    def sell_by(self, workers: int) -> None:
        """Go on until so many workers have sold something."""
        for _ in range(50):
            self.sell(10)
            if len(self.sold) >= workers:
                return
        raise AssertionError(f"only {len(self.sold)} workers answer")

    def scrape(self) -> Samples:
        """A page's samples, after checking that no count has gone back since the last."""
        samples = self._parsed("text", parse_text)
        for key, value in self._last.items():
            if key[0].endswith(("_total", "_bucket", "_count", "_sum")) and key[0].startswith("shop_"):
                assert samples[key] >= value, key
        self._last = samples
        return samples

    def scrape_openmetrics(self) -> Samples:
        return self._parsed("openmetrics", parse_openmetrics)

    def _parsed(self, format: str, parse: object) -> Samples:
        assert callable(parse)
        text = httpx.get(f"{self.server.url}/page?format={format}").raise_for_status().text
        return {
            (sample.name, *sample.labels.values()): sample.value for family in parse(text) for sample in family.samples
        }


@contextlib.contextmanager
def shop(kind: Kind, directory: Path, workers: int = 2) -> Iterator[Shop]:
    env = {"STETHOSCOPE_SERVICE": "shop", "STETHOSCOPE_DIR": str(directory)}
    with serve(kind, APP, workers=workers, env=env) as server:
        yield Shop(server)


def kill(pid: int) -> None:
    """SIGKILL a process that is no child of ours, and wait for its end."""
    process = os.pidfd_open(pid)
    try:
        os.kill(pid, signal.SIGKILL)
        waiting = select.poll()  # select() takes no descriptors above 1023
        waiting.register(process, select.POLLIN)
        ended = waiting.poll(10_000)
        assert ended, f"process {pid} has not ended"
    finally:
        os.close(process)


@pytest.mark.parametrize("kind", ["uvicorn", "gunicorn", "gunicorn-preload"])
def test_every_scrape_has_the_total_of_all_workers(kind: Kind, tmp_path: Path) -> None:
    with shop(kind, tmp_path / "store") as front:
        front.sell_by(workers=2)
        for _ in range(10):
            samples = front.scrape()
            total = front.sold.total()
            assert samples["shop_sold_total", "tea"] == total
            assert samples["shop_price_count",] == samples["shop_price_bucket", "5.0"] == total
            assert samples["shop_price_sum",] == pytest.approx(4.5 * total)
            assert (samples["shop_weight_count",], samples["shop_weight_sum",]) == (total, 100 * total)
            assert samples["shop_in_flight",] == 0
            front.sell(2)


def test_a_killed_workers_counts_stay_and_its_gauges_go(tmp_path: Path) -> None:
    with shop("uvicorn", tmp_path / "store") as front:
        front.sell_by(workers=2)
        before = front.scrape()
        victim = next(iter(front.sold))
        assert before["shop_served_by", str(victim)] == front.sold[victim]
        kill(victim)
        total = front.sold.total()
        for _ in range(5):
            samples = front.scrape()
            assert samples["shop_sold_total", "tea"] == total
            assert samples["shop_weight_count",] == total
            assert ("shop_served_by", str(victim)) not in samples
        front.sell_by(workers=3)
        assert front.scrape()["shop_sold_total", "tea"] == front.sold.total()


def test_gauges_of_mode_all_are_a_series_for_each_worker(tmp_path: Path) -> None:
    with shop("uvicorn", tmp_path / "store") as front:
        front.sell_by(workers=2)
        samples = front.scrape()
        assert {pid: samples["shop_served_by", str(pid)] for pid in front.sold} == front.sold


@pytest.mark.parametrize(("kind", "boots"), [("uvicorn", 2), ("gunicorn-preload", 1)])
def test_what_was_counted_before_the_adoption_is_counted_once(kind: Kind, boots: int, tmp_path: Path) -> None:
    with shop(kind, tmp_path / "store") as front:
        front.sell_by(workers=2)
        assert front.scrape()["shop_boots_total",] == boots


def test_what_can_not_be_adopted_is_there_too_and_the_page_is_valid(tmp_path: Path) -> None:
    with shop("uvicorn", tmp_path / "store") as front:
        front.sell_by(workers=2)
        for samples in (front.scrape(), front.scrape_openmetrics()):
            assert samples["shop_build_info", "7"] == 1
            assert samples["shop_outside_celsius",] == 21.5
            assert any(name == "python_info" for name, *_ in samples)
            # One worker's memory is not the service's.
            assert not any(name.startswith(("process_", "python_gc_")) for name, *_ in samples)

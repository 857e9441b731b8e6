"""What a sidecar serves, beside real servers."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from stethoscope.store.home import find_folder
from stethoscope.store.recorder import Recorder
from tests.process.stores import REQUESTS, SECONDS
from tests.scrape import requests, total
from tests.servers import serve
from tests.sidecar.running import sidecar, until

APP = "tests.process.app:app"
COUNT = "http_server_request_duration_seconds_count"


def recorder(place: Path, service: str) -> Recorder:
    return Recorder(service, find_folder(service, shared=True, directory=str(place)))


def test_it_serves_what_a_server_s_workers_record(place: Path) -> None:
    env = {"STETHOSCOPE_DIR": str(place), "STETHOSCOPE_SERVICE": "shop"}
    with sidecar("--dir", str(place)) as beside, serve("uvicorn", APP, workers=2, env=env) as server:
        for _ in range(20):
            subprocess.run(["curl", "-sf", server.url], check=True, capture_output=True)
        until(lambda: total(beside.scrape(), COUNT, service_name="shop") == 20, beside.log)
        assert sum(requests(beside.scrape("/services/shop/metrics")).values()) == 20
        assert total(beside.scrape(), "stethoscope_workers", service_name="shop") <= 2


def test_a_service_whose_workers_were_all_killed_is_kept_and_is_not_all_right(place: Path) -> None:
    env = {"STETHOSCOPE_DIR": str(place), "STETHOSCOPE_SERVICE": "shop"}
    with sidecar("--dir", str(place)) as beside, serve("uvicorn", APP, env=env) as server:
        subprocess.run(["curl", "-sf", server.url], check=True, capture_output=True)
        until(lambda: total(beside.scrape(), COUNT, service_name="shop") == 1, beside.log)
        os.kill(server.pid, signal.SIGKILL)
        until(lambda: total(beside.scrape(), "stethoscope_workers", service_name="shop") == 0, beside.log)
        until(lambda: json.loads(beside.get("/api/overview").body)["level"] == "critical", beside.log)


def test_several_services_are_told_apart_in_one_exposition_and_have_one_each(place: Path) -> None:
    for service, count in (("shop", 2), ("till", 3)):
        series = recorder(place, service).counter(REQUESTS, ("/",))
        for _ in range(count):
            series.add(1.0)
    with sidecar("--dir", str(place)) as beside:
        samples = beside.scrape()["requests_total"]
        assert samples == {
            (("route", "/"), ("service_name", "shop")): 2.0,
            (("route", "/"), ("service_name", "till")): 3.0,
        }
        assert beside.scrape("/services/till/metrics")["requests_total"] == {(("route", "/"),): 3.0}
        assert beside.get("/services/nope/metrics").status == 404
        [shop, till] = json.loads(beside.get("/services").body)
        assert (shop["labels"]["service_name"], till["labels"]["service_name"]) == ("shop", "till")
        assert till["targets"] == [f"127.0.0.1:{beside.port}"]
        assert beside.scrape(till["labels"]["__metrics_path__"])["requests_total"] == {(("route", "/"),): 3.0}


def test_it_ends_cleanly_on_sigterm_and_on_an_interrupt(place: Path) -> None:
    for sig in (signal.SIGTERM, signal.SIGINT):
        with sidecar("--dir", str(place)) as beside:
            assert beside.end(sig) == 0, beside.log()
            assert "Traceback" not in beside.log()


def test_services_that_come_later_are_found_and_those_that_are_gone_are_forgotten(place: Path) -> None:
    later = place / "later"
    with sidecar("--dir", str(later)) as beside:
        assert beside.get("/readyz").status == 200
        recorder(later, "shop").histogram(SECONDS, ("/",)).record(0.05)
        until(lambda: total(beside.scrape(), "seconds_count", service_name="shop") == 1, beside.log)
        for file in (later / "shop").iterdir():
            file.unlink()
        (later / "shop").rmdir()
        until(lambda: "shop has ended" in beside.log(), beside.log)
        assert "seconds_count" not in beside.scrape()


def test_nothing_is_kept_of_services_that_have_ended(place: Path) -> None:
    with sidecar("--dir", str(place)) as beside:
        services = ["shop", "till", "both"]
        for name in services:
            recorder(place, name).counter(REQUESTS, ("/",)).add(1.0)
        until(lambda: len(json.loads(beside.get("/services").body)) == len(services), beside.log)
        for name in services:
            beside.scrape(f"/services/{name}/metrics")
            assert beside.get(f"/services/{name}/api/overview").status == 200
            assert b"event: tick" in beside.first(f"/services/{name}/api/stream")
        for name in services:
            shutil.rmtree(place / name)
        until(lambda: "[]" in beside.get("/services").body, beside.log)
        until(lambda: not deleted(beside.pid, str(place)), lambda: deleted(beside.pid, str(place)))


def deleted(pid: int, place: str) -> list[str]:
    """What a process still has open of what is gone."""
    found = []
    for descriptor in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/{pid}/fd/{descriptor}"))
    return [path for path in found if path.startswith(place) and path.endswith(" (deleted)")]


def test_it_measures_itself_whether_there_are_services_or_not(place: Path) -> None:
    with sidecar("--dir", str(place)) as beside:
        own = {"service_name": "stethoscope-sidecar"}
        until(lambda: 1 << 20 < total(beside.scrape(), "process_memory_usage_bytes", **own) < 1 << 30, beside.log)
        samples = beside.scrape()
        assert total(samples, "stethoscope_internal_errors_total", where="watch", **own) == 0
        assert "stethoscope_workers" not in samples


def test_the_page_of_a_service_has_its_machine_once_and_nothing_of_the_sidecar_but_its_failures(place: Path) -> None:
    env = {"STETHOSCOPE_DIR": str(place), "STETHOSCOPE_SERVICE": "shop"}
    with sidecar("--dir", str(place), "--service", "shop") as beside, serve("uvicorn", APP, env=env) as server:
        subprocess.run(["curl", "-sf", server.url], check=True, capture_output=True)
        until(lambda: "system_network_io_bytes_total" in beside.scrape(), beside.log)
        until(lambda: "process_memory_usage_bytes" in beside.scrape(), beside.log)
        own = {
            name
            for name, series in beside.scrape().items()
            if any(("service_name", "stethoscope-sidecar") in labels for labels in series)
        }
        assert own == {"stethoscope_internal_errors_total", "stethoscope_dropped_observations_total"}


def test_the_live_page_and_the_api_are_those_of_the_only_service_or_of_the_one_that_is_named(place: Path) -> None:
    recorders = [recorder(place, "shop")]
    recorders[0].counter(REQUESTS, ("/",)).add(1.0)
    with sidecar("--dir", str(place)) as beside:
        for prefix in ("", "/_stethoscope", "/services/shop"):
            assert "text/html" in beside.get(f"{prefix}/").headers["content-type"]
            assert json.loads(beside.get(f"{prefix}/api/overview").body)["service"] == "shop"
        recorders.append(recorder(place, "a/<b>"))
        recorders[1].counter(REQUESTS, ("/",)).add(1.0)
        until(lambda: "a/&lt;b&gt;</a>" in beside.get("/").body, beside.log)
        links = re.findall('href="([^"]+)"', beside.get("/").body)
        named = [json.loads(beside.get(f"{link}api/overview").body)["service"] for link in links]
        assert sorted(named) == ["a/<b>", "shop"]
        assert beside.get("/api/overview").status == 404


@pytest.mark.parametrize("names", [("shop",), ("shop", "till")])
def test_all_of_it_is_below_the_prefix_of_apps_too_and_leads_to_itself(names: tuple[str, ...], place: Path) -> None:
    recorders = [recorder(place, name) for name in names]
    for one in recorders:
        one.counter(REQUESTS, ("/",)).add(1.0)
    with sidecar("--dir", str(place)) as beside:
        for path in ("/", "/healthz", "/readyz", "/services/", "/services/shop/", "/services/shop/metrics", "/metrics"):
            assert beside.get(f"/_stethoscope{path}").status == 200, path
        for path in ("/_stethoscope", "/services/shop", "/_stethoscope/services/shop"):
            answer = beside.get(path)
            assert (answer.status, answer.headers["location"]) == (308, f"{path.rpartition('/')[2]}/")
        assert beside.get("/services/nope").status == 404
        if len(names) > 1:
            assert '"/_stethoscope/services/shop/"' in beside.get("/_stethoscope/").body
        shop = json.loads(beside.get("/_stethoscope/services").body)[0]["labels"]
        assert shop["__metrics_path__"] == "/_stethoscope/services/shop/metrics"
        assert beside.scrape(shop["__metrics_path__"])["requests_total"]


@pytest.mark.parametrize("by", ["argument", "variable"])
def test_requests_have_the_names_that_are_asked_for(place: Path, by: str) -> None:
    recorders = [recorder(place, service) for service in ("shop", "till")]
    for each in recorders:
        each.request(("GET", "/items/{id}", "200", "http", "")).record(0.01, 0, 2)
    names = ["--names", "starlette_exporter"] if by == "argument" else []
    with sidecar(
        "--dir", str(place), *names, env={} if names else {"STETHOSCOPE_NAMES": "starlette_exporter"}
    ) as beside:
        theirs = {"method": "GET", "path": "/items/{id}", "status_code": "200", "app_name": "shop"}
        one, both = beside.scrape("/services/shop/metrics"), beside.scrape()
    assert one["starlette_requests_total"] == {tuple(sorted(theirs.items())): 1.0}
    assert total(both, "starlette_requests_total", service_name="shop", **theirs) == 1
    assert total(both, "starlette_requests_total") == 2
    assert COUNT not in one
    assert COUNT not in both

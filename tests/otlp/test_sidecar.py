"""The sidecar pushes for its services, and their workers do not."""

from __future__ import annotations

from pathlib import Path

from tests.otlp.served import ask_all, leader, pushing, requests_in
from tests.receivers.otlp import metrics
from tests.servers import Server
from tests.sidecar.running import sidecar


def test_a_sidecar_takes_over_and_gives_back(place: Path) -> None:
    with metrics("http/protobuf") as collector, pushing(place, collector, workers=2) as server:
        sent = ask_all(server, 2)
        from_worker = collector.until(lambda received: requests_in(received) == sent)
        with sidecar("--dir", str(place), env=collector.environment):
            while _worker_leads(server):
                collector.next()
            sent += ask_all(server, 2)
            from_sidecar = collector.until(lambda received: requests_in(received) == sent)
            assert from_sidecar.resource == from_worker.resource
        sent += ask_all(server, 2)
        collector.until(lambda received: requests_in(received) == sent)


def _worker_leads(server: Server) -> bool:
    try:
        return bool(leader(server))
    except AssertionError:
        return False

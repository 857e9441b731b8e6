"""Over TLS, with the certificates that the standard variables name; who shows none of ours gets nothing."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import httpx
import pytest

from tests.otlp.served import ask, pushing, requests_in
from tests.receivers.otlp import Protocol, metrics, spans
from tests.receivers.tls import Identities
from tests.receivers.troubles import lost
from tests.scrape import TOKEN
from tests.servers import serve

PROTOCOLS = pytest.mark.parametrize("protocol", get_args(Protocol))


@PROTOCOLS
def test_metrics_arrive(protocol: Protocol, place: Path, tmp_path: Path) -> None:
    identities = Identities()
    with metrics(protocol, identities=identities) as collector:
        with pushing(place, collector, **identities.write(tmp_path)) as server:
            ask(server, 3)
            collector.until(lambda push: requests_in(push) == 3)


@PROTOCOLS
def test_spans_arrive(protocol: Protocol, place: Path, tmp_path: Path) -> None:
    identities = Identities()
    with spans(protocol, identities=identities) as collector:
        env = {**collector.environment, **identities.write(tmp_path), "OTEL_METRICS_EXPORTER": "none"}
        with serve("uvicorn", "tests.apps.starlette_app:app", env={**env, "STETHOSCOPE_DIR": str(place)}) as server:
            httpx.get(f"{server.url}/items/1")
            server.stop()
        assert [span.name for span in collector.spans(1)] == ["GET /items/{number}"]


@PROTOCOLS
@pytest.mark.parametrize("wrong", ["another authority", "no client certificate"])
def test_nothing_is_sent_to_who_can_not_be_trusted(protocol: Protocol, wrong: str, place: Path, tmp_path: Path) -> None:
    identities = Identities()
    variables = (Identities() if wrong == "another authority" else identities).write(tmp_path)
    if wrong == "no client certificate":
        variables = {name: path for name, path in variables.items() if "CLIENT" not in name}
    with spans(protocol, identities=identities) as collector:
        env = {**collector.environment, **variables, "STETHOSCOPE_DIR": str(place), "STETHOSCOPE_TOKEN": TOKEN}
        env |= {
            "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
            "OTEL_METRIC_EXPORT_INTERVAL": "100",
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }
        with serve("uvicorn", "tests.apps.starlette_app:app", env=env) as server:
            assert httpx.get(f"{server.url}/items/1").status_code == 200
            assert lost(server, "traces", 1)
        assert collector.attempts == 0

"""What an exposition says about requests, as values to compare.

Read with prometheus_client's parser, which knows nothing of ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

TOKEN = "token-of-the-tests-1234567890"
METRICS = "/_stethoscope/metrics"
AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}

Samples = Mapping[str, Mapping[tuple[tuple[str, str], ...], float]]


@dataclass(frozen=True, slots=True, order=True)
class Request:
    """Labels of one recorded request. ``error`` is empty where the exposition has no ``error_type``."""

    method: str
    route: str
    status: str
    error: str = ""


def parse(text: str) -> Samples:
    """Sample name -> labels, sorted -> value."""
    samples: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return samples


def total(samples: Samples, name: str, **labels: str) -> float:
    """Sum of all series of ``name`` that have these labels."""
    series = samples.get(name, {}).items()
    return sum(value for found, value in series if labels.items() <= dict(found).items())


def requests(samples: Samples) -> Counter[Request]:
    """How many requests were recorded, by their labels."""
    return _by_request(samples, "http_server_request_duration_seconds_count")


def seconds(samples: Samples) -> Counter[Request]:
    """Total duration of the recorded requests."""
    return _by_request(samples, "http_server_request_duration_seconds_sum")


def sent_bytes(samples: Samples) -> Counter[Request]:
    return _by_request(samples, "http_server_response_body_size_bytes_sum")


def received_bytes(samples: Samples) -> Counter[Request]:
    return _by_request(samples, "http_server_request_body_size_bytes_sum")


def _by_request(samples: Samples, name: str) -> Counter[Request]:
    found: Counter[Request] = Counter()
    for labels, value in samples.get(name, {}).items():
        by_name = dict(labels)
        request = Request(
            by_name.get("http_request_method", ""),
            by_name.get("http_route", ""),
            by_name.get("http_response_status_code", ""),
            by_name.get("error_type", ""),
        )
        found[request] += value  # type: ignore[assignment] # seconds are fractions
    return found

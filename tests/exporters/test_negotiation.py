"""Accept and Accept-Encoding, case by case."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stethoscope.exporters.negotiation import accepts_gzip, choose_format
from stethoscope.exporters.openmetrics import OPENMETRICS
from stethoscope.exporters.text import TEXT

PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_2_PROTOBUF = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.5,"
    "application/openmetrics-text;version=1.0.0;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    "accept",
    [
        PROMETHEUS_3,
        PROMETHEUS_2_PROTOBUF,
        "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        "application/openmetrics-text",
        "Application/OpenMetrics-Text; Version=1.0.0; Charset=utf-8",
        'application/openmetrics-text; version="1.0.0"',
        "application/*",
        "application/openmetrics-text, */*",
        "*/*, application/openmetrics-text",
        "text/plain;version=1.0.0, application/openmetrics-text;q=0.5",
        "application/openmetrics-text, text/plain",
        "text/plain;q=0, */*",
        "text/*;q=0.1, application/openmetrics-text;q=0.2",
        "application/openmetrics-text;version=0.0.1;q=0, application/openmetrics-text;version=1.0.0",
        "text/plain; q=0.9, application/openmetrics-text; q=1.000",
    ],
)
def test_openmetrics_is_chosen_when_preferred(accept: str) -> None:
    """B26"""
    assert choose_format(accept) is OPENMETRICS


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        BROWSER,
        "text/plain",
        "text/plain;version=0.0.4",
        "text/plain, application/openmetrics-text",
        "text/plain;version=0.0.4;q=0.9, application/openmetrics-text;q=0.8",
        "application/openmetrics-text;q=0, */*",
        "application/openmetrics-text; version=2.0.0",
        "application/openmetrics-text; version=1.0.0; q=0",
        "application/json",
        "text/plain;q=0",
        "*/*;q=0",
        "application/openmetrics-text;q=nan",
        "application/openmetrics-text;q=2",
        "application/openmetrics-text;q=",
        ";;,,=;q=1,/",
        "text/*",
    ],
)
def test_text_is_given_when_preferred_or_when_nothing_fits(accept: str) -> None:
    """B26: never 406; a reader that cannot be served gets what all readers understand."""
    assert choose_format(accept) is TEXT


@given(st.text(st.sampled_from('aq=;,*/ "1.0\x00é'), max_size=60))
def test_no_header_is_an_error(header: str) -> None:
    choose_format(header)
    accepts_gzip(header)


@pytest.mark.parametrize(
    "header",
    [
        "gzip",
        "GZIP",
        "gzip, deflate, br",
        "x-gzip",
        "*",
        "gzip;q=0.5",
        "br;q=1, gzip;q=0.2",
        "identity;q=0.2, gzip;q=0.3",
    ],
)
def test_gzip_is_used_when_accepted(header: str) -> None:
    """B26"""
    assert accepts_gzip(header)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "identity",
        "gzip;q=0",
        "gzip;q=0.000",
        "*;q=0",
        "br",
        "gzip;q=0, *",
        "gzip;q=0.4, identity;q=0.5",
        "gzip;q=x",
    ],
)
def test_gzip_is_not_used_when_refused_or_liked_less(header: str) -> None:
    """B26"""
    assert not accepts_gzip(header)


def test_content_types_are_exactly_those_of_the_specifications() -> None:
    assert TEXT.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert OPENMETRICS.content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"

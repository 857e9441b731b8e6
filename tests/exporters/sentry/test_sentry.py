"""What a real HTTP server gets of an app that tells Sentry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.receivers.sentry import Event, Received, sentry
from tests.servers import serve

FAILING = ("/api/orders/1", "/tenants/tenants/a/users/2", "/api/orders/1/logged", "/api/orders/2")
ROUTES = (
    "/api/orders/{number}",
    "/tenants/tenants/{tenant}/users/{number}",
    "/api/orders/{number}/logged",
    "/api/orders/{number}",
)
PERSONAL = {"cookie": "session=secret-cookie", "referer": "http://shop/?token=secret-referer"}


@contextmanager
def told(app: str, **variables: str) -> Iterator[tuple[Received, str]]:
    with sentry() as received:
        environment = {"SENTRY_DSN": received.dsn, "STETHOSCOPE_SENTRY": "traces_sample_rate=1.0", **variables}
        with serve("uvicorn", f"tests.exporters.sentry.apps:{app}", env=environment, options=["--factory"]) as server:
            yield received, server.url


def get(url: str, identity: str) -> None:
    httpx.get(f"{url}?token=secret-query", headers={"x-request-id": identity, **PERSONAL})


def tag(event: Event, name: str) -> object:
    return event["tags"][name]


@pytest.fixture(scope="module", params=["by_variable", "wrapped", "by_itself", "afterwards"])
def events(request: pytest.FixtureRequest) -> tuple[str, list[Event], list[Event]]:
    """Name of an app, and the errors and transactions that it has told Sentry of, in order."""
    with told(request.param) as (received, url):
        for number, path in enumerate([*FAILING, "/api/orders/3/fine"]):
            get(f"{url}{path}", str(number))
        # All are sent by one thread: with the last transaction every event is there, a second one of an exception too.
        transactions = received.transactions(len(FAILING) + 1)
        return request.param, received.errors(), transactions


def test_an_exception_is_one_event_with_request_id_and_whole_route(
    events: tuple[str, list[Event], list[Event]],
) -> None:
    _, errors, transactions = events
    expected = list(zip("0123", ROUTES, strict=True))
    assert [(tag(event, "request_id"), event["transaction"]) for event in errors] == expected
    assert [tag(event, "http.route") for event in errors] == list(ROUTES)
    expected.append(("4", "/api/orders/{number}/fine"))
    assert [(tag(event, "request_id"), event["transaction"]) for event in transactions] == expected
    assert {event["transaction_info"]["source"] for event in [*errors, *transactions]} == {"route"}


def test_nothing_personal_leaves(events: tuple[str, list[Event], list[Event]]) -> None:
    everything = json.dumps(events)
    assert "secret-" not in everything
    assert "Lovelace" not in everything
    assert "470815162342" not in everything
    assert "SELECT * FROM orders WHERE name = ? AND number = ?" in everything


def test_hook_of_the_app_is_called_too(events: tuple[str, list[Event], list[Event]]) -> None:
    app, errors, _ = events
    assert [event["tags"].get("theirs") for event in errors] == ["yes" if app == "by_itself" else None] * len(errors)


def test_plain_app_has_events_transactions_and_a_scope_for_each_request() -> None:
    with told("plain", STETHOSCOPE_THRESHOLDS="request_p95=0.000001:0.5") as (received, url):
        for number, path in enumerate(("/fail", "/fail", "/")):
            get(f"{url}{path}", str(number))
        transactions, errors = received.transactions(3), received.errors()
    assert [tag(event, "request_id") for event in errors] == ["0", "1"]
    assert [tag(event, "request_id") for event in transactions] == ["0", "1", "2"]
    assert [event["contexts"]["trace"]["status"] for event in transactions] == ["internal_error"] * 2 + ["ok"]
    assert len({event["contexts"]["trace"]["trace_id"] for event in transactions}) == 3
    assert errors[0]["exception"]["values"][0]["mechanism"] == {"type": "stethoscope", "handled": False}
    context = transactions[2]["contexts"]["stethoscope"]
    assert context["slow"] is True
    assert context["seconds"] > context["budget_seconds"] == 0.000001


def test_work_beside_requests_keeps_its_names_and_says_which_request_it_comes_from() -> None:
    with told("jobs") as (received, url):
        for identity, path in (("0", "/start"), ("1", "/begin"), ("2", "/call")):
            get(f"{url}{path}", identity)
        transactions, (error,) = received.transactions(5), received.errors(1)
    assert {
        (
            one["contexts"]["trace"]["op"],
            one["transaction"],
            one["transaction_info"]["source"],
            one["tags"].get("request_id"),
        )
        for one in transactions
    } == {
        *(("http.server", "__unmatched__", "route", identity) for identity in "012"),
        ("task", "nightly", "task", "0"),
        ("task", "calling", "task", None),
    }
    jobs = [one for one in transactions if one["contexts"]["trace"]["op"] == "task"]
    assert (error["transaction"], tag(error, "request_id")) == ("nightly", "0")
    for one in [error, *jobs]:
        assert "stethoscope" not in one["contexts"]
        assert "http.route" not in one["tags"]
    assert {one["contexts"]["trace"].get("status") for one in jobs} == {None}


def test_an_exception_that_is_raised_again_outside_of_requests_is_an_event_again() -> None:
    with told("jobs") as (received, url):
        get(f"{url}/repeat", "0")
        errors = received.errors(4)
    assert [one["exception"]["values"][0]["type"] for one in errors] == ["ValueError", "KeyError"] * 2


@pytest.mark.parametrize(("environments", "reported"), [("production|staging", 1), ("production", 0)])
def test_release_and_environment_go_along_and_other_environments_do_not_report(
    environments: str, reported: int
) -> None:
    variables = {"SENTRY_ENVIRONMENT": "staging", "SENTRY_RELEASE": "shop@1.2.3"}
    with told("plain", STETHOSCOPE_SENTRY=f"environments={environments}", **variables) as (received, url):
        get(f"{url}/fail", "0")
        get(f"{url}/flush", "1")
        errors = received.errors()
    assert [(event["environment"], event["release"]) for event in errors] == [("staging", "shop@1.2.3")] * reported
    assert received.transactions() == []


@pytest.mark.parametrize("app", ["plain", "by_variable", "by_itself", "afterwards"])
def test_nothing_at_all_leaves_another_environment(app: str) -> None:
    """Neither events, nor sessions, nor the SDK's reports of what was dropped."""
    variables = {"SENTRY_ENVIRONMENT": "staging", "SENTRY_RELEASE": "shop@1.2.3"}
    chosen = "environments=production, traces_sample_rate=1.0"
    with sentry() as received:
        environment = {"SENTRY_DSN": received.dsn, "STETHOSCOPE_SENTRY": chosen, **variables}
        with serve("uvicorn", f"tests.exporters.sentry.apps:{app}", env=environment, options=["--factory"]) as server:
            for path in ("/fail", *FAILING, "/flush"):
                get(f"{server.url}{path}", "0")
            assert "Traceback" in server.log()
        assert received.all() == []

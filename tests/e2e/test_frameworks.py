"""Every framework behind uvicorn, and every server before Starlette or FastAPI, over real sockets.

What is asserted is only what a user sees: responses, and the exposition read with the token.
"""

from __future__ import annotations

import itertools
import select
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest

from stethoscope.names import OTHER_METHOD, UNMATCHED_ROUTE
from tests.apps.contract import BACKGROUND_SECONDS, CONTRACTS, FASTAPI, PARTS, STARLETTE, Contract
from tests.scrape import (
    AUTHORIZED,
    METRICS,
    TOKEN,
    Request,
    Samples,
    parse,
    received_bytes,
    requests,
    seconds,
    sent_bytes,
    total,
)
from tests.servers import HOST, Kind, Server, serve

DEADLINE = 10.0
GONE = {"client_disconnect", "cancelled"}

SERVED: list[tuple[Kind, Contract]] = [
    *(("uvicorn", contract) for contract in CONTRACTS),
    ("uvicorn-h11-asyncio", STARLETTE),
    ("gunicorn", FASTAPI),
    ("gunicorn-preload", FASTAPI),
    ("hypercorn", STARLETTE),
    ("hypercorn-trio", STARLETTE),
    ("granian", FASTAPI),
    ("daphne", STARLETTE),
]
# By name, because pytest runs the tests of one server together only if it can compare what they ask for.
PAIRS = {f"{kind}-{contract.name}": (kind, contract) for kind, contract in SERVED}


@dataclass(frozen=True, slots=True)
class Running:
    server: Server
    contract: Contract
    client: httpx.Client

    def scrape(self) -> Samples:
        response = self.client.get(METRICS, headers=AUTHORIZED)
        assert response.status_code == 200, response.text
        return parse(response.text)

    def watch(self) -> Watch:
        """What is recorded from now on."""
        return Watch(self, self.scrape())

    def connect(self, path: str) -> socket.socket:
        """A connection on which ``path`` was asked for."""
        connection = socket.create_connection((HOST, self.server.port), timeout=DEADLINE)
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
        return connection


@dataclass(frozen=True, slots=True)
class Watch:
    running: Running
    before: Samples

    def until(self, ready: Callable[[Samples], bool]) -> Samples:
        """The first exposition that is ``ready``: some servers send the end of a response before
        the app's layer has recorded it. Fails with the last one after a deadline."""
        deadline = time.monotonic() + DEADLINE
        while not ready(samples := self.running.scrape()):
            if time.monotonic() > deadline:
                pytest.fail(f"Recorded was only {self.new(samples)}\n{self.running.server.log()}")
            select.select([], [], [], 0.02)
        return samples

    def new(self, samples: Samples) -> Counter[Request]:
        return requests(samples) - requests(self.before)

    def recorded(self, *expected: Request) -> Samples:
        """The exposition in which these requests, and no others, are new."""
        return self.until(lambda samples: self.new(samples) == Counter(expected))

    def outcome(self) -> Request:
        """The one new request."""
        (request,) = self.new(self.until(lambda samples: bool(self.new(samples)))).elements()
        return request


def where(applies: Callable[[Contract], object]) -> pytest.MarkDecorator:
    """Leaves out the frameworks that a row of the contract says nothing of."""
    names = [name for name, (_, contract) in PAIRS.items() if applies(contract)]
    return pytest.mark.parametrize("running", names, indirect=True, scope="module")


@pytest.fixture(scope="module", params=PAIRS)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    kind, contract = PAIRS[request.param]
    env = {"STETHOSCOPE_TOKEN": TOKEN, "STETHOSCOPE_DIR": str(tmp_path_factory.mktemp("segments"))}
    with (
        serve(kind, contract.app, env=env) as server,
        # Servers close the connection of a request that raised: none is used twice.
        httpx.Client(base_url=server.url, timeout=DEADLINE, limits=httpx.Limits(max_keepalive_connections=0)) as client,
    ):
        yield Running(server, contract, client)


def _read_part(connection: socket.socket) -> None:
    seen = b""
    while PARTS[0] not in seen:
        seen += connection.recv(4096)


def test_a_route_is_recorded_by_its_template(running: Running) -> None:
    contract, watch = running.contract, running.watch()
    assert running.client.get(contract.path("/items/7")).status_code == 200
    watch.recorded(Request("GET", contract.route("/items/7"), "200"))


def test_included_routers_and_mounts_are_recorded_by_their_full_template(running: Running) -> None:
    """B15"""
    nested, watch = running.contract.nested, running.watch()
    for path in nested:
        assert running.client.get(path).status_code == 200, path
    watch.recorded(*(Request("GET", route, "200") for route in nested.values()))


@where(lambda contract: contract.matches)
def test_the_path_of_a_404_is_not_recorded(running: Running) -> None:
    """A14"""
    paths = [running.contract.path(path) for path in ("/no/such/path", "/items/none", "/<script>")]
    watch = running.watch()
    assert [running.client.get(path).status_code for path in paths] == [404] * 3
    watch.recorded(*[Request("GET", UNMATCHED_ROUTE, "404")] * 3)


@where(lambda contract: contract.redirect)
def test_the_path_of_a_redirect_is_not_recorded(running: Running) -> None:
    """B15"""
    watch = running.watch()
    status = running.client.get(running.contract.redirect).status_code
    assert 300 < status < 400
    watch.recorded(Request("GET", UNMATCHED_ROUTE, str(status)))


@where(lambda contract: contract.matches)
def test_a_405_has_the_template_where_the_framework_knows_it(running: Running) -> None:
    contract, watch = running.contract, running.watch()
    assert running.client.get(contract.path("/only-post")).status_code == 405
    route = contract.route("/only-post") if contract.method_known else UNMATCHED_ROUTE
    watch.recorded(Request("GET", route, "405"))


def test_invented_methods_are_one_series(running: Running) -> None:
    """A14"""
    for method in ("FOOBAR1", "FOOBAR2", "get"):
        running.client.request(method, running.contract.path("/items/7"))
    labels = {request.method for request in requests(running.scrape())}
    assert labels <= {"GET", "POST", OTHER_METHOD}
    if running.server.kind == "uvicorn-h11-asyncio":
        # Others refuse unknown methods before the app is asked.
        assert OTHER_METHOD in labels


def test_an_unhandled_exception_is_a_500_with_its_class_and_our_headers(running: Running) -> None:
    contract, watch = running.contract, running.watch()
    response = running.client.get(contract.path("/boom/7"))
    assert response.status_code == 500
    error = "KeyError" if contract.tells_exceptions else "500"
    watch.recorded(Request("GET", contract.route("/boom/7"), "500", error))
    if contract.matches:
        assert response.headers["x-request-id"]
        assert response.headers["x-response-time"].endswith("ms")


def test_an_exception_in_mid_stream_is_recorded_with_the_status_that_was_sent(running: Running) -> None:
    """B14"""
    contract, watch = running.contract, running.watch()
    # Some servers leave the connection open then.
    with running.connect(contract.path("/broken/7")) as connection:
        _read_part(connection)
        watch.recorded(Request("GET", contract.route("/broken/7"), "200", contract.broken))


def test_a_client_that_leaves_in_mid_stream_is_recorded(running: Running) -> None:
    """B18"""
    contract, watch = running.contract, running.watch()
    with running.connect(contract.path("/endless")) as connection:
        _read_part(connection)
    outcome = watch.outcome()
    assert (outcome.route, outcome.status) == (contract.route("/endless"), "200")
    assert outcome.error in (GONE if contract.notices_leaving else {""})


def test_a_client_that_leaves_before_the_response_is_counted(running: Running) -> None:
    """B18"""
    contract, watch = running.contract, running.watch()
    active = "http_server_active_requests"
    with running.connect(contract.path("/slow")):
        # Leaving before the app is asked would cancel nothing.
        watch.until(lambda samples: total(samples, active) >= 1)
    outcome = watch.outcome()
    assert outcome.route == contract.route("/slow")
    assert outcome.error in (GONE if contract.notices_leaving else {""})


@where(lambda contract: contract.background)
def test_a_background_task_is_no_part_of_the_duration(running: Running) -> None:
    """B13"""
    contract, watch = running.contract, running.watch()
    assert running.client.get("/background").status_code == 200
    request = Request("GET", contract.route("/background"), "200")
    after = watch.recorded(request)
    assert (seconds(after) - seconds(watch.before))[request] < BACKGROUND_SECONDS / 2


@where(lambda contract: contract.background_in_request)
def test_a_background_task_is_recorded_on_its_own(running: Running) -> None:
    """B13"""
    contract, watch = running.contract, running.watch()
    running.client.get("/background")
    name = "stethoscope_http_server_background_duration_seconds_sum"

    def spent(samples: Samples) -> float:
        return total(samples, name, http_route=contract.route("/background"))

    watch.until(lambda samples: spent(samples) - spent(watch.before) >= BACKGROUND_SECONDS * 0.9)


def test_a_stream_of_unknown_length_is_recorded_with_the_bytes_that_passed(running: Running) -> None:
    contract, watch = running.contract, running.watch()
    body = b"".join(PARTS)
    assert running.client.get(contract.path("/stream")).content == body
    request = Request("GET", contract.route("/stream"), "200")
    after = watch.recorded(request)
    assert (sent_bytes(after) - sent_bytes(watch.before))[request] == len(body)


def test_a_streamed_upload_is_recorded_with_the_bytes_that_passed(running: Running) -> None:
    contract, watch = running.contract, running.watch()
    size = 100_000
    parts = itertools.repeat(b"x" * 1000, size // 1000)
    assert running.client.post(contract.path("/upload"), content=parts).text == str(size)
    request = Request("POST", contract.route("/upload"), "200")
    after = watch.recorded(request)
    assert (received_bytes(after) - received_bytes(watch.before))[request] == size

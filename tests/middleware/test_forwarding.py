"""Against a real server on loopback that answers with the X-Request-ID headers that it got."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast

import aiohttp
import httpx
import httpx2
import pytest

from stethoscope.middleware import forwarding
from stethoscope.middleware.forwarding import forward_request_id
from tests.middleware.serving import serving

CROWD = 100


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Two packets for headers and body would wait for each other's acknowledgement.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        server = cast(EchoServer, self.server)
        if self.path == "/together":
            server.crowd.wait(timeout=60)
        body = json.dumps(self.headers.get_all("X-Request-ID", [])).encode()
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/")
            body = b""
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class EchoServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 2 * CROWD

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Echo)
        self.crowd = threading.Barrier(CROWD)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def server() -> Iterator[EchoServer]:
    with EchoServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


Get = Callable[..., Awaitable[list[str]]]
"""Takes a path and `headers=`; gives the X-Request-ID headers that reached the server."""


def with_httpx(url: str, body: Callable[[Get], Awaitable[None]], **options: object) -> None:
    async def run() -> None:
        async with httpx.AsyncClient(base_url=url, follow_redirects=True, trust_env=False, **options) as client:  # type: ignore[arg-type]
            assert forward_request_id(forward_request_id(client)) is client

            async def get(path: str = "/", headers: dict[str, str] | None = None) -> list[str]:
                return cast("list[str]", (await client.get(path, headers=headers)).json())

            await body(get)

    asyncio.run(run())


def with_aiohttp(url: str, body: Callable[[Get], Awaitable[None]], **options: object) -> None:
    async def run() -> None:
        async with aiohttp.ClientSession(url, **options) as session:  # type: ignore[arg-type]
            assert forward_request_id(forward_request_id(session)) is session

            async def get(path: str = "/", headers: dict[str, str] | None = None) -> list[str]:
                async with session.get(path, headers=headers) as response:
                    return cast("list[str]", await response.json(content_type=None))

            await body(get)

    asyncio.run(run())


def with_httpx_in_threads(url: str, body: Callable[[Get], Awaitable[None]], **options: object) -> None:
    with_sync(httpx.Client(base_url=url, follow_redirects=True, trust_env=False, **options), body)  # type: ignore[arg-type]


def with_httpx2_in_threads(url: str, body: Callable[[Get], Awaitable[None]], **options: object) -> None:
    with_sync(httpx2.Client(base_url=url, follow_redirects=True, trust_env=False, **options), body)  # type: ignore[arg-type]


def with_sync(client: httpx.Client | httpx2.Client, body: Callable[[Get], Awaitable[None]]) -> None:
    def fetch(path: str, headers: dict[str, str] | None) -> list[str]:
        return cast("list[str]", client.get(path, headers=headers).json())

    async def get(path: str = "/", headers: dict[str, str] | None = None) -> list[str]:
        return await asyncio.to_thread(fetch, path, headers)

    async def run() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(CROWD))
        await body(get)

    with client:
        assert forward_request_id(forward_request_id(client)) is client
        asyncio.run(run())


@pytest.fixture(params=[with_httpx, with_aiohttp, with_httpx_in_threads, with_httpx2_in_threads])
def run(request: pytest.FixtureRequest) -> Callable[..., None]:
    return cast("Callable[..., None]", request.param)


def test_calls_within_a_request_carry_its_id_once(run: Callable[..., None], server: EchoServer) -> None:
    async def body(get: Get) -> None:
        with serving("abc"):
            assert await get() == ["abc"]
        with serving("def"):
            assert await get() == ["def"]

    run(server.url, body)


def test_calls_outside_a_request_carry_none(run: Callable[..., None], server: EchoServer) -> None:
    async def body(get: Get) -> None:
        with serving("abc"):
            await get()
        assert await get() == []

    run(server.url, body)


def test_a_header_that_the_call_sets_stays(run: Callable[..., None], server: EchoServer) -> None:
    async def body(get: Get) -> None:
        with serving("abc"):
            assert await get(headers={"x-request-id": "mine"}) == ["mine"]

    run(server.url, body)


def test_a_header_that_the_client_sets_stays(run: Callable[..., None], server: EchoServer) -> None:
    async def body(get: Get) -> None:
        with serving("abc"):
            assert await get() == ["mine"]

    run(server.url, body, headers={"X-REQUEST-ID": "mine"})


def test_redirected_calls_carry_it_once(run: Callable[..., None], server: EchoServer) -> None:
    async def body(get: Get) -> None:
        with serving("abc"):
            assert await get("/moved") == ["abc"]

    run(server.url, body)


def test_a_hundred_requests_in_flight_never_mix_their_ids(run: Callable[..., None], server: EchoServer) -> None:
    async def body(get: Get) -> None:
        async def serve(number: int) -> list[str]:
            with serving(f"request-{number}"):
                return await get("/together")

        seen = await asyncio.gather(*map(serve, range(CROWD)))
        assert seen == [[f"request-{number}"] for number in range(CROWD)]

    run(server.url, body)


def test_calls_are_made_when_the_id_cannot_be_had(
    run: Callable[..., None], server: EchoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A5: a failure of ours costs a call its header, nothing more."""

    def fail() -> str:
        raise RuntimeError("broken")

    monkeypatch.setattr(forwarding, "request_id", fail)

    async def body(get: Get) -> None:
        assert await get() == []

    run(server.url, body)


def test_hooks_and_traces_of_the_user_stay() -> None:
    seen: list[str] = []
    with httpx.Client(
        event_hooks={"request": [lambda request: seen.append("mine")]},
        transport=httpx.MockTransport(lambda request: httpx.Response(204, request=request)),
    ) as client:
        forward_request_id(client).get("http://shop/")
    assert seen == ["mine"]


def test_instances_of_subclasses_are_taken() -> None:
    class Tuned(httpx.Client):
        pass

    with Tuned(trust_env=False) as client:
        assert forward_request_id(client) is client


@pytest.mark.parametrize(
    ("given", "described"),
    [
        (object(), "builtins.object"),
        (httpx.AsyncClient, "the class httpx.AsyncClient: pass an instance of it"),
        (httpx, "builtins.module"),
        (None, "builtins.NoneType"),
    ],
)
def test_anything_else_is_refused_by_name(given: object, described: str) -> None:
    with pytest.raises(TypeError) as refusal:
        forward_request_id(given)
    assert str(refusal.value) == (
        f"forward_request_id() takes an httpx.Client, an httpx.AsyncClient or an aiohttp.ClientSession; got {described}"
    )


def test_no_client_library_is_imported_for_it() -> None:
    script = (
        "import sys, stethoscope.middleware.forwarding; "
        "print(sorted({'httpx', 'httpx2', 'aiohttp'} & set(sys.modules)))"
    )
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert output == "[]\n"

"""The endpoints as an ASGI app: paths, access, negotiation, errors."""

from __future__ import annotations

import asyncio
import gc
import gzip
import threading
from weakref import ref

import pytest
from anyio import to_thread
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics_exposition
from prometheus_client.openmetrics import parser as openmetrics_parser
from starlette.types import Message, Scope

from stethoscope.dashboards.access import anyone
from stethoscope.dashboards.endpoints import Endpoints
from stethoscope.exporters.exposition import render
from stethoscope.exporters.openmetrics import OPENMETRICS
from stethoscope.exporters.text import TEXT
from stethoscope.names import REQUEST_DURATION, WORKERS
from stethoscope.store.snapshot import Snapshot
from tests.dashboards import boards
from tests.dashboards.calling import LOOPBACK, REMOTE, Answer, call, endpoints, get, get_on_trio, http_scope
from tests.exporters.snapshots import every_corner

TOKEN = "s3cret-🔑"
TEXT_PAGE = b"".join(render(every_corner(), TEXT))
OPENMETRICS_PAGE = b"".join(render(every_corner(), OPENMETRICS))
_SECONDS = 10


@pytest.mark.parametrize(
    "path", ["/_stethoscope", "/_stethoscope/", "/_stethoscope/metrics", "/_stethoscope/any/thing"]
)
def test_prefix_is_served_with_a_token_only(path: str) -> None:
    """B35: closed by default."""
    assert endpoints().serves(path)
    assert not endpoints(token=None).serves(path)
    assert not endpoints(token=None, metrics_path="/metrics").serves(path)


@pytest.mark.parametrize(
    "path", ["/", "", "/_stethoscopes", "/_stethoscop", "/x/_stethoscope", "/metrics", "//_stethoscope"]
)
def test_paths_of_the_app_are_not_served(path: str) -> None:
    assert not endpoints().serves(path)


def test_metrics_path_is_served_in_both_forms_and_nothing_below_it() -> None:
    app = endpoints(token=None, metrics_path="/metrics")
    assert [app.serves(path) for path in ("/metrics", "/metrics/")] == [True, True]
    assert not any(app.serves(path) for path in ("/metricsx", "/metrics//", "/metrics/x", "/metric", "/x/metrics"))


@pytest.mark.parametrize("token", [TOKEN, "s3cret"])
@pytest.mark.parametrize("path", ["/_stethoscope/metrics", "/_stethoscope/metrics/"])
def test_bearer_reads_the_page(path: str, token: str) -> None:
    scope = http_scope(path)
    scope["headers"] = [(b"authorization", f"Bearer {token}".encode())]
    answer = asyncio.run(call(endpoints(token=token), scope))
    assert (answer.status, answer.body) == (200, TEXT_PAGE)
    assert answer.headers == {
        "content-type": "text/plain; version=0.0.4; charset=utf-8",
        "content-length": str(len(TEXT_PAGE)),
        "cache-control": "no-store",
        "vary": "Accept, Accept-Encoding",
        "x-content-type-options": "nosniff",
    }


def test_trio_reads_the_same_page() -> None:
    answer = get_on_trio(endpoints(), "/_stethoscope/metrics", token="s3cret")
    assert (answer.status, answer.body) == (200, TEXT_PAGE)


@pytest.mark.parametrize("path", ["/_stethoscope", "/_stethoscope/metrics", "/_stethoscope/unknown"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("token", [None, "", "wrong"])
def test_others_learn_nothing_under_the_prefix(path: str, method: str, token: str | None) -> None:
    """B35: the same answer whether a page is there or not, and from loopback too."""
    answer = get(endpoints(), path, method=method, token=token, client=LOOPBACK)
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="stethoscope"'
    assert answer.problem["detail"] == "Send the token as 'Authorization: Bearer <token>'."


@pytest.mark.parametrize(
    "path", ["/_stethoscope", "/_stethoscope/", "/_stethoscope/unknown", "/_stethoscope/metrics//"]
)
def test_unknown_page_is_404_for_bearers(path: str) -> None:
    assert get(endpoints(), path, token="s3cret").problem["status"] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "FOOBAR1"])
def test_page_can_only_be_read(method: str) -> None:
    answer = get(endpoints(), "/_stethoscope/metrics", method=method, token="s3cret")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/metrics", "/metrics/"])
def test_metrics_path_is_open_to_this_machine_and_to_bearers(path: str) -> None:
    """B35"""
    app = endpoints(metrics_path="/metrics")
    assert get(app, path, client=LOOPBACK).body == TEXT_PAGE
    assert get(app, path, client=REMOTE, token="s3cret").body == TEXT_PAGE
    assert get(app, path, client=REMOTE).status == 401
    assert get(app, path, client=None).status == 401


def test_metrics_path_without_token_says_what_would_open_it() -> None:
    """B35"""
    app = endpoints(token=None, metrics_path="/metrics")
    assert get(app, "/metrics", client=LOOPBACK).status == 200
    assert get(app, "/metrics", client=REMOTE).problem["status"] == 403


def test_another_rule_takes_the_place_of_the_default() -> None:
    asked: list[Scope] = []

    def nobody(scope: Scope) -> bool:
        asked.append(scope)
        return False

    assert get(endpoints(metrics_path="/metrics", metrics_access=anyone), "/metrics", client=REMOTE).status == 200
    assert get(endpoints(metrics_path="/metrics", metrics_access=nobody), "/metrics", client=LOOPBACK).status == 401
    assert [scope["path"] for scope in asked] == ["/metrics"]


def test_rule_for_metrics_path_does_not_open_the_prefix() -> None:
    app = endpoints(metrics_path="/metrics", metrics_access=anyone)
    assert get(app, "/_stethoscope/metrics", client=LOOPBACK).status == 401


def test_rule_that_fails_lets_nobody_in() -> None:
    told: list[tuple[str, Exception]] = []

    def broken(scope: Scope) -> bool:
        raise KeyError("rule")

    app = endpoints(metrics_path="/metrics", metrics_access=broken, told=told)
    assert get(app, "/metrics").problem["status"] == 500
    assert [(part, repr(error)) for part, error in told] == [("access", "KeyError('rule')")]


def test_empty_token_is_refused() -> None:
    """B35: it would open what it should close."""
    with pytest.raises(ValueError, match="token takes a secret of at least one character, got ''"):
        endpoints(token="")


@pytest.mark.parametrize(
    "path", ["/api/v1/_stethoscope/metrics", "/_stethoscope/metrics", "/api/v1/_stethoscope/metrics/"]
)
def test_root_path_is_no_part_of_our_paths(path: str) -> None:
    """Servers differ in whether they put it in front."""
    assert get(endpoints(), path, root_path="/api/v1", token="s3cret").status == 200


def scrape(app: Endpoints, **scope: object) -> Answer:
    return get(app, "/_stethoscope/metrics", token="s3cret", **scope)


def test_format_is_negotiated() -> None:
    """B26"""
    answer = scrape(endpoints(), headers=[("accept", "application/openmetrics-text;version=1.0.0")])
    assert answer.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert answer.body == OPENMETRICS_PAGE


def test_several_accept_headers_are_one_list() -> None:
    headers = [("accept", "text/plain;q=0.1"), ("accept", "application/openmetrics-text;q=0.9")]
    assert scrape(endpoints(), headers=headers).body == OPENMETRICS_PAGE


def test_gzip_is_used_when_accepted() -> None:
    """B26: and equal pages are equal bytes, because no time is written into them."""
    answers = [scrape(endpoints(), headers=[("accept-encoding", "gzip")]) for _ in range(2)]
    assert gzip.decompress(answers[0].body) == TEXT_PAGE
    assert answers[0].body == answers[1].body
    assert answers[0].headers["content-encoding"] == "gzip"
    assert answers[0].headers["content-length"] == str(len(answers[0].body))
    assert "content-encoding" not in scrape(endpoints(), headers=[("accept-encoding", "gzip;q=0")]).headers


@pytest.mark.parametrize("headers", [[], [("accept-encoding", "gzip")]])
def test_head_has_the_headers_of_get_and_no_body(headers: list[tuple[str, str]]) -> None:
    """B26"""
    head, whole = (scrape(endpoints(), method=method, headers=headers) for method in ("HEAD", "GET"))
    assert (head.status, head.headers, head.body) == (200, whole.headers, b"")


@pytest.mark.parametrize(
    "query",
    [
        "name[]=stethoscope_workers&name[]=http_server_request_duration_seconds_bucket",
        "name%5B%5D=stethoscope_workers&name%5B%5D=http_server_request_duration_seconds",
    ],
)
def test_names_limit_the_page(query: str) -> None:
    kept = {name: every_corner().families[name] for name in (REQUEST_DURATION.name, WORKERS.name)}
    expected = b"".join(render(Snapshot("shop", 0.0, kept), TEXT))
    assert scrape(endpoints(), query=query).body == expected


def test_unknown_name_gives_an_empty_page() -> None:
    assert (scrape(endpoints(), query="name[]=nothing").status, scrape(endpoints(), query="name[]=nothing").body) == (
        200,
        b"",
    )


@pytest.mark.parametrize("query", ["", "name[]=", "names=x", "%ff%00&&=;"])
def test_other_queries_change_nothing(query: str) -> None:
    assert scrape(endpoints(), query=query).body == TEXT_PAGE


def test_query_of_too_many_fields_is_refused() -> None:
    assert scrape(endpoints(), query="&".join(["name[]=a"] * 1001)).problem["status"] == 400


def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    Counter("mine", "Mine.", registry=registry).inc()
    return registry


def exposed(snapshot: Snapshot, openmetrics: bool, names: frozenset[str] | None) -> bytes:
    chosen = registry() if names is None else registry().restricted_registry(names)
    render = openmetrics_exposition.generate_latest if openmetrics else generate_latest
    page: bytes = render(chosen)
    return page.removesuffix(b"# EOF\n")


def test_what_another_registry_exposes_is_on_the_page() -> None:
    app = endpoints(foreign=exposed)
    text = scrape(app).body
    assert text.startswith(TEXT_PAGE + b"# HELP mine_total Mine.\n")
    page = scrape(app, headers=[("accept", "application/openmetrics-text")]).body.decode()
    families = list(openmetrics_parser.text_string_to_metric_families(page))  # type: ignore[no-untyped-call]
    assert families[-1].name == "mine"
    assert (
        scrape(app, query="name[]=mine_total").body
        == b"# HELP mine_total Mine.\n# TYPE mine_total counter\nmine_total 1.0\n"
    )


def test_another_registry_that_fails_hides_nothing_of_ours() -> None:
    told: list[tuple[str, Exception]] = []

    def broken(snapshot: Snapshot, openmetrics: bool, names: frozenset[str] | None) -> bytes:
        raise RuntimeError("a collector of the app")

    assert scrape(endpoints(foreign=broken, told=told)).body == TEXT_PAGE
    assert [(part, str(error)) for part, error in told] == [("foreign", "a collector of the app")]


def test_failure_is_answered_and_told() -> None:
    """Nothing is raised into the app."""
    told: list[tuple[str, Exception]] = []

    def broken() -> Snapshot:
        raise OSError("no such folder")

    assert scrape(endpoints(broken, told=told)).problem["status"] == 500
    assert [(part, str(error)) for part, error in told] == [("metrics", "no such folder")]


def test_failure_in_the_middle_of_a_page_is_answered_with_500() -> None:
    """Nothing is sent before all is rendered, so that no reader takes half a page for a whole one."""
    told: list[tuple[str, Exception]] = []
    odd = every_corner()
    family = odd.families[WORKERS.name]
    bad = Snapshot("shop", 0.0, {**odd.families, "z": type(family)(WORKERS, (family.series[0], None))})  # type: ignore[arg-type]
    assert scrape(endpoints(lambda: bad, told=told)).problem["status"] == 500
    assert [(part, type(error)) for part, error in told] == [("metrics", AttributeError)]


def test_client_that_is_gone_is_no_error() -> None:
    async def gone(message: Message) -> None:
        raise OSError("disconnected")

    async def main() -> None:
        await endpoints()(http_scope("/_stethoscope/metrics", token="s3cret"), _never, gone)

    asyncio.run(main())


async def _never() -> Message:
    raise AssertionError("nothing of the request's body is needed")


@pytest.mark.parametrize("path", ["/_stethoscope/metrics", "/metrics"])
def test_websocket_is_refused(path: str) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {**http_scope(path, token="s3cret", client=LOOPBACK), "type": "websocket"}
    asyncio.run(endpoints(metrics_path="/metrics")(scope, receive, send))
    assert [message["type"] for message in sent] == ["websocket.close"]


def test_overlapping_scrapes_share_one_snapshot() -> None:
    """B25: also when there are more of them than threads, and in different formats."""
    taken: list[int] = []
    began, let = threading.Event(), threading.Event()

    def slow() -> Snapshot:
        taken.append(1)
        began.set()
        assert let.wait(_SECONDS)
        return every_corner()

    app = endpoints(slow)

    async def main() -> list[Answer]:
        formats = ["text/plain", "application/openmetrics-text"] * 5
        scopes = [
            http_scope("/_stethoscope/metrics", token="s3cret", headers=[("accept", accept)]) for accept in formats
        ]
        scrapes = [asyncio.create_task(call(app, scope)) for scope in scopes]
        await asyncio.to_thread(began.wait, _SECONDS)
        let.set()
        return await asyncio.gather(*scrapes)

    answers = asyncio.run(main())
    assert [answer.body for answer in answers] == [TEXT_PAGE, OPENMETRICS_PAGE] * 5
    assert len(taken) == 1
    scrape(app)
    assert len(taken) == 2


def test_scrapes_take_no_thread_from_the_app_and_few_at_once() -> None:
    """B25: a scraper that asks again and again must not make the app's sync endpoints wait."""
    running = threading.Semaphore(0)
    let = threading.Event()

    def foreign(snapshot: Snapshot, openmetrics: bool, names: frozenset[str] | None) -> bytes:
        running.release()
        assert let.wait(_SECONDS)
        return b""

    app = endpoints(foreign=foreign)

    async def main() -> tuple[bool, float]:
        scopes = [http_scope("/_stethoscope/metrics", token="s3cret") for _ in range(6)]
        scrapes = [asyncio.create_task(call(app, scope)) for scope in scopes]
        for _ in range(2):
            assert await asyncio.to_thread(running.acquire, timeout=_SECONDS)
        third = await asyncio.to_thread(running.acquire, timeout=0.2)
        taken = to_thread.current_default_thread_limiter().borrowed_tokens
        let.set()
        assert {answer.status for answer in await asyncio.gather(*scrapes)} == {200}
        return third, taken

    assert asyncio.run(main()) == (False, 0)


def test_scrape_that_is_cancelled_harms_no_other() -> None:
    began, let = threading.Event(), threading.Event()

    def slow() -> Snapshot:
        began.set()
        assert let.wait(_SECONDS)
        return every_corner()

    app = endpoints(slow)

    async def main() -> Answer:
        scope = http_scope("/_stethoscope/metrics", token="s3cret")
        first, second = (asyncio.create_task(call(app, dict(scope))) for _ in range(2))
        await asyncio.to_thread(began.wait, _SECONDS)
        first.cancel()
        let.set()
        return await second

    assert asyncio.run(main()).body == TEXT_PAGE


def test_endpoints_that_are_dropped_are_gone_at_once() -> None:
    """And with them the folder that a sidecar has open for them: nothing waits for the garbage collector."""
    gc.disable()
    try:
        served = boards.board()
        assert get(served, "/_stethoscope/api/session", token=boards.TOKEN).status == 200
        dropped = ref(served), ref(served._board)
        del served
        assert [one() for one in dropped] == [None, None]
    finally:
        gc.enable()

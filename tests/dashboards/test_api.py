"""The metrics API: documents, queries, pages, tags, gzip, who may ask."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from stethoscope.asgi import Scope
from stethoscope.dashboards.api.operations import OPERATIONS
from stethoscope.names import REQUEST_DURATION, REQUEST_QUERIES
from stethoscope.store.snapshot import Family, Snapshot
from tests.dashboards.boards import API, TOKEN, board, busy, family
from tests.dashboards.calling import Answer, get, get_on_trio, post
from tests.exporters.snapshots import BORN, histogram

PLAIN = [operation.path for operation in OPERATIONS if not operation.place and operation.path != "performance/endpoint"]


def document(path: str, **options: Any) -> Any:
    answer = get(board(), f"{API}/{path}", token=TOKEN, **options)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    return json.loads(answer.body)


@pytest.mark.parametrize("path", PLAIN)
def test_every_question_has_an_answer_of_the_described_shape(path: str) -> None:
    """Also on trio, and of a service that has recorded nothing."""
    shape = next(operation.shape for operation in OPERATIONS if operation.path == path)
    assert document(path).keys() == shape.__annotations__.keys()
    assert get_on_trio(board(), f"{API}/{path}", token=TOKEN).status == 200


def test_numbers_of_an_endpoint() -> None:
    slow = next(
        one for one in document("performance")["endpoints"] if (one["method"], one["route"]) == ("GET", "/slow")
    )
    assert (slow["count"], slow["error_count"], slow["disconnect_count"]) == (3, 1, 0)
    assert slow["error_ratio"] == pytest.approx(1 / 3)
    assert slow["rate_per_second"] == pytest.approx(3 / 60)
    assert slow["mean_seconds"] == pytest.approx(2.0)
    times = [slow[f"{name}_seconds"] for name in ("min", "p50", "max")]
    assert times == pytest.approx([1.0, 2.0, 3.0], rel=0.01)
    assert slow["statuses"] == {"200": 2, "500": 1}
    assert slow["errors"] == {"ValueError": 1}
    assert slow["time_ratio"] == pytest.approx(6 / (6 + 0.99 + 0.1 + 0.5))


def test_of_requests_that_are_not_counted_apart_no_status_is_known() -> None:
    refused = histogram(REQUEST_DURATION, [""] * 5, [0.1] * 7, overflow=True)
    full = Snapshot("shop", BORN + 60, {REQUEST_DURATION.name: Family(REQUEST_DURATION, (refused,))})
    [one] = json.loads(get(board(lambda: full), f"{API}/performance", token=TOKEN).body)["endpoints"]
    assert (one["method"], one["route"], one["count"]) == ("", "__overflow__", 7)
    assert (one["statuses"], one["errors"]) == ({"unknown": 7}, {})


def test_who_leaves_early_has_not_met_an_error() -> None:
    posted = next(one for one in document("performance")["endpoints"] if one["method"] == "POST")
    assert (posted["error_count"], posted["disconnect_count"]) == (0, 1)


def test_the_slowest_come_first_and_no_more_than_asked_for() -> None:
    items = document("performance/slowest", query="limit=2")["items"]
    assert [(one["method"], one["route"]) for one in items] == [("GET", "/slow"), ("POST", "/slow")]


def test_pages_follow_each_other_by_their_links() -> None:
    """RFC 8288."""
    seen, query = [], "limit=2"
    while query:
        answer = get(board(), f"{API}/performance/endpoints", token=TOKEN, query=query)
        page = json.loads(answer.body)
        seen += [(one["method"], one["route"]) for one in page["items"]]
        assert page["total"] == 3
        links = answer.headers.get("link", "").split(", ")
        query = next((link.partition("<?")[2].partition(">")[0] for link in links if 'rel="next"' in link), "")
    assert sorted(seen) == [("GET", "/fast"), ("GET", "/slow"), ("POST", "/slow")]


def test_one_endpoint_in_full() -> None:
    report = document("performance/endpoint", query="method=GET&route=%2Fslow")
    assert report["endpoint"]["route"] == "/slow"
    assert sum(bar["count"] for bar in report["distribution"]) == 3
    edges = [(bar["from_seconds"], bar["to_seconds"]) for bar in report["distribution"]]
    assert edges[0][0] <= 1.0 <= edges[0][1]
    assert [one[1] for one in edges[:-1]] == [one[0] for one in edges[1:]]
    unknown = get(board(), f"{API}/performance/endpoint", token=TOKEN, query="method=GET&route=/no")
    assert unknown.problem["status"] == 404


def test_queries_of_an_endpoint_are_those_of_its_route_and_said_to_be() -> None:
    """They are not counted by method: the label would be one more series for each."""
    queries = family(REQUEST_QUERIES, **{"/slow": [30.0, 10.0]})
    asking = Snapshot("shop", BORN + 60, {**busy().families, queries.metric.name: queries})
    for method in ("GET", "POST"):
        path = f"{API}/performance/endpoint"
        report = json.loads(get(board(lambda: asking), path, token=TOKEN, query=f"method={method}&route=%2Fslow").body)
        assert (report["queries_mean"], report["queries_max"]) == (20.0, pytest.approx(30.0, rel=0.01))
    described = document("openapi.json")["components"]["schemas"]["EndpointReport"]["properties"]
    for key in ("queries_mean", "queries_max", "query_time"):
        assert "the route" in described[key]["description"]
        assert "whatever " in described[key]["description"]


def test_database_operations_that_took_most_time_come_first() -> None:
    operations = document("database")["operations"]
    assert [(one["operation"], one["count"], one["error_count"]) for one in operations] == [
        ("SELECT", 10, 0),
        ("INSERT", 1, 1),
    ]


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("performance/slowest", "limit=0", "limit='0' is not valid: expected a whole number from 1 to 1000"),
        ("performance/slowest", "limit=1e3", "limit='1e3' is not valid: expected a whole number from 1 to 1000"),
        ("performance/slowest", "limit=", "limit='' is not valid: expected a whole number from 1 to 1000"),
        ("performance/slowest", "limt=3", "'limt' is not known here: expected window, limit"),
        ("performance/slowest", "limit=1&limit=2", "limit is there twice: expected it once"),
        ("overview", "window=2m", "window='2m' is not valid: expected one of 1m, 5m, 15m, all"),
        ("overview", "window=%ff", "the query cannot be read: expected at most 20 fields, percent-encoded UTF-8"),
        ("thresholds", "x=1", "'x' is not known here: expected no fields at all"),
        ("requests", "min_ms=-1", "min_ms='-1' is not valid: expected a number from 0"),
        ("requests", "min_ms=nan", "min_ms='nan' is not valid: expected a number from 0"),
        ("performance/endpoint", "method=GET", "missing in the query: route"),
        ("stream", "view=nothing", "view='nothing' is not valid: expected one of overview, endpoints, database, requests, system"),
    ],
)  # fmt: skip
def test_a_wrong_query_is_told_what_was_expected(path: str, query: str, expected: str) -> None:
    answer = get(board(), f"{API}/{path}", token=TOKEN, query=query)
    assert (answer.status, answer.problem["detail"]) == (400, expected)


def test_an_answer_that_is_known_already_is_not_sent_again() -> None:
    first = get(board(), f"{API}/thresholds", token=TOKEN)
    again = get(board(), f"{API}/thresholds", token=TOKEN, headers=[("if-none-match", f'"x", {first.headers["etag"]}')])
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert "content-length" not in again.headers  # the answer that it stands for has another one
    other = get(board(), f"{API}/thresholds", token=TOKEN, headers=[("if-none-match", '"x"')])
    assert other.status == 200


def test_long_answers_are_compressed_for_who_can_read_it() -> None:
    answer = get(board(), f"{API}/performance", token=TOKEN, headers=[("accept-encoding", "gzip")])
    assert answer.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(answer.body)) == document("performance")
    short = get(board(), f"{API}/diagnosis", token=TOKEN, headers=[("accept-encoding", "gzip")])
    assert "content-encoding" not in short.headers


@pytest.mark.parametrize("path", [*PLAIN, "stream", "openapi.json", "reset", "unknown", "requests/x"])
@pytest.mark.parametrize("token", [None, "", "wrong"])
def test_others_learn_nothing(path: str, token: str | None) -> None:
    for answer in (get(board(), f"{API}/{path}", token=token), post(board(), f"{API}/{path}", token=token)):
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="stethoscope"'


@pytest.mark.parametrize(
    ("path", "allowed"), [("overview", "GET, HEAD"), ("reset", "POST"), ("session", "GET, HEAD, POST, DELETE")]
)
def test_a_wrong_method_is_told_the_right_ones(path: str, allowed: str) -> None:
    answer = get(board(), f"{API}/{path}", token=TOKEN, method="PUT")
    assert (answer.status, answer.headers["allow"]) == (405, allowed)


def cookie_of(answer: Answer) -> str:
    assert answer.status == 204
    assert "content-length" not in answer.headers
    cookie, *attributes = answer.headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=Strict"} <= set(attributes)
    assert not any(attribute.startswith("Path") for attribute in attributes)
    return cookie


def sign_in(token: str = TOKEN, **options: Any) -> Answer:
    headers = [("content-type", "application/json"), *options.pop("headers", ())]
    return post(board(), f"{API}/session", headers=headers, body=json.dumps({"token": token}).encode(), **options)


def test_who_signs_in_may_read_and_change_nothing_by_the_cookie_alone() -> None:
    """A browser sends the cookie with what other sites make it send; the header they cannot make it send."""
    cookie = ("cookie", f"other=1; {cookie_of(sign_in())}")
    assert get(board(), f"{API}/overview", headers=[cookie]).status == 200
    forged = post(board(), f"{API}/reset", headers=[cookie])
    assert (forged.status, "X-Stethoscope" in forged.problem["detail"]) == (403, True)
    assert post(board(), f"{API}/reset", headers=[cookie, ("x-stethoscope", "1")]).status == 503  # no history here


def test_another_token_makes_sessions_void_and_so_do_changes() -> None:
    cookie = cookie_of(sign_in())
    name, _, value = cookie.partition("=")
    version, ends, signature = value.split(".")
    late = f"{name}={version}.{int(ends) + 1}.{signature}"
    for forged in (
        late,
        f"{name}=",
        f"{name}=v1..",
        f"{name}={version}.{ends}.",
        f"{name}={version}.x.{signature}",
        name,
    ):
        assert get(board(), f"{API}/overview", headers=[("cookie", forged)]).status == 401
    assert get(board(token="another"), f"{API}/overview", headers=[("cookie", cookie)]).status == 401


def test_signing_in_takes_json_with_the_token() -> None:
    assert sign_in("wrong").problem["detail"] == "This is not the token."
    assert sign_in("wröng🔑").status == 401
    form = post(board(), f"{API}/session", headers=[("content-type", "text/plain")], body=b'{"token": "s3cret"}')
    assert form.status == 415
    for body in (b"", b"[]", b"{}", b'{"token": 1}', b'{"token": "s3cret", "x": 1}', b"\xff", b"[" * 3000):
        answer = post(board(), f"{API}/session", headers=[("content-type", "application/json")], body=body)
        assert answer.status == 400, body
    long = post(board(), f"{API}/session", headers=[("content-type", "application/json")], body=b"x" * 5000)
    assert long.problem["detail"] == "The body has at most 4096 bytes."


def test_the_cookie_is_for_https_alone_where_there_is_https_and_ends_on_demand() -> None:
    assert "Secure" not in sign_in().headers["set-cookie"]
    assert "; Secure" in sign_in(scheme="https").headers["set-cookie"]
    ended = get(board(), f"{API}/session", method="DELETE")
    assert ended.headers["set-cookie"].startswith("stethoscope_session=; Max-Age=0;")


def test_whoever_asks_is_told_whether_he_is_signed_in() -> None:
    def signed_in(**options: Any) -> Any:
        return json.loads(get(board(), f"{API}/session", **options).body)

    assert signed_in() == {"signed_in": False}
    assert signed_in(token=TOKEN) == signed_in(headers=[("cookie", cookie_of(sign_in()))]) == {"signed_in": True}

    def rule(scope: Scope) -> bool:
        raise ValueError("of the user")

    told: list[tuple[str, Exception]] = []
    assert get(board(access=rule, told=told), f"{API}/session").status == 500
    assert [where for where, _ in told] == ["access"]


def test_an_own_rule_takes_the_place_of_the_token() -> None:
    async def administrators(scope: Scope) -> bool:
        return (b"x-role", b"admin") in scope["headers"]

    app = board(token=None, access=administrators)
    assert get(app, f"{API}/overview", headers=[("x-role", "admin")]).status == 200
    assert get(app, f"{API}/overview").status == 401
    assert post(app, f"{API}/reset", headers=[("x-role", "admin")]).status == 403


def test_a_failing_rule_lets_nobody_in_and_is_told() -> None:
    def broken(scope: Scope) -> bool:
        raise RuntimeError("no database")

    told: list[tuple[str, Exception]] = []
    assert get(board(token=None, access=broken, told=told), f"{API}/overview").status == 500
    assert [(part, str(error)) for part, error in told] == [("access", "no database")]


def test_a_source_that_fails_is_a_problem_of_ours_and_is_told() -> None:
    def broken() -> Any:
        raise OSError("no folder")

    told: list[tuple[str, Exception]] = []
    answer = get(board(broken, told=told), f"{API}/overview", token=TOKEN)
    assert answer.problem["status"] == 500
    assert [(part, str(error)) for part, error in told] == [("api", "no folder")]

"""The scope: the very object, unchanged, whatever is in it or missing (B16, C1, C2)."""

from __future__ import annotations

from starlette.types import Receive, Scope, Send

from tests.transparency.case import Collection
from tests.transparency.scopes import body, http_scope, request, start, websocket_scope
from tests.transparency.stage import Stage

collection = Collection()


class OwnScope(dict[str, object]):
    """A scope may be a subclass of dict."""


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    await send(start())
    await send(body(b"ok"))


@collection.add()
async def the_very_scope(stage: Stage) -> None:
    scope = http_scope()

    async def app(seen: Scope, receive: Receive, send: Send) -> None:
        stage.note("same parts", [seen[key] is scope[key] for key in ("headers", "state", "extensions", "asgi")])
        await answer(seen, receive, send)

    await stage.play(app, scope, [request()])


@collection.add()
async def app_changes_its_scope(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["user"] = "anna"
        scope["path"] = "/rewritten"
        scope["state"]["cart"] = 3
        scope["headers"].append((b"x-own", b"1"))
        scope["extensions"].clear()
        scope["route"] = OwnScope()
        scope["path_params"] = {"id": 1}
        del scope["client"]
        await answer(scope, receive, send)

    await stage.play(app, http_scope(), [request()])


@collection.add()
async def app_empties_its_scope(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        scope.clear()
        await send(body(b"ok"))

    await stage.play(app, http_scope(), [request()])


@collection.add()
async def app_hands_on_another_scope(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        inner = {**scope, "root_path": "/shop", "path": "/items", "app": answer}
        await answer(inner, receive, send)

    await stage.play(app, http_scope(), [request()])


@collection.add()
async def app_changes_what_kind_of_call_it_is(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["type"] = "x.other"
        scope["method"] = None
        await answer(scope, receive, send)

    await stage.play(app, http_scope(), [request()])


@collection.add()
async def unknown_scope_types(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> object:
        await receive()
        await send({"type": "mqtt.publish", "payload": b"\x00", "headers": [(b"a", b"1")]})
        await send(start(headers=[(b"x-a", b"1")]))
        return scope["topic"]

    await stage.play(app, {"type": "mqtt", "topic": "a/b"}, [{"type": "mqtt.message"}])


@collection.add()
async def scope_without_a_type(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> object:
        return scope.get("type")

    await stage.play(app, {"asgi": {"version": "3.0"}})


@collection.add(malformed=True)
async def scope_with_nothing_but_its_type(stage: Stage) -> None:
    await stage.play(answer, {"type": "http"}, [request()])
    await stage.play(answer, {"type": "websocket"}, [request()])
    await stage.play(answer, {"type": "lifespan"}, [request()])


@collection.add(malformed=True)
async def each_key_missing_in_turn(stage: Stage) -> None:
    for missing in [key for key in http_scope() if key != "type"]:
        await stage.play(answer, {key: item for key, item in http_scope().items() if key != missing})


@collection.add(malformed=True)
async def each_value_none_in_turn(stage: Stage) -> None:
    for missing in [key for key in http_scope() if key != "type"]:
        await stage.play(answer, http_scope(**{missing: None}))


@collection.add()
async def each_value_none_in_turn_of_a_websocket(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})

    for missing in [key for key in websocket_scope() if key != "type"]:
        await stage.play(app, websocket_scope(**{missing: None}), [{"type": "websocket.connect"}])


@collection.add()
async def head_with_a_body(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(headers=[(b"content-length", b"2")]))
        await send(body(b"ok"))

    await stage.play(app, http_scope(method="HEAD"), [request()])


@collection.add()
async def unix_socket_peers(stage: Stage) -> None:
    await stage.play(answer, http_scope(client=None, server=("/run/shop.sock", None)), [request()])


@collection.add()
async def paths_that_are_no_text(stage: Stage) -> None:
    for path in ("/caf\udce9", "/\x00", "", "*", "//a//b/../c", "/a b?c#d", "/" + "x" * 70_000):
        await stage.play(answer, http_scope(path=path, raw_path=b"/caf%E9%2F"), [request()])


@collection.add()
async def invented_methods_and_versions(stage: Stage) -> None:
    for method, version in (("FOOBAR1", "1.0"), ("get", "2"), ("CONNECT", "3"), ("", ""), ("Ö" * 500, "9.9")):
        await stage.play(answer, http_scope(method=method, http_version=version, scheme=version), [request()])


@collection.add()
async def hostile_request_headers(stage: Stage) -> None:
    pairs = [
        (b"x-request-id", b"a\r\nset-cookie: stolen=1"),
        (b"x-request-id", b"second"),
        (b"X-Correlation-ID", b"\xff" * 10_000),
        (b"traceparent", b"00-zz"),
        (b"content-length", b"-7"),
        (b"content-length", b"\xb2"),
        (b"", b""),
    ]
    await stage.play(answer, http_scope(headers=pairs), [request()])


@collection.add()
async def request_headers_in_other_containers(stage: Stage) -> None:
    pairs = [[b"x-request-id", b"abc"], [b"x-tag", b"1"]]
    containers: tuple[object, ...] = (pairs, tuple(map(tuple, pairs)), {b"x-request-id": b"abc"}.items(), [], ())
    for headers in containers:
        await stage.play(answer, http_scope(headers=headers), [request()])


@collection.add()
async def request_headers_that_can_be_read_once(stage: Stage) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        stage.note("app reads", list(scope["headers"]))
        await answer(scope, receive, send)

    pairs = [(b"x-request-id", b"abc"), (b"x-tag", b"1")]
    scope = http_scope(headers=iter(pairs))
    wrapped = stage.wrap(app)
    await stage.play_wrapped(wrapped, scope)


@collection.add(malformed=True)
async def request_headers_of_other_types(stage: Stage) -> None:
    for headers in (
        [("x-request-id", "abc")],
        [(bytearray(b"x-request-id"), bytearray(b"abc"))],
        [(b"alone",)],
        [None],
    ):
        await stage.play(answer, http_scope(headers=headers), [request()])


@collection.add()
async def scope_of_another_mapping_type(stage: Stage) -> None:
    await stage.play(answer, OwnScope(http_scope()), [request()])


@collection.add()
async def unknown_extensions_and_keys(stage: Stage) -> None:
    extensions = {"x.vendor": {"a": [1]}, "tls": {"client_cert_chain": ()}}
    await stage.play(answer, http_scope(extensions=extensions, vendor={"b": 2}, **{"x.y": 1}), [request()])


@collection.add()
async def one_scope_used_twice(stage: Stage) -> None:
    """A test client or an inner dispatcher may call again with the scope that it called with before."""
    scope = http_scope()
    await stage.play(answer, scope, [request()])
    await stage.play(answer, scope, [request()])

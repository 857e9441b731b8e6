"""Mutants that mistreat what an app receives, and its scope."""

from __future__ import annotations

import copy
import re

import anyio
from starlette.types import Message, Receive, Scope, Send

from tests.transparency.mutants.mutant import Mutants, kind
from tests.transparency.stage import App, receive_one

mutants = Mutants()


@mutants.calls("answered_before_the_request_is_read")
async def drains_the_request_body(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    while scope.get("type") == "http" and (await receive()).get("more_body"):
        continue
    return await app(scope, receive, send)


@mutants.calls("hundred_continue_is_asked_for_only_when_the_app_reads")
async def reads_one_message_ahead(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    ahead = [await receive()]

    async def replay() -> Message:
        return ahead.pop() if ahead else await receive()

    return await app(scope, replay, send)


@mutants.calls("request_in_pieces", "half_of_the_request_is_read")
async def joins_the_request_body(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    async def joined() -> Message:
        message = await receive()
        while message.get("more_body"):
            following = await receive()
            message = {**following, "body": message["body"] + following["body"]}
        return message

    return await app(scope, joined, send)


@mutants.calls("nothing_is_read_for_an_app_that_reads_nothing")
async def receives_once_more_at_the_end(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    result = await app(scope, receive, send)
    if scope.get("type") == "http":
        with anyio.move_on_after(0):
            await receive()
    return result


@mutants.calls("app_without_lifespan_returns", "scope_without_a_type")
async def receives_in_a_task_of_its_own(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    """The usual way to notice a disconnect, and the usual way to steal a message."""
    async with anyio.create_task_group() as group:
        group.start_soon(receive_one, receive)
        result = await app(scope, receive, send)
        group.cancel_scope.cancel()
    return result


@mutants.calls("disconnect_in_mid_stream")
async def tells_of_a_disconnect_once(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    told: list[Message] = []

    async def once() -> Message:
        if told:
            return {"type": "http.request"}
        message = await receive()
        if kind(message) == "http.disconnect":
            told.append(message)
        return message

    return await app(scope, once, send)


@mutants.calls("body_of_another_bytes_type", "long_polling")
async def copies_received_messages(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    async def copied() -> Message:
        return dict(await receive())

    return await app(scope, copied, send)


@mutants.calls("unknown_messages_and_keys_come_in", "unknown_scope_types")
async def insists_on_types_of_received_messages(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    async def typed() -> Message:
        message = await receive()
        assert message["type"].startswith(("http", "websocket", "lifespan"))
        return message

    return await app(scope, typed, send)


@mutants.calls("text_and_bytes_both_ways", "message_without_a_payload")
async def counts_received_payloads_carelessly(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    async def counted() -> Message:
        message = await receive()
        if kind(message) == "websocket.receive":
            len(message.get("bytes") or message["text"].encode())
        return message

    return await app(scope, counted, send)


@mutants.calls("receive_fails", "error_thrown_in_at_each_stop")
async def turns_errors_of_receive_into_a_disconnect(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    async def calm() -> Message:
        try:
            return await receive()
        except Exception:
            return {"type": "http.disconnect"}

    return await app(scope, calm, send)


@mutants.calls(
    "app_that_outlives_its_cancellation",
    "time_limit_inside_the_app",
    "cancellation_during_asyncio_timeout",
    "polling_for_a_disconnect",
    "two_tasks_receive_at_once",
)
async def receives_one_at_a_time(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    lock = anyio.Lock()

    async def locked() -> Message:
        async with lock:
            return await receive()

    return await app(scope, locked, send)


@mutants.calls("the_very_scope")
async def copies_the_scope(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    return await app(dict(scope), receive, send)


@mutants.calls("state_made_at_startup_is_the_state_of_requests")
async def copies_the_state(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    if "state" in scope:
        scope["state"] = copy.copy(scope["state"])
    return await app(scope, receive, send)


@mutants.calls("app_changes_its_scope", "app_empties_its_scope", "app_changes_what_kind_of_call_it_is")
async def restores_the_scope(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    before = dict(scope)
    try:
        return await app(scope, receive, send)
    finally:
        scope.clear()
        scope.update(before)


@mutants.calls("app_without_lifespan_returns", "scope_without_a_type")
async def leaves_keys_in_the_scope(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    scope["request_started"] = True
    return await app(scope, receive, send)


@mutants.calls("scope_with_nothing_but_its_type", "each_key_missing_in_turn")
async def fills_in_what_a_scope_lacks(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    if scope.get("type") == "http":
        scope.setdefault("raw_path", b"/")
    return await app(scope, receive, send)


@mutants.calls("each_value_none_in_turn_of_a_websocket", "unix_socket_peers")
async def puts_something_for_none(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    if "client" in scope:
        scope["client"] = scope["client"] or ("unknown", 0)
    return await app(scope, receive, send)


@mutants.calls("scope_without_a_type")
async def insists_on_a_scope_type(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    return await app(scope, receive, send) if scope["type"] else None


@mutants.calls("paths_that_are_no_text", "invented_methods_and_versions")
async def insists_on_what_servers_send(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    if scope.get("type") == "http":
        assert scope["method"].isascii()
        assert scope["path"].encode()
    return await app(scope, receive, send)


@mutants.calls("each_value_none_in_turn_of_a_websocket")
async def insists_on_what_servers_send_of_websockets(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    if scope.get("type") == "websocket":
        assert scope["path"].encode()
    return await app(scope, receive, send)


@mutants.calls("app_empties_its_scope", "app_changes_what_kind_of_call_it_is")
async def reads_the_path_after_the_app(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    before = scope.get("type")
    result = await app(scope, receive, send)
    if before == "http":
        assert scope["type"] == "http"
        assert "path" in scope or before != "http"
    return result


@mutants.calls("paths_that_are_no_text")
async def tidies_the_path(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    if isinstance(scope.get("path"), str):
        scope["path"] = re.sub("/+", "/", scope["path"])
    return await app(scope, receive, send)


@mutants.calls("invented_methods_and_versions")
async def raises_the_method(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    if isinstance(scope.get("method"), str):
        scope["method"] = scope["method"].upper()
    return await app(scope, receive, send)


@mutants.calls("each_value_none_in_turn", "unix_socket_peers")
async def names_a_unix_socket_peer(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    if scope.get("type") == "http":
        client = scope.get("client", ())
        assert client is not None
    return await app(scope, receive, send)


@mutants.calls("nothing_is_answered_to_a_handshake", "variable_set_outside_is_seen_inside")
async def makes_request_headers_a_dict(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    if scope.get("headers"):
        scope["headers"] = list(dict(scope["headers"]).items())
    return await app(scope, receive, send)


@mutants.calls("request_headers_that_can_be_read_once", "request_headers_of_other_types")
async def looks_through_the_request_headers(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    for name, value in scope.get("headers") or ():
        if name == b"x-request-id":
            value.decode("ascii")
    return await app(scope, receive, send)


@mutants.calls("hostile_request_headers")
async def believes_the_content_length(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    for header in scope.get("headers") or ():
        if header and header[0] == b"content-length":
            assert int(header[1]) >= 0
    return await app(scope, receive, send)


@mutants.calls("unknown_extensions_and_keys")
async def removes_extensions_that_it_does_not_know(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    for name in [name for name in scope.get("extensions") or () if not name.startswith(("http", "websocket"))]:
        del scope["extensions"][name]
    return await app(scope, receive, send)


@mutants.calls("scope_of_another_mapping_type")
async def makes_the_scope_a_plain_dict(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    return await app(scope if type(scope) is dict else dict(scope), receive, send)


@mutants.calls("wrapped_twice", "mounted_inside_a_wrapped_app", "one_scope_used_twice")
async def refuses_a_scope_that_it_has_seen(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    if scope.setdefault("stethoscope", []):
        return None
    scope["stethoscope"].append(True)
    return await app(scope, receive, send)

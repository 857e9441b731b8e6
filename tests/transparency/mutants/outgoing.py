"""Mutants that mistreat what an app sends."""

from __future__ import annotations

import anyio
from starlette.types import Message, Receive, Scope, Send

from tests.transparency.mutants.mutant import Mutants, kind
from tests.transparency.stage import App, send_one

mutants = Mutants()
HTTP_BASICS = ("http.response.start", "http.response.body", "http.response.trailers", "http.response.pathsend")


@mutants.filters("request_headers_that_can_be_read_once", "app_that_is_a_partial")
def changes_messages_in_place(message: Message) -> Message:
    if isinstance(message, dict):
        message["seen"] = True
    return message


@mutants.filters("startup_and_shutdown", "startup_failed")
def copies_messages(message: Message) -> Message:
    return dict(message)


@mutants.filters("unknown_keys_in_known_messages")
def keeps_only_known_keys(message: Message) -> Message:
    known = ("type", "status", "headers", "body", "more_body", "trailers", "more_trailers", "path")
    return {key: message[key] for key in known if key in message}


@mutants.filters("unknown_and_vendor_messages", "zerocopysend")
def drops_http_messages_that_it_does_not_know(message: Message) -> Message | None:
    return message if kind(message) in HTTP_BASICS or not kind(message).startswith("http") else None


@mutants.filters("hundred_continue_is_asked_for_only_when_the_app_reads", "unknown_scope_types")
def drops_messages_of_other_protocols(message: Message) -> Message | None:
    return message if kind(message).startswith(("http", "websocket", "lifespan")) else None


@mutants.filters("message_without_a_type")
def insists_on_a_message_type(message: Message) -> Message | None:
    return message if message["type"] else None


@mutants.filters("answer_without_a_status")
def insists_on_a_status(message: Message) -> Message | None:
    return message if kind(message) != "http.response.start" or message["status"] else None


@mutants.filters("status_of_other_types")
def makes_the_status_a_number(message: Message) -> Message:
    return {**message, "status": int(message["status"])} if "status" in message else message


@mutants.filters("trailers")
def drops_trailers(message: Message) -> Message | None:
    return None if kind(message) == "http.response.trailers" else message


@mutants.filters("pathsend")
def drops_pathsend(message: Message) -> Message | None:
    return None if kind(message) == "http.response.pathsend" else message


@mutants.filters("early_hints_and_push")
def drops_early_hints(message: Message) -> Message | None:
    return None if kind(message) == "http.response.early_hint" else message


@mutants.filters("debug_messages")
def drops_debug_messages(message: Message) -> Message | None:
    return None if kind(message) == "http.response.debug" else message


@mutants.filters("empty_and_keyless_bodies")
def drops_empty_bodies(message: Message) -> Message | None:
    return None if "body" in message and not message["body"] and message.get("more_body") else message


@mutants.filters("body_without_a_start", "denial_response")
def makes_bodies_bytes(message: Message) -> Message:
    return {**message, "body": bytes(message["body"])} if "body" in message else message


@mutants.filters("denial_response", "denial_response_without_headers")
def drops_denial_responses(message: Message) -> Message | None:
    return None if kind(message).startswith("websocket.http") else message


@mutants.filters("plain_accept")
def drops_headers_of_accept(message: Message) -> Message:
    return {"type": "websocket.accept"} if kind(message) == "websocket.accept" else message


@mutants.filters(
    "closed_before_it_is_accepted",
    "own_close_codes",
    "close_without_a_code",
    "sending_after_the_close",
)
def accepts_before_it_closes(message: Message) -> Message:
    return {"type": "websocket.accept"} if kind(message) == "websocket.close" else message


@mutants.filters("closed_before_it_is_accepted", "close_without_a_code")
def rewrites_close_codes(message: Message) -> Message:
    return {**message, "code": max(1000, message.get("code", 1000))} if kind(message) == "websocket.close" else message


@mutants.filters("text_and_bytes_both_ways", "message_without_a_payload")
def insists_on_a_payload(message: Message) -> Message | None:
    return message if kind(message) != "websocket.send" or message.get("text") or message["bytes"] else None


@mutants.filters("startup_and_shutdown", "startup_failed")
def turns_failed_startups_into_complete_ones(message: Message) -> Message:
    return {**message, "type": kind(message).replace("failed", "complete")} if "type" in message else message


@mutants.calls("second_start_reaches_the_server")
async def swallows_a_second_start(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    started: list[Message] = []

    async def once(message: Message) -> None:
        if kind(message) == "http.response.start":
            started.append(message)
            if len(started) > 1:
                return None
        return await send(message)

    return await app(scope, receive, once)


@mutants.calls("body_without_a_start")
async def insists_on_a_start(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    started: list[Message] = []

    async def started_send(message: Message) -> None:
        if kind(message) == "http.response.start":
            started.append(message)
        if started or not kind(message).startswith("http.response.body"):
            return await send(message)
        return None

    return await app(scope, receive, started_send)


@mutants.calls("sending_after_the_end")
async def swallows_what_comes_after_the_end(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    ended: list[bool] = []

    async def until_the_end(message: Message) -> None:
        if ended:
            return None
        if kind(message) in ("http.response.body", "websocket.close") and not message.get("more_body"):
            ended.append(True)
        return await send(message)

    return await app(scope, receive, until_the_end)


@mutants.calls("nothing_is_sent", "start_and_no_body")
async def completes_what_the_app_leaves_open(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    ended: list[bool] = []

    async def watching(message: Message) -> None:
        if kind(message) == "http.response.body" and not message.get("more_body"):
            ended.append(True)
        return await send(message)

    result = await app(scope, receive, watching)
    if scope.get("type") == "http" and not ended:
        await send({"type": "http.response.body"})
    return result


@mutants.calls("head_with_a_body")
async def strips_bodies_of_head(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    async def bodiless(message: Message) -> None:
        head = scope.get("method") == "HEAD" and kind(message) == "http.response.body"
        return await send({**message, "body": b""} if head else message)

    return await app(scope, receive, bodiless)


@mutants.calls("request_headers_that_can_be_read_once", "app_that_is_a_partial")
async def starts_again_with_every_chunk(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    starts: list[Message] = []

    async def restarting(message: Message) -> None:
        if kind(message) == "http.response.start":
            starts.append(message)
        elif kind(message) == "http.response.body" and starts:
            await send(starts[-1])
        return await send(message)

    return await app(scope, receive, restarting)


@mutants.calls("start_and_no_body", "cancelled_while_the_server_blocks")
async def holds_the_start_back_until_the_body(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    held: list[Message] = []

    async def late(message: Message) -> None:
        if kind(message) == "http.response.start":
            held.append(message)
            return None
        if held:
            await send(held.pop())
        return await send(message)

    return await app(scope, receive, late)


@mutants.calls("ten_thousand_chunks_each_sent_before_the_next_is_made")
async def buffers_the_body(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    chunks: list[bytes] = []

    async def joining(message: Message) -> None:
        if kind(message) != "http.response.body":
            return await send(message)
        chunks.append(message.get("body", b""))
        return None if message.get("more_body") else await send({**message, "body": b"".join(chunks)})

    return await app(scope, receive, joining)


@mutants.calls("ten_thousand_chunks_each_sent_before_the_next_is_made", "startup_and_shutdown")
async def queues_what_is_sent(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    queue: list[Message] = []

    async def enqueue(message: Message) -> None:
        queue.append(message)

    result = await app(scope, receive, enqueue)
    for message in queue:
        await send(message)
    return result


@mutants.calls("ten_thousand_chunks_each_sent_before_the_next_is_made", "base_exception")
async def sends_from_a_task_of_its_own(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    """The app no longer waits for a server that cannot take more."""
    results: list[object] = []
    async with anyio.create_task_group() as group:

        async def detached(message: Message) -> None:
            group.start_soon(send_one, send, message)

        results.append(await app(scope, receive, detached))
    return results[0]


@mutants.calls("sends_from_many_tasks", "suspends_where_the_app_does_and_nowhere_else", "closed_at_each_stop")
async def sends_one_at_a_time(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    lock = anyio.Lock()

    async def locked(message: Message) -> None:
        async with lock:
            return await send(message)

    return await app(scope, receive, locked)


@mutants.calls("full_duplex")
async def receives_and_sends_one_at_a_time(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    lock = anyio.Lock()

    async def locked_send(message: Message) -> None:
        async with lock:
            return await send(message)

    async def locked_receive() -> Message:
        async with lock:
            return await receive()

    return await app(scope, locked_receive, locked_send)


@mutants.calls("what_send_returns")
async def drops_what_send_returns(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    async def silent(message: Message) -> None:
        await send(message)

    return await app(scope, receive, silent)


@mutants.calls(
    "send_refuses",
    "send_refuses_and_the_app_lets_it_escape",
    "sending_fails_when_the_client_is_gone",
)
async def hides_that_the_client_is_gone(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    async def calm(message: Message) -> None:
        try:
            return await send(message)
        except OSError:
            return None

    return await app(scope, receive, calm)


@mutants.calls("send_refuses_and_the_app_lets_it_escape", "error_thrown_in_at_each_stop")
async def renames_the_error_of_a_gone_client(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    async def renaming(message: Message) -> None:
        try:
            return await send(message)
        except OSError as error:
            raise OSError(*error.args) from None

    return await app(scope, receive, renaming)


@mutants.calls("send_used_after_the_app_has_returned")
async def closes_send_with_the_call(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    over: list[bool] = []

    async def closing(message: Message) -> None:
        return None if over else await send(message)

    try:
        return await app(scope, receive, closing)
    finally:
        over.append(True)


class _KeepsTheCallOnItself:
    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> object:
        self.send = send
        return await self.app(scope, receive, self.forward)

    async def forward(self, message: Message) -> None:
        return await self.send(message)


@mutants.wraps("calls_that_overlap")
def keeps_the_call_on_itself(app: App) -> App:
    return _KeepsTheCallOnItself(app)

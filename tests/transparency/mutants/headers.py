"""Mutants that mistreat response headers."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import Message

from tests.transparency.mutants.mutant import Mutants, kind

mutants = Mutants()
Pairs = list[tuple[bytes, bytes]]


def with_headers(message: Message, change: Callable[[Pairs], object]) -> Message:
    """A start message whose headers are changed, any other as it is."""
    if kind(message) != "http.response.start" or message.get("headers") is None:
        return message
    return {**message, "headers": change(message["headers"])}


@mutants.filters("two_cookies_stay_two_in_order")
def collapses_duplicate_headers(message: Message) -> Message:
    return with_headers(message, lambda pairs: list(dict(pairs).items()))


@mutants.filters("equal_header_lines_stay_two", "bytearray_headers")
def drops_repeated_header_lines(message: Message) -> Message:
    return with_headers(message, lambda pairs: list(dict.fromkeys(map(tuple, pairs))))


@mutants.filters("two_cookies_stay_two_in_order", "header_names_keep_their_spelling")
def sorts_headers(message: Message) -> Message:
    return with_headers(message, sorted)


@mutants.filters(
    "tuple_of_headers",
    "header_items_of_a_dict",
    "headers_from_a_bare_iterable",
    "messages_of_other_mapping_types",
)
def makes_headers_a_list(message: Message) -> Message:
    return with_headers(message, list)


@mutants.filters("headers_as_lists_of_lists")
def makes_header_pairs_tuples(message: Message) -> Message:
    return with_headers(message, lambda pairs: [(*pair,) for pair in pairs])


@mutants.filters("text_headers_reach_the_server_as_they_are")
def makes_header_values_bytes(message: Message) -> Message:
    return with_headers(message, lambda pairs: [(bytes(name), bytes(value)) for name, value in pairs])


@mutants.filters("header_names_keep_their_spelling")
def lowers_header_names(message: Message) -> Message:
    return with_headers(message, lambda pairs: [(name.lower(), value) for name, value in pairs])


@mutants.filters("text_headers_reach_the_server_as_they_are", "header_bytes_beyond_ascii")
def reads_header_values_as_ascii(message: Message) -> Message:
    return with_headers(message, lambda pairs: [(name, value.decode("ascii").encode()) for name, value in pairs])


@mutants.filters("header_bytes_beyond_ascii")
def drops_empty_headers(message: Message) -> Message:
    return with_headers(message, lambda pairs: [pair for pair in pairs if pair[1]])


@mutants.filters("hundreds_of_headers")
def keeps_a_hundred_headers(message: Message) -> Message:
    return with_headers(message, lambda pairs: list(pairs)[:100])


@mutants.filters("own_headers_of_our_names", "own_request_id_in_other_spelling")
def drops_headers_of_our_names(message: Message) -> Message:
    ours = (b"x-request-id", b"x-response-time", b"x-process-time", b"server-timing")
    return with_headers(message, lambda pairs: [pair for pair in pairs if pair[0].lower() not in ours])


@mutants.filters(
    "no_headers_key_at_all",
    "message_changed_after_it_was_sent",
    "app_hands_on_another_scope",
    "request_headers_in_other_containers",
    "server_that_blocks_blocks_the_app",
    "work_after_the_response",
)
def adds_a_missing_headers_key(message: Message) -> Message:
    return {"headers": [], **message} if kind(message) == "http.response.start" else message


@mutants.filters("headers_of_none_reach_the_server_as_they_are", "accept_with_subprotocol_and_headers")
def replaces_headers_of_none(message: Message) -> Message:
    return {**message, "headers": message["headers"] or []} if "headers" in message else message


@mutants.filters("startup_and_shutdown", "startup_failed")
def drops_an_empty_headers_key(message: Message) -> Message:
    return {key: item for key, item in message.items() if key != "headers" or item}


@mutants.filters("headers_from_a_generator")
def reads_a_generator_and_leaves_it_empty(message: Message) -> Message:
    if kind(message) == "http.response.start":
        tuple(message.get("headers") or ())
    return message


@mutants.filters(
    "empty_headers",
    "one_start_message_for_every_response",
    "plain_answer",
    "server_sent_events_step_by_step",
    "streams_from_a_worker_thread",
)
def extends_the_apps_own_list(message: Message) -> Message:
    if kind(message) == "http.response.start" and type(message.get("headers")) is list:
        message["headers"].append((b"x-mine", b"1"))
    return message


@mutants.filters("app_that_is_a_partial", "app_that_is_a_bound_method")
def adds_a_content_length(message: Message) -> Message:
    return with_headers(message, lambda pairs: [*pairs, (b"content-length", b"2")])

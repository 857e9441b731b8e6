"""Mutants that mistreat the call itself: tasks, contexts, exceptions, results, kinds of apps and scopes."""

from __future__ import annotations

import asyncio
import contextvars
from contextvars import ContextVar

import anyio
from starlette.types import Receive, Scope, Send

from tests.transparency.mutants.mutant import Mutants
from tests.transparency.stage import App

mutants = Mutants()
request_id: ContextVar[str] = ContextVar("request_id", default="")


@mutants.calls("what_the_app_returns")
async def drops_the_return_value(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    await app(scope, receive, send)
    return None


@mutants.calls("app_that_is_an_instance")
async def makes_a_false_app_no_app(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    falsy: object = app
    return await app(scope, receive, send) if falsy else None


@mutants.calls("app_with_other_parameter_names")
async def calls_by_keyword(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    return await app(scope=scope, receive=receive, send=send)  # type: ignore[call-arg]


@mutants.wraps("called_by_keyword")
def is_called_by_position_only(app: App) -> App:
    async def wrapped(scope: Scope, receive: Receive, send: Send, /) -> object:
        return await app(scope, receive, send)

    return wrapped


@mutants.wraps("app_that_is_a_partial")
def names_its_app(app: App) -> App:
    assert app.__name__
    return app


@mutants.wraps("app_that_is_a_bound_method", "app_that_returns_an_awaitable")
def wants_a_plain_function(app: App) -> App:
    assert asyncio.iscoroutinefunction(app)
    assert not hasattr(app, "__self__")
    return app


@mutants.wraps("app_that_fails_before_it_can_be_awaited")
def calls_before_it_awaits(app: App) -> App:
    """Fails where the call is made, not where it is awaited, and keeps no watch on it."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> object:
        try:
            awaitable = app(scope, receive, send)
        except LookupError:
            return None
        return await awaitable

    return wrapped


@mutants.calls("nothing_is_answered_to_a_handshake")
async def serves_only_http(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    return await app(scope, receive, send) if scope.get("type") == "http" else None


@mutants.calls("error_in_an_unknown_scope")
async def refuses_unknown_scope_types(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    assert scope.get("type") in (None, "http", "websocket", "lifespan")
    return await app(scope, receive, send)


@mutants.calls(
    "startup_and_shutdown",
    "startup_failed",
    "shutdown_failed",
    "app_without_lifespan_returns",
    "unknown_lifespan_messages",
)
async def answers_lifespan_itself(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    if scope.get("type") != "lifespan":
        return await app(scope, receive, send)
    await receive()
    await send({"type": "lifespan.startup.complete"})
    return None


@mutants.calls("app_without_lifespan_raises", "startup_raises")
async def swallows_errors_of_lifespan(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    try:
        return await app(scope, receive, send)
    except Exception:
        if scope.get("type") == "lifespan":
            return None
        raise


@mutants.calls("cancelled_lifespan", "lifespan_without_state")
async def gives_lifespan_a_state_of_its_own(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    if scope.get("type") == "lifespan":
        scope["state"] = {}
    return await app(scope, receive, send)


@mutants.calls("requests_without_any_lifespan")
async def waits_for_a_lifespan(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    assert scope.get("type") != "http" or "state" in scope
    return await app(scope, receive, send)


@mutants.calls("error_after_the_start")
async def swallows_errors(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    try:
        return await app(scope, receive, send)
    except Exception:
        return None


@mutants.calls("base_exception", "base_exception_in_lifespan")
async def swallows_every_base_exception(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    try:
        return await app(scope, receive, send)
    except BaseException as error:
        if isinstance(error, (Exception, GeneratorExit, anyio.get_cancelled_exc_class())):
            raise
        return None


@mutants.calls("generator_exit")
async def swallows_generator_exit(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    try:
        return await app(scope, receive, send)
    except GeneratorExit:
        return None


@mutants.calls("cancelled_while_receiving")
async def swallows_cancellation(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    try:
        return await app(scope, receive, send)
    except anyio.get_cancelled_exc_class():
        return None


@mutants.calls(
    "cancelled_while_streaming",
    "cancelled_while_the_server_blocks",
    "cancelled_websocket",
    "cancelled_error_raised_by_the_app",
)
async def makes_cancellation_an_error(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    try:
        return await app(scope, receive, send)
    except asyncio.CancelledError:
        raise RuntimeError("cancelled") from None


@mutants.calls("message_of_a_cancelled_task")
async def raises_another_cancellation(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    try:
        return await app(scope, receive, send)
    except asyncio.CancelledError:
        raise asyncio.CancelledError from None


@mutants.calls("shielded_clean_up_still_sends")
async def shields_the_app(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    with anyio.move_on_after(0.2, shield=True):
        return await app(scope, receive, send)
    return None


@mutants.calls("error_before_the_response")
async def answers_errors_with_500(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    try:
        return await app(scope, receive, send)
    except Exception:
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b"Internal Server Error"})
        raise


@mutants.calls("error_in_mid_stream")
async def ends_a_broken_stream(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    try:
        return await app(scope, receive, send)
    except ArithmeticError:
        await send({"type": "http.response.body"})
        raise


@mutants.calls("stop_async_iteration")
async def raises_an_error_of_its_own(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    try:
        return await app(scope, receive, send)
    except Exception as error:
        raise RuntimeError("app failed") from error


@mutants.calls("error_inside_a_handler_of_the_server", "error_in_a_websocket")
async def raises_an_equal_error(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    try:
        return await app(scope, receive, send)
    except (KeyError, ValueError) as error:
        raise type(error)(*error.args) from error.__cause__


@mutants.calls("exception_group", "group_of_base_exceptions")
async def unpacks_exception_groups(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    try:
        return await app(scope, receive, send)
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None


@mutants.calls("app_that_fails_before_it_can_be_awaited", "stop_async_iteration")
async def notes_something_on_errors(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    try:
        return await app(scope, receive, send)
    except Exception as error:
        error.add_note("seen by a middleware")
        raise


@mutants.calls("chain_and_notes_of_an_error")
async def breaks_the_chain_of_errors(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    try:
        return await app(scope, receive, send)
    except Exception as error:
        raise error from None


@mutants.calls("error_that_cannot_be_printed")
async def prints_errors(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    try:
        return await app(scope, receive, send)
    except Exception as error:
        str(error)
        raise


@mutants.calls("error_that_cannot_be_compared")
async def compares_errors(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    last: list[Exception] = [KeyError("one before")]
    try:
        return await app(scope, receive, send)
    except Exception as error:
        if error in last:
            return None
        raise


@mutants.calls("error_after_the_response")
async def swallows_errors_after_the_response(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    try:
        return await app(scope, receive, send)
    except RuntimeError:
        return None


@mutants.calls("token_of_the_app_is_good_outside")
async def runs_the_app_in_a_task(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    async def inside() -> object:
        return await app(scope, receive, send)

    return await asyncio.get_running_loop().create_task(inside())


@mutants.calls("variables_reach_worker_threads")
async def runs_the_app_in_a_task_group(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    results: list[object] = []

    async def inside() -> None:
        results.append(await app(scope, receive, send))

    async with anyio.create_task_group() as group:
        group.start_soon(inside)
    return results[0]


@mutants.calls("app_without_lifespan_returns", "scope_without_a_type")
async def waits_for_the_app_on_asyncio(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    async def inside() -> object:
        return await app(scope, receive, send)

    return await asyncio.wait_for(inside(), 5)


@mutants.calls("app_without_lifespan_returns", "scope_without_a_type")
async def works_on_asyncio_only(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    asyncio.get_running_loop()
    return await app(scope, receive, send)


@mutants.calls("app_that_never_suspends", "closed_in_another_context")
async def stops_once_more(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    await anyio.lowlevel.checkpoint()
    return await app(scope, receive, send)


@mutants.calls("app_that_never_suspends")
async def limits_the_time_of_the_app(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    with anyio.fail_after(0.05):
        return await app(scope, receive, send)


@mutants.calls("no_variable_is_left_behind")
async def leaves_a_context_variable(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    request_id.set("left behind")
    return await app(scope, receive, send)


@mutants.calls(
    "finished_in_another_context",
    "closed_in_another_context",
    "two_requests_share_a_context_and_take_turns",
)
async def resets_a_context_variable_anywhere(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    token = request_id.set("mine")
    try:
        return await app(scope, receive, send)
    finally:
        request_id.reset(token)


@mutants.calls(
    "variable_set_inside_is_seen_outside",
    "variable_set_inside_is_seen_outside_after_an_error",
    "variable_set_by_the_server_while_it_receives_and_sends",
    "call_inside_a_context_of_its_own",
)
async def restores_the_whole_context(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    before = contextvars.copy_context()
    try:
        return await app(scope, receive, send)
    finally:
        for variable, value in before.items():
            variable.set(value)
        for variable in contextvars.copy_context():
            if variable not in before:
                variable.set(None)


@mutants.calls("variable_set_outside_is_seen_inside")
async def runs_the_app_in_an_empty_context(app: App, scope: Scope, receive: Receive, send: Send) -> object:
    async def inside() -> object:
        return await app(scope, receive, send)

    return await asyncio.get_running_loop().create_task(inside(), context=contextvars.Context())

"""Code that is watched: a context manager that decorates functions too.

A decorated function is one whose whole body is in the block, for every kind of function: a coroutine
function until its coroutine ends, a generator from its first step to its last, with what its consumer
does in between.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractContextManager
from functools import wraps
from typing import ParamSpec, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")
Sent = TypeVar("Sent")


class Block(AbstractContextManager["Block"]):
    """A context manager for any number of blocks at once, in threads, tasks or nested; and a decorator."""

    __slots__ = ()

    def __call__(self, function: Callable[P, T]) -> Callable[P, T]:
        """Put the body of ``function`` into the block. Raises TypeError for what cannot be called."""
        if not callable(function):
            raise TypeError(f"{self!r} decorates a function, got {function!r}")
        return cast(Callable[P, T], wraps(function)(_wrapper(self, function)))


def _wrapper(block: Block, function: Callable[P, T]) -> Callable[P, object]:
    # Not imported with the package: few processes decorate, and it is slow to import.
    from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction

    called = type(function).__call__
    if iscoroutinefunction(function) or iscoroutinefunction(called):
        return _coroutine(block, cast(Callable[P, Awaitable[object]], function))
    if isasyncgenfunction(function) or isasyncgenfunction(called):
        return _async_generator(block, cast(Callable[P, AsyncGenerator[object, object]], function))
    if isgeneratorfunction(function) or isgeneratorfunction(called):
        return _generator(block, cast(Callable[P, Generator[object, object, object]], function))
    return _plain(block, function)


def _plain(block: Block, function: Callable[P, T]) -> Callable[P, T]:
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        with block:
            return function(*args, **kwargs)

    return wrapper


def _coroutine(block: Block, function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    async def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        with block:
            return await function(*args, **kwargs)

    return wrapper


def _generator(
    block: Block, function: Callable[P, Generator[object, Sent, T]]
) -> Callable[P, Generator[object, Sent, T]]:
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> Generator[object, Sent, T]:
        with block:
            return (yield from function(*args, **kwargs))

    return wrapper


def _async_generator(
    block: Block, function: Callable[P, AsyncGenerator[T, Sent]]
) -> Callable[P, AsyncGenerator[T, Sent]]:
    async def wrapper(*args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[T, Sent]:
        with block:
            generator = function(*args, **kwargs)
            # All that a consumer can do passes through, as `yield from` does it for the other kind (PEP 380).
            try:
                value = await anext(generator)
                while True:
                    try:
                        sent = yield value
                    except BaseException as error:
                        value = await generator.athrow(error)
                    else:
                        value = await generator.asend(sent)
            except StopAsyncIteration:
                return

    return wrapper

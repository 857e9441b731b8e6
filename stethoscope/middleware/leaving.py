"""Exceptions that say that the client has left, or follow from that."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Final

_LOST: Final = frozenset(
    (
        errno.ECONNABORTED,
        errno.ECONNRESET,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.ENOTCONN,
        errno.EPIPE,
        errno.ESHUTDOWN,
        errno.ETIMEDOUT,
    )
)
"""What becomes of a connection whose other end is gone, or has not been heard of for long."""

_NAMES: Final = frozenset(
    (
        "BrokenResourceError",
        "ClientDisconnect",
        "ClientDisconnected",
        "ClosedResourceError",
        "EndOfChannel",
        "EndOfStream",
        "RequestAborted",
    )
)
"""Starlette's, uvicorn's and Django's for a client that has left, and those of AnyIO and trio for streams whose other end has."""

_MOST: Final = 100
"""Of a chain, which may have no end."""


def says_left(error: OSError) -> bool:
    """Whether an OSError of a server's ``send`` says so (ASGI HTTP spec 2.4, "Disconnected Client - send exception").

    It may be of a class of the server's own. But it may come from elsewhere, too: from a file that a middleware writes.
    """
    if error.errno is not None:
        return error.errno in _LOST
    kind = type(error)
    return kind is OSError or kind.__module__ != "builtins" or isinstance(error, ConnectionError | TimeoutError)


def follows_from_leaving(error: BaseException) -> bool:
    """Whether ``error``, which ended a request whose client has left, is what frameworks make of that, and no bug."""
    return any(_is_of_leaving(one) for one in _chain(error))


def _is_of_leaving(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return says_left(error)
    if not isinstance(error, Exception):  # cancelled, as a rule
        return not isinstance(error, BaseExceptionGroup)
    return any(kind.__name__ in _NAMES for kind in type(error).__mro__)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """``error``, what it was raised from or during, and what is in groups."""
    waiting, seen = [error], set[int]()
    while waiting and len(seen) < _MOST:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [other for other in (one.__cause__, one.__context__) if other is not None]
        waiting += one.exceptions if isinstance(one, BaseExceptionGroup) else ()

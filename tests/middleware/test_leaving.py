"""Which exceptions say that a client has left, or follow from that."""

from __future__ import annotations

import errno

import anyio
import pytest
from starlette.requests import ClientDisconnect

from stethoscope.middleware.leaving import follows_from_leaving, says_left


class Gone(OSError):
    """As servers have their own."""


@pytest.mark.parametrize(
    ("error", "is_said"),
    [
        (OSError(), True),
        (Gone(), True),
        (Gone("left"), True),
        (ConnectionResetError("left"), True),
        (BrokenPipeError(errno.EPIPE, "left"), True),
        (OSError(errno.ENOTCONN, "left"), True),
        (TimeoutError(errno.ETIMEDOUT, "not heard of"), True),
        (TimeoutError(), True),
        (ConnectionRefusedError(errno.ECONNREFUSED, "by a database"), False),
        (FileNotFoundError(errno.ENOENT, "a file"), False),
        (FileNotFoundError("a file"), False),
        (PermissionError("a file"), False),
        (OSError(errno.ENOSPC, "a disk"), False),
    ],
    ids=repr,
)
def test_oserrors_of_connections_say_that_the_client_has_left(error: OSError, is_said: bool) -> None:
    assert says_left(error) is is_said
    assert follows_from_leaving(error) is is_said


def raised_from(error: BaseException) -> Exception:
    made = RuntimeError("what it was made into")
    made.__cause__ = error
    return made


@pytest.mark.parametrize(
    ("error", "follows"),
    [
        (ClientDisconnect(), True),
        (type("Own", (ClientDisconnect,), {})(), True),
        (raised_from(ClientDisconnect()), True),
        (raised_from(raised_from(anyio.EndOfStream())), True),
        (BaseExceptionGroup("several", [KeyError(), GeneratorExit()]), True),
        (ExceptionGroup("several", [KeyError(), anyio.BrokenResourceError()]), True),
        (KeyError(), False),
        (raised_from(KeyError()), False),
        (ExceptionGroup("several", [KeyError(), ValueError()]), False),
    ],
    ids=repr,
)
def test_what_frameworks_make_of_a_client_that_left_follows_from_that(error: BaseException, follows: bool) -> None:
    assert follows_from_leaving(error) is follows


def test_chain_without_an_end_is_followed_for_a_while() -> None:
    error = first = KeyError()
    for _ in range(1000):
        error = KeyError()
        error.__cause__, first.__context__ = first, error
        first = error
    assert follows_from_leaving(error) is False

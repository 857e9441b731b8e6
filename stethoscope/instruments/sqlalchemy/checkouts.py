"""What is asked on a connection beside its queries: commits and rollbacks, streams, and what goes past SQLAlchemy."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any, Final

from sqlalchemy.pool.base import _ConnectionFairy

from stethoscope.instruments.database.instrument import Instrument
from stethoscope.instruments.database.pool import Checkout

CHECKOUT: Final = "stethoscope"
"""What a connection's record carries a checkout under."""

_FETCH_LATE: Final = frozenset(("sqlite", "oracle", "mssql"))
"""Whose synchronous drivers ask for rows when the app fetches them; those of others have them all when a query has run."""


def checkout_of(connection: Any) -> Checkout | None:
    """Of a connection that was taken from a pool; None where nobody watched."""
    info = connection.record_info
    return None if info is None else info.get(CHECKOUT)


def fetches_late(dialect: Any) -> bool:
    """Whether the database may be at work while the app fetches rows that it has asked for."""
    return dialect.name in _FETCH_LATE and not dialect.is_async


def around_settling(dialect: Any, instrument: Instrument) -> None:
    """Let a connection's checkout know of commits and rollbacks. As attributes of the one object, as with queries."""
    dialect.do_commit = _settling(dialect.do_commit, instrument)
    dialect.do_rollback = _settling(dialect.do_rollback, instrument)
    dialect.execution_ctx_cls = _noticing_streams(dialect.execution_ctx_cls)


def _settling(settle: Callable[[Any], None], instrument: Instrument) -> Callable[[Any], None]:
    @wraps(settle)
    def settled(connection: Any) -> None:
        checkout = None
        try:
            checkout = checkout_of(connection)
            if checkout is not None:
                checkout.look_at_gap()
        except Exception as error:
            instrument.failed(error)
        try:
            settle(connection)
        finally:
            if checkout is not None:
                checkout.answered()

    return settled


@cache
def _noticing_streams(context: type[Any]) -> type[Any]:
    """A dialect's class of contexts, that says so when rows will be fetched while the app goes on."""

    def create_server_side_cursor(self: Any) -> Any:
        _unseen(self.root_connection.connection)
        return context.create_server_side_cursor(self)

    return type(context.__name__, (context,), {"create_server_side_cursor": create_server_side_cursor})


def notice_drivers() -> None:
    """Have connections say so when the app takes the driver's own. Once for each process."""
    plain: Any = _ConnectionFairy.driver_connection

    def driver_connection(self: _ConnectionFairy) -> Any:
        _unseen(self)
        return plain.__get__(self)

    _ConnectionFairy.driver_connection = property(driver_connection)  # type: ignore[assignment, method-assign]


def _unseen(connection: Any) -> None:
    try:
        checkout = checkout_of(connection)
        if checkout is not None:
            checkout.unseen = True
    except Exception:
        pass  # of a connection that is closed

"""The end of an app, as it says it: the last moment at which all of a process still works.

Many servers end by the signal that they were stopped with, and then nothing runs that waits for the
interpreter's end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from stethoscope.asgi import Message, Send

_LAST: Final = frozenset(("lifespan.shutdown.complete", "lifespan.shutdown.failed"))


def before_the_end(send: Send, task: Callable[[], None], on_error: Callable[[Exception], None]) -> Send:
    """A ``send`` that has ``task`` done, in a thread, before the server hears that the app has shut down."""

    async def sending(message: Message) -> Any:
        if message.get("type") in _LAST:
            try:
                from anyio import to_thread  # not for those who never get here

                await to_thread.run_sync(task)
            except Exception as error:
                on_error(error)
        return await send(message)

    return sending

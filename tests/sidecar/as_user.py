"""Run uvicorn or the sidecar as another user: ``python -m tests.sidecar.as_user USER GROUP uvicorn …``.

The other user may not be able to read Python or the checkout (root's home, a private temporary folder). So
what is imported late is imported first, and then the process becomes the user, as servers do that start as root.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

LATE = (
    "anyio._backends._asyncio",
    "concurrent.futures.thread",
    "encodings.idna",
    "stethoscope.cli",
    "stethoscope.dashboards.endpoints",
    "stethoscope.exporters.together",
    "stethoscope.sidecar.application",
    "stethoscope.sidecar.command",
    "stethoscope.sidecar.server",
    "stethoscope.store.brief",
    "stethoscope.store.gather",
    "stethoscope.store.watched",
    "tests.process.app",
    "uvicorn.lifespan.off",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "uvicorn.loops.uvloop",
    "uvicorn.main",
    "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto",
    "uvicorn.supervisors",
)


def main(user: int, group: int, program: str, arguments: list[str]) -> object:
    for name in LATE:
        import_module(name)
    os.setgroups([group])
    os.setgid(user)
    os.setuid(user)
    if program == "uvicorn":
        return import_module("uvicorn.main").main(arguments)
    return import_module("stethoscope.cli").main([program, *arguments])


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:]))  # type: ignore[arg-type]

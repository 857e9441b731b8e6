"""An app that waits for something on the event loop, and does the same in a thread."""

from __future__ import annotations

import os
import time
from typing import Final

from fastapi import FastAPI

import stethoscope

SECONDS: Final = 0.4


def wait() -> int:
    time.sleep(SECONDS)
    return os.getpid()


app = FastAPI()


@app.get("/ill")
async def on_the_loop() -> int:
    return wait()


@app.get("/cured")
def in_a_thread() -> int:
    return wait()


app = stethoscope.install(app, service="blocking")

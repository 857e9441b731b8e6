"""Logs from where a request's ID is hard to have: a thread of the pool, a task, an exception."""

from __future__ import annotations

import asyncio
import logging

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

import stethoscope

logger = logging.getLogger("talkative")


def in_a_thread(request: Request) -> Response:
    logger.info("in a thread")
    return PlainTextResponse(stethoscope.request_id() or "")


async def in_a_task(request: Request) -> Response:
    async def task() -> None:
        logger.info("in a task")

    await asyncio.create_task(task())
    return PlainTextResponse(stethoscope.request_id() or "")


async def fail(request: Request) -> Response:
    raise LookupError("sold out")


app = stethoscope.install(
    Starlette(routes=[Route("/thread", in_a_thread), Route("/task", in_a_task), Route("/fail", fail)])
)

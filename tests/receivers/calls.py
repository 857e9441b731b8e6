"""A real gRPC server on a loopback port."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]

from tests.receivers.inbox import PATIENCE, Answer
from tests.servers import HOST


@contextmanager
def calls(
    add: Callable[[grpc.Server], None], port: int = 0, tls: grpc.ServerCredentials | None = None
) -> Iterator[int]:
    """The port. ``add`` puts a service into the server."""
    server = grpc.server(ThreadPoolExecutor(8))
    add(server)
    address = f"{HOST}:{port}"
    port = server.add_insecure_port(address) if tls is None else server.add_secure_port(address, tls)
    server.start()
    try:
        yield port
    finally:
        server.stop(0).wait(PATIENCE)


def abort_if_told(answer: Answer, context: Any) -> None:
    """Raises what gRPC needs to answer with another status."""
    if answer.grpc_status is None:
        return
    if answer.retry_after:
        context.set_trailing_metadata((("google.rpc.retryinfo-bin", _retry_info(answer.retry_after)),))
    context.abort(answer.grpc_status, answer.message)


def _retry_info(seconds: str) -> bytes:
    info = RetryInfo()
    info.retry_delay.seconds = int(seconds)
    return bytes(info.SerializeToString())

"""What can be bought: fast reads, a slow search, a photo upload, and live stock over a WebSocket."""

from __future__ import annotations

import asyncio
import random
from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, HTTPException, Query, Request, WebSocket, WebSocketDisconnect

from examples.shop import database
from examples.shop.database import Product

router = APIRouter(prefix="/products", tags=["catalogue"])


@router.get("/")
def products() -> list[dict[str, object]]:
    with database.session() as session:
        return [product.as_dict() for product in session.scalars(sa.select(Product).order_by(Product.id))]


@router.get("/search")
async def search(q: Annotated[str, Query(max_length=50)]) -> list[dict[str, object]]:
    """Slow on purpose: a search engine that takes a tenth of a second, at times much longer."""
    await asyncio.sleep(random.lognormvariate(-2.3, 0.5))
    return await asyncio.to_thread(matching, q)


def matching(text: str) -> list[dict[str, object]]:
    with database.session() as session:
        return [product.as_dict() for product in session.scalars(sa.select(Product).where(Product.name.contains(text)))]


@router.get("/{product_id}")
def product(product_id: int) -> dict[str, object]:
    with database.session() as session:
        found = session.get(Product, product_id)
    if found is None:
        raise HTTPException(404, f"No product {product_id}")
    return found.as_dict()


@router.put("/{product_id}/photo")
async def photo(product_id: int, request: Request) -> dict[str, int]:
    """A streamed upload, read as it comes and not kept."""
    size = 0
    async for part in request.stream():
        size += len(part)
    return {"product": product_id, "bytes": size}


@router.websocket("/{product_id}/stock")
async def stock(socket: WebSocket, product_id: int) -> None:
    """Answers each question with what is left, until the customer closes."""
    await socket.accept()
    try:
        while True:
            await socket.receive_text()
            await socket.send_json({"product": product_id, "left": random.randrange(100)})
    except WebSocketDisconnect:
        pass

"""Which rows are read to find those that are wanted."""

from __future__ import annotations

import sqlalchemy as sa
from sqlakeyset import select_page
from sqlalchemy.orm import Session

from examples.shop.illnesses.engines import shop
from examples.shop.illnesses.models import Order
from examples.shop.illnesses.wards import cured, ill

_PER_PAGE = 20
_IN_ORDER = sa.select(Order.id, Order.invoice).order_by(Order.id)


@ill.get("/far-offset")
def page_by_number(page: int) -> list[str]:
    """PostgreSQL reads all rows of all pages before this one, and throws them away."""
    with Session(shop) as session:
        return [row.invoice for row in session.execute(_IN_ORDER.offset(page * _PER_PAGE).limit(_PER_PAGE))]


@cured.get("/far-offset")
def page_by_key(bookmark: str | None = None) -> dict[str, list[str] | str]:
    """Begins at the key where the page before has ended. Each answer has the bookmark of the next page."""
    with Session(shop) as session:
        page = select_page(session, _IN_ORDER, per_page=_PER_PAGE, page=bookmark)  # type: ignore[arg-type, var-annotated]  # its types know SQLAlchemy 2.0
        return {"invoices": [row.invoice for row in page], "next": page.paging.bookmark_next}


@ill.get("/sequential-scan")
def order_by_voucher(voucher: str) -> int | None:
    """There is no index on vouchers: the table is read from end to end."""
    with Session(shop) as session:
        return session.scalar(sa.select(Order.id).where(Order.voucher == voucher))


@cured.get("/sequential-scan")
def order_by_invoice(invoice: str) -> int | None:
    """There is one on invoices."""
    with Session(shop) as session:
        return session.scalar(sa.select(Order.id).where(Order.invoice == invoice))

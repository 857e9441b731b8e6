"""Where the routes are: the ill and the cured."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

ill: Final = APIRouter(prefix="/ill", tags=["ill"])
cured: Final = APIRouter(prefix="/cured", tags=["cured"])

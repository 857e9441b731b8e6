"""The dashboards, in the order in which somebody who was woken up opens them."""

from __future__ import annotations

from typing import Final

from stethoscope.signals.board import Board
from stethoscope.signals.boards.database import DATABASE
from stethoscope.signals.boards.health import HEALTH
from stethoscope.signals.boards.objectives import OBJECTIVES
from stethoscope.signals.boards.overview import OVERVIEW
from stethoscope.signals.boards.route import ROUTE
from stethoscope.signals.boards.runtime import RUNTIME

BOARDS: Final[tuple[Board, ...]] = (OVERVIEW, ROUTE, DATABASE, RUNTIME, OBJECTIVES, HEALTH)

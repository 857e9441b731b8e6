"""All cases for alerts."""

from __future__ import annotations

from typing import Final

from tests.grafana.http_cases import HTTP_CASES
from tests.grafana.own_cases import OWN_CASES
from tests.grafana.state_cases import STATE_CASES

CASES: Final = (*HTTP_CASES, *STATE_CASES, *OWN_CASES)

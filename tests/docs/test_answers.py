"""What pages show of an answer is what the program answers."""

from __future__ import annotations

import re

import pytest

from stethoscope.dashboards.documents.requests import FollowedRequest
from stethoscope.diagnosis.words import cure
from stethoscope.names.findings import Illness
from tests.docs.pages import ROOT

HOW_TO = ROOT / "docs" / "how-to"


@pytest.mark.parametrize(
    ("page", "site"), [("diagnosis.md", "app/orders.py:31 in orders"), ("pytest.md", "shop/orders.py:31 in orders")]
)
def test_cures_are_in_the_program_s_words(page: str, site: str) -> None:
    facts = {"loader": "lazy", "many": True, "site": site}
    assert f"cure:  {cure(Illness.N_PLUS_ONE, 'Order.items', facts)}\n" in (HOW_TO / page).read_text()


def test_what_is_known_of_a_request_is_called_as_the_api_calls_it() -> None:
    table = (
        (HOW_TO / "follow-a-request.md")
        .read_text()
        .partition("What is known about a request:")[2]
        .partition("\n## ")[0]
    )
    keys = {key for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for key in re.findall(r"`(\w+)`", row)}
    assert keys == FollowedRequest.__annotations__.keys()

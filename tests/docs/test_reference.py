"""The reference pages are what the package says of itself, and nothing public is missing from the documents."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import stethoscope
from stethoscope.names import METRICS
from tests.docs import reference
from tests.docs.pages import DOCS, ROOT, name


@pytest.mark.parametrize(("path", "render"), reference.PAGES.items(), ids=lambda value: getattr(value, "stem", ""))
def test_the_page_is_up_to_date(path: Path, render: Callable[[], str]) -> None:
    assert path.read_text() == render(), "run `python -m tests.docs.reference`"


def test_each_setting_and_label_is_explained_and_no_other() -> None:
    assert list(reference.MEANINGS) == reference.names_of_settings() == list(reference.accepted())
    assert set(reference.LABELS) == {label for metric in METRICS for label in metric.labels}


def test_each_variable_that_the_package_reads_is_in_the_reference() -> None:
    read = r'"((?:STETHOSCOPE|OTEL|PROMETHEUS|SENTRY|XDG)_[A-Z_]+)"'
    sources = (ROOT / "stethoscope").rglob("*.py")
    found = {variable for source in sources for variable in re.findall(read, source.read_text())}
    found.update(reference.variables())  # which settings make of their names
    page = reference.SETTINGS_PAGE.read_text()
    assert {variable for variable in found if f"`{variable}`" not in page} == set()


@pytest.mark.parametrize("exported", stethoscope.__all__)
def test_each_public_name_is_used_in_the_documents(exported: str) -> None:
    assert any(re.search(rf"\b{exported}\b", page.read_text()) for page in DOCS)


@pytest.mark.parametrize("page", [page for page in DOCS if "decisions" not in page.parts], ids=name)
def test_metrics_that_a_page_speaks_of_exist(page: Path) -> None:
    known = {metric.name for metric in METRICS}
    named = re.findall(r"`((?:stethoscope|http_server)_\w+)", page.read_text())
    modules = {path.stem for path in (ROOT / "stethoscope").rglob("*")}
    unknown = [word for word in named if re.sub("_(total|bucket|sum|count)$", "", word) not in known | modules]
    assert unknown == []

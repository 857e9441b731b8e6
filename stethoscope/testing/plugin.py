"""The plugin of pytest: ``@pytest.mark.stethoscope(max_queries=…, no_n_plus_one=True)``.

A test that is marked fails, with the evidence, when more queries were sent while it ran than it allows, or the same
query again and again. Where no test is marked, nothing is listened to, and SQLAlchemy is not imported.
"""

from __future__ import annotations

from collections.abc import Generator
from importlib.util import find_spec

import pytest

from stethoscope.testing.mark import ACCEPTED, Mark, MarkError, read


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", f"{ACCEPTED}: fail when more queries were sent to databases, or the same one again and again"
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    if any(item.get_closest_marker("stethoscope") for item in session.items):
        session.config.pluginmanager.register(Checks(), "stethoscope-checks")


class Checks:
    """Of the marked tests of a run in which there are some."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """What is wrong about a mark is an error of its test."""
        try:
            mark = _mark(item)
        except MarkError as error:
            pytest.fail(f"{item.nodeid}: {error}", pytrace=False)
        if mark is not None and find_spec("sqlalchemy") is None:
            pytest.fail(f"{item.nodeid}: @pytest.mark.stethoscope counts queries of SQLAlchemy, which is not installed")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        mark = _mark(item)
        if mark is None:
            return (yield)
        from stethoscope.instruments.sqlalchemy.listening import Listening  # SQLAlchemy, for those who count
        from stethoscope.testing.report import complaint

        with Listening() as tally:
            result = yield
        text = complaint(mark, tally)
        if text:
            pytest.fail(text, pytrace=False)
        return result


def _mark(item: pytest.Item) -> Mark | None:
    """The closest one. Raises `MarkError`."""
    found = item.get_closest_marker("stethoscope")
    return None if found is None else read(found.args, found.kwargs)

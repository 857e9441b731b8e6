"""The page's sources: their types, and what they do without a browser."""

from __future__ import annotations

from tools.build_page import run


def test_types_are_right() -> None:
    run("node_modules/typescript/bin/tsc", "--noEmit")


def test_parts_do_what_they_say() -> None:
    """Node's own test runner, over ``page/src/**/*.test.ts``."""
    run("build.js", "--tests")
    run("--test", "built-tests/")

"""The YAML that is written is the value that was meant, to a reader that knows nothing of ours."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import example, given
from hypothesis import strategies as some

from stethoscope.signals.yaml import dump

# PyYAML reads YAML 1.1, which has no lone surrogates and takes U+0085 for a line's end.
TEXTS = some.text(some.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"))
SCALARS = TEXTS | some.integers() | some.booleans() | some.none() | some.floats(-1e9, 1e9)
VALUES = some.recursive(
    SCALARS, lambda inner: some.lists(inner, max_size=3) | some.dictionaries(TEXTS, inner, max_size=3), max_leaves=10
)


@given(VALUES)
@example({"a": "sum by (x) (y)\nand z > 0", "for": "5m", "on": "yes", "n": [1.5, {"b": []}, [["c"]]]})
@example({"a": ["two\nlines", {"b": "two\nlines\n"}]})
@example("\n a")
@example("a\n")
@example("~")
@example("1e3")
@example('it\'s "so"')
@example("\ufeff\u2028")
def test_it_reads_back(value: Any) -> None:
    assert yaml.safe_load(dump(value)) == value

"""What `import stethoscope` offers is what it says it offers."""

from __future__ import annotations

import inspect
from types import ModuleType

import pytest

import stethoscope


def test_all_is_sorted_and_names_nothing_twice() -> None:
    assert stethoscope.__all__ == sorted(set(stethoscope.__all__), key=lambda name: (name[0].islower(), name))


@pytest.mark.parametrize("name", stethoscope.__all__)
def test_what_is_exported_exists_and_is_documented(name: str) -> None:
    exported = getattr(stethoscope, name)
    assert exported.__module__.startswith("stethoscope.")
    assert (exported.__doc__ or "").strip(), f"stethoscope.{name} has no docstring of its own"


@pytest.mark.parametrize("name", [name for name in stethoscope.__all__ if inspect.isclass(getattr(stethoscope, name))])
def test_public_methods_are_documented(name: str) -> None:
    exported = getattr(stethoscope, name)
    methods = inspect.getmembers(exported, inspect.isfunction)
    ours = {method: function for method, function in methods if function.__module__.startswith("stethoscope.")}
    assert [
        method
        for method, function in ours.items()
        if method[0] != "_" and not inspect.getdoc(getattr(exported, method))
    ] == []


def test_nothing_else_is_there_but_modules_of_the_package() -> None:
    others = {name: value for name, value in vars(stethoscope).items() if name not in stethoscope.__all__}
    leaked = {name for name, value in others.items() if name[0] not in "_@" and not _is_ours(name, value)}
    assert leaked == set()


def _is_ours(name: str, value: object) -> bool:
    return isinstance(value, ModuleType) and value.__name__ == f"stethoscope.{name}"

"""Waiting for a library: the import goes as it would without us, whatever else finds modules there."""

from __future__ import annotations

import importlib.util
import sys
import zipfile
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

from stethoscope.instruments import arrival
from stethoscope.instruments.arrival import when_imported

LIBRARY = "library_of_the_tests"


class WithoutSpec:
    """As the importer of six before 1.16, which other packages still bring along."""

    def __init__(self, finds: object = None) -> None:
        self._finds = finds

    def find_module(self, fullname: str, path: object = None) -> object:
        return self._finds if fullname == LIBRARY else None


class Bare:
    """A finder that nobody can ask anything."""


class OldLoader:
    """As `importlib` still takes them: with load_module alone."""

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def load_module(self, fullname: str) -> ModuleType:
        sys.modules[fullname] = ModuleType(fullname)
        return sys.modules[fullname]


class FinderOf:
    def __init__(self, loader: object) -> None:
        self._loader = loader

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        return ModuleSpec(fullname, self._loader) if fullname == LIBRARY else None  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def finders(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """The finders of this process, to be changed by the test."""
    monkeypatch.setattr(arrival, "_waiting", {})
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    yield sys.meta_path  # type: ignore[misc]
    for name in (LIBRARY, "other_of_the_tests"):
        sys.modules.pop(name, None)


@pytest.fixture
def told() -> list[str]:
    """What was heard of the library."""
    heard: list[str] = []
    when_imported(LIBRARY, lambda: heard.append(LIBRARY))
    return heard


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A zip file on the path, with the library and another module, which have one loader."""
    path = tmp_path / "modules.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{LIBRARY}.py", "")
        file.writestr("other_of_the_tests.py", "")
    monkeypatch.syspath_prepend(path)
    return path


@pytest.mark.filterwarnings("ignore:.*find_spec.. not found:ImportWarning")
def test_finders_without_find_spec_are_passed_over(finders: list[object], told: list[str]) -> None:
    finders.insert(0, WithoutSpec())
    finders.append(WithoutSpec())
    if sys.version_info >= (3, 12):
        finders.append(Bare())
    with pytest.raises(ModuleNotFoundError, match=LIBRARY):
        importlib.import_module(LIBRARY)
    assert told == []


@pytest.mark.filterwarnings(
    "ignore:.*(find_spec|exec_module).. not found:ImportWarning", "ignore:.*load_module:DeprecationWarning"
)
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="find_module is not asked any more")
def test_what_only_find_module_finds_is_imported_by_it(finders: list[object], told: list[str]) -> None:
    finders.insert(0, WithoutSpec(finds=OldLoader()))
    assert importlib.import_module(LIBRARY) is sys.modules[LIBRARY]


@pytest.mark.filterwarnings("ignore:.*exec_module.. not found:ImportWarning", "ignore:.*load_module:DeprecationWarning")
@pytest.mark.skipif(sys.version_info >= (3, 15), reason="load_module is not called any more")
def test_a_loader_with_load_module_alone_loads(finders: list[object], told: list[str]) -> None:
    finders.insert(1, FinderOf(OldLoader()))
    assert importlib.import_module(LIBRARY) is sys.modules[LIBRARY]


def test_what_a_finder_raises_reaches_who_imports(finders: list[object], told: list[str]) -> None:
    class Raising:
        def find_spec(self, fullname: str, path: object, target: object = None) -> None:
            raise LookupError(fullname)

    finders.append(Raising())
    with pytest.raises(LookupError, match=LIBRARY):
        importlib.import_module(LIBRARY)


def test_a_loader_of_several_modules_tells_of_the_right_one(archive: Path, told: list[str]) -> None:
    assert importlib.util.find_spec(LIBRARY)
    importlib.import_module("other_of_the_tests")
    assert told == []
    importlib.import_module(LIBRARY)
    assert told == [LIBRARY]


def test_being_asked_for_again_and_again_costs_the_import_nothing(archive: Path, told: list[str]) -> None:
    for _ in range(sys.getrecursionlimit()):
        assert importlib.util.find_spec(LIBRARY)
    importlib.import_module(LIBRARY)
    assert told == [LIBRARY]

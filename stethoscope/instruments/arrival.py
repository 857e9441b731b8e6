"""To learn that a library has been imported, without importing it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import ModuleType


_waiting: Final[dict[str, list[Callable[[], None]]]] = {}
"""Those who wait for a module. There is one watch for all of them."""


def when_imported(name: str, then: Callable[[], None]) -> None:
    """Calls ``then`` once, when the top-level module ``name`` has been imported; ``then`` must not raise. Doing it twice is doing it once.

    The import itself goes as it would, by whatever finds and loads the module.
    """
    waiting = _waiting.setdefault(name, [])
    if then in waiting:
        return
    waiting.append(then)
    if len(waiting) == 1:
        sys.meta_path.insert(0, _Watch(name))


class _Watch:
    def __init__(self, name: str) -> None:
        self._name = name
        self._followed: Loader | None = None
        """The loader that tells already: it may be found again, as when it is only asked whether the module is there."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        spec = self._ask_others(fullname, path, target)
        if spec is not None and spec.loader is not None:
            self._follow(spec.loader)
        return spec

    def _ask_others(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None) -> ModuleSpec | None:
        """What the other finders say, each asked as `importlib` would."""
        # Asked only whether the module could be found, the watch has to stay: so it cannot step aside.
        for finder in list(sys.meta_path):
            if isinstance(finder, _Watch):
                continue
            if not hasattr(finder, "find_spec"):
                if _finds_in_the_old_way(finder, fullname, path):
                    return None  # importlib will ask it again
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                return spec
        return None

    def _follow(self, loader: Loader) -> None:
        load = getattr(loader, "exec_module", None)
        if load is None or isinstance(loader, type) or loader is self._followed:
            # One with load_module only, or a class that loads every module of its kind: what the module counts is not
            # seen until it is asked for.
            return

        def load_and_tell(module: ModuleType) -> None:
            load(module)
            # A loader may be that of other modules as well, as the one of a zip file is.
            if module.__name__ == self._name and self in sys.meta_path:
                sys.meta_path.remove(self)
                for then in _waiting.pop(self._name):
                    then()

        try:
            loader.exec_module = load_and_tell  # type: ignore[method-assign]
        except AttributeError:
            # A loader that takes no attributes: as above.
            return
        self._followed = loader


def _finds_in_the_old_way(finder: object, fullname: str, path: Sequence[str] | None) -> bool:
    """Whether a finder without find_spec has the module: Python 3.11 still asks its find_module, later ones pass over it."""
    find_module = getattr(finder, "find_module", None)
    return sys.version_info < (3, 12) and find_module is not None and find_module(fullname, path) is not None

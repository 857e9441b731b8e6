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
        # Asked only whether the module could be found, the watch has to stay: so it cannot step aside.
        for finder in list(sys.meta_path):
            if not isinstance(finder, _Watch) and (spec := finder.find_spec(fullname, path, target)):
                return spec
        return None

    def _follow(self, loader: Loader) -> None:
        load = loader.exec_module

        def load_and_tell(module: ModuleType) -> None:
            load(module)
            if self in sys.meta_path:
                sys.meta_path.remove(self)
                for then in _waiting.pop(self._name):
                    then()

        try:
            loader.exec_module = load_and_tell  # type: ignore[method-assign]
        except AttributeError:
            # A loader that takes no attributes: what the module counts is not seen until it is asked for.
            pass

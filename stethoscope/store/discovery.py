"""Which services there are: the folders in the places where processes record."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from stethoscope.store.folder import Folder, SharedFolder, segment_is_written
from stethoscope.store.home import is_abandoned, keys_of


class Discovery:
    """Looks for services' folders in ``places``, in this order; of two folders with one name the first counts.

    ``owner`` is another user whose folders are trusted; None means this process's user. ``services`` limits it to these
    names, with the mark of a server or for all servers of a name; empty means all. Nothing is ever made: a place may
    appear later.
    """

    def __init__(self, places: Sequence[str], owner: int | None = None, services: Collection[str] = ()) -> None:
        self._places: Final = [os.path.abspath(place) for place in places]
        self._owner = owner
        self._wanted: Final = frozenset(key for service in services for key in keys_of(service))

    def look(self, known: Mapping[str, Folder]) -> tuple[dict[str, Folder], list[str]]:
        """The folders that are there now, by key, and what is wrong with those that cannot be read.

        The key is the folder's name: safe in a path, unique. Those ``known`` are kept as they are.
        """
        found: dict[str, Folder] = {}
        problems: list[str] = []
        for place in self._places:
            for key in self._keys(place, problems):
                path = os.path.join(place, key)
                if key in found:
                    problems.append(f"{path} is left out, because {found[key].path} is another service of that name")
                    continue
                try:
                    folder = known.get(key)
                    found[key] = folder if folder and folder.path == path and folder.exists else self._open(path)
                    if self._has_ended(found[key]):
                        del found[key]
                except FileNotFoundError:  # ended meanwhile
                    continue
                except OSError as error:
                    problems.append(str(error))
        return found, problems

    def _keys(self, place: str, problems: list[str]) -> list[str]:
        """Names of the folders in a place whose services are wanted; none in one that is not there or not to be trusted."""
        if not os.path.isdir(place):
            return []
        try:
            names = self._open(place).names()
        except FileNotFoundError:
            return []
        except OSError as error:
            problems.append(str(error))
            return []
        return sorted(name for name in names if self._is_wanted(name) and os.path.isdir(os.path.join(place, name)))

    def _is_wanted(self, key: str) -> bool:
        return not key.startswith(".") and (
            not self._wanted or not self._wanted.isdisjoint((key, key.partition("@")[0]))
        )

    def _open(self, path: str) -> Folder:
        return Folder(path) if self._owner is None else SharedFolder(path, self._owner)

    def _has_ended(self, folder: Folder) -> bool:
        """Whether it is left over from a server. The next process that records there removes it.

        Not we: where we cannot see the processes of that server, as from another container, it may be that it
        only has no workers just now.
        """
        return is_abandoned(folder.path) and not any(segment_is_written(folder, name) for name in folder.names())

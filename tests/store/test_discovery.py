"""Which folders are services, and what they are called."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stethoscope.store import home
from stethoscope.store.discovery import Discovery
from stethoscope.store.folder import Folder
from stethoscope.store.home import find_folder, name_of_service
from stethoscope.store.recorder import Recorder
from tests.process.conftest import place
from tests.process.stores import REQUESTS, bury

__all__ = ["place"]


def named(place: Path, *services: str) -> None:
    for service in services:
        find_folder(service, shared=True, directory=str(place))()


def names(discovery: Discovery) -> list[str]:
    found, problems = discovery.look({})
    assert problems == []
    return sorted(name_of_service(folder) for folder in found.values())


def test_services_are_called_what_they_were_called_whatever_that_is(place: Path) -> None:
    services = ["shop", "a/b", "a_b", "..", "x" * 300, "späti", "a@1-2", " "]
    named(place, *services)
    assert names(Discovery([str(place)])) == sorted(services)


def test_only_services_that_are_wanted_are_found(place: Path) -> None:
    named(place, "shop", "a/b", "till")
    assert names(Discovery([str(place)], services=["a/b", "till", "later"])) == ["a/b", "till"]


def test_a_service_without_a_name_keeps_the_mark_of_its_server(place: Path) -> None:
    for service in ("app", "My app"):
        find_folder(service, shared=False, directory=str(place))()
    mark = home.root_of(os.getpid())
    assert names(Discovery([str(place)])) == [f"My app@{mark}", f"app@{mark}"]
    assert names(Discovery([str(place)], services=["My app"])) == [f"My app@{mark}"]
    assert names(Discovery([str(place)], services=[f"My app@{mark}"])) == [f"My app@{mark}"]
    assert names(Discovery([str(place)], services=["My app@1-2"])) == []


def test_what_is_no_folder_is_no_service(place: Path) -> None:
    (place / "file").write_text("")
    (place / ".hidden").mkdir()
    assert names(Discovery([str(place), str(place / "not there")])) == []


def test_known_folders_stay_the_same_objects_until_they_are_gone(place: Path) -> None:
    named(place, "shop")
    discovery = Discovery([str(place)])
    first, _ = discovery.look({})
    second, _ = discovery.look(first)
    assert second["shop"] is first["shop"]
    (place / "shop").rmdir()
    assert discovery.look(second) == ({}, [])
    named(place, "shop")
    third, _ = discovery.look(second)
    assert third["shop"] is not first["shop"]


def test_of_two_places_with_one_service_the_first_counts_and_the_other_is_told_of(place: Path) -> None:
    for number in ("1", "2"):
        named(place / number, "shop")
    found, problems = Discovery([str(place / "1"), str(place / "2")]).look({})
    assert found["shop"].path == str(place / "1" / "shop")
    assert problems == [f"{place}/2/shop is left out, because {place}/1/shop is another service of that name"]


def test_a_folder_that_others_can_write_to_is_told_of(place: Path) -> None:
    (place / "shop").mkdir()
    (place / "shop").chmod(0o777)
    found, [problem] = Discovery([str(place)]).look({})
    assert found == {}
    assert problem.startswith(f"{place}/shop must belong to user {os.geteuid()} and be writable by nobody else")


def test_a_link_is_not_followed(place: Path) -> None:
    (place / "inside").mkdir()
    named(place / "inside", "till")
    (place / "shop").symlink_to(place / "inside" / "till")
    found, [problem] = Discovery([str(place)], services=["shop"]).look({})
    assert found == {}
    assert problem.startswith(f"{place}/shop cannot be made or opened")


def test_what_a_server_that_has_ended_left_is_no_service_and_not_removed(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, living = place / "app@1-1", place / "app@1-2"
    bury(left, {"/": 3})
    recorder = Recorder("app", lambda: Folder(str(living)))
    recorder.counter(REQUESTS, ("/",)).add(1.0)
    assert sorted(Discovery([str(place)]).look({})[0]) == ["app@1-1", "app@1-2"]
    monkeypatch.setattr(home, "_ABANDONED_AFTER", -1.0)
    assert sorted(Discovery([str(place)]).look({})[0]) == ["app@1-2"]
    assert left.exists()

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from stethoscope import names
from stethoscope.settings import Settings
from stethoscope.store import registry
from stethoscope.store.recorder import Recorder
from stethoscope.store.registry import default_recorder, main_module, recorder_for


@pytest.fixture(autouse=True)
def as_imported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A process that has not asked for a recorder yet."""
    monkeypatch.setattr(registry, "_default", None)
    monkeypatch.setattr(registry, "_provisional", None)
    monkeypatch.setattr(registry, "_recorders", {})
    monkeypatch.setenv("STETHOSCOPE_DIR", str(tmp_path / "store"))


def app(title: str, service: str | None = None) -> Recorder:
    return recorder_for(Settings.resolve(service=service), title)


def test_equal_settings_share_a_recorder_and_others_do_not() -> None:
    assert app("shop") is app("shop")
    assert app("shop") is not app("admin")
    assert app("shop") is not app("shop", service="shop")  # named explicitly: all processes share a folder


def test_the_first_app_is_the_default() -> None:
    first, _ = app("shop"), app("admin")
    assert default_recorder() is first


def test_without_an_app_the_environment_names_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STETHOSCOPE_SERVICE", "jobs")
    jobs = default_recorder()
    assert jobs.service == "jobs"
    assert app("shop", service="shop") is not jobs
    assert default_recorder() is jobs


def test_a_default_that_nobody_named_is_taken_over_by_the_first_app_with_what_it_has_recorded() -> None:
    recorder = default_recorder()
    recorder.counter(names.OVERFLOWED_SERIES, ("a",)).add(2.0)
    assert app("shop") is recorder
    assert recorder.service == "shop"
    (series,) = recorder.snapshot().family(names.OVERFLOWED_SERIES).series
    assert series.value == 2.0


def test_it_is_taken_over_once() -> None:
    recorder = default_recorder()
    app("shop")
    assert app("admin") is not recorder
    assert recorder.service == "shop"


def test_an_app_that_is_called_as_the_default_was_keeps_it() -> None:
    recorder = default_recorder()
    assert app(main_module()) is recorder
    assert app("admin") is not recorder
    assert recorder.service == main_module()


def test_the_name_that_was_taken_over_is_free_again() -> None:
    recorder = default_recorder()
    app("shop")
    assert app(main_module()) is not recorder


def test_threads_that_ask_at_once_get_one_default() -> None:
    start, found = threading.Barrier(8), []

    def ask() -> None:
        start.wait()
        found.append(default_recorder())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1

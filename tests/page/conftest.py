"""A real Chromium, Debian's, before a real server with two workers."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.page.watching import TOKEN, Watched
from tests.servers import serve
from tools.build_page import build

_CHROMIUM = "chromium"


@pytest.fixture(scope="session", autouse=True)
def built_page() -> None:
    build()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which(_CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("store")
    folder.chmod(0o700)
    env = {"STETHOSCOPE_TOKEN": TOKEN, "STETHOSCOPE_DIR": str(folder)}
    with serve("uvicorn", "tests.page.app:app", workers=2, env=env) as server:
        with httpx.Client(base_url=server.url, timeout=10) as client:
            watched = Watched(client, f"{server.url}/_stethoscope/")
            watched.wake(workers=2)
            yield watched


@pytest.fixture
def open_page(browser: Browser, watched: Watched) -> Iterator[Callable[..., Page]]:
    """Opens the page in a browser of its own, signed in or not; whatever goes wrong in it fails the test."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def open_page(view: str = "", *, signed_in: bool = True, **options: object) -> Page:
        context = browser.new_context(base_url=watched.page, **options)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: _note(message.text, wrong) if message.type == "error" else None)
        page.on("request", lambda request: None if request.url.startswith(watched.page) else wrong.append(request.url))
        page.add_init_script("window.hacked = () => { throw new Error('hacked') }")
        if signed_in:
            answer = context.request.post("api/session", data={"token": TOKEN})
            assert answer.status == 204
        page.goto(f"#/{view}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


def _note(text: str, wrong: list[str]) -> None:
    # The browser itself tells of each answer that is an error; those are what such a test is about.
    if not text.startswith("Failed to load resource"):
        wrong.append(text)

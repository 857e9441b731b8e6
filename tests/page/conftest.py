"""A real Chromium, Debian's, before a real server with two workers, and before a sidecar beside it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.page.watching import TOKEN, Watched
from tests.servers import serve
from tests.sidecar.running import sidecar, until
from tools.build_page import build

PATIENCE_MS = 60_000
_CHROMIUM = "chromium"
_ALARMS = """
window.hacked = () => { throw new Error('hacked') };
addEventListener('securitypolicyviolation', event => { throw new Error(`against the policy: ${event.violatedDirective}`) });
"""
"""Run before anything of the page: whatever gets in is told of as an error."""


@pytest.fixture(scope="session", autouse=True)
def built_page() -> None:
    build()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """For a module, because while it is open an event loop of Playwright's runs in this thread."""
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
    with serve("uvicorn", "tests.page.app:app", workers=2, env=env) as server, sidecar(env=env) as beside:
        with httpx.Client(base_url=server.url, timeout=60) as client:
            pages = {"app": f"{server.url}/_stethoscope/", "sidecar": f"http://127.0.0.1:{beside.port}/"}
            watched = Watched(client, pages)
            watched.wake(workers=2)
            bearer = {"authorization": f"Bearer {TOKEN}"}
            until(
                lambda: client.get(f"{pages['sidecar']}services", headers=bearer).json()
            )  # or there is nobody to sign in to
            yield watched


@pytest.fixture
def wrong() -> Iterator[list[str]]:
    """What goes wrong in a page that is open; there must be none of it."""
    wrong: list[str] = []
    yield wrong
    assert wrong == []


@pytest.fixture
def open_page(browser: Browser, watched: Watched, wrong: list[str]) -> Iterator[Callable[..., Page]]:
    """Opens the page in a browser of its own, served by the app, by the sidecar or from an address, signed in or not."""
    contexts: list[BrowserContext] = []

    def open_page(
        view: str = "",
        *,
        served: str = "app",
        address: str = "",
        signed_in: bool = True,
        script: str = "",
        **options: object,
    ) -> Page:
        address = address or watched.pages[served]
        context = browser.new_context(base_url=address, **options)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: _note(message.text, wrong) if message.type == "error" else None)
        page.on("request", lambda request: None if request.url.startswith(address) else wrong.append(request.url))
        page.add_init_script(_ALARMS + script)
        if signed_in:
            assert context.request.post("api/session", data={"token": TOKEN}).status == 204
        page.goto(f"#/{view}")
        return page

    yield open_page
    for context in contexts:
        context.close()


def _note(text: str, wrong: list[str]) -> None:
    # The browser itself tells of each answer that is an error; those are what such a test is about.
    if not text.startswith("Failed to load resource"):
        wrong.append(text)

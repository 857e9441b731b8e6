"""Take the pictures of the documents anew: ``python -m tests.page.pictures``. To be looked at before they are committed."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import Browser, expect, sync_playwright

from examples.shop.traffic import Customers
from tests.page.watching import TOKEN
from tests.servers import serve
from tools.build_page import ROOT, build

PICTURES = ROOT / "docs" / "pictures"
SIZE = {"width": 1280, "height": 860}
_CUSTOMERS = 6
_SECONDS = 75
VIEWS = {
    "overview-light": ("overview", "light"),
    "overview-dark": ("overview", "dark"),
    "routes-light": ("routes", "light"),
}


@contextmanager
def customers(url: str) -> Iterator[None]:
    """Customers in the shop, in a thread of their own."""
    stop = asyncio.Event()

    async def visit() -> None:
        async with httpx.AsyncClient(base_url=url, timeout=10) as client:
            await asyncio.gather(*(Customers(client).shop(stop) for _ in range(_CUSTOMERS)))

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=(visit(),))
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def take(browser: Browser, page_url: str) -> None:
    for name, (view, scheme) in VIEWS.items():
        context = browser.new_context(base_url=page_url, viewport=SIZE, color_scheme=scheme)  # type: ignore[arg-type]
        assert context.request.post("api/session", data={"token": TOKEN}).status == 204
        page = context.new_page()
        page.goto(f"#/{view}")
        expect(page.locator("main .card").first).to_be_visible()
        page.wait_for_timeout(9000)
        page.screenshot(path=PICTURES / f"{name}.png")
        context.close()


def main() -> None:
    build()
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        env = {
            "STETHOSCOPE_TOKEN": TOKEN,
            "STETHOSCOPE_DIR": f"{folder}/store",
            "SHOP_DATABASE": f"{folder}/shop.sqlite3",
        }
        with serve("uvicorn", "examples.shop.app:app", workers=2, env=env) as server, customers(server.url):
            threading.Event().wait(_SECONDS)
            with sync_playwright() as playwright:
                chromium = shutil.which("chromium")
                browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                take(browser, f"{server.url}/_stethoscope/")
                browser.close()
    for path in sorted(PICTURES.iterdir()):
        print(path.relative_to(Path.cwd()), path.stat().st_size)


if __name__ == "__main__":
    main()

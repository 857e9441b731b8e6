"""What somebody sees who opens the page: in Chromium, before real workers."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.page.app import HOSTILE
from tests.page.watching import TOKEN, Watched
from tools.build_page import BUILT, SOURCES

OpenPage = Callable[..., Page]
PHONE = {"viewport": {"width": 390, "height": 844}}
VIEWS = ["overview", "routes", "database", "requests", "runtime"]
ROUTE = "routes/GET/%2Ffast"
FAULT_SECONDS = 3.0
AXE = "rules => axe.run(rules).then(found => found.violations.map(one => `${one.id}: ${one.nodes[0].html}`))"

HEAP = """
async hours => {
  const shown = await (await fetch('api/overview')).json();
  let time = window.simulated ?? Date.now() / 1000;
  for (let tick = 1; tick <= hours * 1800; tick++) {
    time += 2;
    const share = Math.abs(Math.sin(tick / 300));
    const routes = Object.fromEntries(Array.from({length: 50}, (_, number) =>
      [`GET /route/${number}`, {requests_per_second: share, error_ratio: 0, p95_seconds: share / 10}]));
    const point = {at_unix_seconds: time, seconds: 2, requests_per_second: 50 * share, errors_per_second: 0, error_ratio: 0,
      p50_seconds: share / 50, p95_seconds: share / 10, p99_seconds: share / 5, active_requests: 1, workers: 2,
      queries_per_second: 0, query_p95_seconds: null, routes};
    window.stream.dispatchEvent(new MessageEvent('tick', {data: JSON.stringify({view: 'overview', point, document: shown})}));
    if (tick % 30 === 0) await new Promise(requestAnimationFrame);
  }
  window.simulated = time;
}
"""
"""Ticks as the stream sends them, of so many hours."""


def figure(page: Page, label: str) -> str:
    """The large number under a label."""
    return page.locator(".stat", has_text=label).locator(".figure").inner_text().replace("\n", " ")


def test_a_wrong_token_is_told_so_and_the_right_one_shows_the_numbers(open_page: OpenPage, watched: Watched) -> None:
    watched.visit("/fast", 20)
    page = open_page(signed_in=False)
    page.get_by_label("Token").fill("not the token")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("This is not the token.")
    page.get_by_label("Token").fill(TOKEN)
    page.keyboard.press("Enter")
    expect(page.locator(".state")).to_have_text("Live")
    expect(page.locator(".verdict strong")).to_contain_text("watched")
    assert "/" in figure(page, "Request rate")
    page.reload()
    expect(page.locator(".state")).to_have_text("Live")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Token")).to_be_visible()


def test_a_fault_appears_within_three_seconds(open_page: OpenPage, watched: Watched) -> None:
    page = open_page("overview")
    expect(page.locator(".state")).to_have_text("Live")
    started = time.monotonic()
    watched.visit("/fail", 30)
    expect(page.locator(".ranking .route", has_text="/fail").first).to_be_visible(timeout=FAULT_SECONDS * 1000)
    expect(page.locator(".pill")).to_have_text("Act now", timeout=FAULT_SECONDS * 1000)
    seen = time.monotonic() - started
    print(f"seen after {seen:.2f} s")


def walk(page: Page, *views: str) -> Iterator[str]:
    """Go from view to view, each with its data there."""
    for view in views:
        page.evaluate("view => location.hash = `#/${view}`", view)
        expect(page.locator("nav [aria-current=page]")).to_have_text(view.partition("/")[0].capitalize())
        expect(page.locator("main .card").first).to_be_visible()
        yield view


def test_every_view_fits_a_phone(open_page: OpenPage, watched: Watched) -> None:
    watched.visit("/fast", 20)
    page = open_page(**PHONE)
    for view in walk(page, *VIEWS, ROUTE):
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view


@pytest.mark.parametrize(
    ("scheme", "rules"), [("light", {}), ("dark", {"runOnly": ["color-contrast"]})], ids=["light", "dark"]
)
def test_axe_finds_no_violation(
    scheme: str, rules: dict[str, list[str]], open_page: OpenPage, watched: Watched
) -> None:
    """In the dark, only the colours are others."""
    watched.visit("/fast", 20)
    watched.visit("/fail", 20)
    page = open_page(color_scheme=scheme)
    page.evaluate((SOURCES / "node_modules/axe-core/axe.min.js").read_text())
    for view in walk(page, *VIEWS, ROUTE):
        assert page.evaluate(AXE, rules) == [], view


def test_what_comes_from_outside_is_never_markup(open_page: OpenPage, watched: Watched) -> None:
    """Path, header, route template, exception and service name: none of them runs, or is more than text."""
    hostile = quote(HOSTILE, safe="")
    watched.visit(f"/hostile/{hostile}/x", 30)
    watched.visit(f"/{hostile}", 5)
    watched.visit("/fast", 5, headers={"x-request-id": HOSTILE, "user-agent": HOSTILE})
    watched.visit("/fail", 30)
    page = open_page()
    for view in walk(page, "overview", "database", "requests", "runtime", "routes"):
        assert page.locator("img[src=x]").count() == 0, view
    page.get_by_role("link", name=re.compile("hostile")).first.click()
    expect(page.locator(".verdict .route")).to_contain_text(HOSTILE)
    list(walk(page, "routes/GET/%2Ffail"))
    expect(page.locator(".ranking")).to_contain_text([re.compile("500"), re.compile(re.escape(HOSTILE))])
    assert page.locator("img[src=x]").count() == 0


def test_a_worker_that_is_killed_is_gone_from_the_page_and_its_counts_stay(
    open_page: OpenPage, watched: Watched
) -> None:
    page = open_page("runtime")
    workers = page.locator("table", has_text="Worker").first.locator("tbody tr td:first-child")
    expect(workers).to_have_count(2)
    victim = int(workers.first.inner_text())
    before = watched.client.get(
        f"{watched.page}api/performance?window=all", headers={"authorization": f"Bearer {TOKEN}"}
    )
    os.kill(victim, signal.SIGKILL)
    expect(workers.filter(has_text=str(victim))).to_have_count(0)
    expect(page.locator(".state")).to_have_text("Live", timeout=10_000)
    after = watched.client.get(
        f"{watched.page}api/performance?window=all", headers={"authorization": f"Bearer {TOKEN}"}
    )
    assert after.json()["requests"]["count"] >= before.json()["requests"]["count"] > 0


def test_pause_holds_the_numbers_and_the_keyboard_reaches_everything(open_page: OpenPage, watched: Watched) -> None:
    page = open_page("overview")
    expect(page.locator(".state")).to_have_text("Live")
    page.keyboard.press("p")
    expect(page.locator(".state")).to_have_text("Paused")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the numbers")).to_be_focused()
    page.get_by_role("button", name="Request rate").focus()
    expect(page.get_by_role("tooltip")).to_contain_text("per second")
    page.keyboard.press("Escape")
    expect(page.get_by_role("tooltip")).to_be_hidden()
    page.keyboard.press("p")
    expect(page.locator(".state")).to_have_text("Live")


def test_the_page_weighs_no_more_than_120_kilobytes(open_page: OpenPage) -> None:
    page = open_page(signed_in=False)
    weighed = page.evaluate(
        "performance.getEntries().filter(one => one.transferSize).reduce((sum, one) => sum + one.transferSize, 0)"
    )
    assert 10_000 < weighed <= 120_000
    assert {path.name for path in BUILT.iterdir()} >= {"index.html", "app.js", "style.css", "icon.svg"}


def heap_bytes(page: Page) -> int:
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    return int(session.send("Runtime.getHeapUsage")["usedSize"])


def test_eight_hours_of_ticks_do_not_make_the_tab_grow(open_page: OpenPage, watched: Watched) -> None:
    watched.visit("/fast", 5)
    page = open_page(signed_in=False)
    page.add_init_script(
        "window.EventSource = class extends EventTarget { constructor() { super(); window.stream = this } close() {} }"
    )
    page.reload()
    page.get_by_label("Token").fill(TOKEN)
    page.keyboard.press("Enter")
    page.wait_for_function("window.stream !== undefined")
    page.evaluate(HEAP, 1.2)  # an hour's points, and whatever is made once
    expect(page.locator(".state")).to_have_text("Live")
    after_one = heap_bytes(page)
    page.evaluate(HEAP, 6.8)
    assert heap_bytes(page) < after_one * 1.2

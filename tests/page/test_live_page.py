"""What somebody sees who opens the page: in Chromium, before real workers."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from stethoscope.dashboards.stream import TICK
from tests.page.app import HOSTILE, HOSTILE_FILE, QUOTED
from tests.page.watching import TOKEN, Watched
from tests.servers import Server, serve
from tools.build_page import BUILT, SOURCES

pytestmark = pytest.mark.xdist_group("page")
expect.set_options(60_000)

OpenPage = Callable[..., Page]
SERVED = pytest.mark.parametrize("served", ["app", "sidecar"])
PHONE = {"viewport": {"width": 390, "height": 844}}
VIEWS = ["overview", "routes", "database", "requests", "runtime"]
ROUTE = "routes/GET/%2Ffast"
AXE = "() => axe.run().then(found => found.violations.map(one => `${one.id}: ${one.nodes[0].html}`))"

TICKS = """
window.ticks = [];
const listen = EventSource.prototype.addEventListener;
EventSource.prototype.addEventListener = function (type, listener) {
  listen.call(this, type, event => {
    listener(event);
    const drawn = () => requestAnimationFrame(() => setTimeout(() => window.ticks.push({
      number: Number(event.lastEventId),
      until: JSON.parse(event.data).document.window.until_unix_seconds,
      routes: [...document.querySelectorAll('.ranking .route')].map(route => route.textContent),
    })));
    if (type === 'tick') requestAnimationFrame(drawn);
  });
};
"""
"""Keeps of each tick which routes are ranked when it has been drawn."""

HEAP = """
async hours => {
  const shown = await (await fetch('api/overview')).text();
  let time = window.simulated ?? Date.now() / 1000;
  for (let tick = 1; tick <= hours * 1800; tick++) {
    time += 2;
    const share = Math.abs(Math.sin(tick / 300));
    const routes = Object.fromEntries(Array.from({length: 50}, (_, number) =>
      [`GET /route/${number}`, {requests_per_second: share, error_ratio: 0, p95_seconds: share / 10}]));
    const point = {at_unix_seconds: time, seconds: 2, requests_per_second: 50 * share, errors_per_second: 0, error_ratio: 0,
      p50_seconds: share / 50, p95_seconds: share / 10, p99_seconds: share / 5, active_requests: 1, workers: 2,
      queries_per_second: 0, query_p95_seconds: null, routes};
    window.stream.dispatchEvent(new MessageEvent('tick', {data: `{"view": "overview", "point": ${JSON.stringify(point)}, "document": ${shown}}`}));
    if (tick % 60 === 0) await new Promise(requestAnimationFrame);
  }
  window.simulated = time;
}
"""
"""Ticks as the stream sends them, of so many hours."""


POINT: dict[str, object] = {
    **dict.fromkeys(
        ("requests_per_second", "errors_per_second", "error_ratio", "active_requests", "queries_per_second"), 0
    ),
    **dict.fromkeys(("p50_seconds", "p95_seconds", "p99_seconds", "query_p95_seconds")),
    "seconds": 2,
    "workers": 1,
    "routes": {},
}
BY_HAND = """
window.EventSource = class extends EventTarget { constructor() { super(); window.stream = this } close() {} };
window.send = (type, data) => window.stream.dispatchEvent(new MessageEvent(type, {data: JSON.stringify(data)}));
window.tick = async (point = null) => {
  const document = await (await fetch('api/overview')).json();
  window.send('tick', {view: 'overview', point, document});
};
"""
"""Events come when a test sends them."""


PAINTED = """
() => {
  const canvas = document.querySelectorAll('.chart canvas')[1];
  const {width, height} = canvas;
  const middle = canvas.getContext('2d').getImageData(Math.round(width * 0.55), 0, 1, height).data;
  return middle.filter((value, index) => index % 4 === 3 && value > 0).length > height / 3;
}
"""
"""Whether the chart of the traffic has an area in its middle."""

SOONER = """
const every = setInterval;
window.setInterval = (act, milliseconds) => every(act, milliseconds === 60_000 ? 200 : milliseconds);
"""
"""What is done every minute is done at once."""


def figure(page: Page, label: str) -> Locator:
    """The large number under a label."""
    return page.locator(".stat", has_text=label).locator(".figure")


def walk(page: Page, *views: str) -> Iterator[str]:
    """Go from view to view, each with its data there."""
    for view in views:
        page.evaluate("view => location.hash = `#/${view}`", view)
        expect(page.locator("nav [aria-current=page]")).to_have_text(view.partition("/")[0].capitalize())
        expect(page.locator("main .card").first).to_be_visible()
        yield view


@SERVED
def test_a_wrong_token_is_told_so_and_the_right_one_shows_the_numbers(
    served: str, open_page: OpenPage, watched: Watched
) -> None:
    watched.visit("/fast", 20)
    page = open_page(served=served, signed_in=False)
    page.get_by_label("Token").fill("not the token")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("This is not the token.")
    page.get_by_label("Token").fill(TOKEN)
    page.keyboard.press("Enter")
    expect(page.locator(".state")).to_have_text("Live")
    expect(page.locator(".verdict strong")).to_contain_text("watched")
    expect(figure(page, "Request rate")).to_contain_text("/")
    page.reload()
    expect(page.locator(".state")).to_have_text("Live")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Token")).to_be_visible()


@SERVED
def test_every_view_shows_what_all_workers_do_while_they_do_it(
    served: str, open_page: OpenPage, watched: Watched
) -> None:
    watched.wake(workers=2)
    watched.visit("/items", 2)
    watched.visit("/report", headers={"x-request-id": f"reported-{served}"})
    watched.visit("/block")
    page = open_page(served=served)
    for view in walk(page, *VIEWS):
        if view == "overview":
            expect(figure(page, "Request rate")).to_have_text(re.compile("[1-9]"))
            expect(page.locator(".card", has_text="Diagnosis")).to_contain_text("/items")
        elif view == "routes":
            requests = page.get_by_role("row", name="GET /fast").locator("td:nth-child(8)")
            before = requests.inner_text()
            watched.visit("/fast", 10)
            expect(requests).not_to_have_text(before)
        elif view == "database":
            expect(page.locator(".statement", has_text="pause(?), ?")).to_contain_text("report")
        elif view == "requests":
            page.get_by_role("link", name=f"reported-{served}").click()
            expect(page.locator(".waterfall")).to_contain_text("db")
        else:
            expect(workers(page)).to_have_count(2)
            expect(page.locator(".card", has_text="What blocked")).to_contain_text("block")


def wait_for(page: Page, condition: str, argument: object = None) -> None:
    """Playwright's own way evaluates text within the page whenever it looks again, which the page's policy forbids."""
    while not page.evaluate(condition, argument):
        page.wait_for_timeout(50)


def workers(page: Page) -> Locator:
    """Their process ids."""
    return page.locator("table", has_text="Worker").first.locator("tbody tr td:first-child")


@SERVED
def test_a_fault_appears_with_the_first_tick_after_it(served: str, open_page: OpenPage, watched: Watched) -> None:
    """Ticks are two seconds apart, so that it is there within three; how busy this machine is has no part in it."""
    fault = f"/broken/{served}"
    page = open_page("overview", served=served, script=TICKS)
    expect(page.locator(".state")).to_have_text("Live")
    watched.visit(fault, 40)
    happened = time.time()
    wait_for(page, "happened => window.ticks.some(tick => tick.until >= happened)", happened)
    expect(page.locator(".pill")).to_have_text("Act now")
    ticks = page.evaluate("window.ticks")
    before = [tick for tick in ticks if tick["until"] < happened][-1]
    first = next(tick for tick in ticks if tick["until"] >= happened)
    assert fault in first["routes"]
    assert first["number"] == before["number"] + 1
    assert TICK <= 2


@pytest.mark.parametrize(
    "options", [{"color_scheme": "light"}, {"color_scheme": "dark", **PHONE}], ids=["light", "dark"]
)
def test_axe_finds_no_violation_and_everything_fits_a_phone(
    options: dict[str, object], open_page: OpenPage, watched: Watched
) -> None:
    watched.visit("/fast", 20)
    watched.visit("/fail", 20)
    page = open_page(signed_in=False, **options)
    page.evaluate((SOURCES / "node_modules/axe-core/axe.min.js").read_text())
    expect(page.locator("html")).to_have_attribute("data-theme", str(options["color_scheme"]))
    page.get_by_label("Token").fill(TOKEN)
    assert page.evaluate(AXE) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.keyboard.press("Enter")
    for view in walk(page, *VIEWS, ROUTE):
        assert page.evaluate(AXE) == [], view
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view


def test_what_comes_from_outside_is_never_markup(open_page: OpenPage, watched: Watched) -> None:
    """Path, header, route template, exception and service name: none of them runs, or is more than text."""
    hostile = quote(HOSTILE, safe="")
    watched.visit(f"/hostile/{hostile}/x", 30)
    watched.visit(f"/{hostile}", 5)
    watched.visit("/fast", 5, headers={"x-request-id": HOSTILE, "user-agent": HOSTILE})
    watched.visit("/fail", 30)
    page = open_page()
    for view in walk(page, "overview", "requests", "runtime", "routes"):
        assert page.locator("img[src=x]").count() == 0, view
    page.locator("a.endpoint", has_text="/hostile/").first.click()
    expect(page.locator(".verdict .route")).to_contain_text(HOSTILE)
    list(walk(page, "routes/GET/%2Ffail"))
    expect(page.locator(".ranking")).to_contain_text([re.compile("500"), re.compile(re.escape(HOSTILE))])
    assert page.locator("img[src=x]").count() == 0


def test_what_is_asked_of_a_database_is_never_markup(open_page: OpenPage, watched: Watched) -> None:
    """Statement, names of tables and columns, parameters in an error's text, file and line of the call."""
    watched.visit("/hostile-query", headers={"x-request-id": "hostile-query"})
    page = open_page()
    for view in walk(page, "overview", "database"):
        assert page.locator("img[src=x]").count() == 0, view
    statement = page.locator(".statement", has_text=QUOTED)
    expect(statement).to_contain_text(HOSTILE_FILE)
    list(walk(page, "requests/hostile-query"))
    expect(page.locator(".statement code", has_text=QUOTED).first).to_be_visible()
    expect(page.locator(".traceback .own code", has_text=HOSTILE).first).to_be_visible()
    assert page.locator("img[src=x]").count() == 0


def test_markup_that_got_in_would_be_noticed(open_page: OpenPage, wrong: list[str]) -> None:
    page = open_page(signed_in=False)
    with page.expect_event("pageerror"):
        page.evaluate("markup => document.body.insertAdjacentHTML('beforeend', markup)", HOSTILE)
    assert "against the policy: script-src-attr" in " ".join(wrong)
    wrong.clear()


@SERVED
def test_a_worker_that_is_killed_is_gone_from_the_page_and_its_counts_stay(
    served: str, open_page: OpenPage, watched: Watched
) -> None:
    watched.wake(workers=2)
    page = open_page("runtime", served=served)
    expect(workers(page)).to_have_count(2)
    victim = int(workers(page).first.inner_text())
    before = watched.ask("performance?window=all", served)["requests"]["count"]
    os.kill(victim, signal.SIGKILL)
    expect(workers(page).filter(has_text=str(victim))).to_have_count(0)
    expect(page.locator(".state")).to_have_text("Live")
    assert watched.ask("performance?window=all", served)["requests"]["count"] >= before > 0


@contextmanager
def service_of_its_own(folder: Path) -> Iterator[Server]:
    """The test app, for a test that ends or stops it."""
    folder.chmod(0o700)
    env = {"STETHOSCOPE_TOKEN": TOKEN, "STETHOSCOPE_DIR": str(folder)}
    with serve("uvicorn", "tests.page.app:app", env=env) as server:
        yield server


def test_a_service_that_goes_away_leaves_numbers_that_say_of_when_they_are(open_page: OpenPage, tmp_path: Path) -> None:
    with service_of_its_own(tmp_path) as server:
        page = open_page("overview", address=f"{server.url}/_stethoscope/")
        expect(page.locator(".verdict .pill")).to_have_text("Quiet")
    expect(page.locator(".state")).to_have_text("Connection lost, trying again")
    expect(page.locator(".stale")).to_have_text(re.compile(r"These numbers are of \d\d:\d\d:\d\d\."))
    expect(page.locator("main")).to_have_css("filter", "grayscale(1)")
    page.get_by_role("link", name="Routes").click()
    expect(page.locator("main > .empty")).to_have_text("The service does not answer. Trying again…")


def test_a_service_that_falls_silent_is_not_called_live(open_page: OpenPage, tmp_path: Path) -> None:
    """Its connection stays open, as one does whose other end is gone without a word."""
    with service_of_its_own(tmp_path) as server:
        page = open_page("overview", address=f"{server.url}/_stethoscope/")
        expect(page.locator(".state")).to_have_text("Live")
        server.process.send_signal(signal.SIGSTOP)
        try:
            expect(page.locator(".state")).to_have_text("Connection lost, trying again")
            expect(page.locator(".stale")).to_contain_text("The service does not answer. These numbers are of")
        finally:
            server.process.send_signal(signal.SIGCONT)
        expect(page.locator(".state")).to_have_text("Live")
        expect(page.locator(".stale")).to_have_count(0)


def test_a_view_that_cannot_be_made_says_so(open_page: OpenPage, watched: Watched) -> None:
    watched.visit("/fast")
    page = open_page("overview", script=BY_HAND)
    wait_for(page, "() => window.stream !== undefined")
    page.evaluate("window.send('failed', {detail: 'The log says why.'})")
    expect(page.locator(".state")).to_have_text("No new numbers")
    expect(page.locator("main > .empty")).to_have_text("The log says why.")
    page.evaluate("window.tick()")
    expect(page.locator(".state")).to_have_text("Live")
    page.evaluate("window.send('failed', {detail: 'The log says why.'})")
    expect(page.locator(".stale")).to_have_text(re.compile(r"The log says why. These numbers are of \d\d:\d\d:\d\d\."))
    expect(page.locator("main")).to_have_css("filter", "grayscale(1)")


def test_a_route_without_requests_in_the_window_keeps_no_numbers_of_another(
    open_page: OpenPage, watched: Watched
) -> None:
    watched.visit("/fast")
    page = open_page(ROUTE)
    expect(figure(page, "Rate")).to_be_visible()
    page.route("**/api/performance/endpoint?*", lambda route: route.fulfill(status=404, json={"detail": "Unknown."}))
    expect(page.locator("main .empty").first).to_have_text("No request to it was completed in this window.")
    expect(page.locator(".stat")).to_have_count(0)
    page.unroute("**/api/performance/endpoint?*")
    expect(figure(page, "Rate")).to_be_visible()


def test_an_answer_that_comes_late_does_not_take_the_place_of_what_was_asked_for_since(
    open_page: OpenPage, watched: Watched
) -> None:
    watched.visit("/fast")
    page = open_page(ROUTE)
    expect(figure(page, "Rate")).to_be_visible()
    page.keyboard.press("p")
    expect(page.locator(".state")).to_have_text("Paused")
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        waiting.append(route)

    page.route("**/api/performance/endpoint?*window=1m", hold)
    numbers = page.locator("header select").first
    numbers.select_option("1m")
    while not waiting:
        page.wait_for_timeout(20)
    with page.expect_response("**/api/performance/endpoint?*window=15m"):
        numbers.select_option("15m")
    late = waiting[0].fetch()
    report = late.json()
    report["endpoint"]["count"] = 987
    with page.expect_response("**/api/performance/endpoint?*window=1m"):
        waiting[0].fulfill(response=late, json=report)
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    expect(page.locator(".stat", has_text="Rate")).not_to_contain_text("987")


def test_what_happened_while_nobody_looked_comes_from_the_store_and_what_it_does_not_know_is_a_hole(
    open_page: OpenPage, watched: Watched
) -> None:
    watched.visit("/fast")
    page = open_page(signed_in=False, script=BY_HAND)
    known: list[dict[str, object]] = []
    page.route("**/api/timeline", lambda route: route.fulfill(json={"items": known}))
    with page.expect_response("**/api/timeline"):
        page.get_by_label("Token").fill(TOKEN)
        page.keyboard.press("Enter")
    wait_for(page, "() => window.stream !== undefined")
    now, busy = time.time(), POINT | {"requests_per_second": 50}

    def tick(at: float) -> None:
        page.evaluate("point => window.tick(point)", busy | {"at_unix_seconds": at})

    def sleep_and_tick(at: float) -> None:
        page.evaluate("Date.now = (before => () => before() + 11_000)(Date.now)")
        with page.expect_response("**/api/timeline"):
            tick(at)

    for at in (now - 280, now - 265, now - 250):
        tick(at)
    page.locator(".chart").last.scroll_into_view_if_needed()
    expect(page.locator(".chart canvas")).to_have_count(2)
    sleep_and_tick(now)
    tick(now + 2)
    expect(page.locator(".chart").last).to_contain_text("50")
    wait_for(page, f"() => !({PAINTED})()")
    known.extend(busy | {"at_unix_seconds": now - before} for before in range(240, 0, -15))
    sleep_and_tick(now + 4)
    wait_for(page, PAINTED)


@pytest.mark.parametrize("view", ["overview", ROUTE, "requests/unknown"])
def test_who_signed_out_elsewhere_is_asked_to_sign_in(view: str, open_page: OpenPage, watched: Watched) -> None:
    watched.visit("/fast")
    page = open_page(view, script=SOONER if view == "overview" else "")
    expect(page.locator(".state")).to_have_text("Live")
    expect(page.locator("main .card").first).to_be_visible()
    page.context.request.delete("api/session")
    if view.startswith("requests"):
        page.evaluate("location.hash = '#/requests/another'")
    expect(page.get_by_label("Token")).to_be_visible()


def test_a_request_that_a_worker_does_not_know_yet_is_asked_for_again(open_page: OpenPage, watched: Watched) -> None:
    watched.visit("/fail", headers={"x-request-id": "just-kept"})
    page = open_page("requests")
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        route.continue_() if len(asked) > 2 else route.fulfill(status=404, json={"detail": "Nothing is known of it"})

    page.route("**/api/requests/just-kept", answer)
    list(walk(page, "requests/just-kept"))
    expect(page.get_by_role("heading", name="No request")).to_be_visible()
    expect(page.locator(".traceback")).to_be_visible()
    expect(page.get_by_role("heading", name="No request")).to_have_count(0)


def test_of_thousands_of_routes_some_are_shown_and_more_on_demand(open_page: OpenPage, watched: Watched) -> None:
    watched.visit("/fast")
    shown = watched.ask("performance/endpoints")
    fast = next(one for one in shown["items"] if one["route"] == "/fast")
    shown |= {"items": [fast | {"route": f"/fast/{number}"} for number in range(1000)], "total": 2000}
    tick = json.dumps({"view": "endpoints", "point": None, "document": shown})
    page = open_page(signed_in=False)
    headers = {"content-type": "text/event-stream"}
    page.route(
        "**/api/stream?view=endpoints*",
        lambda route: route.fulfill(headers=headers, body=f"event: tick\ndata: {tick}\n\n"),
    )
    page.get_by_label("Token").fill(TOKEN)
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Routes").click()
    expect(page.get_by_role("heading", name=re.compile("The busiest 1.000 of 2.000"))).to_be_visible()
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(100)
    page.get_by_role("button", name="Show 100 more").click()
    expect(rows).to_have_count(200)


def test_requests_stay_in_place_until_newer_ones_are_asked_for(open_page: OpenPage, watched: Watched) -> None:
    watched.visit("/fail", headers={"x-request-id": "the-first"})
    page = open_page("requests")
    expect(page.locator("tbody tr").first).to_be_visible()
    watched.visit("/broken/app", headers={"x-request-id": "a-newer-one"})
    newer = page.get_by_role("button", name=re.compile("Show \\d+ newer"))
    expect(newer).to_be_visible()
    assert page.get_by_role("link", name="a-newer-one").count() == 0
    newer.click()
    expect(page.get_by_role("link", name="a-newer-one")).to_be_visible()


def test_charts_are_drawn_when_they_come_into_view_and_what_is_opened_is_shown_from_its_top(
    open_page: OpenPage, watched: Watched
) -> None:
    watched.visit("/fast", 5)
    page = open_page("overview", viewport={"width": 390, "height": 300})
    expect(page.locator(".chart")).to_have_count(2)
    assert page.locator(".plot canvas").count() == 0
    page.locator(".chart").last.scroll_into_view_if_needed()
    expect(page.locator(".chart").last.locator("canvas")).to_be_visible()
    page.locator(".ranking a").first.click()
    expect(page.locator(".verdict a")).to_have_text("Routes")
    assert page.evaluate("scrollY") == 0


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
    wait_for(page, "() => window.stream !== undefined")
    page.evaluate(HEAP, 1.2)  # an hour's points, and whatever is made once
    expect(page.locator(".state")).to_have_text("Live")
    after_one = heap_bytes(page)
    page.evaluate(HEAP, 6.8)
    assert heap_bytes(page) < after_one * 1.2

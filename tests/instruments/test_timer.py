"""Timing by name, and what every timed or watched block does whichever function it is around."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import re
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import Any, cast

import httpx
import pytest
import trio

import stethoscope
from stethoscope import Histogram, names, timer
from stethoscope.current import CURRENT, MOST_SHARES, Current, Share, add_share
from stethoscope.instruments import stopwatch
from stethoscope.instruments import timer as timer_module
from stethoscope.store.recorder import Recorder
from tests.instruments.reading import numbers, sum_of

pytestmark = pytest.mark.usefixtures("own")

Message = MutableMapping[str, Any]

TIMER = names.TIMER_DURATION.name


class Clock:
    """Moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(stopwatch, "clock", clock)
    return clock


class Request:
    """As much of a request as is needed to have shares."""

    shares: dict[str, Share] | None = None


@pytest.fixture
def request_of_the_code() -> Iterator[Request]:
    current = Request()
    token = CURRENT.set(cast(Current, current))
    yield current
    CURRENT.reset(token)


def shares_of(request: Request) -> dict[str, tuple[float, int]]:
    """Seconds and pieces by name."""
    return {name: (share.seconds, share.pieces) for name, share in (request.shares or {}).items()}


def durations(recorder: Recorder) -> dict[str, float]:
    """Sums by name, of blocks that did not fail."""
    return {name: sum_of(recorder, TIMER, (name, error)) for name, error in numbers(recorder, TIMER) if not error}


# What is recorded.


def test_a_block_is_one_observation(own: Recorder, clock: Clock) -> None:
    for seconds in (1, 3):
        with timer("checkout"):
            clock.now += seconds
    assert numbers(own, TIMER) == {("checkout", ""): 2}
    assert durations(own) == {"checkout": 4.0}


class PaymentRefused(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (KeyError("x"), "KeyError"),
        (PaymentRefused(), f"{__name__}.PaymentRefused"),
        (asyncio.CancelledError(), "cancelled"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
    ],
)
def test_what_ended_a_block_is_its_error_type_and_goes_on_unchanged(
    own: Recorder, error: BaseException, kind: str
) -> None:
    """A4."""
    with pytest.raises(type(error)) as caught, timer("checkout"):
        raise error
    assert caught.value is error
    assert numbers(own, TIMER) == {("checkout", kind): 1}


def test_a_clock_that_steps_back_is_no_negative_duration(own: Recorder, clock: Clock) -> None:
    """B11."""
    with timer("checkout"):
        clock.now -= 5
    assert durations(own) == {"checkout": 0.0}


@pytest.mark.parametrize("name", [None, 3, len, ["a"]])
def test_a_name_that_is_no_text_is_an_error_that_says_how_to_write_it(name: str) -> None:
    with pytest.raises(TypeError, match=r"takes the name of an operation, such as timer\('checkout'\), got "):
        timer(name)


@pytest.mark.parametrize("name", ["", "  "])
def test_an_empty_name_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match="got an empty string"):
        timer(name)


def test_names_keep_256_characters(own: Recorder) -> None:
    with timer("x" * 1000):
        pass
    assert set(durations(own)) == {"x" * 256}


def test_only_what_can_be_called_can_be_decorated() -> None:
    with pytest.raises(TypeError, match=r"timer\('checkout'\) decorates a function, got 'text'"):
        timer("checkout")("text")  # type: ignore[arg-type]


def test_a_recorder_that_fails_does_not_reach_the_app(
    own: Recorder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A5."""
    monkeypatch.setattr(timer_module, "default_recorder", lambda: 1 / 0)
    for _ in range(3):
        with timer("checkout"):
            pass
    assert [record.getMessage() for record in caplog.records] == [
        "timer('checkout') is not recorded; the app is not affected: division by zero"
    ]
    assert numbers(own, names.INTERNAL_ERRORS.name) == {("metrics",): 3.0}


# Functions of all kinds.


def test_a_decorated_function_answers_as_before_and_is_timed(own: Recorder, clock: Clock) -> None:
    @timer("add")
    def add(one: int, *, two: int = 2) -> int:
        """Adds."""
        clock.now += 1
        return one + two

    assert (add(1), add(one=1, two=1)) == (3, 2)
    assert (add.__name__, add.__doc__) == ("add", "Adds.")
    assert str(inspect.signature(add)) == "(one: 'int', *, two: 'int' = 2) -> 'int'"
    assert durations(own) == {"add": 2.0}


def test_a_decorated_coroutine_function_is_timed_until_its_coroutine_ends(own: Recorder, clock: Clock) -> None:
    @timer("load")
    async def load() -> str:
        await asyncio.sleep(0)
        clock.now += 2
        return "loaded"

    assert inspect.iscoroutinefunction(load)
    assert asyncio.run(load()) == "loaded"
    assert durations(own) == {"load": 2.0}


def test_methods_and_partials_and_objects_that_are_called_can_be_decorated(own: Recorder, clock: Clock) -> None:
    class Service:
        @timer("method")
        def method(self) -> float:
            clock.now += 1
            return clock.now

        async def __call__(self, seconds: float) -> float:
            clock.now += seconds
            return seconds

    Service().method()
    called = timer("object")(Service())
    assert inspect.iscoroutinefunction(called)
    asyncio.run(called(3))
    asyncio.run(timer("partial")(functools.partial(called, 4))())
    assert durations(own) == {"method": 1.0, "object": 7.0, "partial": 4.0}


def test_a_decorated_generator_is_timed_from_its_first_step_to_its_last(own: Recorder, clock: Clock) -> None:
    @timer("rows")
    def rows() -> Iterator[int]:
        clock.now += 1
        yield 1
        clock.now += 1

    waiting = rows()
    clock.now += 100  # nothing runs yet
    for _ in waiting:
        clock.now += 10
    assert durations(own) == {"rows": 12.0}


def test_a_generator_that_is_closed_early_was_cancelled(own: Recorder) -> None:
    @timer("rows")
    def rows() -> Generator[int, None, None]:
        yield 1

    started = rows()
    next(started)
    started.close()
    rows().close()  # never started, never timed
    assert numbers(own, TIMER) == {("rows", "cancelled"): 1}


def test_a_decorated_async_generator_passes_on_all_that_its_consumer_does(own: Recorder, clock: Clock) -> None:
    seen: list[object] = []

    @timer("stream")
    async def stream() -> AsyncGenerator[str, int]:
        try:
            while True:
                try:
                    seen.append((yield f"after {len(seen)}"))
                except KeyError as error:
                    seen.append(error)
        finally:
            clock.now += 1
            seen.append("closed")

    async def consume() -> None:
        running = stream()
        error = KeyError("x")
        assert await anext(running) == "after 0"
        assert await running.asend(5) == "after 1"
        assert await running.athrow(error) == "after 2"
        await running.aclose()
        assert seen == [5, error, "closed"]
        with pytest.raises(StopAsyncIteration):
            await anext(running)

    assert inspect.isasyncgenfunction(stream)
    asyncio.run(consume())
    assert numbers(own, TIMER) == {("stream", "cancelled"): 1}


def test_a_decorated_async_generator_ends_and_fails_as_before(own: Recorder) -> None:
    @timer("stream")
    async def stream(fails: bool) -> AsyncIterator[int]:
        yield 1
        if fails:
            raise ValueError("in the stream")

    async def consume() -> None:
        assert [item async for item in stream(False)] == [1]
        with pytest.raises(ValueError, match="in the stream"):
            assert [item async for item in stream(True)] == []

    asyncio.run(consume())
    assert numbers(own, TIMER) == {("stream", ""): 1, ("stream", "ValueError"): 1}


def test_decorated_generators_are_context_managers_as_before(own: Recorder) -> None:
    @contextmanager
    @timer("plain")
    def plain() -> Iterator[str]:
        try:
            yield "resource"
        except KeyError:
            pass

    @asynccontextmanager
    @timer("async")
    async def asynchronous() -> AsyncIterator[str]:
        try:
            yield "resource"
        except KeyError:
            pass

    async def use() -> None:
        async with asynchronous() as resource:
            assert resource == "resource"
            raise KeyError

    with plain() as resource:
        assert resource == "resource"
        raise KeyError
    asyncio.run(use())
    assert numbers(own, TIMER) == {("plain", ""): 1, ("async", ""): 1}


# One timer, many blocks.


def test_one_timer_can_be_inside_of_itself(own: Recorder, clock: Clock) -> None:
    shared = timer("walk")

    @shared
    def walk(depth: int) -> None:
        clock.now += 1
        if depth:
            walk(depth - 1)

    walk(2)
    with shared, shared:
        clock.now += 10
    assert numbers(own, TIMER) == {("walk", ""): 5}
    assert durations(own) == {"walk": 3.0 + 2.0 + 1.0 + 20.0}


def by_duration(recorder: Recorder, name: str) -> list[int]:
    """Counts of observations of at most 1, 2.5, 5, 7.5 and 10 seconds, not cumulative."""
    (series,) = recorder.snapshot().families[TIMER].series
    cumulative = series.value.cumulative[9:-1]  # type: ignore[union-attr]
    assert series.labels == (name, "")
    return [after - before for before, after in zip((0, *cumulative), cumulative, strict=False)]


def test_one_timer_times_each_of_many_tasks_from_its_own_start(own: Recorder, clock: Clock) -> None:
    shared = timer("checkout")

    async def work(begun: asyncio.Event, ended: asyncio.Event) -> None:
        await begun.wait()
        with shared:
            await ended.wait()

    async def main() -> None:
        # Neither first in, first out nor first in, last out: 2, 9, 1 and 6 seconds.
        seconds = [asyncio.Event() for _ in range(11)]
        blocks = [(0, 2), (1, 10), (3, 4), (3, 9)]
        tasks = [asyncio.ensure_future(work(seconds[begin], seconds[end])) for begin, end in blocks]
        for second in seconds:
            second.set()
            for _ in range(3):
                await asyncio.sleep(0)
            clock.now += 1
        await asyncio.gather(*tasks)

    asyncio.run(main())
    assert by_duration(own, "checkout") == [1, 1, 0, 1, 1]


def test_one_timer_times_each_of_many_threads_from_its_own_start(own: Recorder, clock: Clock) -> None:
    shared = timer("checkout")
    steps = [threading.Event() for _ in range(4)]

    def long() -> None:
        with shared:
            steps[0].set()
            assert steps[3].wait(10)

    def short() -> None:
        assert steps[1].wait(10)
        with shared:
            clock.now += 1
        steps[2].set()

    threads = [threading.Thread(target=long), threading.Thread(target=short)]
    for thread in threads:
        thread.start()
    assert steps[0].wait(10)
    clock.now += 3
    steps[1].set()
    assert steps[2].wait(10)
    clock.now += 2
    steps[3].set()
    for thread in threads:
        thread.join()
    assert by_duration(own, "checkout") == [1, 0, 0, 1, 0]


def test_a_block_may_end_in_another_context_than_it_began_in(own: Recorder, clock: Clock) -> None:
    """A12."""
    shared = timer("checkout")
    block = shared

    def begin() -> None:
        block.__enter__()

    def end() -> None:
        block.__exit__(None, None, None)

    contextvars.copy_context().run(begin)
    clock.now += 2
    with ThreadPoolExecutor(1) as pool:
        pool.submit(contextvars.copy_context().run, end).result()
    with block:
        clock.now += 1
    assert by_duration(own, "checkout") == [1, 1, 0, 0, 0]


def test_blocks_that_end_elsewhere_are_counted_and_their_sum_is_right(own: Recorder, clock: Clock) -> None:
    shared = timer("checkout")
    for _ in range(2):
        contextvars.copy_context().run(shared.__enter__)
        clock.now += 1
    for _ in range(2):
        clock.now += 1
        contextvars.copy_context().run(shared.__exit__, None, None, None)
    assert numbers(own, TIMER) == {("checkout", ""): 2}
    assert durations(own) == {"checkout": 3.0 + 3.0}
    assert not shared._runs


def test_leaving_what_was_not_entered_records_nothing(own: Recorder) -> None:
    timer("checkout").__exit__(None, None, None)
    assert numbers(own, TIMER) == {}


def test_context_variables_do_not_keep_the_blocks_that_have_ended() -> None:
    shared = timer("checkout")
    contextvars.copy_context().run(shared.__enter__)

    def many() -> int:
        for _ in range(100):
            context = contextvars.copy_context()
            shared.__enter__()
            context.run(shared.__exit__, None, None, None)
        depth, run = 0, stopwatch._running.get()
        while run is not None:
            depth, run = depth + 1, run.outer
        return depth

    assert contextvars.Context().run(many) <= 2


def test_it_works_on_trio_and_on_an_exit_stack(own: Recorder, clock: Clock) -> None:
    """A10."""

    @timer("trio")
    async def work() -> None:
        with ExitStack() as stack:
            stack.enter_context(timer("stack"))
            await trio.lowlevel.checkpoint()
            clock.now += 1

    trio.run(work)
    assert durations(own) == {"trio": 1.0, "stack": 1.0}


def test_histograms_share_one_way_of_timing(own: Recorder, clock: Clock) -> None:
    histogram = Histogram("h", "")
    with timer("outer"), histogram.time(), timer("inner"):
        clock.now += 2
    assert durations(own) == {"outer": 2.0, "inner": 2.0}
    assert sum_of(own, "h") == 2.0


# In a request.


def test_a_block_is_a_share_of_the_request_it_is_in(clock: Clock, request_of_the_code: Request) -> None:
    for _ in range(2):
        with timer("load"):
            clock.now += 1
    with timer("render"):
        clock.now += 3
    assert shares_of(request_of_the_code) == {"load": (2.0, 2), "render": (3.0, 1)}


@pytest.mark.parametrize("name", ["app", "db", "queue"])
def test_a_block_with_a_name_of_ours_is_a_share_beside_ours(
    name: str, own: Recorder, clock: Clock, request_of_the_code: Request
) -> None:
    with timer(name):
        clock.now += 1
    assert shares_of(request_of_the_code) == {f"{name}_": (1.0, 1)}
    assert durations(own) == {name: 1.0}


def test_outside_of_a_request_there_are_no_shares() -> None:
    add_share("load", 1.0)
    assert CURRENT.get() is None


def test_the_shares_of_a_request_are_bounded(request_of_the_code: Request) -> None:
    """B37."""
    for number in range(1000):
        add_share(f"item {number}", 1.0)
    add_share("item 0", 1.0)
    shares = shares_of(request_of_the_code)
    assert len(shares) == MOST_SHARES
    assert shares["item 0"] == (2.0, 2)


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    with timer("load cart"):
        await asyncio.sleep(0)
        with timer("price"):
            pass
        with timer("price"):
            pass
    await send({"type": "http.response.start", "status": 204, "headers": []})
    with timer("too late"):
        await send({"type": "http.response.body", "body": b""})


def test_server_timing_says_what_was_timed_before_the_response_began(own: Recorder) -> None:
    async def get() -> str:
        watched = stethoscope.Stethoscope(app)
        transport = httpx.ASGITransport(app=watched)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            return (await client.get("/")).headers["server-timing"]

    value = asyncio.run(get())
    number = r"\d+\.\d{3}"
    expected = rf'app;dur={number}, price;dur={number};desc="2 times", load_cart;dur={number}'
    assert re.fullmatch(expected, value), value
    assert set(durations(own)) == {"load cart", "price", "too late"}

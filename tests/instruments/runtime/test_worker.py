"""Event loops of this process: how late they are, what blocks them, and that nothing of ours is left in them."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
import warnings
from collections.abc import Callable
from types import CodeType
from weakref import ref

import anyio
import anyio.to_thread
import pytest
import trio
import uvloop

from stethoscope import hot, names
from stethoscope.instruments.runtime.loops import PERIOD, QUIET
from stethoscope.instruments.runtime.worker import Worker
from tests.instruments.waiting import until
from tests.middleware.scripted import Records, exchange_of

BLOCKED = 0.4


def block(seconds: float) -> None:
    time.sleep(seconds)  # the line that blocks


def line_that_blocks() -> str:
    with open(__file__) as source:
        line = next(number for number, text in enumerate(source, 1) if text.rstrip().endswith("# the line that blocks"))
    return f"tests/instruments/runtime/test_worker.py:{line} in block"


NewLoop = Callable[[], asyncio.AbstractEventLoop]
LOOPS = pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])


async def in_thread(released: threading.Event) -> None:
    """A call that blocks one of AnyIO's threads."""
    await anyio.to_thread.run_sync(lambda: released.wait(20))


def stalls(records: Records) -> list[dict[str, object]]:
    return [dict(note.content) for note in records.recorder.notes(names.STALLS)]


def calls_of_arrival(worker: Worker, records: Records) -> list[CodeType]:
    """Python functions that are called when one more request arrives."""
    request, called = exchange_of(records), list[CodeType]()
    sys.setprofile(lambda frame, event, argument: called.append(frame.f_code) if event == "call" else None)
    try:
        worker.arrived(request)
    finally:
        sys.setprofile(None)
    return called


@pytest.mark.skipif(not hot.COMPILED, reason="nothing is compiled")
@LOOPS
def test_a_request_on_the_same_loop_within_a_moment_is_noted_without_python(
    records: Records, worker: Worker, new_loop: NewLoop
) -> None:
    async def serve() -> None:
        worker.arrived(exchange_of(records))
        watch = worker._watch
        assert watch is not None
        watch.told, watch.asked, watch.busy = time.perf_counter() + 60, False, False
        assert calls_of_arrival(worker, records) == []
        assert watch.asked
        assert watch.busy
        watch.told -= 120
        assert calls_of_arrival(worker, records) != []  # the watchdog has to be told
        assert watch.told > time.perf_counter() - 60
        watch.told, watch.period = time.perf_counter() + 60, QUIET + 0.1
        assert calls_of_arrival(worker, records) != []  # the timer is set anew
        assert watch.period == PERIOD

    for _ in range(2):  # the second loop is another one, which is watched, too
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(serve())


@LOOPS
def test_blocked_loop_is_found_in_the_act(records: Records, worker: Worker, new_loop: NewLoop) -> None:
    async def serve() -> None:
        worker.arrived(exchange_of(records))
        block(BLOCKED)
        await asyncio.sleep(PERIOD)  # the timer, which is overdue, runs

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(serve())
    (stall,) = until(lambda: stalls(records), "a stall")
    assert stall["where"] == line_that_blocks()
    assert stall["times"] == 1
    assert float(str(stall["longest_at_most_seconds"])) >= BLOCKED - 0.001
    assert records.sums(names.LOOP_LAG)[(str(stall["event_loop"]),)] >= BLOCKED - PERIOD


@LOOPS
def test_each_block_above_a_tenth_of_a_second_is_found(records: Records, worker: Worker, new_loop: NewLoop) -> None:
    """Whenever it begins: nothing is due on the loop meanwhile. By the longer pauses the watchdog has gone to sleep."""

    async def serve() -> None:
        for pause in range(1, 9):
            await asyncio.sleep(pause * 0.021)
            worker.arrived(exchange_of(records))
            block(0.11)
        await asyncio.sleep(PERIOD)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(serve())
    until(lambda: sum(int(str(stall["times"])) for stall in stalls(records)) >= 8, "eight stalls")


@LOOPS
def test_a_request_that_has_waited_and_blocks_then_is_found(
    records: Records, worker: Worker, new_loop: NewLoop
) -> None:
    """While it waits the loop rests, and nothing else is asked of it."""
    active = records.recorder.gauge(names.ACTIVE_REQUESTS, ("GET", "http"))

    async def serve() -> None:
        for pause in range(1, 7):
            active.add(1.0)
            worker.arrived(exchange_of(records))
            await asyncio.sleep(pause * 0.07)
            block(0.12)
            active.add(-1.0)
            await asyncio.sleep(0.3)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(serve())
    until(lambda: sum(int(str(stall["times"])) for stall in stalls(records)) >= 6, "six stalls", seconds=60)


def test_compiled_code_that_holds_the_interpreter_is_found(records: Records, worker: Worker) -> None:
    numbers = range(20_000_000)

    async def serve() -> None:
        worker.arrived(exchange_of(records))
        await asyncio.sleep(PERIOD)
        worker.arrived(exchange_of(records))
        sum(numbers)
        await asyncio.sleep(PERIOD)

    asyncio.run(serve())
    (stall, *_) = until(lambda: stalls(records), "a stall")
    assert str(stall["where"]).endswith("serve")


def test_block_that_does_not_end_is_reported_while_it_lasts(records: Records, worker: Worker) -> None:
    over = threading.Event()

    async def serve() -> None:
        worker.arrived(exchange_of(records))
        over.wait(20)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    (stall,) = until(lambda: stalls(records), "a stall")
    over.set()
    thread.join()
    assert stall["ongoing"]
    assert any(place["function"].endswith("serve") for place in stall["stack"])  # type: ignore[attr-defined]


def test_loop_that_nobody_runs_is_not_late(records: Records, worker: Worker) -> None:
    """Some tests and servers run a loop for each call, and do something else in between."""
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        worker.arrived(exchange_of(records))

    loop.run_until_complete(serve())
    pause = threading.Event()
    pause.wait(6 * PERIOD)
    loop.run_until_complete(asyncio.sleep(2 * PERIOD))
    loop.close()
    assert stalls(records) == []
    assert records.sums(names.LOOP_LAG).get(("asyncio",), 0.0) < 3 * PERIOD


@LOOPS
def test_nothing_of_ours_is_in_the_loop_or_left_of_it(records: Records, worker: Worker, new_loop: NewLoop) -> None:
    async def serve() -> set[asyncio.Task[object]]:
        worker.arrived(exchange_of(records))
        await asyncio.sleep(2 * PERIOD)
        return asyncio.all_tasks() - {asyncio.current_task()}

    loop = new_loop()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert loop.run_until_complete(serve()) == set()
        loop.close()
        gone = ref(loop)
        del loop
        until(lambda: not worker.is_guarded, "the end of the watchdog")
        gc.collect()
        assert gone() is None


def test_request_of_a_context_is_not_held_by_the_timer(records: Records, worker: Worker) -> None:
    class Held:
        pass

    from contextvars import ContextVar

    place: ContextVar[Held] = ContextVar("place")

    async def request() -> ref[Held]:
        held = Held()
        place.set(held)
        worker.arrived(exchange_of(records))
        return ref(held)

    async def serve() -> None:
        held = await asyncio.create_task(request())
        await asyncio.sleep(0)
        gc.collect()
        assert held() is None

    asyncio.run(serve())


def test_each_of_several_loops_is_watched(records: Records, worker: Worker) -> None:
    both = threading.Barrier(2)

    async def serve(seconds: float) -> None:
        worker.arrived(exchange_of(records))
        await asyncio.get_running_loop().run_in_executor(None, both.wait)
        block(seconds)
        await asyncio.sleep(2 * PERIOD)

    threads = [
        threading.Thread(target=lambda: asyncio.run(serve(BLOCKED)), name="blocked"),
        threading.Thread(target=lambda: asyncio.run(serve(0.0)), name="well"),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = until(lambda: stalls(records), "a stall")
    assert {stall["thread"] for stall in found if stall["where"] == line_that_blocks()} == {"blocked"}


def test_run_of_trio_is_watched_and_ends(records: Records, worker: Worker) -> None:
    async def serve() -> None:
        worker.arrived(exchange_of(records))
        await trio.sleep(PERIOD / 2)
        block(BLOCKED)
        await trio.sleep(PERIOD)

    trio.run(serve)
    (stall,) = until(lambda: stalls(records), "a stall")
    assert (stall["where"], stall["event_loop"]) == (line_that_blocks(), "trio")


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_anyio_calls_that_wait_for_a_thread_are_seen(records: Records, worker: Worker, backend: str) -> None:
    released = threading.Event()

    async def serve() -> None:
        anyio.to_thread.current_default_thread_limiter().total_tokens = 1
        worker.arrived(exchange_of(records))
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(in_thread, released)
            await anyio.sleep(3 * PERIOD)  # some timers, which look at the limiter
            worker.sample()
            released.set()

    anyio.run(serve, backend=backend)
    assert records.numbers(names.ANYIO_LIMIT) == {(): 1.0}
    assert records.numbers(names.ANYIO_BORROWED) == {(): 1.0}
    assert records.numbers(names.ANYIO_WAITING) == {(): 2.0}
    waits = records.counts(names.ANYIO_WAIT)
    assert waits == ({(): 2} if backend == "asyncio" else {})
    if waits:
        assert records.sums(names.ANYIO_WAIT)[()] >= 4 * PERIOD


def test_call_that_gives_up_waiting_for_a_thread_is_no_wait(records: Records, worker: Worker) -> None:
    released = threading.Event()

    async def serve() -> None:
        anyio.to_thread.current_default_thread_limiter().total_tokens = 1
        worker.arrived(exchange_of(records))
        async with anyio.create_task_group() as group:
            group.start_soon(in_thread, released)
            await anyio.sleep(0.01)
            with anyio.move_on_after(0.01):
                await in_thread(released)
            released.set()

    anyio.run(serve)
    assert records.counts(names.ANYIO_WAIT) == {}


@LOOPS
def test_calls_that_wait_for_the_default_executor_are_seen(records: Records, worker: Worker, new_loop: NewLoop) -> None:
    released = threading.Event()

    async def serve() -> None:
        worker.arrived(exchange_of(records))
        calls = [asyncio.create_task(asyncio.to_thread(released.wait)) for _ in range(50)]
        await asyncio.sleep(0.05)
        worker.sample()
        released.set()
        await asyncio.gather(*calls)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(serve())
    limit = records.numbers(names.EXECUTOR_LIMIT)[()]
    assert records.numbers(names.EXECUTOR_THREADS) == {(): limit}
    assert records.numbers(names.EXECUTOR_QUEUED) == {(): 50 - limit}


def test_tasks_are_counted(records: Records, worker: Worker) -> None:
    async def serve() -> None:
        sleepers = [asyncio.create_task(asyncio.sleep(60)) for _ in range(30)]
        worker.arrived(exchange_of(records))
        await asyncio.sleep(2 * PERIOD)
        worker.sample()
        for sleeper in sleepers:
            sleeper.cancel()

    asyncio.run(serve())
    assert records.numbers(names.LOOP_TASKS) == {(): 31.0}


def test_runs_of_the_garbage_collector_are_timed(records: Records, worker: Worker) -> None:
    async def serve() -> None:
        worker.arrived(exchange_of(records))
        cycle: list[object] = []
        cycle.append(cycle)
        del cycle
        gc.collect()
        worker.sample()

    asyncio.run(serve())
    assert records.counts(names.GC_PAUSE)[("2",)] >= 1
    assert records.sums(names.GC_PAUSE)[("2",)] > 0
    assert records.numbers(names.GC_COLLECTED)[("2",)] >= 1


def test_request_outside_of_any_loop_is_let_pass(records: Records, worker: Worker) -> None:
    worker.arrived(exchange_of(records))
    worker.sample()
    assert records.internal_errors() == {}
    assert "stethoscope-watchdog" not in {thread.name for thread in threading.enumerate()} or sys.platform == "win32"

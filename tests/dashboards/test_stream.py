"""Server-sent events: one merge for all, nothing for nobody, and no server kept from ending."""

from __future__ import annotations

import asyncio
import gc
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any
from weakref import ref

import anyio
import anyio.lowlevel
import httpx
import pytest

from stethoscope.asgi import Message, Scope
from stethoscope.dashboards.board import Board
from stethoscope.dashboards.documents.window import WINDOWS, Moment, Nothing
from stethoscope.dashboards.flight import Flight
from stethoscope.dashboards.stream import Access, Stream
from stethoscope.names import REQUEST_DURATION, NoteKind
from stethoscope.store.distribution import Distribution
from stethoscope.store.folder import Folder
from stethoscope.store.history import History
from stethoscope.store.notes import Note
from stethoscope.store.recorder import Recorder
from stethoscope.store.snapshot import Snapshot
from stethoscope.thresholds import Thresholds
from tests.dashboards.boards import busy
from tests.dashboards.calling import http_scope
from tests.exporters.snapshots import BORN
from tests.servers import Kind, serve

BACKENDS = ["asyncio", "trio"]
TOKEN = "a-token-for-streams"


class Counted:
    """A source that counts how often it is asked."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> Moment:
        self.times += 1
        return Moment(busy())


class Steps:
    """A clock that goes on when it is told to."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Viewer:
    """Looks until it has seen so many events; or hangs, and takes none."""

    def __init__(self, events: int, *, hangs: bool = False) -> None:
        self._events = events
        self._hangs = hangs
        self._gone = anyio.Event()
        self.began = anyio.Event()
        self.bodies: list[bytes] = []
        self.headers: dict[bytes, bytes] = {}
        self.ended = False

    async def receive(self) -> Message:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.headers = dict(message["headers"])
            return
        if self._hangs:
            await anyio.sleep_forever()
        if self._gone.is_set():
            return
        self.ended = not message.get("more_body", False)
        self.bodies.append(message["body"])
        self.began.set()
        if len(self.bodies) >= self._events:
            self._gone.set()

    async def look(self, stream: Stream, query: str = "", *headers: tuple[str, str]) -> None:
        await stream.serve(http_scope("/api/stream", query=query, headers=headers), self.receive, self.send)

    async def look_while(self, stream: Stream, access: Access) -> None:
        await stream.serve(http_scope("/api/stream"), self.receive, self.send, access)


def stream_of(source: Callable[[], Moment], **options: Any) -> Stream:
    def on_error(where: str, error: Exception) -> None:
        raise AssertionError(where) from error

    return Stream(Flight(source), Thresholds(), on_error, tick_seconds=0.02, **options)


def events(bodies: list[bytes]) -> list[dict[str, Any]]:
    found = []
    for body in bodies:
        kind, number, data, *_ = body.decode().split("\n")
        assert (kind, number.partition(": ")[0]) == ("event: tick", "id")
        found.append(json.loads(data.removeprefix("data: ")))
    return found


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_viewer_gets_a_document_at_each_tick_and_what_happened_since_the_one_before(backend: str) -> None:
    viewer = Viewer(3)
    anyio.run(viewer.look, stream_of(Counted()), "view=endpoints&window=1m", backend=backend)
    first, second, _third = events(viewer.bodies)
    assert viewer.headers[b"content-type"] == b"text/event-stream; charset=utf-8"
    assert (first["view"], first["document"]["total"], first["point"]) == ("endpoints", 3, None)
    assert second["point"]["requests_per_second"] == 0


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_stream_that_nobody_looks_at_takes_its_source_with_it_while_the_event_loop_goes_on(backend: str) -> None:
    async def look() -> list[Counted | None]:
        left = []
        for _ in range(3):
            source = Counted()
            await Viewer(1).look(stream_of(source))
            left.append(ref(source))
            del source
        await anyio.sleep(0.01)  # the loop may have the last one in hand
        gc.collect()  # of the tasks and what was raised to end them
        return [one() for one in left]

    assert anyio.run(look, backend=backend) == [None] * 3


def test_a_live_point_has_nothing_of_what_was_before_a_reset(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir(0o700)
    clock, recorder = Steps(100.0), Recorder("shop", lambda: None)
    history = History(Folder(str(tmp_path / "store")), clock)
    durations = recorder.histogram(REQUEST_DURATION, ("GET", "/", "200", "http", ""))

    def pass_by(requests: int, seconds: float) -> Moment:
        clock.now += seconds
        for _ in range(requests):
            durations.record(0.1)
        return Moment(replace(recorder.snapshot(), since_boot=clock.now), history)

    def moments() -> Iterator[Moment]:
        yield pass_by(0, 2.0)
        yield pass_by(10, 2.0)
        history.reset(pass_by(6, 1.0).present)
        while True:
            yield pass_by(2, 1.0)

    viewer = Viewer(3)
    anyio.run(viewer.look, stream_of(moments().__next__), "")
    assert [(one["point"]["seconds"], one["point"]["requests_per_second"]) for one in events(viewer.bodies)[1:]] == [
        (2.0, 5.0),
        (1.0, 2.0),
    ]


def test_a_live_point_is_as_long_as_it_was_when_the_clock_is_set_back_meanwhile() -> None:
    recorder, since_boot = Recorder("shop", lambda: None), count(100.0, 2.0)

    def moments() -> Iterator[Moment]:
        for taken_at in (1000.0, 990.0, 5000.0):
            yield Moment(replace(recorder.snapshot(), taken_at=taken_at, since_boot=next(since_boot)))

    viewer = Viewer(3)
    anyio.run(viewer.look, stream_of(moments().__next__), "")
    assert [one["point"]["seconds"] for one in events(viewer.bodies)[1:]] == [2.0, 4.0]


def test_windows_are_as_long_as_they_were_when_the_clock_was_set_back(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir(0o700)
    clock, recorder = Steps(100.0), Recorder("shop", lambda: None)
    history = History(Folder(str(tmp_path / "store")), clock)
    durations = recorder.histogram(REQUEST_DURATION, ("GET", "/", "200", "http", ""))
    for _ in range(11):
        history.put_aside(recorder.snapshot())
        durations.record(0.1)
        clock.now += 15.0
    moment = Moment(replace(recorder.snapshot(), taken_at=1.0), history)
    windows = {name: moment.window(name) for name in WINDOWS}
    assert {name: window.seconds for name, window in windows.items()} == {
        "1m": 60.0,
        "5m": 165.0,
        "15m": 165.0,
        "all": 165.0,
    }
    assert [summed(window) for window in windows.values()] == [4, 11, 11, 11]


def test_windows_are_as_long_as_the_service_is_old_until_something_is_put_aside(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir(0o700)
    moment = Moment(replace(busy(), taken_at=BORN + 7200.0), History(Folder(str(tmp_path / "store"))))
    assert [moment.window(name).seconds for name in WINDOWS] == [7200.0] * 4


def summed(window: Snapshot) -> int:
    return sum(one.value.count for one in window.family(REQUEST_DURATION).series if isinstance(one.value, Distribution))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_hundred_viewers_cost_one_merge_a_tick_and_each_sees_its_view(backend: str) -> None:
    source, views = Counted(), ["overview", "endpoints", "system"]
    viewers = [Viewer(5) for _ in range(99)]

    async def main() -> None:
        stream = stream_of(source)
        async with anyio.create_task_group() as tasks:
            for viewer, view in zip(viewers, views * 33, strict=True):
                tasks.start_soon(viewer.look, stream, f"view={view}")

    anyio.run(main, backend=backend)
    # Whoever came while a tick was made waits for it; nobody makes one of his own.
    assert source.times <= 7
    for viewer, view in zip(viewers, views * 33, strict=True):
        assert {event["view"] for event in events(viewer.bodies)} == {view}


@pytest.mark.parametrize("backend", BACKENDS)
def test_many_viewers_get_a_tick_a_few_at_a_time(backend: str) -> None:
    """Between them the loop is free for the app's requests."""
    viewers = [Viewer(3) for _ in range(100)]
    at_once: list[int] = []

    async def main() -> None:
        stream = stream_of(Counted())
        async with anyio.create_task_group() as tasks:
            for viewer in viewers:
                tasks.start_soon(viewer.look, stream)
            seen = 0
            while seen < 300:
                await anyio.lowlevel.checkpoint()
                before, seen = seen, sum(len(viewer.bodies) for viewer in viewers)
                at_once.append(seen - before)

    anyio.run(main, backend=backend)
    assert max(at_once) <= 5


@pytest.mark.parametrize("backend", BACKENDS)
def test_when_the_leader_goes_the_others_go_on(backend: str) -> None:
    early, late = Viewer(1), Viewer(6)

    async def main() -> None:
        stream = stream_of(Counted())
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(early.look, stream)
            tasks.start_soon(late.look, stream)

    anyio.run(main, backend=backend)
    assert (len(early.bodies), len(late.bodies)) == (1, 6)


def test_nobody_looking_costs_nothing() -> None:
    """No task is left, and no snapshot is held."""

    async def main() -> None:
        source = Counted()
        stream = stream_of(source)
        await Viewer(3).look(stream)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        held = source.times
        await Viewer(1).look(stream)
        assert source.times == held + 1  # made anew, not kept

    asyncio.run(main())


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_viewer_that_hangs_is_dropped_and_holds_up_nobody(backend: str) -> None:
    hanging, other = Viewer(1, hangs=True), Viewer(8)

    async def main() -> None:
        stream = stream_of(Counted(), patience_seconds=0.1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hanging.look, stream)
            tasks.start_soon(other.look, stream)

    anyio.run(main, backend=backend)
    assert (hanging.bodies, len(other.bodies)) == ([], 8)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_stream_of_a_viewer_who_may_look_no_longer_ends(backend: str) -> None:
    viewer, answers = Viewer(100), iter([True, True, False])

    async def access() -> bool:
        return next(answers)

    anyio.run(viewer.look_while, stream_of(Counted(), access_seconds=0.0), access, backend=backend)
    assert viewer.ended
    assert len(viewer.bodies) == 3  # two events, and the end


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_rule_that_takes_its_time_holds_up_nobody_else_and_lets_nobody_look_meanwhile(backend: str) -> None:
    asked, other = Viewer(100), Viewer(8)

    async def access() -> bool:
        await anyio.sleep_forever()
        return True

    async def main() -> None:
        stream = stream_of(Counted(), access_seconds=0.0, patience_seconds=0.1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(asked.look_while, stream, access)
            tasks.start_soon(other.look_while, stream, yes)

    async def yes() -> bool:
        return True

    anyio.run(main, backend=backend)
    assert (asked.bodies, len(other.bodies)) == ([], 8)


def test_who_was_let_in_is_not_asked_again_at_each_event() -> None:
    times = count()

    async def access() -> bool:
        next(times)
        return True

    asyncio.run(Viewer(5).look_while(stream_of(Counted()), access))
    assert next(times) == 0


def test_the_board_asks_the_users_own_rule_while_somebody_looks() -> None:
    viewer, answers = Viewer(100), iter([True, False])

    async def rule(scope: Scope) -> bool:
        return next(answers)

    board = Board(Counted(), token=None, access=rule, on_error=lambda where, error: None)
    board._stream._access_seconds = 0.0
    asyncio.run(board.serve("/api/stream", http_scope("/api/stream"), viewer.receive, viewer.send))
    assert (viewer.bodies, viewer.ended) == ([b""], True)


def test_events_are_compressed_once_so_that_each_viewer_can_read_on_from_any() -> None:
    early, late = Viewer(4), Viewer(2)

    async def main() -> None:
        stream = stream_of(Counted())
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(early.look(stream, "", ("accept-encoding", "gzip")))
            await early.began.wait()
            tasks.create_task(late.look(stream, "", ("accept-encoding", "gzip")))

    asyncio.run(main())
    for viewer, seen in ((early, 4), (late, 2)):
        assert viewer.headers[b"content-encoding"] == b"gzip"
        unpack = zlib.decompressobj(31)
        # Each event can be read as soon as it has come.
        assert len(events([unpack.decompress(body) for body in viewer.bodies])) == seen


def test_a_view_that_fails_is_told_and_the_others_go_on() -> None:
    numbers = count()

    class Odd(Nothing):
        def notes(self, kind: NoteKind) -> list[Note]:
            if next(numbers) == 1:
                raise OSError("no folder")
            return []

    told: list[str] = []
    viewer = Viewer(3)
    stream = Stream(
        Flight(Counted()),
        Thresholds(),
        lambda where, error: told.append(where),
        tick_seconds=0.02,
        beside=Odd(),
    )
    asyncio.run(viewer.look(stream))
    kinds = [body.partition(b"\n")[0] for body in viewer.bodies]
    assert kinds == [b"event: tick", b"event: failed", b"event: tick"]
    assert told == ["stream"]


def test_a_source_that_fails_for_a_while_is_told_and_asked_again() -> None:
    """Silence would leave numbers that no longer hold, and nobody would know."""
    numbers = count()

    def source() -> Moment:
        if next(numbers) in (0, 2):
            raise OSError("no folder")
        return Moment(Snapshot("shop", 1.0, {}))

    told: list[str] = []
    viewer = Viewer(4)
    asyncio.run(viewer.look(Stream(Flight(source), Thresholds(), lambda where, error: told.append(where), 0.02)))
    kinds = [body.partition(b"\n")[0] for body in viewer.bodies]
    assert kinds == [b"event: failed", b"event: tick"] * 2
    assert b'{"detail":"The numbers could not be read; the log says why."}' in viewer.bodies[0]
    assert told == ["stream", "stream"]


@pytest.mark.parametrize("kind", ["uvicorn", "uvicorn-h11-asyncio", "gunicorn", "hypercorn", "hypercorn-trio"])
def test_a_server_that_is_told_to_end_is_not_held_up_by_a_stream(kind: Kind, tmp_path: Path) -> None:
    """The stream comes to its end, where it would otherwise be cut off when the server's patience is over."""
    tmp_path.chmod(0o700)
    env = {"STETHOSCOPE_TOKEN": TOKEN, "STETHOSCOPE_DIR": str(tmp_path)}
    headers = {"authorization": f"Bearer {TOKEN}", "accept-encoding": "identity"}
    with serve(kind, "tests.dashboards.streaming_app:app", env=env) as server:
        with httpx.stream("GET", f"{server.url}/_stethoscope/api/stream", headers=headers, timeout=20) as response:
            lines = response.iter_lines()
            assert next(lines) == "event: tick"
            server.process.terminate()
            rest = list(lines)  # raises where the stream is cut off
        assert rest
        assert server.process.wait(15) in (0, -15)

"""What a reader sees of a writer that writes, stands still, or has died in the middle."""

from __future__ import annotations

import mmap
import os
import signal
import time
import zlib
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from stethoscope import names
from stethoscope.store import segment as segments
from stethoscope.store.distribution import Distribution
from stethoscope.store.layout import RECORD
from stethoscope.store.snapshot import Snapshot
from tests.process.children import PATIENCE, running, stay
from tests.process.stores import ACTIVE, REQUESTS, SECONDS, gatherer_in, recorder_in, skipped, total, value

SNAPSHOTS = 400
READS = 10_000
"""Each of 256 + 512 numbers."""
PAGE = 4096


def record_at_full_speed(pipe: Connection, place: Path) -> None:
    recorder = recorder_in(place)
    series = [recorder.histogram(SECONDS, (f"/{number}",)) for number in range(4)]
    counter = recorder.counter(REQUESTS, ("/a",))
    series[0].record(1.0)
    pipe.send("ready")
    number = 0
    while True:
        series[number & 3].record((number & 1023) * 0.001)
        counter.add(1.0)
        number += 1


def test_snapshots_of_a_writer_at_full_speed_are_consistent_and_only_grow(place: Path) -> None:
    """B7: the count is the sum of the buckets, and nothing shrinks: neither buckets nor cells nor sums nor counters.

    Buckets and cells are counted one after the other. They differ by what was recorded while the segment was
    copied, and for good by at most the one observation that a writer was at when it was killed.
    """
    gatherer = gatherer_in(place)
    with running(record_at_full_speed, place) as writer:
        writer.hear()
        seen = [gatherer.gather() for _ in range(SNAPSHOTS)]
    seen.append(gatherer.gather())
    for before, after in pairwise(seen):
        assert value(before, REQUESTS, "/a") <= value(after, REQUESTS, "/a")
        earlier, later = distributions(before), distributions(after)
        for route, distribution in earlier.items():
            assert list(distribution.cumulative) == sorted(distribution.cumulative)
            assert distribution.count == distribution.cumulative[-1]
            assert all(a <= b for a, b in zip(distribution.cumulative, later[route].cumulative, strict=True))
            assert all(count <= later[route].cells[cell] for cell, count in distribution.cells.items())
            assert distribution.sum <= later[route].sum
    assert total(seen[-1], SECONDS) > total(seen[0], SECONDS)
    over_all = [(one.count, sum(one.cells.values())) for one in distributions(seen[-1]).values()]
    assert sum(abs(count - cells) for count, cells in over_all) <= 1


def distributions(snapshot: Snapshot) -> dict[str, Distribution]:
    return {one.labels[0]: one.value for one in snapshot.family(SECONDS).series if isinstance(one.value, Distribution)}


def store_two_values(pipe: Connection, path: Path) -> None:
    """Store 8-byte numbers whose two halves are equal, and 4-byte ones whose four bytes are equal, one after the other."""
    with path.open("r+b") as file:
        memory = memoryview(mmap.mmap(file.fileno(), PAGE))
    words, lanes = memory[: PAGE // 2].cast("Q"), memory[PAGE // 2 :].cast("I")
    pipe.send("ready")
    while True:
        for byte in (0x00, 0xFF, 0x55, 0xAA):
            word, lane = byte * 0x0101010101010101, byte * 0x01010101
            for index in range(len(words)):
                words[index] = word
            for index in range(len(lanes)):
                lanes[index] = lane


def test_an_aligned_number_is_never_read_half_written(place: Path) -> None:
    """B9: assumption A2 of a segment, on this machine: pread while another process stores."""
    path = place / "numbers"
    path.write_bytes(bytes(PAGE))
    torn, changes, before = set(), 0, b""
    with running(store_two_values, path) as writer, path.open("rb") as file:
        writer.hear()
        end, reads = time.monotonic() + PATIENCE, 0
        while (reads < READS or changes <= 50) and time.monotonic() < end:
            reads += 1
            data = os.pread(file.fileno(), PAGE, 0)
            changes += data != before
            before = data
            torn |= set(memoryview(data)[: PAGE // 2].cast("Q")) - WHOLE_WORDS
            torn |= set(memoryview(data)[PAGE // 2 :].cast("I")) - WHOLE_LANES
    assert changes > 50
    assert torn == set()


WHOLE_WORDS = frozenset(byte * 0x0101010101010101 for byte in (0x00, 0xFF, 0x55, 0xAA))
WHOLE_LANES = frozenset(byte * 0x01010101 for byte in (0x00, 0xFF, 0x55, 0xAA))


def die_before_publishing(pipe: Connection, place: Path, sig: int) -> None:
    """Write half of a record, then all of it, and end or stop before the store that publishes it."""
    recorder = recorder_in(place)
    recorder.counter(REQUESTS, ("/a",)).add(3.0)
    recorder.gauge(ACTIVE).add(1.0)

    class Deadly:
        def __setitem__(self, index: int, value: int) -> None:
            pipe.send("written")
            os.kill(os.getpid(), sig)

    place_of_process = recorder._here()
    place_of_process.segment.longs = Deadly()  # type: ignore[assignment]
    recorder.counter(REQUESTS, ("/never",)).add(1.0)
    stay(pipe)


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGSTOP])
def test_a_record_that_was_not_published_is_not_there(sig: signal.Signals, place: Path) -> None:
    """B8: killed or stopped between a record's bytes and the store that publishes it."""
    with running(die_before_publishing, place, sig) as writer:
        assert writer.hear() == "written"
        if sig is signal.SIGKILL:
            writer.wait()
        for _ in range(3):
            seen = gatherer_in(place).gather()
            assert (value(seen, REQUESTS, "/a"), value(seen, REQUESTS, "/never")) == (3, 0)
            assert skipped(seen) == {}
            assert total(seen, ACTIVE) == (1 if sig is signal.SIGSTOP else 0)


def die_in_the_middle_of_bytes(pipe: Connection, place: Path, offset: int) -> None:
    recorder = recorder_in(place)
    recorder.counter(REQUESTS, ("/a",)).add(3.0)
    segment = recorder._here().segment
    os.pwrite(recorder._here().claim._data, os.urandom(offset), segment.used)  # type: ignore[union-attr]
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("written", [1, RECORD.size - 1, RECORD.size, 100])
def test_bytes_of_an_unfinished_record_are_never_looked_at(written: int, place: Path) -> None:
    """B8: killed with any part of a record written."""
    with running(die_in_the_middle_of_bytes, place, written) as writer:
        assert writer.wait() == -signal.SIGKILL
    for _ in range(2):
        seen = gatherer_in(place).gather()
        assert (value(seen, REQUESTS, "/a"), skipped(seen)) == (3, {})


def record_while_the_clock_jumps(pipe: Connection, place: Path) -> None:
    now = [2e9]
    time.time = lambda: now[0]
    recorder = recorder_in(place)
    recorder.counter(REQUESTS, ("/a",)).add(1.0)
    now[0] = 1e9
    recorder.counter(REQUESTS, ("/a",)).add(1.0)
    recorder.counter(REQUESTS, ("/b",)).add(1.0)
    recorder.keep_house()
    now[0] = -5.0
    recorder.counter(REQUESTS, ("/c",)).add(1.0)
    recorder.keep_house()
    pipe.send(total(recorder.snapshot(), REQUESTS))
    stay(pipe)


def test_a_wall_clock_that_jumps_changes_no_number(place: Path) -> None:
    """B11: set back by decades while a worker records."""
    with running(record_while_the_clock_jumps, place) as writer:
        assert writer.hear() == 4
    assert total(gatherer_in(place).gather(), REQUESTS) == 4


def record_from_a_signal_handler(pipe: Connection, place: Path) -> None:
    """A handler that runs between the bytes of a record and the store that publishes it, in the same thread."""
    recorder = recorder_in(place)
    recorder.counter(REQUESTS, ("/a",)).add(1.0)

    def handle(number: int, frame: object) -> None:
        recorder.counter(REQUESTS, ("/from the handler",)).add(1.0)
        recorder.counter(REQUESTS, ("/a",)).add(1.0)

    signal.signal(signal.SIGUSR1, handle)
    patch = pytest.MonkeyPatch()

    def interrupted(data: bytes) -> int:
        patch.undo()
        os.kill(os.getpid(), signal.SIGUSR1)
        return zlib.crc32(data)

    patch.setattr(segments, "crc32", interrupted)
    recorder.counter(REQUESTS, ("/b",)).add(1.0)
    recorder.counter(REQUESTS, ("/c",)).add(1.0)
    pipe.send("recorded")
    stay(pipe)


def test_a_signal_handler_that_records_in_the_middle_of_an_append_damages_nothing(place: Path) -> None:
    """B8: the handler's new series is dropped and counted, all else is right."""
    with running(record_from_a_signal_handler, place) as writer:
        writer.hear()
        seen = gatherer_in(place).gather()
        assert [value(seen, REQUESTS, route) for route in ("/a", "/b", "/c", "/from the handler")] == [2, 1, 1, 0]
        assert skipped(seen) == {}
        assert total(seen, names.DROPPED_OBSERVATIONS) == 1

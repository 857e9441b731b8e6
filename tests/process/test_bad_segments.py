"""Files that are damaged, foreign or hostile are left out, counted and told of once; the rest is served."""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stethoscope.store import layout
from stethoscope.store.distribution import Distribution
from stethoscope.store.folder import SUFFIX, Folder
from stethoscope.store.layout import Record
from stethoscope.store.merge import Merger, Part
from stethoscope.store.reader import Contents, Damaged, SegmentReader
from stethoscope.store.segment import private_segment
from stethoscope.store.totals import image_of
from tests.process.children import running, stay
from tests.process.stores import REQUESTS, SECONDS, bury, gatherer_in, image, recorder_in, segments, skipped, value

BAD = f"bad{SUFFIX}"
IMAGE = image({"/bad": 7, "/worse": 8})
ROOT = os.geteuid() == 0  # only root gives files away


def write(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


def flip(offset: int) -> Callable[[Path], object]:
    return write(IMAGE[:offset] + bytes([IMAGE[offset] ^ 0x10]) + IMAGE[offset + 1 :])


def link(path: Path) -> None:
    path.with_name("target").write_bytes(IMAGE)
    path.symlink_to("target")


def link_hard(path: Path) -> None:
    path.with_name("target").write_bytes(IMAGE)
    path.hardlink_to(path.with_name("target"))


def listen(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def give_away(path: Path) -> None:
    path.write_bytes(IMAGE)
    os.chown(path, 65534, 65534)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (write(b""), "truncated"),
    "one byte": (write(b"S"), "truncated"),
    "half a header": (write(IMAGE[:32]), "truncated"),
    "truncated": (write(IMAGE[:-1]), "truncated"),
    "zeroed": (write(bytes(len(IMAGE))), "foreign"),
    "of another program": (write(b"\x7fELF" + IMAGE[4:]), "foreign"),
    "a bit flipped in the header": (flip(20), "foreign"),
    "used beyond all bounds": (flip(62), "damaged"),
    "of a later version": (write(IMAGE[:8] + b"\x63" + IMAGE[9:]), "version"),
    "a symbolic link": (link, "unreadable"),
    "a hard link": (link_hard, "unreadable"),
    "a pipe": (os.mkfifo, "unreadable"),
    "a folder": (Path.mkdir, "unreadable"),
    "a socket": (listen, "unreadable"),
    **({"somebody else's": (give_away, "unreadable")} if ROOT else {}),
}


@pytest.mark.parametrize(
    ("damage", "reason"),
    [pytest.param(*case, id=name) for name, case in DAMAGES.items()],
)
def test_a_bad_segment_is_left_out_counted_and_told_of_once(
    damage: Callable[[Path], object], reason: str, place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A3, A15: truncated, zeroed, flipped, foreign, linked, and what is no file at all."""
    damage(place / BAD)
    gatherer = gatherer_in(place)
    for count in range(1, 4):
        bury(place, {"/good": 5})
        seen = gatherer.gather()
        assert value(seen, REQUESTS, "/good") == 5 * count
        assert value(seen, REQUESTS, "/bad") == 0
        assert skipped(seen) == {reason: 1}
    if (place / "target").exists():
        assert (place / "target").read_bytes() == IMAGE
    (warning,) = [record for record in caplog.records if record.name == "stethoscope"]
    assert warning.levelno == logging.WARNING
    assert BAD in warning.getMessage()
    assert reason in warning.getMessage()


def test_whoever_hears_of_a_bad_segment_may_ask_for_a_snapshot(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A log handler that sends numbers along, say: the scrape that told it never ended, nor did any later one."""
    write(b"")(place / BAD)
    bury(place, {"/good": 5})
    gatherer = gatherer_in(place)
    heard: list[float] = []

    def ask(record: logging.LogRecord) -> bool:
        heard.append(value(gatherer.gather(), REQUESTS, "/good"))
        return True

    scrape = threading.Thread(target=gatherer.gather, daemon=True)
    caplog.handler.addFilter(ask)
    try:
        scrape.start()
        scrape.join(10)
    finally:
        caplog.handler.removeFilter(ask)
    assert not scrape.is_alive()
    assert heard == [5]


@pytest.mark.parametrize("name", ["0123456789abcdef.v2.segment", "0123456789abcdef.v0.segment"])
def test_a_segment_of_another_version_is_counted_by_its_name(name: str, place: Path) -> None:
    """B39: rolling deploy, two versions of the package in one folder."""
    bury(place, {"/good": 5})
    (place / name).write_bytes(b"of a layout that does not exist yet")
    seen = gatherer_in(place).gather()
    assert value(seen, REQUESTS, "/good") == 5
    assert skipped(seen) == {"version": 1}
    assert (place / name).exists()


def test_a_segment_that_gets_truncated_between_two_scrapes_is_left_out(place: Path) -> None:
    """A3: pread returns fewer bytes where a mapping would kill the reader."""
    bury(place, {"/good": 5})
    with running(write_and_live, place) as writer:
        writer.hear()
        gatherer = gatherer_in(place)
        assert value(gatherer.gather(), REQUESTS, "/living") == 1
        os.truncate(place / segments(place)[0], 100)
        seen = gatherer.gather()
    assert (value(seen, REQUESTS, "/good"), value(seen, REQUESTS, "/living")) == (5, 0)
    assert skipped(seen) == {"truncated": 1}


def write_and_live(pipe: Connection, place: Path) -> None:
    recorder_in(place).counter(REQUESTS, ("/living",)).add(1.0)
    pipe.send("ready")
    stay(pipe)


def test_a_segment_that_vanishes_after_it_was_listed_is_no_error_and_is_not_made_anew(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B41: collection races deletion."""
    bury(place, {"/good": 5})
    monkeypatch.setattr(Folder, "names", lambda self: [*os.listdir(place), f"gone{SUFFIX}"])
    seen = gatherer_in(place).gather()
    assert value(seen, REQUESTS, "/good") == 5
    assert skipped(seen) == {}
    assert not (place / f"gone{SUFFIX}").exists()


def test_a_record_that_was_seen_before_all_of_its_bytes_were_is_read_the_next_time() -> None:
    """A4: a processor whose stores come in another order than the program's."""
    start = 64 + int.from_bytes(IMAGE[64:68], "little")
    descriptor = os.memfd_create("segment")
    try:
        reader = SegmentReader(descriptor)
        os.pwrite(descriptor, IMAGE[:start] + bytes(16) + IMAGE[start + 16 :], 0)
        assert (len(reader.read().index.series), reader.damaged) == (0, True)
        os.pwrite(descriptor, IMAGE, 0)
        assert (reader.read().index.series, reader.damaged) == (contents_of(IMAGE).index.series, False)
    finally:
        os.close(descriptor)


def test_counts_that_add_up_to_more_than_64_bits_are_cut_off_and_all_else_is_served(place: Path) -> None:
    """A3: damage in the numbers themselves, which have no checksum, must not keep the dead from being folded."""
    for _ in range(2):
        segment = private_segment()
        segment.append_metric(SECONDS)
        segment.append_series(0, layout.labels_to_bytes(("/a",)), 0.0, overflow=False)
        segment.append_counts(0, 3, [1 << 63] * 64)
        Folder(str(place)).write(os.urandom(8).hex() + SUFFIX, segment.image())
    bury(place, {"/good": 5})
    for _ in range(2):
        assert value(gatherer_in(place).gather(), REQUESTS, "/good") == 5
    assert segments(place) == []


def contents_of(data: bytes) -> Contents:
    """What a reader makes of these bytes in a file. Raises `Damaged`."""
    descriptor = os.memfd_create("segment")
    try:
        os.write(descriptor, data)
        return SegmentReader(descriptor).read()
    finally:
        os.close(descriptor)


def use(data: bytes) -> None:
    """All that may ever be done with a segment."""
    try:
        contents = contents_of(data)
    except Damaged:
        return
    families, _ = Merger().merge([Part(contents, alive=True), Part(contents_of(IMAGE), alive=True)])
    image_of(families, [], 3)
    assert "requests" in families


@settings(max_examples=300)
@given(data=st.binary(max_size=400))
@example(data=IMAGE)
def test_random_bytes_are_read_as_damaged_or_not_at_all(data: bytes) -> None:
    """A3."""
    use(data)
    use(layout.header(bytes(16), 0.0, 1, layout.Role.WORKER, 64 + len(data)) + data)


@settings(max_examples=300)
@given(flips=st.lists(st.integers(0, len(IMAGE) * 8 - 1), min_size=1, max_size=8))
def test_flipped_bits_never_raise_anything_but_damaged(flips: list[int]) -> None:
    """A3: any bits of a real segment."""
    data = bytearray(IMAGE)
    for bit in flips:
        data[bit // 8] ^= 1 << bit % 8
    use(bytes(data))


@settings(max_examples=100)
@given(length=st.integers(0, len(IMAGE)), tail=st.integers(0, 200))
def test_any_prefix_never_raises_anything_but_damaged(length: int, tail: int) -> None:
    """A3: truncated anywhere, and truncated and grown again with zeros."""
    use(IMAGE[:length])
    use(IMAGE[:length] + bytes(tail))


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**400), 10**400) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=8),
    max_leaves=12,
)
almost_metrics = st.tuples(
    st.just("requests") | anything,
    st.sampled_from(["counter", "gauge", "histogram"]) | anything,
    st.text(max_size=3) | anything,
    st.lists(st.text(max_size=3), max_size=2) | anything,
    st.sampled_from(["seconds", ""]) | anything,
    st.lists(st.floats() | st.integers(0, 10**400), max_size=3).map(lambda bounds: sorted(bounds, key=repr)) | anything,
    st.sampled_from(["sum", "livesum", "all"]) | anything,
    st.text(max_size=3) | anything,
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(
    metric=almost_metrics | anything,
    labels=st.lists(st.text(max_size=3), max_size=3) | anything,
    block=st.integers(0, 100),
)
@example(metric=("m", "histogram", "", [], "", [10**400], "sum", ""), labels=[], block=0)
@example(metric=("m", "histogram", "", [], "", [float("nan")], "sum", ""), labels=[], block=0)
@example(metric=("m", "histogram", "", [], "", [float("inf")], "sum", ""), labels=[], block=0)
@example(metric=("m", "histogram", "", [], "", [-1.0], "sum", ""), labels=[], block=0)
def test_records_with_right_checksums_and_wrong_contents_never_raise_anything_but_damaged(
    metric: object, labels: object, block: int
) -> None:
    """A3: written by a program of ours that has gone mad, or by somebody who knows the layout."""
    segment = private_segment()
    segment._append(Record.METRIC, json.dumps(metric).encode(), 0)
    for buckets in range(3):
        series = layout.SERIES.pack(0, 0, 0.0) + json.dumps(labels).encode()
        live = segment._append(Record.SERIES, series, 16 + 8 * buckets)
        segment.memory[live : live + 16 + 8 * buckets] = b"\xff" * (16 + 8 * buckets)
    segment.append_counts(0, block, [1 << 33] * 64)
    segment.append_counts(0, block, [1] * 64)
    use(segment.image())


@pytest.mark.parametrize("byte", [0xFF, 0x7F, 0x80])
def test_live_numbers_that_are_nonsense_keep_nobody_from_reading_and_folding_the_rest(byte: int, place: Path) -> None:
    """A3: live parts bear no checksum. Several dead workers with numbers that no program can have counted."""
    contents = contents_of(IMAGE)
    for number in range(5):
        data = bytearray(IMAGE)
        data[16:48] = os.urandom(16) + IMAGE[32:48]
        data[12:16] = crc32(data[16:48]).to_bytes(4, "little")
        for entry in contents.index.series:
            size = layout.live_series_bytes(entry.key.metric)
            data[8 * entry.word : 8 * entry.word + size] = bytes([byte]) * size
        for _, _, offset in contents.index.blocks:
            data[offset : offset + layout.BLOCK_BYTES] = bytes([byte]) * layout.BLOCK_BYTES
        (place / f"{number:016x}{SUFFIX}").write_bytes(data)
    gatherer = gatherer_in(place)
    for count in range(1, 4):
        bury(place, {"/good": 5})
        seen = gatherer.gather()
        assert (value(seen, REQUESTS, "/good"), value(seen, SECONDS, "/good")) == (5 * count, 5 * count)
        for series in seen.family(SECONDS).series:
            assert isinstance(series.value, Distribution)
            assert series.value.quantile(0.5) >= 0
    assert len(segments(place)) == 0


@pytest.mark.parametrize("kind", [0, 6, 2**31])
def test_a_record_of_an_unknown_kind_ends_the_reading(kind: int) -> None:
    segment = private_segment()
    segment._append(kind, b"", 0)  # type: ignore[arg-type]
    segment.append_metric(REQUESTS)
    contents = contents_of(segment.image())
    assert contents.index.damaged
    assert contents.index.metrics == []


def test_the_readable_part_of_a_damaged_segment_is_kept_when_its_writer_has_died(place: Path) -> None:
    """A3: what was published before the damage is counted."""
    data = bytearray(image({"/first": 7, "/second": 8}))
    data[bytes(data).index(b'["/second"]') + 3] ^= 0x20
    (place / BAD).write_bytes(data)
    gatherer = gatherer_in(place)
    for expected in ({"damaged": 1}, {}):
        seen = gatherer.gather()
        assert (value(seen, REQUESTS, "/first"), value(seen, REQUESTS, "/second")) == (7, 0)
        assert skipped(seen) == expected

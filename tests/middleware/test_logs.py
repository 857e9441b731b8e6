from __future__ import annotations

import io
import json
import logging
import logging.config
import logging.handlers
import queue
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import cast

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from stethoscope.middleware import logs
from stethoscope.middleware.logs import JSONFormatter, RequestIDFilter, add_request_id
from tests.middleware.serving import serving


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)


def line_of(msg: object, *args: object, **attributes: object) -> dict[str, object]:
    """What one record becomes, after checking that it is one line that any reader takes."""
    record = logging.makeLogRecord({"name": "shop", "levelname": "INFO", "msg": msg, "args": args, **attributes})
    line = JSONFormatter().format(record)
    assert line.isascii()
    assert len(line.splitlines()) == 1
    return parse(line)


def parse(line: str) -> dict[str, object]:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    fields = json.loads(line, parse_constant=refuse)
    json.dumps(fields, ensure_ascii=False).encode()  # fails on a lone surrogate
    return cast("dict[str, object]", fields)


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def handler(stream: io.StringIO) -> logging.Handler:
    """Writes `<id> <message>` lines."""
    handler = logging.StreamHandler(stream)
    handler.addFilter(RequestIDFilter())
    handler.setFormatter(logging.Formatter("%(request_id)s %(message)s"))
    return handler


@pytest.fixture
def logger(handler: logging.Handler, request: pytest.FixtureRequest) -> Iterator[logging.Logger]:
    """A logger of its own with that handler."""
    logger = logging.getLogger(f"test_logs.{request.node.name}")
    logger.addHandler(handler)
    logger.setLevel("INFO")
    logger.propagate = False
    yield logger
    logger.removeHandler(handler)


class TestRequestIDFilter:
    def test_adds_the_current_id_and_a_dash_outside_a_request(
        self, logger: logging.Logger, stream: io.StringIO
    ) -> None:
        with serving("abc"):
            logger.info("within")
        logger.info("after")
        assert stream.getvalue() == "abc within\n- after\n"

    def test_keeps_an_id_passed_by_extra(self, logger: logging.Logger, stream: io.StringIO) -> None:
        with serving("abc"):
            logger.info("job", extra={"request_id": "job-7"})
        assert stream.getvalue() == "job-7 job\n"

    def test_on_a_queue_handler_brings_the_id_to_the_listener_thread(
        self, logger: logging.Logger, handler: logging.Handler, stream: io.StringIO
    ) -> None:
        records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
        entrance = logging.handlers.QueueHandler(records)
        entrance.addFilter(RequestIDFilter())
        logger.removeHandler(handler)
        logger.addHandler(entrance)
        listener = logging.handlers.QueueListener(records, handler)
        listener.start()
        with serving("abc"):
            logger.info("queued")
        listener.stop()
        logger.removeHandler(entrance)
        assert stream.getvalue() == "abc queued\n"

    def test_lets_records_pass_when_the_id_cannot_be_had(
        self, logger: logging.Logger, stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A5: a failure of ours costs a log line its ID, nothing more."""
        monkeypatch.setattr(logs, "request_id", failing)
        logger.info("served")
        assert stream.getvalue() == "- served\n"


def failing() -> str:
    raise RuntimeError("broken")


class TestJSONFormatter:
    def test_has_time_level_logger_message_and_id(self) -> None:
        created = datetime(2026, 11, 22, 9, 30, 1, 250, tzinfo=UTC).timestamp()
        with serving("abc"):
            fields = line_of("sold %d", 3, created=created)
        assert fields == {
            "timestamp": "2026-11-22T09:30:01.000250Z",
            "level": "INFO",
            "logger": "shop",
            "message": "sold 3",
            "request_id": "abc",
        }

    def test_has_null_for_the_id_outside_a_request(self) -> None:
        assert line_of("boot")["request_id"] is None
        assert line_of("boot", request_id="-")["request_id"] is None

    def test_prefers_the_id_that_a_filter_saw_in_the_request(self) -> None:
        assert line_of("queued", request_id="abc")["request_id"] == "abc"

    @pytest.mark.parametrize("separator", ["\n", "\r\n", "\x0b", "\x1c", "\x85", "\u2028", "\u2029"])
    def test_forged_lines_stay_in_their_line(self, separator: str) -> None:
        """C12: no character that some reader takes for the end of a line gets into one."""
        text = f'sold{separator}{{"level": "CRITICAL"}}'
        assert line_of("%s", text, item=text)["message"] == text

    def test_lone_surrogates_are_spelt_out(self) -> None:
        """C12: a strict reader refuses half a character even where it is escaped."""
        fields = line_of("file \udcff", path="a\ud800", **{"k\udcfe": 1})
        assert (fields["message"], fields["path"], fields["k\\udcfe"]) == ("file \\udcff", "a\\ud800", 1)

    def test_extra_fields_keep_their_json_types(self) -> None:
        extra = {"none": None, "yes": True, "n": 7, "f": 0.5, "list": [1, "x"], "map": {"a": {"b": 2}}, "pair": (1, 2)}
        assert {name: line_of("x", **extra)[name] for name in extra} == {**extra, "pair": [1, 2]}

    def test_what_json_has_no_form_for_is_its_text(self) -> None:
        fields = line_of(
            "x",
            nan=float("nan"),
            inf=float("-inf"),
            big=2**64,
            huge=10**5000,
            when=datetime(2026, 1, 2),
            keys={1: {None: 2}},
        )
        assert fields["nan"] == "nan"
        assert fields["inf"] == "-inf"
        assert fields["big"] == "18446744073709551616"
        assert fields["huge"] == "<int without text>"
        assert fields["when"] == "2026-01-02 00:00:00"
        assert fields["keys"] == {"1": {"None": 2}}

    def test_endless_and_deep_values_end(self) -> None:
        endless: list[object] = []
        endless.append(endless)
        assert "[...]" in json.dumps(line_of("x", endless=endless)["endless"])

    def test_values_are_structured_to_a_depth_of_eight(self) -> None:
        deep: object = 1
        for _ in range(10):
            deep = [deep]
        assert line_of("x", deep=deep)["deep"] == [[[[[[[["[[1]]"]]]]]]]]

    def test_extra_fields_never_take_the_place_of_ours(self) -> None:
        fields = line_of("sold", level="gold", logger="x", timestamp=1, exception="none")
        assert (fields["level"], fields["logger"]) == ("INFO", "shop")
        assert (fields["level_"], fields["logger_"], fields["timestamp_"], fields["exception_"]) == (
            "gold",
            "x",
            1,
            "none",
        )

    def test_tells_an_exception_with_its_causes(self) -> None:
        try:
            try:
                raise KeyError("sku")
            except KeyError as cause:
                raise structlog.DropEvent("gone\nforged") from cause
        except structlog.DropEvent as error:
            exception = cast(
                "dict[str, str]", line_of("x", exc_info=(type(error), error, error.__traceback__))["exception"]
            )
        assert exception["type"] == "structlog.exceptions.DropEvent"
        assert exception["message"] == "gone\nforged"
        assert "KeyError: 'sku'" in exception["stack"]
        assert exception["stack"].startswith("Traceback")

    def test_names_a_builtin_exception_without_a_module(self) -> None:
        exception = line_of("x", exc_info=(ValueError, ValueError("no"), None))["exception"]
        assert cast("dict[str, str]", exception)["type"] == "ValueError"

    def test_has_no_exception_when_there_was_none(self) -> None:
        assert "exception" not in line_of("x", exc_info=(None, None, None))

    def test_keeps_a_traceback_that_was_rendered_before(self) -> None:
        assert line_of("x", exc_text="Traceback …")["exception"] == {"stack": "Traceback …"}

    def test_keeps_the_stack_that_was_asked_for(self) -> None:
        assert line_of("x", stack_info="Stack (most recent call last)")["stack"] == "Stack (most recent call last)"

    def test_writes_what_it_can_of_values_that_raise(self) -> None:
        error = Unspeakable()
        fields = line_of(
            "sold %s", error, thing=error, things=[error], keyed={error: 1}, exc_info=(Unspeakable, error, None)
        )
        assert fields["message"] == "sold %s (its arguments could not be put in: RuntimeError)"
        assert fields["thing"] == "<Unspeakable without text>"
        assert fields["things"] == ["<Unspeakable without text>"]
        assert fields["keyed"] == {"<Unspeakable without text>": 1}
        assert cast("dict[str, str]", fields["exception"])["message"] == "<Unspeakable without text>"

    def test_writes_a_message_whose_arguments_do_not_fit(self) -> None:
        assert line_of("sold %d of %d", 3)["message"] == "sold %d of %d (its arguments could not be put in: TypeError)"

    def test_writes_a_line_for_a_damaged_record(self) -> None:
        fields = line_of("lost", created="yesterday")
        assert fields["message"] == "a log record could not be formatted: TypeError"
        assert fields["record"] == "lost"

    @given(st.text(), st.dictionaries(st.text(), ANYTHING, max_size=3))
    def test_any_text_and_any_extra_make_one_line(self, text: str, extra: dict[str, object]) -> None:
        """C12: any text at all."""
        ours = vars(logging.makeLogRecord({}))
        fields = line_of(
            "%s",
            text,
            **{name: value for name, value in extra.items() if name not in ours and name not in ("msg", "args")},
        )
        assert fields["message"] == text.encode(errors="backslashreplace").decode()

    def test_can_be_named_in_a_dict_config(self, capsys: pytest.CaptureFixture[str]) -> None:
        name = "test_logs.dict_config"
        logging.config.dictConfig(
            {
                "version": 1,
                "disable_existing_loggers": False,
                "formatters": {"json": {"()": "stethoscope.middleware.logs.JSONFormatter"}},
                "filters": {"id": {"()": "stethoscope.middleware.logs.RequestIDFilter"}},
                "handlers": {
                    "out": {
                        "class": "logging.StreamHandler",
                        "formatter": "json",
                        "filters": ["id"],
                        "stream": "ext://sys.stdout",
                    }
                },
                "loggers": {name: {"handlers": ["out"], "level": "INFO", "propagate": False}},
            }
        )
        with serving("abc"):
            logging.getLogger(name).info("sold", extra={"sku": "tea"})
        fields = parse(capsys.readouterr().out)
        assert (fields["message"], fields["request_id"], fields["sku"]) == ("sold", "abc", "tea")


class TestStructlogProcessor:
    def test_adds_the_id_while_a_request_is_served(self, stream: io.StringIO) -> None:
        log = structlog.wrap_logger(
            structlog.PrintLogger(stream), processors=[add_request_id, structlog.processors.JSONRenderer()]
        )
        with serving("abc"):
            log.info("sold", sku="tea")
        log.info("idle")
        first, second = map(parse, stream.getvalue().splitlines())
        assert first == {"event": "sold", "sku": "tea", "request_id": "abc"}
        assert second == {"event": "idle"}

    def test_keeps_an_id_that_was_bound(self) -> None:
        with serving("abc"):
            assert add_request_id(None, "info", {"request_id": "job-7"}) == {"request_id": "job-7"}

    def test_serves_records_of_logging_as_foreign_pre_chain(
        self, logger: logging.Logger, handler: logging.Handler, stream: io.StringIO
    ) -> None:
        handler.setFormatter(
            structlog.stdlib.ProcessorFormatter(
                processors=[
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.JSONRenderer(),
                ],
                foreign_pre_chain=[add_request_id],
            )
        )
        with serving("abc"):
            logger.info("plain")
        assert parse(stream.getvalue()) == {"event": "plain", "request_id": "abc"}

    def test_lets_events_pass_when_the_id_cannot_be_had(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A5: a failure of ours costs an event its ID, nothing more."""
        monkeypatch.setattr(logs, "request_id", failing)
        assert add_request_id(None, "info", {"event": "x"}) == {"event": "x"}

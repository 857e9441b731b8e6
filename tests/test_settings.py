"""Settings: where each comes from, and what a mistake in them says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import stethoscope
from stethoscope.asgi import Scope
from stethoscope.sentry_options import SentryOptions
from stethoscope.settings import ALL_HEADERS, Settings, SettingsError, ignored
from stethoscope.thresholds import Thresholds
from tests.middleware.scripted import plain

SECRET = "s3cret with spaces"


def resolve(environ: Mapping[str, str] | None = None, /, **arguments: Any) -> Settings:
    return Settings.resolve(environ=environ or {}, **arguments)


def mistake(environ: Mapping[str, str] | None = None, /, **arguments: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        resolve(environ, **arguments)
    return str(caught.value)


def access(scope: Scope) -> bool:
    return True


# Where a setting comes from.


def test_defaults() -> None:
    assert resolve() == Settings(
        service=None,
        dir=None,
        prefix="/_stethoscope",
        token=None,
        metrics_path=None,
        metrics_access=None,
        headers=("x-request-id", "x-response-time", "x-process-time", "server-timing"),
        exclude=(),
    )


CHOICES = [
    ("service", "STETHOSCOPE_SERVICE", "service", "shop", "store", "shop", "store"),
    ("dir", "STETHOSCOPE_DIR", "dir", "/a", "/b", "/a", "/b"),
    ("group", "STETHOSCOPE_GROUP", "group", 10, "root", 10, 0),
    ("prefix", "STETHOSCOPE_PREFIX", "prefix", "/a", "/b/", "/a", "/b"),
    ("token", "STETHOSCOPE_TOKEN", "token", "secret-of-a", "secret-of-b", "secret-of-a", "secret-of-b"),
    ("metrics_path", "STETHOSCOPE_METRICS_PATH", "metrics_path", "/a", "/b", "/a", "/b"),
    (
        "headers",
        "STETHOSCOPE_HEADERS",
        "headers",
        ["X-Request-ID"],
        " server-timing , X-Process-Time,",
        ("x-request-id",),
        ("server-timing", "x-process-time"),
    ),
    ("exclude", "STETHOSCOPE_EXCLUDE", "exclude", ["/a", "/b/{id}"], "/c, /d/", ("/a", "/b/{id}"), ("/c", "/d/")),
    (
        "thresholds",
        "STETHOSCOPE_THRESHOLDS",
        "thresholds",
        {"cpu_use": 0.5},
        "cpu_use=0.7, disk_use=none",
        Thresholds.resolve({"cpu_use": (0.5, 0.95)}),
        Thresholds.resolve({"cpu_use": 0.7, "disk_use": (None, 0.95)}),
    ),
    ("tracing", "STETHOSCOPE_TRACING", "tracing", False, "TRUE", False, True),
    ("query_strings", "STETHOSCOPE_QUERY_STRINGS", "query_strings", False, "on", False, True),
    (
        "sentry",
        "STETHOSCOPE_SENTRY",
        "sentry",
        {"environments": ["production"], "traces_sample_rate": 0.5},
        "environments=a|b, release=shop@1, sample_rate=0.1, local_variables=true",
        SentryOptions(environments=("production",), traces_sample_rate=0.5),
        SentryOptions(environments=("a", "b"), release="shop@1", sample_rate=0.1, local_variables=True),
    ),
    ("sentry", "STETHOSCOPE_SENTRY", "sentry", True, "off", SentryOptions(), None),
    ("sentry", "STETHOSCOPE_SENTRY", "sentry", False, "release=1", None, SentryOptions(release="1")),
]


@pytest.mark.parametrize(
    ("argument", "variable", "field", "given", "environ", "from_given", "from_environ"), CHOICES, ids=lambda value: ""
)
def test_argument_goes_before_environment_and_that_before_the_default(
    argument: str, variable: str, field: str, given: object, environ: str, from_given: object, from_environ: object
) -> None:
    assert getattr(resolve({variable: environ}, **{argument: given}), field) == from_given
    assert getattr(resolve({variable: environ}), field) == from_environ
    assert getattr(resolve(**{argument: given}), field) == from_given
    if variable != "STETHOSCOPE_HEADERS":
        assert resolve({variable: ""}) == Settings()


def test_directory_may_be_a_path(tmp_path: Path) -> None:
    assert resolve(dir=tmp_path).dir == str(tmp_path)


def test_no_headers_can_be_chosen_both_ways() -> None:
    """An empty variable means none here, because nothing else could say it."""
    assert resolve(headers=()).headers == resolve({"STETHOSCOPE_HEADERS": ""}).headers == ()
    assert resolve({"STETHOSCOPE_HEADERS": ""}, headers=ALL_HEADERS).headers == ALL_HEADERS


def test_header_named_twice_is_added_once() -> None:
    assert resolve(headers=["server-timing", "Server-Timing"]).headers == ("server-timing",)


def test_access_rule_is_a_function() -> None:
    assert resolve(metrics_access=access).metrics_access is access
    assert resolve(auth=access).auth is access


def test_environment_is_that_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STETHOSCOPE_SERVICE", "shop")
    assert Settings.resolve().service == "shop"


# The service's name as OpenTelemetry has it.


@pytest.mark.parametrize(
    ("environ", "service"),
    [
        ({"OTEL_SERVICE_NAME": "shop"}, "shop"),
        ({"OTEL_SERVICE_NAME": " shop "}, "shop"),
        ({"OTEL_SERVICE_NAME": "shop", "STETHOSCOPE_SERVICE": "ours"}, "ours"),
        ({"OTEL_SERVICE_NAME": "shop", "STETHOSCOPE_SERVICE": ""}, "shop"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "a=b,service.name=shop,c=d"}, "shop"),
        ({"OTEL_RESOURCE_ATTRIBUTES": " service.name = the%20shop "}, "the shop"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=a=b"}, "a=b"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=theirs", "OTEL_SERVICE_NAME": "shop"}, "shop"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=theirs", "OTEL_SERVICE_NAME": ""}, "theirs"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.names=x,aservice.name=y,service.name"}, None),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name="}, None),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=%20"}, None),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=a%00b"}, None),
        ({"OTEL_RESOURCE_ATTRIBUTES": ",,="}, None),
    ],
)
def test_service_is_named_by_the_standard_variables(environ: Mapping[str, str], service: str | None) -> None:
    """OpenTelemetry resource SDK: what is not valid there is ignored."""
    assert resolve(environ).service == service
    assert resolve(environ, service="argument").service == "argument"


# Mistakes.


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"service": " "}, "service=' ' is not valid: expected text that is not empty"),
        ({"service": 5}, "service=5 is not valid: expected text that is not empty"),
        ({"service": "a\0b"}, "service='a\\x00b' is not valid: expected text that is not empty"),
        (
            {"dir": ""},
            "dir='' is not valid: expected the absolute path of a folder, the same wherever a process is started",
        ),
        (
            {"dir": b"/a"},
            "dir=b'/a' is not valid: expected the absolute path of a folder, the same wherever a process is started",
        ),
        (
            {"dir": 5},
            "dir=5 is not valid: expected the absolute path of a folder, the same wherever a process is started",
        ),
        (
            {"prefix": "metrics"},
            "prefix='metrics' is not valid: expected a path below '/', such as '/metrics'",
        ),
        (
            {"metrics_path": "/a b"},
            "metrics_path='/a b' is not valid: expected a path below '/', such as '/metrics'",
        ),
        (
            {"metrics_access": "127.0.0.1"},
            "metrics_access='127.0.0.1' is not valid: expected a function of an ASGI scope that returns True or False",
        ),
        ({"token": SECRET}, "token='…' is not valid: expected at least 8 visible ASCII characters without spaces"),
        (
            {"headers": ["x-request-id", "x-time"]},
            "headers=['x-time'] is not valid: expected a sequence of x-request-id, x-response-time, x-process-time, "
            "server-timing, traceresponse, or an empty one for no headers",
        ),
        ({"headers": "x-request-id"}, "headers='x-request-id' is not valid: expected a sequence of strings"),
        ({"headers": True}, "headers=True is not valid: expected a sequence of strings"),
        ({"headers": [b"x-request-id"]}, "headers=[b'x-request-id'] is not valid: expected a sequence of strings"),
        ({"exclude": "/health"}, "exclude='/health' is not valid: expected a sequence of strings"),
        ({"exclude": 5}, "exclude=5 is not valid: expected a sequence of strings"),
        (
            {"exclude": ["health", "/", "/ok"]},
            "exclude=['health', '/'] is not valid: expected route templates or path prefixes that begin with '/'",
        ),
    ],
)
def test_mistake_names_the_setting_what_came_and_what_is_accepted(arguments: dict[str, object], text: str) -> None:
    assert mistake(**arguments) == text


@pytest.mark.parametrize("folder", ["metrics", "./metrics", "~/metrics", Path("metrics")], ids=str)
def test_a_folder_that_depends_on_where_a_process_is_started_is_a_mistake(folder: str | Path) -> None:
    expected = f"={str(folder)!r} is not valid: expected the absolute path of a folder, "
    assert mistake(dir=folder).startswith(f"dir{expected}")
    assert mistake({"STETHOSCOPE_DIR": str(folder)}).startswith(f"STETHOSCOPE_DIR{expected}")


@pytest.mark.parametrize("path", ["", "/", "//", "a", "/a?b", "/a#b", "/a\n", " /a"])
def test_path_that_could_not_be_asked_for_is_a_mistake(path: str) -> None:
    for name in ("prefix", "metrics_path"):
        assert mistake(**{name: path}).startswith(f"{name}={path!r} is not valid: ")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"rate": 1}, "sentry: unknown option 'rate': expected one of environments, release, environment, "),
        ({"sample_rate": 2}, "sentry: sample_rate=2 is not valid: expected a share from 0 to 1"),
        ({"sample_rate": True}, "sentry: sample_rate=True is not valid: expected a share from 0 to 1"),
        ({"environments": ()}, "sentry: environments=() is not valid: expected names of environments"),
        ({"release": ""}, "sentry: release='' is not valid: expected text that is not empty"),
        ({"local_variables": "maybe"}, "sentry: local_variables='maybe' is not valid: expected True or False"),
        ("production", "sentry='production' is not valid: expected False, or a mapping such as "),
    ],
)
def test_mistakes_in_options_of_sentry_are_told_with_their_names(options: object, text: str) -> None:
    assert mistake(sentry=options).startswith(text)


def test_mistakes_in_variables_name_the_variable() -> None:
    assert mistake({"STETHOSCOPE_TRACING": "maybe"}) == (
        "STETHOSCOPE_TRACING='maybe' is not valid: expected true or false"
    )
    assert mistake({"STETHOSCOPE_SENTRY": "production"}).startswith(
        "STETHOSCOPE_SENTRY: 'production' is not an option: expected NAME=VALUE"
    )


def test_mistakes_in_thresholds_are_told_with_their_names() -> None:
    assert mistake(thresholds={"cpu_use": 80}).startswith(
        "thresholds: cpu_use=80 is not valid: expected shares from 0 to 1"
    )
    assert mistake({"STETHOSCOPE_THRESHOLDS": "cpu=1"}).startswith("STETHOSCOPE_THRESHOLDS: unknown threshold 'cpu'")
    assert mistake(thresholds="cpu_use=0.8").startswith(
        "thresholds='cpu_use=0.8' is not valid: expected a mapping from "
    )


def test_mistake_in_a_variable_names_the_variable() -> None:
    assert mistake({"STETHOSCOPE_PREFIX": "metrics"}).startswith("STETHOSCOPE_PREFIX='metrics' is not valid: ")
    assert mistake({"STETHOSCOPE_HEADERS": "a,b"}).startswith("STETHOSCOPE_HEADERS=['a', 'b'] is not valid: ")
    assert resolve({"STETHOSCOPE_PREFIX": "metrics"}, prefix="/ours").prefix == "/ours"


def test_all_mistakes_are_told_at_once() -> None:
    text = mistake(
        {"STETHOSCOPE_EXCLUDE": "health"},
        service="",
        dir="",
        prefix="x",
        token="short",
        auth="me",
        metrics_path="y",
        metrics_access=5,
        headers=["z"],
    )
    told = [part.partition("=")[0] for part in text.split("; ")]
    assert told == [
        "service",
        "dir",
        "prefix",
        "token",
        "auth",
        "metrics_path",
        "metrics_access",
        "headers",
        "STETHOSCOPE_EXCLUDE",
    ]


def test_mistakes_come_out_of_every_way_to_install(tmp_path: Path) -> None:
    for install in (stethoscope.Stethoscope, stethoscope.install):
        with pytest.raises(SettingsError, match=r"^prefix='x' is not valid: .*; headers=\['y'\] is not valid: "):
            install(plain, dir=tmp_path, prefix="x", headers=["y"])
    assert issubclass(SettingsError, ValueError)
    assert os.listdir(tmp_path) == []


# The secret.


@pytest.mark.parametrize(
    "token", [SECRET, "short12", "", "sécret-tökens", "a" * 8 + "\n", b"bytes-are-no-text", 12345678]
)
def test_token_that_no_header_can_carry_is_a_mistake_and_not_shown(token: object) -> None:
    for text in (
        mistake(token=token),
        mistake({"STETHOSCOPE_TOKEN": token}) if token and isinstance(token, str) else "",
    ):
        assert not token or str(token) not in text
        assert repr(token) not in text or not token


def test_token_is_in_no_representation() -> None:
    settings = resolve(token="secret-of-a")
    assert settings.token == "secret-of-a"
    assert "secret-of-a" not in f"{settings!r} {settings}"


@pytest.mark.parametrize("group", ["no-such-group", "-1", "1" * 10, " ", ""])
def test_group_that_is_not_there_is_a_mistake(group: str) -> None:
    assert (
        mistake(group=group) == f"group={group!r} is not valid: expected the name or number of a group on this machine"
    )


def test_a_setting_that_does_not_exist_is_named_beside_those_that_do() -> None:
    text = mistake(tokn="a-long-secret", prefix="no-slash")
    assert "unknown setting 'tokn': expected one of service, dir," in text
    assert "prefix='no-slash' is not valid" in text
    assert "a-long-secret" not in text
    with pytest.raises(SettingsError, match="unknown setting 'tokn'"):
        stethoscope.Stethoscope(plain, tokn="a-long-secret")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("name", "meant"), [("SERVCE", "SERVICE"), ("TOKENS", "TOKEN"), ("METRIC_PATH", "METRICS_PATH")]
)
def test_a_variable_that_is_nearly_a_setting_is_told_of(
    name: str, meant: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(f"STETHOSCOPE_{name}", "choose-a-long-one")
    stethoscope.install(plain)
    assert caplog.messages == [f"STETHOSCOPE_{name} is not a setting and is ignored: is STETHOSCOPE_{meant} meant?"]


@pytest.mark.parametrize(
    ("name", "argument"), [("AUTH", "auth"), ("METRICS_ACCESS", "metrics_access"), ("METRIC_ACCESS", "metrics_access")]
)
def test_a_variable_for_what_only_an_argument_can_give_is_told_of_without_its_value(
    name: str, argument: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(f"STETHOSCOPE_{name}", "ada:lovelace")
    stethoscope.install(plain)
    assert caplog.messages == [
        f"STETHOSCOPE_{name} is ignored: no variable can hold a function; expected {argument}=… as an argument instead"
    ]


def test_variables_of_others_are_left_alone() -> None:
    kubernetes = (
        "SERVICE_HOST",
        "SERVICE_PORT",
        "SERVICE_PORT_HTTP",
        "PORT",
        "PORT_80_TCP",
        "PORT_80_TCP_ADDR",
        "AUTH_PORT",
    )
    others = (*kubernetes, "PURE", "IMAGE", "SERVICE", "TOKEN")
    assert list(ignored({f"STETHOSCOPE_{name}": "x" for name in others} | {"SERVCE": "x"})) == []

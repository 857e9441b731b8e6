"""Settings: keyword argument, else environment variable, else default; validated here and nowhere else."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from stethoscope.asgi import Scope
from stethoscope.sentry_options import Choice, SentryOptionError, SentryOptions
from stethoscope.sentry_options import parse as parse_sentry
from stethoscope.thresholds import Change, ThresholdError, Thresholds, parse

INSTRUMENTS: Final = ("runtime", "process", "machine", "queue", "requests", "sqlalchemy")
"""Those that are on unless others are chosen."""
OPTIONAL_INSTRUMENTS: Final = ("sql-comments", "database-vitals", "explain")
ALL_HEADERS: Final = ("x-request-id", "x-response-time", "x-process-time", "server-timing")
_POSSIBLE_HEADERS: Final = (*ALL_HEADERS, "traceresponse")
_SWITCH: Final = {
    "true": True,
    "1": True,
    "on": True,
    "yes": True,
    "false": False,
    "0": False,
    "off": False,
    "no": False,
}

AccessRule = Callable[[Scope], bool | Awaitable[bool]]
"""Decides from a request's scope, at once or after a wait, whether it is let in without the token."""


OWN_NAMES: Final = "stethoscope"
ALL_NAMES: Final = frozenset((OWN_NAMES, "instrumentator", "starlette_exporter"))
"""Conventions under which requests can be scraped."""


class SettingsError(ValueError):
    """One or more settings are wrong. The text lists all of them: the setting, what came, what is accepted."""


class Settings(NamedTuple):
    """What a user can set, validated. `Settings.resolve` makes one from arguments and environment.

    ``service`` is None where it was not set, and then the app's title or module names it. ``dir`` is
    where segments live, None for a private folder in shared memory; ``group`` is the number of the group that
    may read them, None for nobody else. ``prefix`` is the path of our own
    endpoints, served only with a ``token``. ``metrics_path`` serves the exposition at a further path, to
    whom ``metrics_access`` lets in; ``auth`` lets in to all under ``prefix``, without or beside the token. ``headers`` are the response headers added, ``exclude`` route
    templates and path prefixes that are not measured. ``thresholds`` say from what value on a number is trouble.
    ``tracing`` makes server spans: None where OpenTelemetry is set up or its variables are set. ``query_strings``
    lets them, and what goes to Sentry, hold those of requests. ``sentry`` is None where nothing is to be told to it.
    ``names`` are the conventions under which requests are scraped, ours or those of other projects.
    ``instruments`` are what else is measured, beside requests and what is asked for by name. ``request_log`` is
    a file that all requests are written into.
    """

    service: str | None = None
    dir: str | None = None
    group: int | None = None
    prefix: str = "/_stethoscope"
    token: str | None = None
    auth: AccessRule | None = None
    metrics_path: str | None = None
    metrics_access: AccessRule | None = None
    headers: tuple[str, ...] = ALL_HEADERS
    exclude: tuple[str, ...] = ()
    thresholds: Thresholds = Thresholds()
    tracing: bool | None = None
    query_strings: bool = False
    instruments: tuple[str, ...] = INSTRUMENTS
    names: tuple[str, ...] = (OWN_NAMES,)
    sentry: SentryOptions | None = SentryOptions()
    request_log: str | None = None

    def __repr__(self) -> str:
        """Without the token, which must not get into a log."""
        shown = self._asdict() | {"token": None if self.token is None else "…"}
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    @classmethod
    def resolve(
        cls,
        *,
        service: str | None = None,
        dir: str | os.PathLike[str] | None = None,
        group: str | int | None = None,
        prefix: str | None = None,
        token: str | None = None,
        auth: AccessRule | None = None,
        metrics_path: str | None = None,
        metrics_access: AccessRule | None = None,
        headers: Sequence[str] | None = None,
        exclude: Sequence[str] | None = None,
        thresholds: Mapping[str, Change] | None = None,
        tracing: bool | None = None,
        query_strings: bool | None = None,
        instruments: Sequence[str] | None = None,
        names: str | Sequence[str] | None = None,
        sentry: Mapping[str, Choice] | bool | None = None,
        request_log: str | os.PathLike[str] | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> Settings:
        """Arguments win over the environment, which wins over the defaults. Raises `SettingsError`."""
        read = _Reader(environ)
        settings = cls(
            service=read.text("service", "STETHOSCOPE_SERVICE", service) or _opentelemetry_service(environ),
            dir=read.text("dir", "STETHOSCOPE_DIR", _path_text(dir)),
            group=read.group("group", "STETHOSCOPE_GROUP", group),
            prefix=(read.path("prefix", "STETHOSCOPE_PREFIX", prefix) or "/_stethoscope").rstrip("/"),
            token=read.token("token", "STETHOSCOPE_TOKEN", token),
            auth=read.function("auth", auth),
            metrics_path=read.path("metrics_path", "STETHOSCOPE_METRICS_PATH", metrics_path),
            metrics_access=read.function("metrics_access", metrics_access),
            headers=read.headers("headers", "STETHOSCOPE_HEADERS", headers),
            exclude=read.paths("exclude", "STETHOSCOPE_EXCLUDE", exclude),
            thresholds=read.thresholds("thresholds", "STETHOSCOPE_THRESHOLDS", thresholds),
            tracing=read.switch("tracing", "STETHOSCOPE_TRACING", tracing),
            query_strings=read.switch("query_strings", "STETHOSCOPE_QUERY_STRINGS", query_strings) or False,
            instruments=read.instruments("instruments", "STETHOSCOPE_INSTRUMENTS", instruments),
            names=read.names("names", "STETHOSCOPE_NAMES", names),
            sentry=read.sentry("sentry", "STETHOSCOPE_SENTRY", sentry),
            request_log=read.text("request_log", "STETHOSCOPE_REQUEST_LOG", _path_text(request_log)),
        )
        read.raise_mistakes()
        return settings


class _Reader:
    """Reads settings one by one and keeps the mistakes until the end."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._mistakes: list[str] = []

    def raise_mistakes(self) -> None:
        if self._mistakes:
            raise SettingsError("; ".join(self._mistakes))

    def _wrong(self, name: str, value: object, accepted: str) -> None:
        self._mistakes.append(f"{name}={value!r} is not valid: expected {accepted}")

    def text(self, name: str, variable: str, argument: str | None) -> str | None:
        value, name = self._value(name, variable, argument)
        if value is None:
            return None
        if not _is_text(value):
            self._wrong(name, value, "a text that is not empty")
            return None
        return value

    def group(self, name: str, variable: str, argument: str | int | None) -> int | None:
        value, name = self._value(name, variable, None if argument is None else str(argument))
        number = None if value is None else _group_number(value)
        if value is not None and number is None:
            self._wrong(name, value, "the name or number of a group of this machine")
        return number

    def path(self, name: str, variable: str, argument: str | None) -> str | None:
        value, name = self._value(name, variable, argument)
        if value is not None and not _is_path(value):
            self._wrong(name, value, "a path that begins with '/' and is longer than that, such as '/metrics'")
            return None
        return value

    def token(self, name: str, variable: str, argument: str | None) -> str | None:
        value, name = self._value(name, variable, argument)
        if value is not None and not (_is_text(value) and re.fullmatch(r"[\x21-\x7e]{8,}", value)):
            self._wrong(name, "…", "at least 8 visible ASCII characters without spaces")
            return None
        return value

    def switch(self, name: str, variable: str, argument: bool | None) -> bool | None:
        if argument is None:
            text = self._environ.get(variable) or ""
            if not text or text.lower() in _SWITCH:
                return _SWITCH.get(text.lower())
            self._wrong(variable, text, "true or false")
        elif not isinstance(argument, bool):
            self._wrong(name, argument, "True or False")
            return None
        return argument

    def function(self, name: str, argument: AccessRule | None) -> AccessRule | None:
        if argument is not None and not callable(argument):
            self._wrong(name, argument, "a function of an ASGI scope that returns True or False")
        return argument

    def headers(self, name: str, variable: str, argument: Sequence[str] | None) -> tuple[str, ...]:
        values, name = self._values(name, variable, argument)
        if values is None:
            return ALL_HEADERS
        chosen = tuple(dict.fromkeys(value.lower() for value in values))
        if unknown := [value for value in chosen if value not in _POSSIBLE_HEADERS]:
            self._wrong(name, unknown, f"a sequence of {', '.join(_POSSIBLE_HEADERS)}, or an empty one for none")
        return chosen

    def names(self, name: str, variable: str, argument: str | Sequence[str] | None) -> tuple[str, ...]:
        values, name = self._values(name, variable, [argument] if isinstance(argument, str) else argument)
        if values is None:
            return (OWN_NAMES,)
        chosen = tuple(dict.fromkeys(value.lower() for value in values))
        if not chosen or not ALL_NAMES.issuperset(chosen):
            self._wrong(name, list(chosen), f"one or more of {', '.join(sorted(ALL_NAMES))}")
            return (OWN_NAMES,)
        return chosen

    def instruments(self, name: str, variable: str, argument: Sequence[str] | None) -> tuple[str, ...]:
        """``default`` stands for all that are on by themselves."""
        values, name = self._values(name, variable, argument)
        if values is None:
            return INSTRUMENTS
        known = (*INSTRUMENTS, *OPTIONAL_INSTRUMENTS)
        named = [value.strip().lower() for value in values]
        if unknown := [value for value in named if value not in (*known, "default")]:
            accepted = (
                f"a sequence of {', '.join(known)}, or default for {', '.join(INSTRUMENTS)}; an empty one for none"
            )
            self._wrong(name, unknown, accepted)
            return INSTRUMENTS
        chosen = {*named, *(INSTRUMENTS if "default" in named else ())}
        return tuple(value for value in known if value in chosen)

    def paths(self, name: str, variable: str, argument: Sequence[str] | None) -> tuple[str, ...]:
        values, name = self._values(name, variable, argument)
        if values and (wrong := [value for value in values if not _is_path(value)]):
            self._wrong(name, wrong, "route templates or path prefixes that begin with '/'")
        return tuple(values or ())

    def thresholds(self, name: str, variable: str, argument: Mapping[str, Change] | None) -> Thresholds:
        if argument is not None and not isinstance(argument, Mapping):
            self._wrong(
                name,
                argument,
                "a mapping from thresholds to levels, such as {'request_p95': (0.3, 0.8)}; in the variable, request_p95=0.3:0.8",
            )
            return Thresholds()
        text, source = self._value(name, variable, None)
        try:
            return Thresholds.resolve(parse(text or "") if argument is None else argument)
        except ThresholdError as error:
            self._mistakes.append(f"{name if argument is not None else source}: {error}")
            return Thresholds()

    def sentry(self, name: str, variable: str, argument: Mapping[str, Choice] | bool | None) -> SentryOptions | None:
        """None for nothing to do with Sentry."""
        if argument is not None and not isinstance(argument, Mapping | bool):
            self._wrong(name, argument, "False, or a mapping such as {'environments': ['production']}")
            return None
        text = self._environ.get(variable) or ""
        if argument is False or (argument is None and _SWITCH.get(text.lower()) is False):
            return None
        try:
            chosen = argument if isinstance(argument, Mapping) else {} if argument else parse_sentry(text)
            return SentryOptions.resolve(chosen)
        except SentryOptionError as error:
            self._mistakes.append(f"{variable if argument is None else name}: {error}")
            return None

    def _value(self, name: str, variable: str, argument: str | None) -> tuple[str | None, str]:
        """An empty variable counts as not set, as everywhere in the field."""
        if argument is not None:
            return argument, name
        return self._environ.get(variable) or None, variable

    def _values(self, name: str, variable: str, argument: object) -> tuple[list[str] | None, str]:
        if argument is None:
            text = self._environ.get(variable)
            return (None if text is None else [part.strip() for part in text.split(",") if part.strip()]), variable
        if isinstance(argument, Iterable) and not isinstance(argument, str):
            values = list(argument)
            if all(isinstance(value, str) for value in values):
                return values, name
        self._wrong(name, argument, "a sequence of texts")
        return None, name


def _path_text(directory: str | os.PathLike[str] | None) -> str | None:
    """A path object as text. All else stays as it is, for the check to find."""
    return os.fspath(directory) if isinstance(directory, os.PathLike) else directory


def _group_number(group: str) -> int | None:
    if re.fullmatch("[0-9]{1,9}", group):
        return int(group)
    try:
        import grp  # not on Windows

        return grp.getgrnam(group).gr_gid
    except (ImportError, KeyError, ValueError):
        return None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and "\0" not in value


def _is_path(value: object) -> bool:
    return (
        isinstance(value, str) and value.startswith("/") and bool(value.strip("/")) and not re.search(r"[?#\s]", value)
    )


def _opentelemetry_service(environ: Mapping[str, str]) -> str | None:
    """OTEL_SERVICE_NAME, else service.name of OTEL_RESOURCE_ATTRIBUTES (OpenTelemetry resource SDK, "Specifying resource information via an environment variable")."""
    if name := environ.get("OTEL_SERVICE_NAME", "").strip():
        return name
    for pair in environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","):
        key, _, value = pair.partition("=")
        if key.strip() == "service.name" and value.strip():
            from urllib.parse import unquote  # seldom needed, and costly to import

            name = unquote(value.strip())
            return name if _is_text(name) else None
    return None

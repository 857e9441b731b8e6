"""Settings: keyword argument, else environment variable, else default; validated here and nowhere else."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypedDict

from stethoscope.asgi import Scope
from stethoscope.sentry_options import Choice, SentryOptionError, SentryOptions
from stethoscope.sentry_options import parse as parse_sentry
from stethoscope.thresholds import Change, ThresholdError, Thresholds, parse

if TYPE_CHECKING:
    from typing import Unpack

INSTRUMENTS: Final = ("runtime", "process", "machine", "queue", "requests", "sqlalchemy")
"""On unless others are chosen."""
OPTIONAL_INSTRUMENTS: Final = ("sql-comments", "database-vitals", "explain")
ALL_HEADERS: Final = ("x-request-id", "x-response-time", "x-process-time", "server-timing")
_POSSIBLE_HEADERS: Final = (*ALL_HEADERS, "traceresponse")
_FUNCTIONS: Final = ("auth", "metrics_access")
"""Settings that only an argument can give."""
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
"""Decides from a request's scope, at once or by awaiting something, whether it is let in without the token."""


OWN_NAMES: Final = "stethoscope"
ALL_NAMES: Final = frozenset((OWN_NAMES, "instrumentator", "starlette_exporter"))
"""Conventions under which requests can be scraped."""


class SettingsError(ValueError):
    """One or more settings are wrong. The text lists all of them: the setting, what came, what is accepted."""


class Options(TypedDict, total=False):
    """Settings as a user gives them, by name: arguments of `install` and `Stethoscope`. None counts as not given."""

    service: str | None
    dir: str | os.PathLike[str] | None
    group: str | int | None
    prefix: str | None
    token: str | None
    auth: AccessRule | None
    metrics_path: str | None
    metrics_access: AccessRule | None
    headers: Sequence[str] | None
    exclude: Sequence[str] | None
    thresholds: Mapping[str, Change] | None
    tracing: bool | None
    query_strings: bool | None
    instruments: Sequence[str] | None
    names: str | Sequence[str] | None
    sentry: Mapping[str, Choice] | bool | None
    request_log: str | os.PathLike[str] | None


class Settings(NamedTuple):
    """What a user can set, validated. `Settings.resolve` makes one from arguments and environment.

    service         name of the service; None for the app's title or module
    dir             where segments live; None for a private folder in shared memory
    group           number of the group that may read them; None for nobody else
    prefix          path of our own endpoints, which are served only with a ``token`` or ``auth``
    token           bearer token for them
    auth            who else may use everything under ``prefix``
    metrics_path    second path for the exposition, open to whom ``metrics_access`` lets in
    headers         response headers to add
    exclude         route templates and path prefixes that are not measured
    thresholds      when a number is trouble
    tracing         whether to make server spans; None for where OpenTelemetry is set up, or its variables are set
    query_strings   whether spans, and what goes to Sentry, may contain those of requests
    instruments     what else to measure, beside requests and what is asked for by name
    names           conventions that requests are scraped under, ours or those of other projects
    sentry          what to send to Sentry; None for nothing
    request_log     file that all requests are written to
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
    def resolve(cls, environ: Mapping[str, str] = os.environ, **options: Unpack[Options]) -> Settings:
        """Options win over the environment, which wins over the defaults. Raises `SettingsError`."""
        read = _Reader(environ, options)
        settings = cls(
            service=read.text("service") or _opentelemetry_service(environ),
            dir=read.folder("dir"),
            group=read.group("group"),
            prefix=(read.path("prefix") or "/_stethoscope").rstrip("/"),
            token=read.token("token"),
            auth=read.function("auth"),
            metrics_path=read.path("metrics_path"),
            metrics_access=read.function("metrics_access"),
            headers=read.headers("headers"),
            exclude=read.paths("exclude"),
            thresholds=read.thresholds("thresholds"),
            tracing=read.switch("tracing"),
            query_strings=read.switch("query_strings") or False,
            instruments=read.instruments("instruments"),
            names=read.names("names"),
            sentry=read.sentry("sentry"),
            request_log=read.text("request_log"),
        )
        read.raise_mistakes()
        return settings


class _Reader:
    """Reads settings one by one, from options or else from variables, and keeps the mistakes until the end."""

    def __init__(self, environ: Mapping[str, str], options: Mapping[str, Any]) -> None:
        self._environ = environ
        self._options = options
        self._mistakes = [
            f"unknown setting {name!r}: expected one of {', '.join(Options.__annotations__)}"
            for name in options
            if name not in Options.__annotations__
        ]

    def raise_mistakes(self) -> None:
        if self._mistakes:
            raise SettingsError("; ".join(self._mistakes))

    def _wrong(self, source: str, value: object, accepted: str) -> None:
        self._mistakes.append(f"{source}={value!r} is not valid: expected {accepted}")

    def text(self, name: str) -> str | None:
        value: str | None
        value, source = self._value(name)
        if value is not None and not _is_text(value):
            self._wrong(source, value, "text that is not empty")
            return None
        return value

    def folder(self, name: str) -> str | None:
        """A relative path would be another folder for each process that was started elsewhere."""
        value: str | None
        value, source = self._value(name)
        if value is not None and not (_is_text(value) and os.path.isabs(value)):
            self._wrong(source, value, "the absolute path of a folder, the same wherever a process is started")
            return None
        return value

    def group(self, name: str) -> int | None:
        value, source = self._value(name)
        number = None if value is None else _group_number(str(value))
        if value is not None and number is None:
            self._wrong(source, value, "the name or number of a group on this machine")
        return number

    def path(self, name: str) -> str | None:
        value: str | None
        value, source = self._value(name)
        if value is not None and not _is_path(value):
            self._wrong(source, value, "a path below '/', such as '/metrics'")
            return None
        return value

    def token(self, name: str) -> str | None:
        value: str | None
        value, source = self._value(name)
        if value is not None and not (_is_text(value) and re.fullmatch(r"[\x21-\x7e]{8,}", value)):
            self._wrong(source, "…", "at least 8 visible ASCII characters without spaces")
            return None
        return value

    def switch(self, name: str) -> bool | None:
        value, source = self._value(name)
        given = self._options.get(name) is not None
        if value is None or (given and isinstance(value, bool)):
            return value
        if given or value.lower() not in _SWITCH:
            self._wrong(source, value, "True or False" if given else "true or false")
            return None
        return _SWITCH[value.lower()]

    def function(self, name: str) -> AccessRule | None:
        """What no variable can hold."""
        value: AccessRule | None = self._options.get(name)
        if value is not None and not callable(value):
            self._wrong(name, value, "a function of an ASGI scope that returns True or False")
        return value

    def headers(self, name: str) -> tuple[str, ...]:
        values, source = self._values(name)
        if values is None:
            return ALL_HEADERS
        chosen = tuple(dict.fromkeys(value.lower() for value in values))
        if unknown := [value for value in chosen if value not in _POSSIBLE_HEADERS]:
            self._wrong(
                source, unknown, f"a sequence of {', '.join(_POSSIBLE_HEADERS)}, or an empty one for no headers"
            )
        return chosen

    def names(self, name: str) -> tuple[str, ...]:
        values, source = self._values(name, one_is_enough=True)
        if values is None:
            return (OWN_NAMES,)
        chosen = tuple(dict.fromkeys(value.lower() for value in values))
        if not chosen or not ALL_NAMES.issuperset(chosen):
            self._wrong(source, list(chosen), f"one or more of {', '.join(sorted(ALL_NAMES))}")
            return (OWN_NAMES,)
        return chosen

    def instruments(self, name: str) -> tuple[str, ...]:
        """``default`` stands for all that are on by default."""
        values, source = self._values(name)
        if values is None:
            return INSTRUMENTS
        known = (*INSTRUMENTS, *OPTIONAL_INSTRUMENTS)
        named = [value.strip().lower() for value in values]
        if unknown := [value for value in named if value not in (*known, "default")]:
            accepted = (
                f"a sequence of {', '.join(known)}, or default for {', '.join(INSTRUMENTS)}; or an empty one for none"
            )
            self._wrong(source, unknown, accepted)
            return INSTRUMENTS
        chosen = {*named, *(INSTRUMENTS if "default" in named else ())}
        return tuple(value for value in known if value in chosen)

    def paths(self, name: str) -> tuple[str, ...]:
        values, source = self._values(name)
        if values and (wrong := [value for value in values if not _is_path(value)]):
            self._wrong(source, wrong, "route templates or path prefixes that begin with '/'")
        return tuple(values or ())

    def thresholds(self, name: str) -> Thresholds:
        value, source = self._value(name)
        given = self._options.get(name) is not None
        if given and not isinstance(value, Mapping):
            self._wrong(
                source,
                value,
                "a mapping from thresholds to levels, such as {'request_p95': (0.3, 0.8)}; in the variable, request_p95=0.3:0.8",
            )
            return Thresholds()
        try:
            return Thresholds.resolve(value if given else parse(value or ""))
        except ThresholdError as error:
            self._mistakes.append(f"{source}: {error}")
            return Thresholds()

    def sentry(self, name: str) -> SentryOptions | None:
        """None for nothing to do with Sentry."""
        value, source = self._value(name)
        given = self._options.get(name) is not None
        if given and not isinstance(value, Mapping | bool):
            self._wrong(source, value, "False, or a mapping such as {'environments': ['production']}")
            return None
        if value is False or (not given and _SWITCH.get((value or "").lower()) is False):
            return None
        try:
            return SentryOptions.resolve(
                value if isinstance(value, Mapping) else {} if given else parse_sentry(value or "")
            )
        except SentryOptionError as error:
            self._mistakes.append(f"{source}: {error}")
            return None

    def _value(self, name: str) -> tuple[Any, str]:
        """What was given, and by which name; variables are strings. An empty one counts as not set, as everywhere in the field."""
        given, variable = self._options.get(name), f"STETHOSCOPE_{name.upper()}"
        if given is not None:
            return os.fspath(given) if isinstance(given, os.PathLike) else given, name
        return self._environ.get(variable) or None, variable

    def _values(self, name: str, one_is_enough: bool = False) -> tuple[list[str] | None, str]:
        """An empty variable stands for none of them."""
        given, variable = self._options.get(name), f"STETHOSCOPE_{name.upper()}"
        if given is None:
            text = self._environ.get(variable)
            return (None if text is None else [part.strip() for part in text.split(",") if part.strip()]), variable
        if isinstance(given, str) and one_is_enough:
            return [given], name
        if isinstance(given, Iterable) and not isinstance(given, str):
            values = list(given)
            if all(isinstance(value, str) for value in values):
                return values, name
        self._wrong(name, given, "a sequence of strings")
        return None, name


def ignored(environ: Mapping[str, str]) -> Iterator[str]:
    """What to say of each variable whose name is nearly that of a setting, or is that of one which no variable can hold.

    Any other that begins with ``STETHOSCOPE_`` is somebody else's: Kubernetes makes some for a service of that name.
    """
    known = [name.upper() for name in Options.__annotations__]
    for variable in environ:
        name = variable.removeprefix("STETHOSCOPE_")
        if name == variable:
            continue
        meant = name if name in known else _nearest(name, known)
        if meant.lower() in _FUNCTIONS:
            argument = meant.lower()
            yield f"{variable} is ignored: no variable can hold a function; expected {argument}=… as an argument instead"
        elif meant not in ("", name):
            yield f"{variable} is not a setting and is ignored: is STETHOSCOPE_{meant} meant?"


def _nearest(name: str, known: list[str]) -> str:
    """Empty when there is none."""
    from difflib import get_close_matches  # seldom needed

    return next(iter(get_close_matches(name, known, n=1, cutoff=0.8)), "")


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
    return environ.get("OTEL_SERVICE_NAME", "").strip() or resource_attribute("service.name", environ)


def resource_attribute(name: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """What OTEL_RESOURCE_ATTRIBUTES says (OpenTelemetry resource SDK, "Specifying resource information via an environment variable")."""
    for pair in environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","):
        key, _, value = pair.partition("=")
        if key.strip() == name and value.strip():
            from urllib.parse import unquote  # seldom needed, and costly to import

            found = unquote(value.strip())
            return found if _is_text(found) else None
    return None

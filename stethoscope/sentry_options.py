"""What a user can set about Sentry, for `Settings`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

Choice = str | float | bool | tuple[str, ...] | list[str] | None
"""A value as a user writes it in an argument; in a variable it is a string."""


class SentryOptions(NamedTuple):
    """``environments`` are those that report, all if empty. ``release`` and ``environment`` go with each event; None stands
    for SENTRY_RELEASE and SENTRY_ENVIRONMENT. ``sample_rate`` is the share of errors that are sent, ``traces_sample_rate``
    that of requests that become transactions. ``local_variables`` lets stack frames keep theirs.

    If the app has initialised sentry-sdk itself, only ``environments`` and ``local_variables`` are taken from here.
    """

    environments: tuple[str, ...] = ()
    release: str | None = None
    environment: str | None = None
    sample_rate: float = 1.0
    traces_sample_rate: float | None = None
    local_variables: bool = False

    @classmethod
    def resolve(cls, chosen: Mapping[str, Choice]) -> SentryOptions:
        """Raises `SentryOptionError` listing every mistake at once."""
        options, mistakes = cls(), []
        for name, value in chosen.items():
            if name not in cls._fields:
                mistakes.append(f"unknown option {name!r}: expected one of {', '.join(cls._fields)}")
                continue
            try:
                read: dict[str, Any] = {name: _READ[name](value)}
                options = options._replace(**read)
            except (KeyError, TypeError, ValueError):
                mistakes.append(f"{name}={value!r} is not valid: expected {_EXPECTED[name]}")
        if mistakes:
            raise SentryOptionError("; ".join(mistakes))
        return options


class SentryOptionError(ValueError):
    """An option is wrong: its name, what came, what is accepted."""


def parse(text: str) -> dict[str, Choice]:
    """``"environments=production|staging, traces_sample_rate=0.1"`` for `SentryOptions.resolve`."""
    chosen: dict[str, Choice] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals:
            raise SentryOptionError(f"{part!r} is not an option: expected NAME=VALUE, such as traces_sample_rate=0.1")
        chosen[name.strip()] = value.strip()
    return chosen


def _rate(value: Choice) -> float:
    if isinstance(value, bool) or not isinstance(value, str | float | int):
        raise TypeError
    rate = float(value)
    if not 0 <= rate <= 1:
        raise ValueError
    return rate


def _text(value: Choice) -> str:
    if not isinstance(value, str) or not value.strip():
        raise TypeError
    return value


def _texts(value: Choice) -> tuple[str, ...]:
    values = value.split("|") if isinstance(value, str) else value
    if not isinstance(values, list | tuple) or not values:
        raise TypeError
    return tuple(_text(one).strip() for one in values)


def _flag(value: Choice) -> bool:
    if isinstance(value, str):
        return _FLAGS[value.lower()]
    if not isinstance(value, bool):
        raise TypeError
    return value


_FLAGS: Final = {"true": True, "false": False}
_READ: Final[Mapping[str, Callable[[Choice], object]]] = {
    "environments": _texts,
    "release": _text,
    "environment": _text,
    "sample_rate": _rate,
    "traces_sample_rate": _rate,
    "local_variables": _flag,
}
_EXPECTED: Final = {
    "environments": "names of environments, such as ['production']; in the variable production|staging",
    "release": "text that is not empty",
    "environment": "text that is not empty",
    "sample_rate": "a share from 0 to 1",
    "traces_sample_rate": "a share from 0 to 1",
    "local_variables": "True or False",
}

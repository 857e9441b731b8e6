"""Signing in from a browser: a cookie that proves knowledge of the token, without being it.

    v1.<Unix time at which it ends>.<HMAC-SHA256 of "v1.<that time>" under the token, as hexadecimal digits>

Any worker can check it, and another token makes all of them void. The cookie has no Path attribute: its
path is then the folder of the address that set it, as the browser sees that address (RFC 6265, section
5.1.4), so that it is sent to the API alone, behind proxies that take prefixes away too.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from typing import Final

from stethoscope.asgi import Scope
from stethoscope.dashboards.access import headers

COOKIE: Final = "stethoscope_session"
LIFETIME: Final = 12 * 3600
"""Seconds for which a session lasts."""
_VERSION: Final = "v1"


class Sessions:
    """Sessions of those who know ``token``. Any thread and process."""

    def __init__(self, token: str, clock: Callable[[], float] = time.time) -> None:
        self._key = token.encode()
        self._clock = clock

    def start(self, scope: Scope) -> bytes:
        """The Set-Cookie header of a new session."""
        text = f"{_VERSION}.{int(self._clock()) + LIFETIME}"
        return _cookie(f"{text}.{self._signature(text)}", LIFETIME, scope)

    @staticmethod
    def end(scope: Scope) -> bytes:
        """The Set-Cookie header that makes a browser forget its session."""
        return _cookie("", 0, scope)

    def has(self, scope: Scope) -> bool:
        """Whether the request is of a session that has not ended. Compared in constant time."""
        return any(self._holds(value) for value in _cookies(scope, COOKIE))

    def _holds(self, value: str) -> bool:
        text, _, signature = value.rpartition(".")
        version, _, ends = text.partition(".")
        genuine = hmac.compare_digest(signature.encode(), self._signature(text).encode())
        return genuine and version == _VERSION and ends.isdecimal() and int(ends) > self._clock()

    def _signature(self, text: str) -> str:
        return hmac.digest(self._key, text.encode(), "sha256").hex()


def _cookie(value: str, seconds: int, scope: Scope) -> bytes:
    secure = "; Secure" if scope.get("scheme") == "https" else ""
    return f"{COOKIE}={value}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}".encode()


def _cookies(scope: Scope, name: str) -> list[str]:
    pairs = (pair.partition("=") for line in headers(scope, b"cookie") for pair in line.decode("latin-1").split(";"))
    return [value.strip() for key, _, value in pairs if key.strip() == name]

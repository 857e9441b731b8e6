"""Who may read the API, and who may change something through it.

It is open to whoever has the token, has signed in with it, or is let in by the user's own rule. A request with the token
was made by somebody who knows it. But a browser sends cookies, and whatever else a user's rule may look
at, with requests that other sites make it send; so anything but reading needs the header
``X-Stethoscope`` too, which a page of another site cannot send without asking us first (a CORS
preflight, to which we give no permission).
"""

from __future__ import annotations

import hmac
from inspect import isawaitable
from typing import Final

from stethoscope.asgi import Scope
from stethoscope.dashboards.access import headers, holds
from stethoscope.dashboards.responses import Response, problem
from stethoscope.dashboards.session import Sessions
from stethoscope.settings import AccessRule

CHALLENGE: Final = (b"www-authenticate", b'Bearer realm="stethoscope"')
OWN_HEADER: Final = b"x-stethoscope"
_READING: Final = ("GET", "HEAD")


class Gate:
    """Lets in bearers of ``token``, their sessions, and whomever ``rule`` admits. Without both, nobody."""

    def __init__(self, token: str | None, rule: AccessRule | None) -> None:
        self._token = token
        self._rule = rule
        self.sessions = Sessions(token) if token else None

    async def refusal(self, scope: Scope) -> Response | None:
        """The answer for someone who may not; None for someone who may. Raises what the user's rule raises."""
        if holds(scope, self._token):
            return None
        if not await self._admits(scope):
            return problem(401, "Sign in, or send the token as 'Authorization: Bearer <token>'.", CHALLENGE)
        if scope["method"] not in _READING and not headers(scope, OWN_HEADER):
            return problem(
                403, "Send the header 'X-Stethoscope: 1', or the token: a browser alone may not change anything."
            )
        return None

    def knows(self, token: str) -> bool:
        """Whether ``token`` is the one. Compared in constant time."""
        expected = self._token
        return expected is not None and hmac.compare_digest(token.encode(errors="replace"), expected.encode())

    async def _admits(self, scope: Scope) -> bool:
        if self.sessions is not None and self.sessions.has(scope):
            return True
        return self._rule is not None and await admits(self._rule, scope)


async def admits(rule: AccessRule, scope: Scope) -> bool:
    """What a user's rule says, which may have to wait for it."""
    answer: object = rule(scope)
    return bool(await answer if isawaitable(answer) else answer)

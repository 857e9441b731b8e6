"""What an endpoint may hold that belongs into no log: a key in its query, a name and a password before its host."""

from __future__ import annotations

import re
from typing import Final

_SECRETS: Final = re.compile(r"""\?[^\s'")>]*|[^\s/'"(]*@""")


def without_secrets(text: str) -> str:
    """What an exporter says, without all that follows a question mark, or comes before an @."""
    return _SECRETS.sub("", text)

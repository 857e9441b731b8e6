"""Write the shapes of the API's documents, and their words for people, for the live page to be built with.

    python tools/page_types.py            # rewrites page/src/documents.ts

Run by ``make docs``; a test fails when the file is not what this writes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PATH = ROOT / "page" / "src" / "documents.ts"
_HEAD = "// Written by tools/page_types.py from the API's description. Not to be edited.\n"
_PLAIN = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


def written() -> str:
    """The file's text."""
    from stethoscope.dashboards.api.openapi import document
    from stethoscope.dashboards.api.schema import Schemas
    from stethoscope.store.timeline import Point

    schemas = Schemas()
    schemas.of(Point)
    named = dict(sorted({**document()["components"]["schemas"], **schemas.named}.items()))
    return _HEAD + "".join(_interface(name, schema) for name, schema in named.items()) + "".join(_hints(named))


def _interface(name: str, schema: dict[str, Any]) -> str:
    fields = "".join(f"  {key}: {_type(value)};\n" for key, value in schema["properties"].items())
    return f"\n/** {schema['description']} */\nexport interface {name} {{\n{fields}}}\n"


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(_type(one) for one in schema["anyOf"])
    kind = schema.get("type")
    if isinstance(kind, list):
        return " | ".join(_PLAIN[one] for one in kind)
    if kind == "array":
        items = _type(schema["items"])
        return f"({items})[]" if " | " in items else f"{items}[]"
    if kind == "object" and "additionalProperties" in schema:
        return f"Record<string, {_type(schema['additionalProperties'])}>"
    return _PLAIN.get(kind or "", "unknown")


def _hints(named: dict[str, dict[str, Any]]) -> Iterator[str]:
    """What each number is, by shape and name."""
    yield "\nexport const HINTS = {\n"
    for name, schema in named.items():
        described = {key: value["description"] for key, value in schema["properties"].items() if "description" in value}
        if described:
            yield f"  {name}: {{\n"
            yield from (f"    {key}: {json.dumps(text, ensure_ascii=False)},\n" for key, text in described.items())
            yield "  },\n"
    yield "} as const;\n"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    PATH.write_text(written(), encoding="utf-8")

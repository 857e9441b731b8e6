"""The reference page of the metrics API, from its own OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stethoscope.dashboards.api.openapi import document

_HEAD = """# The metrics API

What the [live page](../how-to/live-page.md) shows, as JSON, for all workers of a service together. It is below `/_stethoscope/api/`, in the app and
in the sidecar (there below `/services/NAME/api/`), and open to whom [the page is open to](../how-to/securing.md).

- Times are in seconds, sizes in bytes, shares from 0 to 1; the end of a name says which. Quantiles are at most 1 % off. What does not exist,
  such as a quantile of nothing, is `null`.
- An answer is up to two seconds old, has an `ETag` for `If-None-Match`, and is compressed when asked for. Pages follow each other by `Link`.
- Errors are problem documents (RFC 9457): `detail` says what was expected.
- `openapi.json` describes all of it for programs (OpenAPI 3.1), and is what this page is made from.
"""


def api_page() -> str:
    described = document()
    return "\n".join([_HEAD, "## Questions", "", *_paths(described["paths"]), "## Shapes", "", *_shapes(described)])


def _paths(paths: dict[str, Any]) -> Iterator[str]:
    for path, methods in paths.items():
        for method, operation in methods.items():
            yield from (
                f"### `{method.upper()} {path.removeprefix('/')}`",
                "",
                f"{operation['summary']}. {_answer(operation)}".rstrip(),
                "",
            )
            if "description" in operation:
                yield from (operation["description"], "")
            parameters = operation.get("parameters", [])
            yield from (_parameter(parameter) for parameter in parameters)
            if parameters:
                yield ""


def _answer(operation: dict[str, Any]) -> str:
    content = operation["responses"].get("200", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    return f"Answers {_type(schema)}." if "$ref" in schema else ""


def _parameter(parameter: dict[str, Any]) -> str:
    schema = parameter["schema"]
    facts = [f"one of {', '.join(f'`{one}`' for one in schema['enum'])}"] if "enum" in schema else []
    facts += [f"{word} {schema[key]:g}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in schema]
    facts += [f"by default `{schema['default']}`"] if "default" in schema else []
    facts += ["needed"] if parameter["required"] else []
    where = {"query": "", "path": " (in the path)", "header": " (header)"}[parameter["in"]]
    words = [parameter.get("description", ""), f"({', '.join(facts)})" if facts else ""]
    return f"- `{parameter['name']}`{where}: {' '.join(words).strip()}"


def _shapes(described: dict[str, Any]) -> Iterator[str]:
    for name, schema in described["components"]["schemas"].items():
        yield from (f"### {name}", "", schema["description"], "", "| name | type | what it is |", "|---|---|---|")
        for key, value in schema["properties"].items():
            yield f"| `{key}` | {_type(value)} | {value.get('description', '')} |"
        yield ""


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    kind = schema.get("type", "anything")
    if isinstance(kind, list):
        return " or ".join(kind)
    if kind == "array":
        return f"list of {_type(schema['items'])}"
    if kind == "object" and "additionalProperties" in schema:
        return f"object of {_type(schema['additionalProperties'])}" if schema["additionalProperties"] else "object"
    return str(kind)

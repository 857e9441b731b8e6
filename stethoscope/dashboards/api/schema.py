"""JSON Schema (2020-12) of a document's shape: of a TypedDict whose annotations say what its numbers are."""

from __future__ import annotations

from enum import StrEnum
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, TypeGuard, Union, get_args, get_origin, get_type_hints, is_typeddict

Schema = dict[str, Any]

_PLAIN: Final[dict[object, Schema]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    NoneType: {"type": "null"},
    Any: {},
}


class Schemas:
    """Schemas that refer to each other by name, gathered as they are asked for."""

    def __init__(self, prefix: str = "#/components/schemas/") -> None:
        self._prefix = prefix
        self.named: dict[str, Schema] = {}

    def of(self, shape: Any) -> Schema:
        """The schema of a type. Raises TypeError for one that JSON has nothing for."""
        if get_origin(shape) is Annotated:
            inner, description = get_args(shape)
            return {**self.of(inner), "description": description}
        if is_typeddict(shape):
            return self._reference(shape)
        return self._plain(shape)

    def _reference(self, shape: type) -> Schema:
        name = shape.__name__
        if name not in self.named:
            self.named[name] = {}  # a shape may hold itself
            hints = get_type_hints(shape, include_extras=True)
            self.named[name] = {
                "type": "object",
                "description": (shape.__doc__ or "").strip(),
                "properties": {key: self.of(hint) for key, hint in hints.items()},
                "required": list(hints),
            }
        return {"$ref": self._prefix + name}

    def _plain(self, shape: Any) -> Schema:
        if shape in _PLAIN:
            return dict(_PLAIN[shape])
        origin, arguments = get_origin(shape), get_args(shape)
        if origin in (Union, UnionType):
            return self._union(arguments)
        if origin is list:
            return {"type": "array", "items": self.of(arguments[0])}
        if origin is dict:
            return {"type": "object", "additionalProperties": self.of(arguments[1])}
        if origin is Literal:
            return {"type": "string", "enum": list(arguments)}
        if _is_enum(shape):
            return {"type": "string", "enum": [member.value for member in shape]}
        raise TypeError(f"expected a type that JSON has something for, got {shape!r}")

    def _union(self, arguments: tuple[Any, ...]) -> Schema:
        schemas = [self.of(argument) for argument in arguments]
        if all(schema.keys() == {"type"} for schema in schemas):
            return {"type": [schema["type"] for schema in schemas]}
        return {"anyOf": schemas}


def _is_enum(shape: Any) -> TypeGuard[type[StrEnum]]:
    return isinstance(shape, type) and issubclass(shape, StrEnum)

"""Whether a document from outside has the shape that its type says: TypedDicts, and what JSON is read into."""

from __future__ import annotations

from enum import EnumType
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints, is_typeddict

T = TypeVar("T")


def fitting(value: object, shape: type[T]) -> T:
    """``value``, which has this shape; it may have more than the shape names. Raises ValueError that says where it has not."""
    _check(value, shape, "the document")
    return cast("T", value)


def _check(value: object, shape: Any, where: str) -> None:
    origin, arguments = get_origin(shape), get_args(shape)
    if origin is Annotated:
        _check(value, arguments[0], where)
    elif is_typeddict(shape):
        found = _instance(value, dict, where)
        for key, hint in get_type_hints(shape, include_extras=True).items():
            if key not in found:
                raise ValueError(f"{where} has no '{key}'")
            _check(found[key], hint, f"{where}'s {key}")
    elif origin is list:
        for item in _instance(value, list, where):
            _check(item, arguments[0], f"one of {where}")
    elif origin is dict:
        for item in _instance(value, dict, where).values():
            _check(item, arguments[1], f"one of {where}")
    elif origin in (Union, UnionType):
        _check_any(value, arguments, where)
    else:
        _check_plain(value, shape, where)


def _check_any(value: object, shapes: tuple[Any, ...], where: str) -> None:
    problem = ValueError(f"{where} is of no type")
    for shape in shapes:
        try:
            return _check(value, shape, where)
        except ValueError as error:
            problem = error
    raise problem


def _check_plain(value: object, shape: Any, where: str) -> None:
    if get_origin(shape) is Literal or isinstance(shape, EnumType):
        accepted = [*map(str, get_args(shape) or shape)]
        if value not in accepted:
            raise ValueError(f"{where} is {value!r}: expected one of {', '.join(accepted)}")
    elif shape is not Any:
        # JSON has numbers and nothing more: 2.0 is an integer.
        _instance(value, (int, float) if shape in (int, float) else shape, where)


def _instance(value: object, kind: Any, where: str) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"{where} is of type {type(value).__name__}")
    return value

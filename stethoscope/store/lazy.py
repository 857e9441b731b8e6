"""Attributes that are worked out when somebody asks for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class lazy(Generic[T]):  # noqa: N801 - a decorator
    """As `functools.cached_property` has it since Python 3.12: without a lock. Any thread.

    Before 3.12, one lock serves an attribute of all instances of its class. Objects made of other objects then take such locks in
    whatever order they are nested, and two threads can wait for each other forever. Here, two threads that ask at the same
    time may both work it out, to the same result.
    """

    def __init__(self, work_out: Callable[[Any], T]) -> None:
        self._work_out = work_out
        self.__doc__ = work_out.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type) -> T:
        # From now on the instance's own attribute is found, and this is not called.
        found = instance.__dict__[self._name] = self._work_out(instance)
        return found

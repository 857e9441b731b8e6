"""What went wrong, as one word: values of the label ``error_type`` (HTTP semantic conventions, ``error.type``)."""

from __future__ import annotations


def error_type(error: BaseException) -> str:
    """``cancelled``, or the exception's class with its module unless built in."""
    # On trio, a cancelled nursery raises one group of what all its tasks ended with.
    if isinstance(error, BaseExceptionGroup) and all(error_type(one) == "cancelled" for one in error.exceptions):
        return "cancelled"
    kind = type(error)
    cancelled = kind.__name__ in ("CancelledError", "Cancelled") and not isinstance(error, Exception)
    if cancelled or isinstance(error, GeneratorExit):
        return "cancelled"
    return class_name(kind)


def class_name(kind: type) -> str:
    """A class's qualified name, with its module unless built in."""
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"

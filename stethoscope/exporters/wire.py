"""Protocol Buffers' wire format, as far as it is needed to write messages (protobuf.dev, "Encoding")."""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import Final

_DOUBLE: Final = Struct("<d")
_BYTE: Final = tuple(bytes((value,)) for value in range(0x80))

_VARINT, _FIXED64, _LENGTH = 0, 1, 2


def varint(value: int) -> bytes:
    """A number from 0 to 2**64 - 1."""
    if value < 0x80:
        return _BYTE[value]
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def zigzag(value: int) -> int:
    """A signed number as one that is small where the number is near zero."""
    return value << 1 if value >= 0 else (-value << 1) - 1


def number(field: int, value: int) -> bytes:
    """An integer from 0 up. Zero is what a reader assumes where nothing is written."""
    return varint(field << 3 | _VARINT) + varint(value) if value else b""


def signed(field: int, value: int) -> bytes:
    """An integer of type sint32 or sint64."""
    return number(field, zigzag(value))


def double(field: int, value: float) -> bytes:
    return varint(field << 3 | _FIXED64) + _DOUBLE.pack(value)


def message(field: int, content: bytes) -> bytes:
    """A text, bytes, or a message in a message."""
    return varint(field << 3 | _LENGTH) + varint(len(content)) + content


def packed(field: int, values: Iterable[int]) -> bytes:
    """Signed integers, one after the other."""
    return message(field, b"".join([varint(zigzag(value)) for value in values]))


def delimited(content: bytes) -> bytes:
    """A message as one of several in a stream: its length comes first."""
    return varint(len(content)) + content

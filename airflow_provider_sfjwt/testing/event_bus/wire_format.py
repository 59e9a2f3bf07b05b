"""Protocol buffers as they travel, written and read by hand: the little that the event bus needs.

https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

Value = int | bytes | str


def encode(fields: Iterable[tuple[int, Value]]) -> bytes:
    """Write a message.

    :param fields: each its number and its value; those that are 0 or empty are left out.
    """
    written = bytearray()
    for number, value in fields:
        if not value:
            continue
        if isinstance(value, int):
            written += _varint(number << 3) + _varint(value)
        else:
            content = value.encode() if isinstance(value, str) else value
            written += _varint(number << 3 | 2) + _varint(len(content)) + content
    return bytes(written)


def decode(message: bytes) -> dict[int, list[int | bytes]]:
    """Read a message.

    :return: the values of each field by its number.
    :raises ValueError: for anything else.
    """
    found: dict[int, list[int | bytes]] = {}
    for number, value in _fields(message):
        found.setdefault(number, []).append(value)
    return found


def text(message: dict[int, list[int | bytes]], number: int) -> str:
    """A field that is text, empty where it is missing."""
    value = message.get(number, [b""])[-1]
    return value.decode() if isinstance(value, bytes) else str(value)


def number_of(message: dict[int, list[int | bytes]], number: int) -> int:
    """A field that is a number, 0 where it is missing."""
    value = message.get(number, [0])[-1]
    return value if isinstance(value, int) else 0


def bytes_of(message: dict[int, list[int | bytes]], number: int) -> bytes:
    """A field of bytes, empty where it is missing."""
    value = message.get(number, [b""])[-1]
    return value if isinstance(value, bytes) else b""


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    place = 0
    while place < len(message):
        key, place = _read(message, place)
        value, place = _read(message, place)
        if key & 7 == 0:
            yield key >> 3, value
        elif key & 7 == 2:
            yield key >> 3, message[place : place + value]
            place += value
        else:
            raise ValueError(f"wire type {key & 7}")


def _read(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if place >= len(message):
            raise ValueError("the message ends within a number")
        byte = message[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if not byte & 0x80:
            return value, place


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)

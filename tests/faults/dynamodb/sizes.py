"""How large an item is and what reading and writing it costs, by DynamoDB's published rules.

A number takes a byte for every two decimal digits, counted in pairs from the decimal point without
leading and trailing zero pairs, one byte more, and another when negative.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.faults.dynamodb.values import Item, Value

READ_UNIT_BYTES = 4096
WRITE_UNIT_BYTES = 1024
LARGEST_ITEM_BYTES = 400 * 1024


def item_size(item: Item) -> int:
    """Bytes of an item: names in UTF-8 and values."""
    return sum(len(name.encode()) + value_size(value) for name, value in item.items())


def value_size(value: Value) -> int:
    """Bytes of one typed value."""
    ((tag, held),) = value.items()
    return SIZES[tag](held)


def text_size(text: str) -> int:
    """Bytes of a string."""
    return len(text.encode())


def binary_size(base64_text: str) -> int:
    """Bytes that a base64 text stands for."""
    return len(base64_text) // 4 * 3 - base64_text[-2:].count("=")


def number_size(text: str) -> int:
    """Bytes of a number.

    >>> [number_size(text) for text in ("0", "1", "12", "123", "1200", "120", "-1", "0.012")]
    [1, 2, 2, 3, 2, 3, 3, 3]
    """
    sign, digits, exponent = Decimal(text).as_tuple()
    assert isinstance(exponent, int)
    if not any(digits):
        return 1
    plain = "".join(map(str, digits))
    stripped = plain.rstrip("0")
    exponent += len(plain) - len(stripped)
    stripped = stripped.lstrip("0")
    if exponent % 2:
        stripped += "0"
    return (len(stripped) + 1) // 2 + 1 + sign


def read_units(size_bytes: int, *, consistent: bool) -> float:
    """Read units of so many bytes evaluated together; half a unit or a whole one at least."""
    blocks = max(1, -(-size_bytes // READ_UNIT_BYTES))
    return blocks * (1.0 if consistent else 0.5)


def write_units(size_bytes: int) -> float:
    """Write units of one item of so many bytes; one at least."""
    return float(max(1, -(-size_bytes // WRITE_UNIT_BYTES)))


SIZES: dict[str, Callable[[Any], int]] = {
    "S": text_size,
    "N": number_size,
    "B": binary_size,
    "BOOL": lambda _: 1,
    "NULL": lambda _: 1,
    "SS": lambda held: sum(map(text_size, held)),
    "NS": lambda held: sum(map(number_size, held)),
    "BS": lambda held: sum(map(binary_size, held)),
    "L": lambda held: 3 + sum(1 + value_size(one) for one in held),
    "M": lambda held: 3 + sum(1 + text_size(name) + value_size(one) for name, one in held.items()),
}

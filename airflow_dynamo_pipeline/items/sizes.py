"""How many bytes DynamoDB counts for an item, and what writing it costs.

The rules are those of the developer guide, "DynamoDB item sizes and formats" (CapacityUnitCalculations):
names and strings count as UTF-8, binaries without their base64, a Boolean or null one byte, a list or map
three bytes and one more for each element. Sets count what their members count.

For a number the guide says "approximately" one byte for two digits and one more. Here it is what DynamoDB
Local counts: a byte for each pair of digits, pairs counted from the decimal point, one more, and one
more for a minus sign; zero is one byte. The service itself does not publish its exact rule, so a size
may be off by a byte or two for each number.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from airflow_dynamo_pipeline.errors import UnexpectedReply
from airflow_dynamo_pipeline.items.canonical import number_parts
from airflow_dynamo_pipeline.items.values import UNREADABLE

MAX_ITEM_BYTES = 400 * 1024
WRITE_UNIT_BYTES = 1024
CONTAINER_BYTES = 3  # of a list or map
ELEMENT_BYTES = 1  # of each element in it

_decode = msgspec.json.Decoder(dict[str, dict[str, Any]]).decode


def item_bytes(item: msgspec.Raw | bytes) -> int:
    """Count a valid item's bytes as DynamoDB does; raises UnexpectedReply for what cannot be measured.

    >>> item_bytes(b'{"id":{"N":"-123"},"tags":{"L":[{"S":"ab"},{"NULL":true}]}}')
    18
    """
    try:
        return sum(text_bytes(name) + _value_bytes(value) for name, value in _decode(item).items())
    except (*UNREADABLE, *_MISSHAPEN) as exc:
        raise UnexpectedReply(f"an item cannot be measured: {exc}") from exc


def write_units(size_bytes: int) -> int:
    """Say what a write costs: a unit for each begun KiB of the larger of the old and the new item.

    Source: the developer guide, "DynamoDB read and write operations". Each secondary index that the write
    touches costs its own units, a transaction twice as many.

    >>> write_units(1), write_units(1024), write_units(1025)
    (1, 1, 2)
    """
    return max(1, -(-size_bytes // WRITE_UNIT_BYTES))


def number_bytes(text: str) -> int:
    """Count a number's bytes; raises ValueError for what is not a number.

    >>> [number_bytes(text) for text in ("0", "1", "-1", "99", "123", "1.5", "1E+125")]
    [1, 2, 3, 2, 3, 3, 2]
    """
    parts = number_parts(text)
    if parts is None:
        raise ValueError("a value of type N is not a number")
    if not parts.digits:
        return 1
    pairs = parts.magnitude // 2 - parts.exponent // 2 + 1
    return pairs + 1 + parts.negative


def text_bytes(text: str) -> int:
    """Count a string's bytes in UTF-8; raises UnicodeEncodeError for lone surrogates."""
    return len(text) if text.isascii() else len(text.encode())


def _binary_bytes(text: str) -> int:
    return len(base64.b64decode(text))


def _value_bytes(value: Mapping[str, Any]) -> int:
    ((tag, held),) = value.items()
    return _SIZES[tag](held)


def _list_bytes(elements: list[Mapping[str, Any]]) -> int:
    return CONTAINER_BYTES + sum(ELEMENT_BYTES + _value_bytes(element) for element in elements)


def _map_bytes(attributes: Mapping[str, Mapping[str, Any]]) -> int:
    return CONTAINER_BYTES + sum(
        ELEMENT_BYTES + text_bytes(name) + _value_bytes(value) for name, value in attributes.items()
    )


def _flag_bytes(_held: object) -> int:
    return 1


_MISSHAPEN = (AttributeError, KeyError, TypeError, ValueError, RecursionError)  # met on the walk

_SIZES: Final[Mapping[str, Callable[[Any], int]]] = {
    "S": text_bytes,
    "N": number_bytes,
    "B": _binary_bytes,
    "SS": lambda held: sum(map(text_bytes, held)),
    "NS": lambda held: sum(map(number_bytes, held)),
    "BS": lambda held: sum(map(_binary_bytes, held)),
    "M": _map_bytes,
    "L": _list_bytes,
    "BOOL": _flag_bytes,
    "NULL": _flag_bytes,
}

"""Items as boto3 has read them, as plain Python values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from airflow_dynamo_pipeline.errors import UnexpectedReply


def plain_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item's attributes: numbers as Decimal, exactly, binaries as bytes, sets as sets, NULL as None.

    >>> plain_item({"id": {"S": "a"}, "price": {"N": "1.50"}, "tags": {"L": [{"BOOL": True}]}})
    {'id': 'a', 'price': Decimal('1.50'), 'tags': [True]}
    """
    return {name: _plain(value) for name, value in item.items()}


def _plain(value: Mapping[str, Any]) -> Any:
    ((tag, held),) = value.items()
    if tag not in _PLAIN:
        raise UnexpectedReply(f"a value has the unknown type {tag!r}")
    return _PLAIN[tag](held)


_PLAIN: Final[Mapping[str, Callable[[Any], Any]]] = {
    "S": str,
    "N": Decimal,
    "B": bytes,
    "SS": set,
    "NS": lambda held: set(map(Decimal, held)),
    "BS": lambda held: set(map(bytes, held)),
    "M": plain_item,
    "L": lambda held: [_plain(one) for one in held],
    "BOOL": bool,
    "NULL": lambda _: None,
}

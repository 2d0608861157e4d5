"""The items every client exports: the set called "std".

Ten attributes, about 540 bytes of DynamoDB JSON and 353 bytes of item size: strings, numbers, a
boolean, one list of strings and one map. **No set and no binary attribute**, because the amazon
provider's ``DynamoDBToS3Operator`` raises ``TypeError`` on both and could not finish: the set of
items is the peer's choice, not ours. The set called "small" is for counting to many millions.

>>> round(sum(len(item_json(i)) for i in range(1000)) / 1000)
540
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

KEY = "pk"
# fmt: off
WORDS = (
    "amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron", "inlet", "jetty",
    "kayak", "larch", "maple", "north", "ocean", "pearl", "quartz", "ridge",
    "stone", "tidal", "umber", "vista", "willow", "yonder", "zephyr", "harbor", "island", "meadow",
)
# fmt: on
STATES = ("NEW", "PAID", "SENT", "DONE")

Item = dict[str, Any]


def key_value(position: int) -> str:
    """Name the item at a position of the table.

    >>> key_value(17)
    'order#000000000017'
    """
    return f"order#{position:012}"


def key_position(value: str) -> int:
    """Undo ``key_value``."""
    return int(value.removeprefix("order#"))


def std_item(position: int) -> Item:
    """Make the item at a position, the same one every time, in DynamoDB's typed form."""
    dice = random.Random(position)
    words = [dice.choice(WORDS) for _ in range(24)]
    postcode = str(dice.randint(10000, 99999))
    return {
        KEY: {"S": key_value(position)},
        "created_at": {
            "S": f"2024-{dice.randint(1, 12):02}-{dice.randint(1, 28):02}T10:{dice.randint(10, 59)}:00Z"
        },
        "customer": {"S": f"customer-{dice.getrandbits(64):016x}"},
        "state": {"S": dice.choice(STATES)},
        "total": {"N": f"{dice.randint(100, 99999)}.{dice.randint(10, 99)}"},
        "quantity": {"N": str(dice.randint(1, 500))},
        "is_gift": {"BOOL": dice.random() < 0.5},
        "tags": {"L": [{"S": word} for word in words[:4]]},
        "address": {
            "M": {"city": {"S": words[4]}, "street": {"S": " ".join(words[5:8])}, "zip": {"N": postcode}}
        },
        "note": {"S": f"{' '.join(words[8:])} {dice.getrandbits(176):044x}"},
    }


def small_item(position: int) -> Item:
    """Make an item of two attributes: 54 bytes of DynamoDB JSON and 29 of item size, at the most.

    >>> small_item(1)
    {'pk': {'S': 'order#000000000001'}, 'state': {'S': 'PAID'}}
    """
    return {KEY: {"S": key_value(position)}, "state": {"S": STATES[position % len(STATES)]}}


def item_json(position: int, make: Callable[[int], Item] = std_item) -> bytes:
    """Write the item as DynamoDB sends it: no spaces."""
    return json.dumps(make(position), separators=(",", ":")).encode()


def item_bytes(item: Item) -> int:
    """Item size by DynamoDB's published rules, for the types that occur here.

    >>> item_bytes({"pk": {"S": "abc"}, "n": {"N": "125"}})
    9
    """
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: dict[str, Any]) -> int:
    kind, content = next(iter(value.items()))
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        digits = content.replace(".", "").strip("0")
        return (len(digits) + 1) // 2 + 1
    if kind == "L":
        return 3 + sum(1 + _value_bytes(element) for element in content)
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + _value_bytes(element) for name, element in content.items())
    return 1  # BOOL

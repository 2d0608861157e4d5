"""Typed values as the service accepts them, and the one form it keeps of each.

Numbers come back in plain notation without needless zeros, the members of a set in order.
"""

from __future__ import annotations

import base64
import decimal
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.faults.dynamodb.errors import invalid, invalid_value

Value = dict[str, Any]  # {"S": "a"}
Item = dict[str, Value]  # {"pk": {"S": "a"}}

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
PLAIN_NUMBER = re.compile(r"0|-?[1-9]\d{0,36}")
DIGITS = 38
LARGEST_EXPONENT = 125
SMALLEST_EXPONENT = -130
LEVELS = 32
EXACT = decimal.Context(prec=200, Emax=10**6, Emin=-(10**6))


def clean_item(item: Item) -> Item:
    """An item of its own in the form the service keeps; raises Refused for what it would refuse."""
    return {name: _clean(value, 1) for name, value in item.items()}


def clean_value(value: Value) -> Value:
    """One value in the form the service keeps."""
    return _clean(value, 1)


def _clean(value: Value, level: int) -> Value:
    if len(value) != 1:
        amount = "more than one datatypes set" if value else "is empty"
        has = "has " if value else ""
        raise invalid(
            f"Supplied AttributeValue {has}{amount}, must contain exactly one of the supported datatypes"
        )
    ((tag, held),) = value.items()
    if tag in ("S", "BOOL", "B"):
        return {tag: held}
    if level > LEVELS:
        raise _too_deep()
    if tag in ("L", "M"):
        return _clean_container(tag, held, level + 1)
    check = CLEAN.get(tag)
    if check is None:
        raise invalid("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
    return {tag: check(held)}


def _clean_container(tag: str, held: Any, level: int) -> Value:
    if level > LEVELS:
        raise _too_deep()
    if tag == "L":
        return {tag: [_clean(one, level) for one in held]}
    return {tag: {name: _clean(one, level) for name, one in held.items()}}


def _too_deep() -> Exception:
    return invalid(
        "Nesting Levels have exceeded supported limits: "
        "Attributes in the item have nested levels beyond supported limit"
    )


def number_text(text: str) -> str:
    """A number as the service gives it back.

    >>> number_text("1.50E3"), number_text("-0.0"), number_text("1E-3")
    ('1500', '0', '0.001')
    """
    if PLAIN_NUMBER.fullmatch(text):
        return text
    if not NUMBER.fullmatch(text):
        raise invalid(
            "The parameter cannot be converted to a numeric value: " + text
            if text
            else "A value provided cannot be converted into a number"
        )
    number = EXACT.create_decimal(text).normalize(EXACT)
    if not number:
        return "0"
    if len(number.as_tuple().digits) > DIGITS:
        raise invalid("Attempting to store more than 38 significant digits in a Number")
    if number.adjusted() > LARGEST_EXPONENT:
        raise invalid(
            "Number overflow. Attempting to store a number with magnitude larger than supported range"
        )
    if number.adjusted() < SMALLEST_EXPONENT:
        raise invalid(
            "Number underflow. Attempting to store a number with magnitude smaller than supported range"
        )
    return f"{number:f}"


def _clean_null(held: bool) -> bool:
    if held is not True:
        raise invalid_value("Null attribute value types must have the value of true")
    return held


def _clean_set(order: Callable[[str], Any], clean: Callable[[str], str]) -> Callable[[list[str]], list[str]]:
    def check(held: list[str]) -> list[str]:
        if not held:
            raise invalid_value(f"An {'number' if order is Decimal else 'string'} set  may not be empty")
        members = [clean(one) for one in held]
        if len(set(members)) < len(members):
            raise invalid_value(f"Input collection [{', '.join(held)}] contains duplicates")
        return sorted(members, key=order)

    return check


CLEAN: dict[str, Callable[[Any], Any]] = {
    "N": number_text,
    "NULL": _clean_null,
    "SS": _clean_set(str.encode, str),
    "NS": _clean_set(Decimal, number_text),
    "BS": _clean_set(base64.b64decode, str),
}

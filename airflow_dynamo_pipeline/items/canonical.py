"""One spelling for each item, so that equal items are equal bytes."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from airflow_dynamo_pipeline.errors import UnexpectedReply
from airflow_dynamo_pipeline.items.numbers import SHOWN_CHARACTERS
from airflow_dynamo_pipeline.items.values import UNREADABLE, convert_item

LARGEST_MAGNITUDE: Final = 125  # 9.99...E+125 is DynamoDB's largest number
SMALLEST_MAGNITUDE: Final = -130

_NUMBER: Final = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,10}))?")

_text = msgspec.json.Decoder(str).decode
_texts = msgspec.json.Decoder(list[str]).decode
_flag = msgspec.json.Decoder(bool).decode
_encode = msgspec.json.Encoder().encode


class NumberParts(NamedTuple):
    """A number as ``digits * 10 ** exponent``; no zero at either end of the digits, none at all for zero."""

    negative: bool
    digits: str
    exponent: int

    @property
    def magnitude(self) -> int:
        """The exponent of the first digit: 2 for 123."""
        return self.exponent + len(self.digits) - 1


def number_parts(text: str) -> NumberParts | None:
    """Take a number text apart, exactly; None for what is not a number.

    >>> number_parts("-0012.50E+3")
    NumberParts(negative=True, digits='125', exponent=2)
    >>> number_parts("-0.00"), number_parts("NaN")
    (NumberParts(negative=False, digits='', exponent=0), None)
    """
    match = _NUMBER.fullmatch(text)
    if match is None or not (match[2] or match[3]):
        return None
    fraction = match[3] or ""
    significant = (match[2] + fraction).lstrip("0")
    digits = significant.rstrip("0")
    if not digits:
        return NumberParts(negative=False, digits="", exponent=0)
    exponent = int(match[4] or 0) - len(fraction) + len(significant) - len(digits)
    return NumberParts(match[1] == "-", digits, exponent)


def canonical_number(text: str) -> str:
    """Spell a number in full, without zeros that say nothing; raises UnexpectedReply for none.

    It is the spelling in which DynamoDB sends back most numbers. Out of DynamoDB's range, which no item can
    hold, the exponent stays.

    >>> [canonical_number(text) for text in ("1.50", "1.5", "15E-1", "-0", "+0.0E7", "12E2", "1E400")]
    ['1.5', '1.5', '1.5', '0', '0', '1200', '1E400']
    """
    parts = number_parts(text)
    if parts is None:
        raise UnexpectedReply(f"a value of type N is not a number: {text[:SHOWN_CHARACTERS]!r}")
    if not SMALLEST_MAGNITUDE <= parts.magnitude <= LARGEST_MAGNITUDE:
        return short_number(parts)
    return plain_number(parts)


def plain_number(parts: NumberParts) -> str:
    """Spell a number without an exponent, however long that is."""
    digits = parts.digits + "0" * parts.exponent or "0"
    if parts.exponent < 0:
        digits = digits.rjust(1 - parts.exponent, "0")
        digits = f"{digits[: parts.exponent]}.{digits[parts.exponent :]}"
    return f"-{digits}" if parts.negative else digits


def short_number(parts: NumberParts) -> str:
    """Spell a number as its digits and an exponent, where there is one."""
    exponent = f"E{parts.exponent}" if parts.exponent else ""
    return f"{'-' if parts.negative else ''}{parts.digits or '0'}{exponent}"


def canonical(item: msgspec.Raw | bytes) -> bytes:
    r"""Spell an item in its one canonical form; raises UnexpectedReply for what is not an item.

    Attributes, keys of maps and members of sets are sorted, numbers have one notation for each value,
    strings have the fewest escapes, binaries are base64 as RFC 4648 writes it. What comes out is an item
    again, equal to the one that came in.

    >>> canonical(b'{"b":{"NS":["2.0","1"]}, "a":{"S":"\\u00e9"}}') == (
    ...     '{"a":{"S":"é"},"b":{"NS":["1","2"]}}'.encode()
    ... )
    True
    """
    raw = item if isinstance(item, msgspec.Raw) else msgspec.Raw(item)
    return _encode(_sorted(convert_item(raw, _canonical_value)))


def _sorted(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return dict(sorted(attributes.items()))


def _canonical_value(tag: str, held: Any) -> dict[str, Any]:
    try:
        return {tag: _CANONICAL[tag](held)}
    except (*UNREADABLE, ValueError) as exc:
        raise UnexpectedReply(f"a value of type {tag} cannot be read: {exc}") from exc


def _binary(text: str) -> str:
    return base64.b64encode(base64.b64decode(text, validate=True)).decode("ascii")


def _as_it_is(held: list[Any]) -> list[Any]:
    return held


_CANONICAL: Final[Mapping[str, Callable[[Any], Any]]] = {
    "S": _text,
    "N": lambda held: canonical_number(_text(held)),
    "B": lambda held: _binary(_text(held)),
    "SS": lambda held: sorted(_texts(held)),
    "NS": lambda held: sorted(canonical_number(text) for text in _texts(held)),
    "BS": lambda held: sorted(_binary(text) for text in _texts(held)),
    "M": _sorted,
    "L": _as_it_is,
    "BOOL": _flag,
    "NULL": _flag,
}

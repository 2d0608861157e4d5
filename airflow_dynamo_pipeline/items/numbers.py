"""DynamoDB's number texts, never by way of a float."""

from __future__ import annotations

import re

from airflow_dynamo_pipeline.errors import UnexpectedReply

SHOWN_CHARACTERS = 60  # of a text that is not a number, in the message

_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_NUMBER = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?([eE][+-]?[0-9]+)?")


def json_number(text: str) -> str:
    """Spell a DynamoDB number as a JSON number with exactly the digits sent; raises UnexpectedReply.

    Only what JSON forbids is changed: a plus sign, leading zeros, a bare point.

    >>> json_number("12345678901234567890.123456789012345678")
    '12345678901234567890.123456789012345678'
    >>> json_number("1E+100"), json_number("-0"), json_number("1.500")
    ('1E+100', '-0', '1.500')
    >>> json_number("+.5"), json_number("007"), json_number("5.")
    ('0.5', '7', '5')
    """
    if _JSON_NUMBER.fullmatch(text):
        return text
    match = _NUMBER.fullmatch(text)
    if match is None or not (match[2] or match[3]):
        raise UnexpectedReply(f"a value of type N is not a number: {text[:SHOWN_CHARACTERS]!r}")
    sign = "-" if match[1] == "-" else ""
    fraction = f".{match[3]}" if match[3] else ""
    return f"{sign}{match[2].lstrip('0') or '0'}{fraction}{match[4] or ''}"

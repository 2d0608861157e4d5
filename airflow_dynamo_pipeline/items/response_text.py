"""A parsed Scan response back to the JSON text that DynamoDB sent."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

from airflow_dynamo_pipeline.errors import UnexpectedReply, with_hint
from airflow_dynamo_pipeline.items.values import TAGS

FIELDS = ("Items", "Count", "ScannedCount", "LastEvaluatedKey", "ConsumedCapacity")

# The escaped backslash goes first, so that a user's own backslash before "u000b" is not taken for an escape.
_RESPELLED = re.compile(r"\\\\|\\u00[01][0-9a-f]|[\U00010000-\U0010ffff]")


def scan_response_json(response: Mapping[str, Any]) -> bytes:
    r"""Write what botocore parsed as DynamoDB writes it, byte for byte.

    For replies whose raw body could not be taken. Binary becomes base64 again; metadata is left out.
    Raises UnexpectedReply for a type of value that botocore does not know and has therefore dropped.

    >>> scan_response_json({"Items": [{"b": {"B": b"\xff"}, "s": {"S": "\x0b é"}}], "Count": 1})
    b'{"Items":[{"b":{"B":"/w=="},"s":{"S":"\\u000B \xc3\xa9"}}],"Count":1}'
    """
    for item in response.get("Items", ()):
        _check_item(item)
    kept = {field: response[field] for field in FIELDS if field in response}
    text = json.dumps(kept, ensure_ascii=False, separators=(",", ":"), default=_base64)
    return _RESPELLED.sub(_as_dynamodb_spells, text).encode()


def _check_item(attributes: Mapping[str, Any]) -> None:
    for value in attributes.values():
        _check_value(value)


def _check_value(value: Mapping[str, Any]) -> None:
    """Refuse what botocore makes of a type it does not know: nothing, or a tag of its own for unions."""
    if len(value) != 1 or not value.keys() <= TAGS:
        raise UnexpectedReply(
            with_hint("botocore has dropped a value whose type it does not know", "upgrade botocore")
        )
    for element in value.get("L", ()):
        _check_value(element)
    _check_item(value.get("M", {}))


def _base64(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    raise TypeError(f"{type(value).__name__} is not part of a parsed Scan response")


def _as_dynamodb_spells(match: re.Match[str]) -> str:
    """Spell hex digits of escapes in upper case, and characters beyond U+FFFF as a surrogate pair."""
    found = match[0]
    if found == r"\\":
        return found
    if found.startswith("\\"):
        return "\\u" + found[2:].upper()
    offset = ord(found) - 0x10000
    return f"\\u{0xD800 + (offset >> 10):04X}\\u{0xDC00 + (offset & 0x3FF):04X}"

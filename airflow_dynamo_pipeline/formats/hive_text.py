r"""The oldest Data Pipeline backups: lines of Hive, ``name\x03{"s":"value"}\x02name\x03{"n":"1"}``.

Names stand there as they are, with spaces, colons, commas or braces. A name ends at the first 0x03, a value
where its JSON ends, so 0x02 and 0x03 inside a value stay what they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final, NoReturn

import msgspec

from airflow_dynamo_pipeline.formats.lines import NotAnItem
from airflow_dynamo_pipeline.items.typed_text import canonical_value, distinct

NAME_END = "\x03"
VALUE_END = "\x02"


def _no_constant(name: str) -> NoReturn:
    raise NotAnItem(f"{name} is not JSON")


# It only finds where a value ends: strings may hold control characters, and no number is computed.
_raw_decode: Final = json.JSONDecoder(
    strict=False, object_pairs_hook=distinct, parse_int=str, parse_float=str, parse_constant=_no_constant
).raw_decode
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_CONTROL: Final = re.compile(r"[\x00-\x1f]")
_encode = msgspec.json.Encoder().encode


def is_hive_text(line: bytes) -> bool:
    """Whether a line is not JSON but Hive's: JSON holds 0x03 only escaped."""
    return b"\x03" in line


def read_hive_text(line: bytes) -> msgspec.Raw:
    r"""Read one line as an item; raises NotAnItem, and what msgspec raises for a value that is no JSON.

    >>> bytes(read_hive_text(b'id\x03{"s":"Seattle"}\x02scores\x03{"nS":["100","30"]}'))
    b'{"id":{"S":"Seattle"},"scores":{"NS":["100","30"]}}'
    """
    item: dict[str, Any] = {}
    for name, value in _attributes(line.decode()):
        if name in item:
            raise NotAnItem(f"the attribute {name[:40]!r} stands there twice")
        item[name] = canonical_value(value.encode())
    return msgspec.Raw(_encode(item))


def _attributes(text: str) -> Iterator[tuple[str, str]]:
    at, length = 0, len(text.rstrip(" \t\r"))
    while True:
        end = text.find(NAME_END, at)
        if end < 0:
            raise NotAnItem(f"no 0x03 after the name that begins with {text[at : at + 40]!r}")
        name = text[at:end]
        start = end + 1
        try:
            _, at = _raw_decode(text, start)
        except json.JSONDecodeError as exc:
            raise NotAnItem(f"the value of {name[:40]!r} is not JSON: {exc.msg}") from exc
        yield name, _plain_json(text[start:at])
        if at >= length:
            return
        if text[at] != VALUE_END:
            raise NotAnItem(f"no 0x02 after the value of {name[:40]!r}")
        at += 1


def _plain_json(value: str) -> str:
    if not _CONTROL.search(value):
        return value
    return _STRING.sub(lambda string: _CONTROL.sub(_escaped, string[0]), value)


def _escaped(character: re.Match[str]) -> str:
    return f"\\u{ord(character[0]):04x}"

"""Plain JSON objects, for readers that know nothing of DynamoDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from airflow_dynamo_pipeline.errors import UnexpectedReply
from airflow_dynamo_pipeline.items.numbers import json_number
from airflow_dynamo_pipeline.items.values import UNREADABLE, convert_item, json_line

_text = msgspec.json.Decoder(str).decode
_texts = msgspec.json.Decoder(list[str]).decode


class PlainJson:
    """Items as plain JSON objects, attributes in order and numbers with every digit."""

    __slots__ = ()

    name = "plain_json"
    suffix = ".json"
    lossless = False
    output_format = "PLAIN_JSON"
    lossy_in = (
        "sets become arrays and binary values become base64 strings, so that neither can be told from "
        "lists and strings, and numbers keep their 38 digits only with readers that make no floats of them"
    )

    def encode(self, items: Sequence[msgspec.Raw]) -> Iterator[bytes]:
        r"""Drop the type tags.

        >>> item = msgspec.Raw(b'{"id":{"N":"1.50"},"on":{"BOOL":true},"tags":{"SS":["x","y"]}}')
        >>> b"".join(PlainJson().encode([item]))
        b'{"id":1.50,"on":true,"tags":["x","y"]}\n'
        """
        if items:
            yield b"".join(json_line(convert_item(item, _plain)) for item in items)


def _plain(tag: str, held: Any) -> Any:
    convert = _CONVERTED.get(tag)
    return held if convert is None else convert(held)


def _number(held: msgspec.Raw) -> msgspec.Raw:
    try:
        return msgspec.Raw(json_number(_text(held)))
    except UNREADABLE as exc:
        raise UnexpectedReply(f"a value of type N is not a string: {exc}") from exc


def _numbers(held: msgspec.Raw) -> list[msgspec.Raw]:
    try:
        return [msgspec.Raw(json_number(text)) for text in _texts(held)]
    except UNREADABLE as exc:
        raise UnexpectedReply(f"a value of type NS is not an array of strings: {exc}") from exc


def _null(_held: msgspec.Raw) -> None:
    return None


# All other types hold JSON that is plain already.
_CONVERTED: Final[Mapping[str, Callable[[msgspec.Raw], Any]]] = {"N": _number, "NS": _numbers, "NULL": _null}

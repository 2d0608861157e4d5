"""Plain JSON objects, one a line, as items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from airflow_dynamo_pipeline.formats.lines import cut_lines, read_one_by_one
from airflow_dynamo_pipeline.formats.mapping import (
    Typed,
    converted,
    encode,
    from_json,
    in_column,
    mapping_problems,
    members,
)
from airflow_dynamo_pipeline.formats.reading import Attribute, Block, Content, ReadSettings


class PlainJsonReader:
    """Reads JSON lines that know nothing of DynamoDB.

    A property that ``attributes`` declares is converted to its type; JSON's null there means that the
    item has no such attribute. All others are typed by what they are: a string is S, a number N with
    every digit, true and false BOOL, null NULL, an array L and an object M.
    """

    __slots__ = ()

    name = "plain_json"

    def check_available(self) -> None:
        """Never raises."""

    def check_settings(self, settings: ReadSettings) -> Iterator[str]:
        """Say what is wrong with the declared attributes."""
        yield from mapping_problems(settings)

    def blocks(self, content: Content, settings: ReadSettings) -> Iterator[Block]:
        """Read a file; what is no JSON object, or does not fit its declared types, is a bad line."""

        def read(line: bytes) -> tuple[msgspec.Raw, bool]:
            return msgspec.Raw(encode(_item(line, settings.attributes))), False

        for lines in cut_lines(content.chunks()):
            yield read_one_by_one(lines, read)


def _item(text: bytes, attributes: Mapping[str, Attribute]) -> dict[str, Typed]:
    item: dict[str, Typed] = {}
    for column, raw in members(text).items():
        value = from_json(raw)
        declared = attributes.get(column)
        if declared is None:
            name = column
        elif "NULL" in value and declared.tag != "NULL":
            continue
        else:
            name = declared.name
            value = in_column(column, declared.tag, bytes(raw).decode(), _declared)
        if name in item:
            raise ValueError(f"two properties become the attribute {name!r}")
        item[name] = value
    return item


def _declared(tag: str, text: str) -> Typed:
    return converted(tag, from_json(msgspec.Raw(text.encode())))

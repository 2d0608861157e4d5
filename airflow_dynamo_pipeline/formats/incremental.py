"""Reads DynamoDB's native incremental exports: what became of each item that changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from airflow_dynamo_pipeline.formats.lines import NotAnItem, cut_lines, read_one_by_one
from airflow_dynamo_pipeline.formats.reading import Block, Content, ReadSettings
from airflow_dynamo_pipeline.items.typed_text import attributes, has_only_fields, is_object

_ABSENT = msgspec.Raw(b"")


class _Number(msgspec.Struct, gc=False):
    N: str


class _Metadata(msgspec.Struct, gc=False):
    WriteTimestampMicros: _Number


class _Change(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    Metadata: msgspec.Raw
    Keys: msgspec.Raw
    OldImage: msgspec.Raw = _ABSENT
    NewImage: msgspec.Raw = _ABSENT


_change: Final = msgspec.json.Decoder(_Change).decode
_metadata: Final = msgspec.json.Decoder(_Metadata).decode


class IncrementalReader:
    """The new image of an item is the item; where there is none, the item was deleted."""

    __slots__ = ()

    name = "incremental"

    def check_available(self) -> None:
        """Never raises."""

    def check_settings(self, settings: ReadSettings) -> Iterator[str]:
        """Whatever the settings, they are not needed."""
        del settings
        yield from ()

    def blocks(self, content: Content, settings: ReadSettings) -> Iterator[Block]:
        """Read line by line: what is written is proven to be the item that the line is about."""
        del settings
        for lines in cut_lines(content.chunks()):
            yield read_one_by_one(lines, _read_line)


def _read_line(line: bytes) -> tuple[msgspec.Raw, bool]:
    change = _change(line)
    _metadata(change.Metadata)
    fields = {name: held for name in _Change.__struct_fields__ if len(held := getattr(change, name))}
    for name, held in fields.items():
        if not is_object(held):
            raise NotAnItem(f'the field "{name}" is not a JSON object')
    if not has_only_fields(line, fields):
        raise NotAnItem("a field stands there twice, or is spelled with escapes")
    keys = attributes(change.Keys)
    if not keys:
        raise NotAnItem('the field "Keys" is empty')
    if "NewImage" not in fields:
        return change.Keys, True
    _check_image(keys, attributes(change.NewImage))
    return change.NewImage, False


def _check_image(keys: dict[str, msgspec.Raw], image: dict[str, msgspec.Raw]) -> None:
    for name, value in keys.items():
        if name not in image or not _same(value, image[name]):
            raise NotAnItem(
                f"the new image does not hold the key attribute {name[:40]!r} as the keys have it"
            )


def _same(one: msgspec.Raw, other: msgspec.Raw) -> bool:
    return bytes(one) == bytes(other) or msgspec.json.decode(one) == msgspec.json.decode(other)

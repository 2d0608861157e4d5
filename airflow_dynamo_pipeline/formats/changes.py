"""Reads and writes change sets of lookup loads: items to put and keys to delete, with digests.

One JSON object a line: ``{"change":"put","key":["P1"],"old":null,"new":"<digest>","item":{...}}`` or
``{"change":"delete","key":["P1"],"old":"<digest>","keys":{...}}``. A digest is the base64 of 12 bytes of
BLAKE2b over an item in canonical form.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from airflow_dynamo_pipeline.formats.lines import NotAnItem, cut_lines, read_one_by_one
from airflow_dynamo_pipeline.formats.reading import Block, Content, ReadSettings
from airflow_dynamo_pipeline.items.typed_text import has_only_fields, is_object

_ABSENT: Final = msgspec.Raw(b"")
_NULL: Final = b"null"


class _Change(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    change: msgspec.Raw
    key: msgspec.Raw
    old: msgspec.Raw = _ABSENT
    new: msgspec.Raw = _ABSENT
    item: msgspec.Raw = _ABSENT
    keys: msgspec.Raw = _ABSENT


_change: Final = msgspec.json.Decoder(_Change).decode
_FIELDS: Final = {
    b'"put"': ("change", "key", "old", "new", "item"),
    b'"delete"': ("change", "key", "old", "keys"),
}


def put_line(key: bytes, old: str | None, new: str, item: bytes) -> bytes:
    """One line that puts an item; ``key`` is the JSON text of its key's texts."""
    before = _NULL if old is None else b'"%b"' % old.encode()
    return b'{"change":"put","key":%b,"old":%b,"new":"%b","item":%b}' % (key, before, new.encode(), item)


def delete_line(key: bytes, old: str, keys: bytes) -> bytes:
    """One line that deletes an item; ``keys`` is the JSON text of its typed key attributes."""
    return b'{"change":"delete","key":%b,"old":"%b","keys":%b}' % (key, old.encode(), keys)


class ChangesReader:
    """Change sets of lookup loads."""

    __slots__ = ()

    name = "changes"

    def check_available(self) -> None:
        """Never raises."""

    def check_settings(self, settings: ReadSettings) -> Iterator[str]:
        """Whatever the settings, they are not needed."""
        del settings
        yield from ()

    def blocks(self, content: Content, settings: ReadSettings) -> Iterator[Block]:
        """Read line by line: what is written is proven to be one item, or one key, and nothing beside it."""
        del settings
        for lines in cut_lines(content.chunks()):
            yield read_one_by_one(lines, _read_line)


def _read_line(line: bytes) -> tuple[msgspec.Raw, bool]:
    change = _change(line)
    expected = _FIELDS.get(bytes(change.change))
    if expected is None:
        raise NotAnItem('the field "change" is neither "put" nor "delete"')
    fields = {name: held for name in _Change.__struct_fields__ if len(held := getattr(change, name))}
    if tuple(fields) != tuple(name for name in _Change.__struct_fields__ if name in expected):
        raise NotAnItem(f"its fields are {', '.join(fields)}; expected {', '.join(expected)}")
    if not has_only_fields(line, fields):
        raise NotAnItem("a field stands there twice, or is spelled with escapes")
    is_delete = "keys" in fields
    found = change.keys if is_delete else change.item
    if not is_object(found):
        raise NotAnItem(f'the field "{"keys" if is_delete else "item"}" is not a JSON object')
    return found, is_delete

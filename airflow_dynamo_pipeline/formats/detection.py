"""Which reader a file needs, by what it begins with and, where that says nothing, by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from airflow_dynamo_pipeline.formats.lines import BYTE_ORDER_MARK, cut_lines
from airflow_dynamo_pipeline.formats.reading import Content
from airflow_dynamo_pipeline.items.typed_text import KNOWN_TAGS
from airflow_dynamo_pipeline.items.values import UNREADABLE, is_typed

_PARQUET = b"PAR1"
_ION = (b"$ion_1_0", b"\xe0\x01\x00\xea")  # as text and as binary
_BY_SUFFIX = {".ion": "ion", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet"}
_COMPRESSED = (".gz", ".gzip", ".zst", ".zstd")


def detect_content(content: Content) -> str | None:
    """Name the reader for a file, reading no more of it than its first lines; raises ValueError."""
    stored = content.range(0, min(len(_PARQUET), content.size()))
    if stored == _PARQUET:
        return "parquet"
    blocks = cut_lines(content.chunks())
    first = next((lines.data or lines.bad[0].text for lines in blocks if not lines.data.isspace()), b"")
    return detect(content.name, first)


def detect(name: str, first: bytes) -> str | None:
    r"""Name the reader for a file by its name and the beginning of its content after decompression.

    ``first`` should hold a whole line, the first that is not blank; of Parquet the stored bytes will do.
    None: nothing is known.

    >>> detect("part-0", b'{"Item":{"id":{"N":"1"}}}\n'), detect("a/000000_0", b'id\x03{"n":"1"}\n')
    ('dynamodb_json', 'data_pipeline')
    >>> detect("rows.tsv.gz", b"id\tname\n"), detect("README", b"Hello\n")
    ('csv', None)
    """
    if first.startswith(_PARQUET):
        return "parquet"
    text = first.removeprefix(BYTE_ORDER_MARK).lstrip()
    if text.startswith(_ION):
        return "ion"
    line = text.split(b"\n", 1)[0]
    if line.startswith(b"{") and (found := _by_json(line)):
        return found
    by_name = _by_name(name)
    return "data_pipeline" if by_name is None and b"\x03{" in line else by_name


def _by_name(name: str) -> str | None:
    name = name.lower()
    for suffix in _COMPRESSED:
        name = name.removesuffix(suffix)
    return next((found for suffix, found in _BY_SUFFIX.items() if name.endswith(suffix)), None)


def _by_json(line: bytes) -> str | None:
    try:
        found = msgspec.json.decode(line)
        return _by_fields(found)
    except (*UNREADABLE, RecursionError):
        return "dynamodb_json" if line.startswith(b'{"Item":{') else None


def _by_fields(found: dict[str, Any]) -> str | None:
    item = found.get("Item")
    if found.keys() == {"Item"} and is_typed({"M": item}):
        return "dynamodb_json"
    for name, fields, is_one in _RECORDS:
        if found.keys() >= fields and is_one(found):
            return name
    if found and all(map(_is_tagged, found.values())):
        return "data_pipeline"
    if found.keys() == {"Item"} and isinstance(item, dict):
        return "dynamodb_json"
    return "plain_json"


_RECORDS: Final[Sequence[tuple[str, set[str], Callable[[dict[str, Any]], bool]]]] = (
    ("incremental", {"Metadata", "Keys"}, lambda _: True),
    ("changes", {"change", "key", "old"}, lambda found: found["change"] in ("put", "delete")),
    ("rejects", {"rejected", "reader"}, lambda found: isinstance(found["reader"], str)),
)


def _is_tagged(value: Any) -> bool:
    return isinstance(value, Mapping) and len(value) == 1 and next(iter(value)).lower() in KNOWN_TAGS

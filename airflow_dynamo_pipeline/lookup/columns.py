"""Rows of a query to items of a table, a batch at a time and column by column.

Every item is spelled in its canonical form (``items.canonical``), so that it can be compared byte by byte
with what the table holds. A row that cannot be an item comes out with the reason; no row is lost.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from json.encoder import encode_basestring
from operator import itemgetter
from typing import Any, Final

import msgspec

from airflow_dynamo_pipeline.errors import InvalidSetting
from airflow_dynamo_pipeline.items.check import KEY_BYTES
from airflow_dynamo_pipeline.items.keys import KeyAttribute
from airflow_dynamo_pipeline.items.sizes import MAX_ITEM_BYTES, item_bytes
from airflow_dynamo_pipeline.lookup.bad_rows import row_text
from airflow_dynamo_pipeline.lookup.fits import mapping_fits
from airflow_dynamo_pipeline.lookup.fragments import Fragments, KeyRule, Reasons, Written
from airflow_dynamo_pipeline.lookup.json_values import normal
from airflow_dynamo_pipeline.lookup.mapping import ColumnMapping, RowMapping
from airflow_dynamo_pipeline.lookup.source import Column, RowBatch
from airflow_dynamo_pipeline.lookup.values import Manner, ttl_seconds, typed_value
from airflow_dynamo_pipeline.lookup.vectors import ttl_vectors, vectors_for

__all__ = ("BadRow", "ConvertedBatch", "RowConverter", "mapping_fits")

_AS_DEFAULTS: Final = ColumnMapping()
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is no item, and why: every column that was at fault, and its value, cut."""

    row: int  # its index in the batch
    reason: str
    text: bytes  # the row as plain JSON, cut to KEPT_BYTES
    key: str | None  # as items.key_texts writes it; None: the key itself was at fault


@dataclass(slots=True)
class ConvertedBatch:
    """What a batch became: ``items[n]`` is the item of row ``rows[n]``, in the rows' order; ``keys`` its key.

    A key is spelled as ``items.key_texts`` does.
    """

    items: list[bytes]
    keys: list[bytes]
    rows: list[int]
    bad: list[BadRow]


class RowConverter:
    """Converts batches of one query; for one thread at a time."""

    def __init__(
        self,
        columns: Sequence[Column],
        mapping: RowMapping,
        key: Sequence[KeyAttribute],
        key_columns: Sequence[str],
        *,
        key_prefix: str = "",
    ) -> None:
        """``mapping_fits`` has found nothing for these; ``key_prefix`` goes before the partition key's text.

        Raises InvalidSetting for a prefix where the partition key is no string.
        """
        if key_prefix and key[0].tag != "S":
            raise InvalidSetting("key_prefix", key_prefix, f"none: the partition key is {key[0].tag}, not S")
        self._columns = columns
        rules = {
            column: KeyRule(which=which, tag=attribute.tag, most_bytes=most, prefix=prefix)
            for column, attribute, (which, most), prefix in zip(
                key_columns, key, KEY_BYTES, (key_prefix, ""), strict=False
            )
        }
        written = _written(columns, mapping, rules)
        self._fragments = sorted(written, key=lambda pair: pair[1].attribute)
        self._constants = [
            (name, f",{encode_basestring(name)}:{_encode(normal(value)).decode()}")
            for name, value in mapping.constants.items()
        ]
        self._key = [attribute.name for attribute in key]

    def convert(self, batch: RowBatch) -> ConvertedBatch:
        """Convert rows to items; whatever a row holds, it comes out as an item or as a bad row."""
        found = {column.attribute: column.of(batch.values[index]) for index, column in self._fragments}
        reasons: Reasons = {}
        for written in found.values():
            for row, reason in written.wrong.items():
                reasons[row] = f"{reasons[row]}; {reason}" if row in reasons else reason
        texts = self._texts(found, batch.rows)
        keys = self._key_texts([found[name] for name in self._key])
        reasons |= _too_large(texts, reasons)
        if not reasons:
            return ConvertedBatch(texts, keys, list(range(batch.rows)), [])
        rows = [row for row in range(batch.rows) if row not in reasons]
        bad = [self._bad_row(batch, row, reasons[row], found) for row in sorted(reasons)]
        return ConvertedBatch([texts[row] for row in rows], [keys[row] for row in rows], rows, bad)

    def _texts(self, found: Mapping[str, Written], rows: int) -> list[bytes]:
        """The items: of every row the columns' texts, between what is the same in all rows."""
        named: list[tuple[str, Written | str]] = [*found.items(), *self._constants]
        between = [""]
        texts: list[Sequence[str]] = []
        for _, one in sorted(named, key=itemgetter(0)):
            if isinstance(one, str):
                between[-1] += one
            else:
                between[-1] += one.before
                texts.append(one.texts)
                between.append(one.after)
        first, *rest = between
        rest[-1] += "}"
        same = [repeat(text, rows) for text in rest]
        pieces = itertools.chain.from_iterable(zip(texts, same, strict=True))
        if first:  # a comma, as before every attribute
            by_row = map("".join, zip(repeat(f"{{{first[1:]}", rows), *pieces, strict=True))
            return _encoded(by_row)
        return [b"{" + text[1:].encode() for text in map("".join, zip(*pieces, strict=True))]

    def _key_texts(self, columns: Sequence[Written]) -> list[bytes]:
        """What ``items.key_texts`` makes of the keys: as the items spell them they are spelled so already."""
        values = [column.values for column in columns]
        if len(values) == 1:
            return _encoded([f"[{text}]" for text in values[0]])
        return _encoded([f"[{one},{other}]" for one, other in zip(*values, strict=True)])

    def _bad_row(self, batch: RowBatch, row: int, reason: str, found: Mapping[str, Written]) -> BadRow:
        values = {
            column.name: values[row] for column, values in zip(self._columns, batch.values, strict=True)
        }
        key = [found[name].values[row] for name in self._key]
        return BadRow(row, reason, row_text(values), f"[{','.join(key)}]" if all(key) else None)


def _encoded(texts: Iterable[str]) -> list[bytes]:
    """Each in UTF-8; as JSON none of them holds a raw newline."""
    joined = "\n".join(texts).encode()
    return joined.split(b"\n") if joined else []


def _written(
    columns: Sequence[Column], mapping: RowMapping, rules: dict[str, KeyRule]
) -> Iterable[tuple[int, Fragments]]:
    """For each attribute that comes from a column the column's index and what writes it."""
    for index, column in enumerate(columns):
        found = mapping.columns.get(column.name, _AS_DEFAULTS)
        if not found.drop:
            yield index, _column(column, found, mapping, rules.get(column.name))
        if column.name == mapping.ttl_column and mapping.ttl_attribute is not None:
            seconds = partial(_ttl, kind=column.kind)
            yield index, Fragments(column.name, mapping.ttl_attribute, seconds, ttl_vectors())


def _column(column: Column, found: ColumnMapping, mapping: RowMapping, key: KeyRule | None) -> Fragments:
    manner = Manner(
        kind=column.kind,
        type=key.tag if key else found.type,
        moments=found.moments or mapping.moments,
        not_finite=found.not_finite or mapping.not_finite,
        trim_text=mapping.trim_text,
    )
    return Fragments(
        column.name,
        mapping.attribute(column.name),
        partial(typed_value, manner=manner),
        vectors_for(manner),
        null=(found.nulls or mapping.nulls) == "null",
        key=key,
    )


def _ttl(value: Any, kind: str) -> dict[str, str] | None:
    seconds = ttl_seconds(value, kind)
    return None if seconds is None else {"N": str(seconds)}


def _too_large(texts: Sequence[bytes], wrong: Reasons) -> Reasons:
    """Texts of items that DynamoDB would count as too large; an item's text is longer than its size."""
    if max(map(len, texts), default=0) <= MAX_ITEM_BYTES:
        return {}
    long = [row for row, text in enumerate(texts) if len(text) > MAX_ITEM_BYTES and row not in wrong]
    sizes = {row: item_bytes(texts[row]) for row in long}
    return {
        row: f"it has {size:,} bytes; at most {MAX_ITEM_BYTES:,} are allowed"
        for row, size in sizes.items()
        if size > MAX_ITEM_BYTES
    }

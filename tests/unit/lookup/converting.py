"""Rows converted for a test; every item that comes out is held against the rules of items."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from airflow_dynamo_pipeline.engine.ports import KeyAttribute
from airflow_dynamo_pipeline.items.canonical import canonical
from airflow_dynamo_pipeline.items.check import problems_of
from airflow_dynamo_pipeline.lookup.columns import ConvertedBatch, RowConverter
from airflow_dynamo_pipeline.lookup.mapping import ColumnMapping, RowMapping
from airflow_dynamo_pipeline.lookup.source import Column, RowBatch

ID = Column("id", "text")
KEY = (KeyAttribute("id", "S"),)


def converted(
    columns: Sequence[Column],
    rows: Sequence[Sequence[object]],
    mapping: RowMapping | None = None,
    key: Sequence[KeyAttribute] = KEY,
    **more: Any,
) -> ConvertedBatch:
    """Convert rows; without ``key_columns`` the key's columns are named as its attributes are."""
    values = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in columns]
    key_columns = more.pop("key_columns", [attribute.name for attribute in key])
    converter = RowConverter(columns, mapping or RowMapping(), key, key_columns, **more)
    found = converter.convert(RowBatch(values, len(rows)))
    for item in found.items:
        assert item == canonical(item)
        assert problems_of(item, key) is None
    assert list(range(len(rows))) == sorted([*found.rows, *(bad.row for bad in found.bad)])
    return found


def one_value(value: object, kind: str = "other", *, beside: Sequence[object] = (), **how: Any) -> Any:
    """What a value of column ``v`` becomes; None: nothing; a text: the reason why its row is bad.

    ``beside``: values of other rows, whose types decide whether the column is converted at once.
    """
    mapping = RowMapping(columns={"v": ColumnMapping(**how)})
    rows = [("a", value), *(("b", other) for other in beside)]
    found = converted([ID, Column("v", kind)], rows, mapping)
    if found.bad and found.bad[0].row == 0:
        return found.bad[0].reason
    return json.loads(found.items[0]).get("v")

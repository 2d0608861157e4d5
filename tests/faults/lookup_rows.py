"""Any rows of any key, and the items they stand for, told without the package's own code."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from airflow_dynamo_pipeline.lookup.source import Column
from tests.faults.any_items import bodies, numbers, texts, values
from tests.faults.lookup_world import Row

Item = dict[str, Any]
KINDS = {"S": "text", "N": "number", "B": "binary"}
REST = ("name", "price", "flag", "raw", "doc")
OTHERS = (
    Column("name", "text"),
    Column("price", "number"),
    Column("flag", "boolean"),
    Column("raw", "binary"),
    Column("doc", "json"),
)
PARTS: Mapping[str, st.SearchStrategy[Any]] = {
    "S": texts.filter(bool),
    "N": numbers.map(Decimal),
    "B": st.binary(min_size=1, max_size=5),
}
KEYS = ["S", "N", "B", "SS", "SN", "NB", "BS", "NN"]
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**37), 10**37) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts.filter(bool), inner, max_size=3),
    max_leaves=5,
)
rests = st.tuples(
    st.none() | texts,
    st.none() | numbers.map(Decimal) | st.integers(-(10**37), 10**37),
    st.none() | st.booleans(),
    st.none() | st.binary(max_size=4),
    st.none() | plain.map(json.dumps),
)


def number(value: object) -> Item:
    """Write a number."""
    if not value:
        return {"N": "0"}  # DynamoDB knows no zero with a sign
    return {"N": format(value, "f") if isinstance(value, Decimal) else str(value)}


def binary(value: bytes) -> Item:
    """Write bytes."""
    return {"B": base64.b64encode(value).decode()}


def document(value: Any) -> Item:
    """Write what JSON text says."""
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, list):
        return {"L": list(map(document, value))}
    if isinstance(value, dict):
        return {"M": {name: document(one) for name, one in value.items()}}
    return {"S": value} if isinstance(value, str) else number(value)


WRITTEN: Mapping[str, Callable[[Any], Item]] = {
    "text": lambda value: {"S": value},
    "number": number,
    "boolean": lambda value: {"BOOL": value},
    "binary": binary,
    "json": lambda value: document(json.loads(value)),
}


@dataclass(frozen=True)
class Scene:
    """A query, and a table before it was loaded."""

    key: str  # the types of its attributes, as SN
    rows: Sequence[Row]
    held: Sequence[Item]

    @property
    def schema(self) -> Sequence[tuple[str, str]]:
        """Name and type of each key attribute."""
        return list(zip(("pk", "sk"), self.key, strict=False))

    @property
    def columns(self) -> Sequence[Column]:
        """Those of the query."""
        return [*(Column(name, KINDS[tag]) for name, tag in self.schema), *OTHERS]

    @property
    def settings(self) -> dict[str, Any]:
        """Those of a load."""
        return {"key_columns": [name for name, _ in self.schema]}

    @property
    def wanted(self) -> list[Item]:
        """The items that the rows stand for."""
        return [self.item(row) for row in self.rows]

    def item(self, row: Row) -> Item:
        """What a row stands for; NULL is left out, but a document may hold one."""
        pairs = zip(self.columns, row, strict=True)
        found = {column.name: WRITTEN[column.kind](value) for column, value in pairs if value is not None}
        return {name: value for name, value in found.items() if value != {"NULL": True} or name != "doc"}


def _same_key(row: Row, count: int) -> object:
    """Numbers are equal however they are spelled."""
    return row[:count]


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """Draw rows, and a table that holds some of their items as they will be, some other, some strangers."""
    key = draw(st.sampled_from(KEYS))
    row = st.tuples(*(PARTS[tag] for tag in key), rests).map(lambda drawn: (*drawn[:-1], *drawn[-1]))
    drawn = draw(st.lists(row, min_size=1, max_size=25, unique_by=lambda one: _same_key(one, len(key))))
    cut = draw(st.integers(1, len(drawn)))
    scene = Scene(key, drawn[:cut], ())
    names = [name for name, _ in scene.schema]
    held = []
    for one in drawn:
        item = scene.item(one)
        fate = draw(st.sampled_from(["absent", "same", "more", "less", "other"]))
        if fate == "more":
            item |= {"more": draw(values)}
        elif fate == "less":
            item = {name: item[name] for name in names}
        elif fate == "other":
            item = {**draw(bodies), **{name: item[name] for name in names}}
        if fate != "absent":
            held.append(item)
    return Scene(key, scene.rows, held)

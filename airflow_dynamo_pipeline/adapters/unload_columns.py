"""Columns whose types an UNLOAD writes as text only, and so not to Parquet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from airflow_dynamo_pipeline.adapters.sql_values import SourceColumn, type_word
from airflow_dynamo_pipeline.errors import ImportRefused, Problem

# By type code of a driver, or name of the Data API.
BYTES: Final = frozenset({17, 6551, "varbyte", "varbinary", "binary varying", "bytea"})
SHAPES: Final = frozenset({3000, 3001, 3999, "geometry", "geography"})
SKETCH: Final = "hllsketch"
# Both make a VARCHAR, and are errors of the database where that is too short.
HEX_OF_BYTES: Final = "FROM_VARBYTE({}, 'hex')"
HEX_OF_SHAPE: Final = "ST_AsHexEWKB({})"
MEND: Final = "cast it in the query, as to varchar, or take another method"


def in_parquet(columns: Sequence[SourceColumn]) -> Mapping[str, str]:
    """The expressions, by name of the column, by which columns get into Parquet; raises ImportRefused."""
    refused = [
        Problem(
            "sql", f"the column {column.name!r} is an HLLSKETCH, which UNLOAD cannot write to Parquet", MEND
        )
        for column in columns
        if _type(column) == SKETCH
    ]
    if refused:
        raise ImportRefused(refused)
    expressions = {column.name: _expression(column) for column in columns}
    return {name: expression for name, expression in expressions.items() if expression is not None}


def _expression(column: SourceColumn) -> str | None:
    kind = _type(column)
    if kind in BYTES:
        return HEX_OF_BYTES
    return HEX_OF_SHAPE if kind in SHAPES else None


def _type(column: SourceColumn) -> object:
    return type_word(column.code) if isinstance(column.code, str) else column.code

"""Rows by the Redshift Data API, which needs no connection and no driver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from airflow_dynamo_pipeline.adapters.query_facts import checked_columns, facts_of
from airflow_dynamo_pipeline.adapters.redshift_statements import Reply, Statements
from airflow_dynamo_pipeline.adapters.sql_text import DIALECTS, QueryText
from airflow_dynamo_pipeline.adapters.sql_values import SourceColumn, all_parsed, named, tidy
from airflow_dynamo_pipeline.errors import UnexpectedReply
from airflow_dynamo_pipeline.lookup.source import Column, QueryFacts, RowBatch

VALUES: Final = ("stringValue", "longValue", "doubleValue", "booleanValue", "blobValue")

Field = Mapping[str, Any]


class RedshiftDataSource:
    """One query by the Data API.

    The service's limits (Amazon Redshift Management Guide, "Troubleshooting issues for Amazon Redshift Data
    API" and "Considerations when calling the Amazon Redshift Data API"): a result of 500 MB, a row of
    64 KB, a statement of 100 KB, 24 hours for a statement and as long for its result. Above them a query
    fails and is refused: use UNLOAD. The columns, each count and the rows are statements of their own. So
    they are not one snapshot together; the rows are.
    """

    def __init__(self, statements: Statements, sql: str) -> None:
        """``statements`` says where the query runs."""
        self._statements = statements
        self._query = QueryText.of(sql, DIALECTS["redshift"])
        self._columns: Sequence[SourceColumn] | None = None

    @property
    def description(self) -> str:
        """The source for a log."""
        return f"a query of {self._statements.warehouse.place}, by the Data API"

    def columns(self) -> Sequence[Column]:
        """The result's columns, by a query without rows; raises what ``Statements.run`` raises."""
        return [found.column for found in self.source_columns()]

    def source_columns(self) -> Sequence[SourceColumn]:
        """The columns with the types that the service says; raises likewise."""
        if self._columns is None:
            statement = self._statements.run(self._query.probe)
            page = next(self._statements.pages(statement))
            self._columns = checked_columns(_columns(page))
        return self._columns

    def facts(self, key_columns: Sequence[str]) -> QueryFacts:
        """Count rows and find keys that repeat; raises likewise."""
        return facts_of(self._query, key_columns, self.source_columns(), self._selected)

    def batches(self) -> Iterator[RowBatch]:
        """Run the query and hand out its rows, a page of the service at a time."""
        columns = self.source_columns()
        statement = self._statements.run(self._query.rows())
        count = 0
        for page in self._statements.pages(statement):
            records = page["Records"]
            if [found.name for found in _columns(page)] != [found.name for found in columns]:
                raise UnexpectedReply("the query's columns are others than a moment ago")
            if records:
                count += len(records)
                yield RowBatch(_values(records, columns), len(records))
        if statement.rows is not None and statement.rows != count:
            raise UnexpectedReply(f"the database found {statement.rows:,} rows, and {count:,} came")

    def close(self) -> None:
        """Nothing is left: a statement that still ran was cancelled."""

    def _selected(self, sql: str, most: int) -> Sequence[Sequence[Any]]:
        """The first rows of a small result."""
        page = next(self._statements.pages(self._statements.run(sql)))
        columns, records = _columns(page), page["Records"][:most]
        return list(zip(*_values(records, columns), strict=True))


def _columns(page: Reply) -> Sequence[SourceColumn]:
    return [
        named(str(one.get("label") or one.get("name") or ""), str(one.get("typeName") or ""))
        for one in page["ColumnMetadata"]
    ]


def _values(
    records: Sequence[Sequence[Field]], columns: Sequence[SourceColumn]
) -> Sequence[Sequence[object]]:
    if not records:
        return [[] for _ in columns]
    return [
        tidy(column, all_parsed(column, [_value(field) for field in fields]))
        for column, fields in zip(columns, zip(*records, strict=True), strict=True)
    ]


def _value(field: Field) -> object:
    """What a field holds; raises UnexpectedReply for one of a kind that is not known."""
    if field.get("isNull"):
        return None
    for name in VALUES:
        if name in field:
            found: object = field[name]
            return found
    raise UnexpectedReply(f"a field of the Data API has {', '.join(field) or 'nothing'}")

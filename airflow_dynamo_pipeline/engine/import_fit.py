"""Whether what lies in a backup can be imported as it was asked, and into this table."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from airflow_dynamo_pipeline.engine.import_reading import stored_content
from airflow_dynamo_pipeline.engine.import_request import AUTO, ImportRequest
from airflow_dynamo_pipeline.engine.ports import ObjectStore, TableDescription
from airflow_dynamo_pipeline.engine.sources import Backup
from airflow_dynamo_pipeline.errors import PipelineError, Problem, UnexpectedReply
from airflow_dynamo_pipeline.formats.readers import READERS
from airflow_dynamo_pipeline.items.keys import KeyReader

CHANGES = "incremental"
LOOKED_AT = 100  # items of the first file, for their keys


def reader_problems(request: ImportRequest, readers: set[str]) -> Iterator[Problem]:
    """What rejected items and changes cannot be imported with."""
    if "rejects" in readers and request.file_format == AUTO:
        yield Problem(
            "file_format",
            "these are rejected items, whose lines say themselves how they are read",
            "look at them, and say file_format='rejects'",
        )
    if CHANGES in readers and request.on_conflict != "overwrite":
        yield Problem(
            "on_conflict",
            f"{request.on_conflict!r} cannot be used with incremental exports",
            "changes are applied in order: use 'overwrite'",
        )
    if CHANGES in readers and request.expired_items == "drop":
        yield Problem(
            "expired_items",
            "'drop' cannot be used with incremental exports: an item's older version would stay",
            "use 'keep'; DynamoDB deletes expired items by itself",
        )


def key_problems(
    request: ImportRequest, backup: Backup, table: TableDescription, store: ObjectStore
) -> Iterator[Problem]:
    """Whether the first items have this table's key; if none has, it is another table's backup."""
    stage = next((stage for stage in backup.stages if stage.files), None)
    if stage is None:
        return
    keys, seen, good, last = KeyReader(table.key), 0, 0, ""
    try:
        blocks = READERS[stage.reader].blocks(stored_content(store, stage.files[0].key), request.reading)
        for item in itertools.islice((item for block in blocks for item in block.items), LOOKED_AT):
            seen += 1
            try:
                keys.of(item)
                good += 1
            except UnexpectedReply as problem:
                last = str(problem)
    except ValueError as problem:
        yield Problem("s3_uri", f"{stage.files[0].key}: {problem}")
        return
    except PipelineError as problem:
        yield Problem("s3_uri", str(problem))
        return
    if seen and not good:
        schema = ", ".join(f"{one.name} ({one.tag})" for one in table.key)
        yield Problem(
            "table_name",
            f"table {table.name} has the key {schema}, and none of the first {seen} items has it: {last}",
            "this backup is of a table with another key",
        )

"""A change set brought into the table by the import: puts first, deletes last."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import msgspec

from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.import_request import ImportRequest
from airflow_dynamo_pipeline.engine.import_result import ImportResult
from airflow_dynamo_pipeline.engine.lease import Lease
from airflow_dynamo_pipeline.engine.ports import TableDescription, TableWriter
from airflow_dynamo_pipeline.engine.sources import Backup, BackupFile, Stage
from airflow_dynamo_pipeline.engine.table_import import import_table
from airflow_dynamo_pipeline.errors import ImportFailed, with_hint
from airflow_dynamo_pipeline.items.page import ReplyText
from airflow_dynamo_pipeline.lookup.plan import LookupPlan
from airflow_dynamo_pipeline.lookup.ports import LookupPorts
from airflow_dynamo_pipeline.lookup.progress import LookupReports
from airflow_dynamo_pipeline.lookup.records import ChangeFile, ChangeSet

READER = "changes"
MEND = (
    "mend the query or the mapping of its columns, or raise max_rejected; the next run compares anew and "
    "writes what is still missing"
)
ON_CONFLICT = {"insert_only": "skip", "update_existing": "condition"}  # others overwrite


def apply(
    plan: LookupPlan, ports: LookupPorts, reports: LookupReports, change_set: ChangeSet, lease: Lease
) -> ImportResult | None:
    """Write what the change set says, or what an earlier attempt left of it; None: there is nothing in it.

    Every write looks at the table's ``lease`` first, for the import's own is of this run only.
    """
    if not change_set.counts.changes:
        return None
    place = plan.place
    backup = Backup(
        identity=hashlib.sha256(msgspec.json.encode(change_set)).hexdigest(),
        kind="change set",
        stages=tuple(
            Stage(uri=f"{place.changes_uri}{name}/", reader=READER, files=_files(files))
            for name, files in (("puts", change_set.puts), ("deletes", change_set.deletes))
            if files
        ),
    )
    work = Work(run=place.run_id, generation="1", began_at=plan.work.began_at)
    request = import_request(plan, max_rejected=plan.load.max_rejected - change_set.counts.rejected)
    writing = replace(ports.writing, table=_LeasedWriter(ports.writing.table, lease))
    try:
        return import_table(request, work, writing, reports.of_writes, backup=backup)
    except ImportFailed as error:
        message, _, _ = str(error).partition("\nHINT: ")
        raise ImportFailed(with_hint(message, MEND)) from error


class _LeasedWriter:
    """A table that is written to only while the lease is held."""

    def __init__(self, inner: TableWriter, lease: Lease) -> None:
        self._inner = inner
        self._lease = lease

    def describe(self) -> TableDescription:
        """Describe the table."""
        return self._inner.describe()

    def ttl_attribute(self) -> str | None:
        """The attribute by which DynamoDB expires items."""
        return self._inner.ttl_attribute()

    def tags(self) -> Mapping[str, str]:
        """The table's tags."""
        return self._inner.tags()

    def write(self, operation: str, body: bytes) -> ReplyText:
        """Write, once; raises StaleAttempt where another run has the lease."""
        self._lease.beat()
        return self._inner.write(operation, body)


def import_request(plan: LookupPlan, *, max_rejected: int) -> ImportRequest:
    """The import of a change set of this load."""
    load = plan.load
    on_conflict = ON_CONFLICT.get(load.mode, "overwrite")
    conditional = on_conflict == "condition"
    return ImportRequest(
        table_name=load.table_name,
        s3_uri=(plan.place.changes_uri,),
        ratio=None if load.units_per_second is not None else load.ratio,
        units_per_second=load.units_per_second,
        segments=load.segments,
        file_format=READER,
        on_conflict=on_conflict,
        condition_expression="attribute_exists(#k)" if conditional else None,
        expression_attribute_names={"#k": plan.key[0].name} if conditional else {},
        max_rejected=max(0, max_rejected),
        rejects_s3_uri=plan.place.folder_uri,
        allow_protected=load.allow_protected,
        s3_sse_kms_key_id=load.s3_sse_kms_key_id,
    )


def _files(files: tuple[ChangeFile, ...]) -> tuple[BackupFile, ...]:
    return tuple(BackupFile(file.key, item_count=file.lines, md5=file.md5) for file in files)

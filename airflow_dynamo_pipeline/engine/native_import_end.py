"""The end of a native import: waiting for it, judging it, and saying what it left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from airflow_dynamo_pipeline.engine.native_import import NativeImportRequest
from airflow_dynamo_pipeline.engine.native_import_ports import NativeImport, NativeImportPorts, Restored
from airflow_dynamo_pipeline.engine.native_import_start import Begun, read_definition
from airflow_dynamo_pipeline.engine.native_jobs import COMPLETED
from airflow_dynamo_pipeline.engine.ports import JsonObject, TableDescription
from airflow_dynamo_pipeline.engine.table_definition import beyond_import
from airflow_dynamo_pipeline.errors import ImportFailed, PipelineError, Stopped, Temporary

FAILED = ("FAILED", "CANCELLED")
LINES = 20  # of the error log, in one message
LINE_CHARACTERS = 500
CLOCKS_DIFFER = timedelta(minutes=1)  # a table may be made a moment before its import says it started
RECENT = timedelta(minutes=15)  # after its end a table can be written to; delete_partial works within this
NEVER_RESTORED = (
    "time to live, point-in-time recovery, stream, tags, autoscaling, deletion protection or table class"
)
NOTHING = Restored(done=(), not_restored=())


@dataclass(frozen=True, kw_only=True, slots=True)
class NativeImportResult:
    """An import that did all that was asked."""

    import_arn: str
    table_arn: str
    table_name: str
    status: str
    items: int
    errors: int
    processed_items: int
    processed_bytes: int
    restored: Sequence[str]  # the settings that were put back
    not_restored: Sequence[str]  # what the definition has and the table has not

    def to_json(self) -> JsonObject:
        """The result as a JSON object."""
        lists = {"restored": list(self.restored), "not_restored": list(self.not_restored)}
        return {**asdict(self), **lists}


def wait(native: NativeImport, seconds: float, ports: NativeImportPorts) -> NativeImport:
    """Look every so many seconds until the import is over; raises Stopped when told to stop."""
    while native.is_running:
        ports.say(native.line())
        if ports.clock.wait(ports.stop, seconds):
            raise Stopped(
                f"told to stop; {native.arn} goes on, for imports cannot be cancelled, and a retry adopts it"
            )
        try:
            native = ports.imports.describe(native.arn)
        except Temporary as error:
            ports.warn(f"{error}; looking again in {seconds:g} s")
    return native


def finish(request: NativeImportRequest, begun: Begun, ports: NativeImportPorts) -> NativeImportResult:
    """Judge an import that is over; raises ImportFailed with all that is known of its failure."""
    native = begun.native
    ports.say(native.line())
    table = ports.imports.table(request.table_name)
    wrong = list(_wrong(native, begun.expected_items, table))
    if wrong:
        raise ImportFailed("\n".join([*wrong, *_aftermath(request, native, table, ports)]))
    if native.items < native.processed_items:
        ports.warn(
            f"{native.processed_items - native.items:,} items share their key with another of the backup: "
            "ImportTable kept one of each, whichever came last"
        )
    restored = _restored(request, begun, ports)
    return NativeImportResult(
        import_arn=native.arn,
        table_arn=native.table_arn,
        table_name=request.table_name,
        status=native.status,
        items=native.items,
        errors=native.errors,
        processed_items=native.processed_items,
        processed_bytes=native.processed_bytes,
        restored=restored.done,
        not_restored=restored.not_restored,
    )


def _wrong(native: NativeImport, expected: int | None, table: TableDescription | None) -> Iterator[str]:
    if native.status != COMPLETED:
        why = ": ".join(filter(None, (native.failure_code, native.failure_message)))
        yield f"{native.arn} is {native.status}" + (f" ({why})" if why else "")
    elif native.errors:
        yield f"{native.arn} is {native.status}, but with {native.errors:,} errors"
    elif expected is not None and native.processed_items != expected:
        yield (
            f"{native.arn} is {native.status}, but processed {native.processed_items:,} items; the manifest "
            f"lists {expected:,}"
        )
    elif table is None:
        yield f"{native.arn} is {native.status}, but its table was deleted since"
    elif native.table_id and table.table_id != native.table_id:
        yield f"{native.arn} is {native.status}, but its table was replaced since"


def _aftermath(
    request: NativeImportRequest,
    native: NativeImport,
    table: TableDescription | None,
    ports: NativeImportPorts,
) -> Iterator[str]:
    """Counts, the table that is left, and the lines of the error log."""
    yield native.line()
    yield _left(request, native, table, ports)
    try:
        log = ports.imports.error_log(native, LINES)
    except PipelineError as error:  # it must not hide the failure
        yield f"its error log could not be read: {error}"
        return
    if not log.lines:
        yield "its error log is empty"
        return
    yield f"its error log, {native.import_id}/error:"
    yield from (f"  {line[:LINE_CHARACTERS]}" for line in log.lines)
    if log.more:
        yield f"  and {'' if log.is_counted else 'at least '}{log.more:,} more lines"


def _left(
    request: NativeImportRequest,
    native: NativeImport,
    table: TableDescription | None,
    ports: NativeImportPorts,
) -> str:
    """What became of the table."""
    if table is None:
        return f"there is no table {request.table_name}"
    if not request.delete_partial:
        return (
            f"table {table.name} is left and may be partial: delete it before it is imported anew, or set "
            "delete_partial=True"
        )
    reason = why_kept(native, table, ports.clock.now())
    if reason is not None:
        return (
            f"table {table.name} is kept: {reason}. If nobody needs it, delete it by "
            f"`aws dynamodb delete-table --table-name {table.name}`"
        )
    try:
        ports.imports.delete_table(table.name)
    except PipelineError as error:
        return f"the partial table {table.name} could not be deleted: {error}"
    return f"the partial table {table.name} ({table.table_id}) was deleted, as delete_partial asks"


def why_kept(native: NativeImport, table: TableDescription, now: datetime) -> str | None:
    """Why a table must not be deleted as what a failed import left; None when this import just made it."""
    return next(_reasons_to_keep(native, table, now), None)


def _reasons_to_keep(native: NativeImport, table: TableDescription, now: datetime) -> Iterator[str]:
    if native.status not in FAILED:
        yield f"the import is {native.status}"
    if not native.table_id or (native.table_id, native.table_arn) != (table.table_id, table.arn):
        yield "it is not known to be the table that the import made"
    if not _is_younger(table, native.started_at):
        yield "it is not known to be made after the import began"
    if native.ended_at is None:
        yield "it is not known when the import ended"
    elif not -CLOCKS_DIFFER <= now - native.ended_at <= RECENT:
        ended_at = native.ended_at.astimezone(UTC).isoformat(timespec="seconds")
        minutes = RECENT // timedelta(minutes=1)
        yield (
            f"the import ended at {ended_at}, not within the last {minutes} minutes, and somebody may have "
            "written to it since"
        )
    if table.deletion_protected:
        yield "it is protected against deletion"
    if table.replicas or table.has_stream:
        yield "it has replicas or a stream, which somebody gave it since"


def _is_younger(table: TableDescription, started_at: datetime | None) -> bool:
    if started_at is None or not table.created_at:
        return False
    return datetime.fromisoformat(table.created_at) >= started_at - CLOCKS_DIFFER


def _restored(request: NativeImportRequest, begun: Begun, ports: NativeImportPorts) -> Restored:
    """Put settings back if that was asked for, and name what ImportTable did not make and nobody put back."""
    if begun.definition_uri is None:
        if request.restore_settings:
            raise ImportFailed(
                f"{begun.native.arn} is {COMPLETED}, but the definition of its settings was not found"
            )
        ports.say(f"ImportTable does not set {NEVER_RESTORED}")
        return NOTHING
    if request.restore_settings:
        restored = ports.restore(read_definition(begun.definition_uri, ports), request.table_name)
        ports.say(f"restored: {', '.join(restored.done) or 'nothing; all is as the definition says'}")
    else:
        restored = Restored(done=(), not_restored=_missing(begun.definition_uri, ports))
    if restored.not_restored:
        ports.warn(
            f"not restored: {'; '.join(restored.not_restored)}; restore_settings=True, or "
            f"`dynamo-pipeline table restore` of {begun.definition_uri}, puts back what can be"
        )
    return restored


def _missing(uri: str, ports: NativeImportPorts) -> Sequence[str]:
    try:
        return beyond_import(read_definition(uri, ports))
    except PipelineError as error:  # the import itself is good
        ports.warn(f"what is not restored cannot be told: {error}")
        return ()

"""Which prefix of S3 ImportTable is given: one below which lies all that is meant, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from airflow_dynamo_pipeline.engine.finding import find_backup
from airflow_dynamo_pipeline.engine.finding_exports import INCREMENTAL
from airflow_dynamo_pipeline.engine.import_reading import stored_content
from airflow_dynamo_pipeline.engine.manifest import decode_summary
from airflow_dynamo_pipeline.engine.native_import import (
    AUTO,
    INPUT_COMPRESSIONS,
    INPUT_FORMATS,
    NativeImportRequest,
)
from airflow_dynamo_pipeline.engine.ports import ObjectStore
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.engine.sources import Backup, Stage
from airflow_dynamo_pipeline.engine.table_definition import FILE_NAME
from airflow_dynamo_pipeline.engine.verify import SUMMARY_NAME
from airflow_dynamo_pipeline.errors import (
    ImportRefused,
    NotFound,
    Problem,
    UnexpectedReply,
    UnknownVersion,
)
from airflow_dynamo_pipeline.formats.compression import MAGIC_BYTES, compression_of
from airflow_dynamo_pipeline.formats.detection import detect_content

WHERE = "s3_uri"
NAMED = 5  # files, in one message
MOST_OBJECTS = 50_000  # of one import; a quota that AWS raises on request
UNCOMPARED = "the import goes on; when it is over, compare its count of items with the manifest's yourself"
OTHER = "DynamoDBImportOperator reads it, into a table that exists"


@dataclass(frozen=True, kw_only=True, slots=True)
class NativeSource:
    """What ImportTable is told of its source."""

    location: S3Location  # its prefix may end in a slash
    input_format: str  # DYNAMODB_JSON, ION or CSV
    compression: str  # GZIP, ZSTD or NONE
    item_count: int | None  # as the manifest says
    definition_key: str | None  # where an export keeps the definition of its table

    def members(self, request: NativeImportRequest) -> dict[str, Any]:
        """The members of ImportTable's request."""
        bucket = {"S3Bucket": self.location.bucket}
        if self.location.prefix:
            bucket["S3KeyPrefix"] = self.location.prefix
        if request.s3_bucket_owner is not None:
            bucket["S3BucketOwner"] = request.s3_bucket_owner
        csv: dict[str, Any] = {}
        if request.csv_delimiter is not None:
            csv["Delimiter"] = request.csv_delimiter
        if request.csv_columns:
            csv["HeaderList"] = list(request.csv_columns)
        return {
            "S3BucketSource": bucket,
            "InputFormat": self.input_format,
            "InputCompressionType": self.compression,
            **({"InputFormatOptions": {"Csv": csv}} if csv and self.input_format == "CSV" else {}),
        }


def find_source(
    request: NativeImportRequest,
    store: ObjectStore,
    say: Callable[[str], None],
    warn: Callable[[str], None],
) -> NativeSource:
    """Find the prefix, format and compression; raises PreflightFailed with all problems."""
    _check_full(request.source_uri, store)
    backup = find_backup(
        [request.source_uri],
        request.file_format,
        store,
        changes_from=None,
        sniff=lambda key: detect_content(stored_content(store, key)),
        say=say,
        warn=warn,
    )
    stage = backup.stages[0]
    problems = list(_format_problems(stage.reader, stage.uri, request))
    location, compression = _place(stage, request, store, problems, warn)
    if problems:
        raise ImportRefused(problems)
    return NativeSource(
        location=location,
        input_format=INPUT_FORMATS[stage.reader],
        compression=compression,
        item_count=backup.item_count if _has_counts(backup) else None,
        definition_key=_definition_key(stage.uri),
    )


def _check_full(uri: str, store: ObjectStore) -> None:
    """Refuse an incremental export; whatever else is wrong with a manifest is found with its files."""
    key = _summary_key(uri)
    stored = store.get(key)
    with suppress(UnexpectedReply, UnknownVersion):
        if stored is not None and decode_summary(stored.body, key).export_type == INCREMENTAL:
            what = f"{uri} is an incremental export, which ImportTable does not read"
            raise ImportRefused([Problem(WHERE, what, OTHER)])


def manifest_count(request: NativeImportRequest, store: ObjectStore) -> int | None:
    """How many items the manifest lists, whatever became of its files; None where there is no manifest.

    Raises AccessDenied where that cannot be seen, NotFound when a manifest that is named is gone, and
    ImportRefused when there are manifests below a folder and none in it.
    """
    uri = request.source_uri
    stored = store.get(_summary_key(uri))
    if stored is not None:
        return decode_summary(stored.body, _summary_key(uri)).item_count
    if uri.endswith(f"/{SUMMARY_NAME}"):
        raise NotFound("key", uri, UNCOMPARED)
    folder = S3Location.parse(uri).prefix
    below = [key for key in store.keys(f"{folder}/" if folder else "") if key.endswith(f"/{SUMMARY_NAME}")]
    if below:
        raise ImportRefused(
            [Problem(WHERE, f"{uri} cannot be read, and {below[0]} lies below it", UNCOMPARED)]
        )
    return None


def _summary_key(uri: str) -> str:
    place = S3Location.parse(uri)
    return place.prefix if place.prefix.endswith(SUMMARY_NAME) else place.key(SUMMARY_NAME)


def _place(
    stage: Stage,
    request: NativeImportRequest,
    store: ObjectStore,
    problems: list[Problem],
    warn: Callable[[str], None],
) -> tuple[S3Location, str]:
    """The prefix of all files and how they are compressed; what is wrong with them is added."""
    keys = [file.key for file in stage.files]
    if len(keys) > MOST_OBJECTS:
        warn(f"{stage.uri} has {len(keys):,} files; an import takes {MOST_OBJECTS:,} unless AWS allows more")
    bucket, prefix = S3Location.parse(stage.uri).bucket, _prefix(keys, stage.uri)
    location = S3Location(bucket, prefix or "")
    problems += [_no_prefix(keys, stage.uri)] if prefix is None else _extra(location, keys, store)
    return location, _compression(keys, request, store, problems)


def _has_counts(backup: Backup) -> bool:
    return backup.kind in ("export", "native export")


def _definition_key(uri: str) -> str | None:
    key = S3Location.parse(uri).prefix
    return key.removesuffix(SUMMARY_NAME) + FILE_NAME if key.endswith(SUMMARY_NAME) else None


def _format_problems(reader: str, uri: str, request: NativeImportRequest) -> Sequence[Problem]:
    if reader not in INPUT_FORMATS:
        return [Problem(WHERE, f"{uri} is of {reader!r}, which ImportTable does not read", OTHER)]
    if reader != "csv" and (request.csv_columns or request.csv_delimiter):
        return [Problem("csv_columns, csv_delimiter", f"{uri} is of {reader!r}, not of CSV")]
    return []


def _prefix(keys: Sequence[str], uri: str) -> str | None:
    """The folder that holds all files, with its slash, or the one file that was named itself."""
    if [S3Location.parse(uri).prefix] == list(keys):
        return keys[0]
    folders = {key.rpartition("/")[0] for key in keys}
    if len(folders) != 1:
        return None
    folder = folders.pop()
    return f"{folder}/" if folder else ""


def _no_prefix(keys: Sequence[str], uri: str) -> Problem:
    if not keys:
        hint = "an empty table is made by `dynamo-pipeline table restore`"
        return Problem(WHERE, f"{uri} has no files: there is nothing to import", hint)
    return Problem(WHERE, f"the files of {uri} do not lie in one folder, and ImportTable takes one", OTHER)


def _extra(place: S3Location, keys: Sequence[str], store: ObjectStore) -> Sequence[Problem]:
    """ImportTable reads whatever begins with the prefix."""
    listed = frozenset(keys)
    extra = sorted(key for key in store.keys(place.prefix) if key not in listed)
    if not extra:
        return []
    named = ", ".join(extra[:NAMED]) + (f" and {len(extra) - NAMED:,} more" if len(extra) > NAMED else "")
    uri = f"s3://{place.bucket}/{place.prefix}"
    what = f"{uri} holds {len(extra):,} files that are not of the backup: {named}"
    return [Problem(WHERE, what, f"ImportTable would read them, too: move them away; {OTHER}")]


def _compression(
    keys: Sequence[str], request: NativeImportRequest, store: ObjectStore, problems: list[Problem]
) -> str:
    """As asked for, or as the first file of each suffix begins."""
    if request.compression != AUTO or not keys:
        return INPUT_COMPRESSIONS.get(request.compression, "NONE")
    firsts: Mapping[str, str] = {key.rpartition(".")[2]: key for key in reversed(keys)}
    found = {key: _compressed_by(key, store) for key in firsts.values()}
    if len(set(found.values())) > 1:
        each = ", ".join(f"{key} is {name}" for key, name in sorted(found.items()))
        problems.append(Problem(WHERE, f"files are compressed in several ways: {each}", OTHER))
    return INPUT_COMPRESSIONS[next(iter(found.values()))]


def _compressed_by(key: str, store: ObjectStore) -> str:
    first = store.read_range(key, 0, min(MAGIC_BYTES, store.size(key))) if store.size(key) else b""
    return compression_of(first).name

"""Which datasets each operator reads and writes, from its settings and the record that it returned.

A dataset keeps its name from run to run: what is exported below a prefix is the prefix's dataset, and the
export's id is its version. A table is named by its ARN, which is known when there is a record; before that,
and after a failure, only where ``table_name`` is an ARN. Nothing here asks AWS.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from airflow_dynamo_pipeline.engine import settings
from airflow_dynamo_pipeline.engine.import_request import uris
from airflow_dynamo_pipeline.engine.layout import ROOT
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.errors import InvalidSetting
from airflow_dynamo_pipeline.operators.dataset_names import dynamodb_dataset, s3_dataset

Settings = Mapping[str, Any]
Record = Mapping[str, Any]  # what execute returned; empty as long as it has not

SETTINGS = ("table_name", "s3_uri", "manifest_uri", "filter_expression", "is_dry_run")
BUCKET_NAME = re.compile(r"[A-Za-z0-9._-]+")
EQUALS_MANIFEST = "equals_manifest"
EQUALS_TABLE = "equals_table"
EQUALS_EXPORT = "equals_export"


@dataclass(frozen=True, kw_only=True, slots=True)
class Moved:
    """A dataset, and how much of it was read or written; None where nobody counted."""

    namespace: str
    name: str
    version: str | None = None
    items: int | None = None
    stored_bytes: int | None = None
    files: int | None = None
    is_made: bool = False  # by this run
    proven: tuple[str, ...] = ()  # what a check found to be true


@dataclass(frozen=True, kw_only=True, slots=True)
class Flow:
    """From where to where items moved."""

    inputs: tuple[Moved, ...] = ()
    outputs: tuple[Moved, ...] = ()


FlowOf = Callable[[Settings, Record], Flow]


def export_flow(given: Settings, record: Record) -> Flow:
    """Of a scan, a native export, or the one that ``method="auto"`` has picked."""
    arn = record.get("table_arn") or record.get("export_arn") or given["table_name"]
    items = record.get("item_count")
    read = items if _reads_what_it_writes(given, record) else None
    written = replace(
        _exported(record.get("manifest_uri") or given["s3_uri"]),
        items=items,
        stored_bytes=record.get("stored_bytes"),
        files=record.get("parts"),
    )
    return Flow(inputs=_table(arn, items=read), outputs=(written,))


def import_flow(given: Settings, record: Record) -> Flow:
    """Of an import into an existing table; a rehearsal writes nothing."""
    read = _sources(uris("s3_uri", given["s3_uri"]), items=record.get("read"))
    if record.get("dry_run", settings.flag("dry_run", given["is_dry_run"])):
        return Flow(inputs=read)
    put = record["written"] - record["deleted"] if record else None
    outputs = _table(record.get("table_arn") or given["table_name"], items=put)
    if record.get("rejects_uri"):
        outputs += (replace(_exported(record["rejects_uri"]), items=record["rejected"]),)
    return Flow(inputs=read, outputs=outputs)


def table_import_flow(given: Settings, record: Record) -> Flow:
    """Of an import that makes its table."""
    uri = given["manifest_uri"] if settings.is_given(given["manifest_uri"]) else given["s3_uri"] or ""
    read = replace(
        _exported(uri), items=record.get("processed_items"), stored_bytes=record.get("processed_bytes")
    )
    table = _table(record.get("table_arn") or given["table_name"], items=record.get("items"))
    return Flow(inputs=(read,), outputs=tuple(replace(each, is_made=bool(record)) for each in table))


def verify_flow(given: Settings, record: Record) -> Flow:
    """Of a check: it only reads, and its record says what is equal."""
    arn = record.get("table_arn") or given["table_name"]
    compared = _table(arn, items=record.get("table_item_count"), proven=(EQUALS_EXPORT,) if record else ())
    proven = (EQUALS_MANIFEST, *((EQUALS_TABLE,) if compared else ())) if record else ()
    export = replace(
        _exported(given["manifest_uri"]),
        items=record.get("item_count"),
        stored_bytes=record.get("stored_bytes"),
        files=record.get("files"),
        proven=proven,
    )
    return Flow(inputs=(export, *compared))


def lookup_flow(given: Settings, record: Record) -> Flow:
    """Of a lookup load: from the database of its query; a dry run only compares with the table."""
    source = given.get("read_from")
    inputs: tuple[Moved, ...] = ()
    if source:
        inputs = (Moved(namespace=source[0], name=source[1], items=record.get("rows")),)
    arn = record.get("table_arn") or given["table_name"]
    if record.get("dry_run", settings.flag("dry_run", given["is_dry_run"])):
        return Flow(inputs=(*inputs, *_table(arn, items=record.get("table_items"))))
    put = record["written"] - record["deleted"] if record else None
    outputs = _table(arn, items=put)
    if record.get("rejects_uri"):
        outputs += (replace(_exported(given["s3_uri"]), items=record["rejected"]),)
    return Flow(inputs=inputs, outputs=outputs)


def _reads_what_it_writes(given: Settings, record: Record) -> bool:
    """Whether as many items were read as written: a filter drops some, changes are not the table's items."""
    return not settings.is_given(given["filter_expression"]) and record.get("export_type") != "incremental"


def _table(arn: object, **known: Any) -> tuple[Moved, ...]:
    """The table of an ARN; nothing for what is only its name, or not given."""
    if not isinstance(arn, str) or not arn.startswith("arn:"):
        return ()
    namespace, name = dynamodb_dataset(arn)
    return (Moved(namespace=namespace, name=name, **known),)


def _exported(uri: str) -> Moved:
    """The dataset of an export's folder, or of anything in it, is the prefix that the export was made below.

    >>> found = _exported("s3://backups/orders/AWSDynamoDB/0163-cafe/manifest-summary.json")
    >>> found.namespace, found.name, found.version
    ('s3://backups', 'orders', '0163-cafe')
    """
    place = S3Location.parse(uri)
    if not BUCKET_NAME.fullmatch(place.bucket):  # credentials before an @, which nobody is to see
        raise InvalidSetting("s3_uri", uri, "s3://bucket/prefix")
    names = place.prefix.split("/")
    version = None
    if ROOT in names:
        at = len(names) - 1 - names[::-1].index(ROOT)
        names, below = names[:at], names[at + 1 :]
        version = below[0] if below else None
    namespace, name = s3_dataset(S3Location(place.bucket, "/".join(names)).uri())
    return Moved(namespace=namespace, name=name, version=version)


def _sources(found: Iterable[str], items: int | None) -> tuple[Moved, ...]:
    """Each dataset once, at its last version; of several nobody knows which item came from where."""
    by_name = {(each.namespace, each.name): each for each in map(_exported, found)}
    if len(by_name) == 1:
        return tuple(replace(each, items=items) for each in by_name.values())
    return tuple(by_name.values())

"""Fields of the form with which a person triggers a DAG: named, explained, with the engine's own limits.

Each function makes a ``Param`` for the setting of the same name, with the operator's own limits. One is
narrower: a table is named by its name only, though operators take its ARN, too. The words that can be chosen
are those that this version of the package knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from airflow_dynamo_pipeline.airflow_versions import Param
from airflow_dynamo_pipeline.engine.conditions_tables import VIEW_TYPES
from airflow_dynamo_pipeline.engine.import_request import AUTO, ON_CONFLICT
from airflow_dynamo_pipeline.engine.native_export_request import ON_GAP
from airflow_dynamo_pipeline.engine.requests import DEFAULT_RATIO, MAX_RATIO
from airflow_dynamo_pipeline.formats import FORMATS
from airflow_dynamo_pipeline.formats.compression import COMPRESSIONS
from airflow_dynamo_pipeline.formats.readers import READERS

TABLE_NAME = r"^[a-zA-Z0-9_.\-]+$"
NAME_LENGTHS = (3, 255)  # DynamoDB's limits for names of tables
S3_URI = r"^s3[an]?://[^/]+(/.*)?$"
OBJECT_URI = r"^s3[an]?://[^/]+/.+$"
MANIFEST_URI = r"^s3[an]?://[^/]+/(.+/)?AWSDynamoDB/[^/]+/manifest-summary\.json$"
NEEDS_MORE = ("newer", "condition")  # of on_conflict: these come with further settings
WORDS = {
    "dynamodb_json": "DynamoDB JSON: lossless, as DynamoDB's own exports",
    "data_pipeline": "AWS Data Pipeline: as its backups",
    "plain_json": "Plain JSON lines: for other programs, types are lost",
    "incremental": "DynamoDB's incremental exports",
    "ion": "Amazon Ion",
    "csv": "CSV",
    "parquet": "Parquet",
    "rejects": "Rejected items of an earlier import",
    "auto": "Tell it from the files",
    "gzip": "gzip",
    "zstd": "zstd: smaller and faster, needs the extra zstd",
    "none": "Not compressed",
    "overwrite": "Overwrite the item that is there",
    "skip": "Keep the item that is there",
    "fail": "Stop at the first item that is there",
    "KEYS_ONLY": "Keys only",
    "NEW_IMAGE": "The item after the change",
    "OLD_IMAGE": "The item before the change",
    "NEW_AND_OLD_IMAGES": "The item before and after the change",
}


def table_name(default: str, description: str = "The DynamoDB table to read") -> Param:
    """A table's name: 3 to 255 letters, digits, ``_``, ``.`` and ``-``."""
    least, most = NAME_LENGTHS
    return Param(
        default,
        type="string",
        title="Table",
        description=description,
        minLength=least,
        maxLength=most,
        pattern=TABLE_NAME,
    )


def s3_uri(
    default: str, title: str = "Target on S3", description: str = "Exports go below this prefix"
) -> Param:
    """A bucket and a prefix: ``s3://bucket/prefix``."""
    return Param(default, type="string", title=title, description=description, pattern=S3_URI)


def object_uri(default: str, title: str, description: str) -> Param:
    """One object: ``s3://bucket/key``."""
    return Param(default, type="string", title=title, description=description, pattern=OBJECT_URI)


def manifest_uri(
    default: str | None, description: str = "The manifest-summary.json of a finished export"
) -> Param:
    """The manifest of an export: ``s3://.../AWSDynamoDB/<export-id>/manifest-summary.json``.

    With None for ``default`` the field may be left empty.
    """
    return Param(
        default,
        type="string" if default is not None else ["null", "string"],
        title="Manifest",
        description=description,
        pattern=MANIFEST_URI,
    )


def ratio(default: float = DEFAULT_RATIO, *, kind: str = "read", most: float = MAX_RATIO) -> Param:
    """A share of a table's capacity, above 0 and at most 1.5. ``kind``: "read" or "write"."""
    return Param(
        default,
        type="number",
        title=f"Share of the {kind} capacity",
        description=f"Above 0 and at most {most:g}; {DEFAULT_RATIO:g} is a quarter of what the table has",
        exclusiveMinimum=0,
        maximum=most,
    )


def units_per_second(default: float, *, kind: str = "read") -> Param:
    """An absolute rate in capacity units per second, 1 or more. ``kind``: "read" or "write"."""
    return Param(
        default,
        type="number",
        title=f"{kind.capitalize()} units per second",
        description="The rate is never higher, whatever the capacity of the table; 1 or more",
        minimum=1,
    )


def seconds(default: float, title: str, description: str) -> Param:
    """A time in seconds, above 0."""
    return Param(default, type="number", title=title, description=description, exclusiveMinimum=0)


def whole_number(default: int, title: str, description: str, *, least: int = 0) -> Param:
    """A whole number, as ``max_rejected`` and units are."""
    return Param(default, type="integer", title=title, description=description, minimum=least)


def max_rejected(default: int = 0) -> Param:
    """How many items an import may reject."""
    return whole_number(
        default,
        "Rejected items allowed",
        "Items that cannot be written are put aside with their reasons; with more than this many the import "
        "fails",
    )


def dry_run(*, default: bool = True) -> Param:
    """Whether an import only reads and judges."""
    return Param(
        default,
        type="boolean",
        title="Rehearse",
        description="Read and judge every item, but write nothing",
    )


def file_format(default: str = "dynamodb_json") -> Param:
    """The format of an export: one of the package's ``FORMATS``."""
    return choice(default, FORMATS, "File format", "DynamoDB JSON is what DynamoDB imports itself")


def import_format(default: str = AUTO) -> Param:
    """The format of what is imported: ``auto``, or one of the package's ``READERS``."""
    return choice(default, (AUTO, *READERS), "File format", "How the files that are imported are written")


def compression(default: str = "gzip") -> Param:
    """The compression of an export: one of the package's ``COMPRESSIONS``."""
    return choice(default, COMPRESSIONS, "Compression", "Of every file that is written")


def on_conflict(default: str = "skip") -> Param:
    """What an import does where the table has an item with the same key."""
    words = [word for word in ON_CONFLICT if word not in NEEDS_MORE]
    return choice(
        default, words, "Items that are there", "What to do where the table has an item of the same key"
    )


def on_gap(default: str = "fail") -> Param:
    """What an incremental native export does where changes cannot follow on what was exported before."""
    said = {"fail": "Fail and say so", "full": "Make a new base: a full export"}
    return choice(
        default,
        ON_GAP,
        "Gap in the changes",
        "What to do where changes cannot follow on what was exported before",
        said,
    )


def view_type(description: str, default: str = "NEW_AND_OLD_IMAGES") -> Param:
    """What the records of a table's stream hold."""
    return choice(default, VIEW_TYPES, "Records of the stream", description)


def choice(
    default: str,
    words: Iterable[str],
    title: str,
    description: str,
    said: Mapping[str, str] | None = None,
) -> Param:
    """One of several words; ``said`` is what the form shows for them, by word."""
    known = list(words)
    shown = {**WORDS, **(said or {})}
    return Param(
        default,
        type="string",
        title=title,
        description=description,
        enum=known,
        values_display={word: shown.get(word, word) for word in known},
    )

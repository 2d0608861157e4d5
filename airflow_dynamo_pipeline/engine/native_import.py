"""What a native import is asked to do, and how it is recognised again.

DynamoDB's ImportTable makes a new table and fills it from all that lies below one prefix of S3. It cannot be
cancelled, and is paid for by the byte, so an import that this run began is always adopted, never begun twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from airflow_dynamo_pipeline.engine import settings
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.import_request import names
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.engine.verify import SUMMARY_NAME
from airflow_dynamo_pipeline.errors import InvalidRequest, InvalidSetting, Problem

AUTO = "auto"
INPUT_FORMATS = {"dynamodb_json": "DYNAMODB_JSON", "ion": "ION", "csv": "CSV"}
INPUT_COMPRESSIONS = {"gzip": "GZIP", "zstd": "ZSTD", "none": "NONE"}
DELIMITERS = ",;:|\t "
BLANKS: Mapping[object, str] = {"\t": r"\t", " ": "space"}
MOST_COLUMNS = 255
ACCOUNT_DIGITS = 12
PARAMETERS = frozenset(  # of TableCreationParameters; VectorIndexes since 2026
    {
        "TableName",
        "AttributeDefinitions",
        "KeySchema",
        "BillingMode",
        "ProvisionedThroughput",
        "OnDemandThroughput",
        "SSESpecification",
        "GlobalSecondaryIndexes",
        "VectorIndexes",
    }
)
NEEDED = ("AttributeDefinitions", "KeySchema")
AFTERWARDS = ("delete_partial", "restore_settings")  # settings that ImportTable never sees


@dataclass(frozen=True, kw_only=True, slots=True)
class NativeImportRequest:
    """Which files become which table. None: not given."""

    table_name: str
    s3_uri: str | None = None
    manifest_uri: str | None = None
    table_definition: Mapping[str, Any] | None = None
    definition_s3_uri: str | None = None
    file_format: str = AUTO
    compression: str = AUTO
    csv_delimiter: str | None = None
    csv_columns: Sequence[str] = ()
    s3_bucket_owner: str | None = None
    delete_partial: bool = False
    restore_settings: bool = False

    def __post_init__(self) -> None:
        """Raise InvalidRequest with every problem there is."""
        problems = [problem for check in CHECKS for problem in check(self)]
        if problems:
            raise InvalidRequest(problems)

    @classmethod
    def from_settings(cls, given: Mapping[str, object]) -> NativeImportRequest:
        """Make a request of values as templates deliver them; raises InvalidRequest with all problems."""
        delimiter = given.get("csv_delimiter")
        if delimiter in BLANKS:  # white space alone would count as not given
            given = {**given, "csv_delimiter": BLANKS[delimiter]}
        return settings.build(cls, given, COERCIONS, required=REQUIRED, what="a native import")

    def to_settings(self) -> dict[str, Any]:
        """The settings as JSON values, of which ``from_settings`` makes this request again."""
        given = {item.name: getattr(self, item.name) for item in fields(self)}
        lists = {"csv_columns": list(self.csv_columns)}
        return {name: value for name, value in (given | lists).items() if value is not None}

    @property
    def source_uri(self) -> str:
        """Where the files, or their manifest, lie."""
        return self.manifest_uri or self.s3_uri or ""

    def fingerprint(self) -> str:
        """A hash of all that decides what is imported as what."""
        what = {item.name: getattr(self, item.name) for item in fields(self) if item.name not in AFTERWARDS}
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def token_root(request: NativeImportRequest, work: Work) -> str:
    """What the tokens of all imports of this run and these settings begin with."""
    what = f"{work.run or ''}\n{request.fingerprint()}"
    return hashlib.sha256(what.encode()).hexdigest()[:32] + "-"


def client_token(request: NativeImportRequest, work: Work) -> str:
    """The ClientToken: the same for every attempt at this work, another after Clear."""
    return token_root(request, work) + work.generation


def _definition(name: str, value: object) -> Mapping[str, Any]:
    return json.loads(json.dumps(settings.mapping(name, value)))  # type: ignore[no-any-return]


def _delimiter(name: str, value: object) -> str:
    return " " if value == BLANKS[" "] else settings.one_character(name, value)


def _account(name: str, value: object) -> str:
    found = str(value).strip()
    if not (found.isascii() and found.isdigit() and len(found) == ACCOUNT_DIGITS):
        raise InvalidSetting(name, value, "an account's 12 digits, as text")
    return found


REQUIRED = {"table_name": "unknown"}
COERCIONS: Mapping[str, settings.Coercion] = {
    "table_name": settings.text,
    "s3_uri": settings.text,
    "manifest_uri": settings.text,
    "table_definition": _definition,
    "definition_s3_uri": settings.text,
    "file_format": settings.one_of(AUTO, *INPUT_FORMATS),
    "compression": settings.one_of(AUTO, *INPUT_COMPRESSIONS),
    "csv_delimiter": _delimiter,
    "csv_columns": names,
    "s3_bucket_owner": _account,
    "delete_partial": settings.flag,
    "restore_settings": settings.flag,
}


def _check_places(request: NativeImportRequest) -> Iterator[Problem]:
    if (request.s3_uri is None) == (request.manifest_uri is None):
        found = "neither is given" if request.s3_uri is None else "both are given"
        yield Problem("s3_uri, manifest_uri", found, "give the manifest of an export, or where files lie")
    for name in ("s3_uri", "manifest_uri", "definition_s3_uri"):
        uri = getattr(request, name)
        try:
            S3Location.parse(uri or "s3://none", name)
        except InvalidSetting:
            yield Problem(name, f"{uri!r} is not s3://bucket/key", "name a bucket after s3://")
    if request.manifest_uri is not None and not request.manifest_uri.endswith(f"/{SUMMARY_NAME}"):
        yield Problem("manifest_uri", f"{request.manifest_uri!r} does not end in /{SUMMARY_NAME}")


def _check_definition(request: NativeImportRequest) -> Iterator[Problem]:
    if request.table_definition is None:
        return
    yield from _check_members(request.table_definition, request.table_name)
    if request.definition_s3_uri is not None:
        both = "table_definition, definition_s3_uri"
        yield Problem(both, "both are given; they may contradict each other")
    if request.restore_settings:
        hint = "give a stored definition by definition_s3_uri"
        yield Problem("restore_settings", "table_definition holds no settings to put back", hint)


def _check_members(given: Mapping[str, Any], table_name: str) -> Iterator[Problem]:
    for name in sorted(given.keys() - PARAMETERS):
        hint = "ImportTable cannot make it; `dynamo-pipeline table restore` sets it afterwards"
        if name == "LocalSecondaryIndexes":
            hint = "a table with local indexes is made first, and filled by DynamoDBImportOperator"
        yield Problem("table_definition", f"{name} is not one of {', '.join(sorted(PARAMETERS))}", hint)
    for name in NEEDED:
        if not given.get(name):
            yield Problem("table_definition", f"has no {name}")
    named = given.get("TableName", table_name)
    if named != table_name:
        yield Problem("table_definition", f"TableName is {named!r}, table_name {table_name!r}")


def _check_csv(request: NativeImportRequest) -> Iterator[Problem]:
    for name in ("csv_delimiter", "csv_columns"):
        if getattr(request, name) and request.file_format not in (AUTO, "csv"):
            yield Problem(name, f"is of CSV files, and file_format is {request.file_format!r}")
    if request.csv_delimiter and request.csv_delimiter not in DELIMITERS:
        hint = "ImportTable takes a comma, semicolon, colon, bar, tab or space"
        yield Problem("csv_delimiter", f"{request.csv_delimiter!r} cannot be used", hint)
    if len(request.csv_columns) > MOST_COLUMNS:
        yield Problem("csv_columns", f"{len(request.csv_columns)} are more than {MOST_COLUMNS}")


CHECKS: tuple[Callable[[NativeImportRequest], Iterator[Problem]], ...] = (
    _check_places,
    _check_definition,
    _check_csv,
)

assert {item.name for item in fields(NativeImportRequest)} == set(COERCIONS)  # noqa: S101  one table, never half

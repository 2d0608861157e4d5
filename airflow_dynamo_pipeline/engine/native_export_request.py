"""What a person asks of a native export: frozen, refused as a whole when it cannot work."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any

from airflow_dynamo_pipeline.engine import settings
from airflow_dynamo_pipeline.engine.conditions import instant
from airflow_dynamo_pipeline.engine.ports import JsonObject
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.errors import InvalidRequest, InvalidSetting, Problem

EXPORT_TYPES = ("full", "incremental")
FORMATS = {"dynamodb_json": "DYNAMODB_JSON", "ion": "ION"}  # our names and DynamoDB's
VIEW_TYPES = ("NEW_AND_OLD_IMAGES", "NEW_IMAGE")
ALGORITHMS = ("AES256", "KMS")
ON_GAP = ("fail", "full")


@dataclass(frozen=True, kw_only=True, slots=True)
class NativeExportRequest:
    """What to export by point-in-time recovery, and where to.

    Build it with ``from_settings`` where values come from templates or forms.
    """

    table_name: str
    s3_uri: str
    export_type: str = "full"
    export_time: datetime | None = None  # of incremental exports: the end; None: as late as recovery allows
    file_format: str = "dynamodb_json"
    view_type: str = "NEW_AND_OLD_IMAGES"  # of incremental exports
    on_gap: str = "fail"  # of incremental exports
    s3_bucket_owner: str | None = None  # an account
    s3_sse_algorithm: str | None = None  # None: the bucket's own
    s3_sse_kms_key_id: str | None = None

    def __post_init__(self) -> None:
        """Refuse the request with every problem found."""
        problems = [*_check_words(self), *_check_place(self), *_check_encryption(self)]
        if problems:
            raise InvalidRequest(problems)

    @classmethod
    def from_settings(cls, given: Mapping[str, object]) -> NativeExportRequest:
        """Coerce values as templates and forms deliver them; raises InvalidRequest with all problems.

        None, an empty string and the text ``None`` count as not given.
        """
        return settings.build(cls, given, COERCIONS, required=REQUIRED, what="a native export")

    @property
    def location(self) -> S3Location:
        """The target as bucket and prefix."""
        return S3Location.parse(self.s3_uri)

    def to_json(self) -> JsonObject:
        """What ``from_settings`` makes the same request of."""
        at = self.export_time
        return asdict(self) | {"export_time": None if at is None else at.isoformat()}

    def fingerprint(self) -> str:
        """A hash of everything that is asked."""
        what = asdict(self) | {"s3_uri": self.location.uri()}
        return hashlib.sha256(json.dumps(what, sort_keys=True, default=str).encode()).hexdigest()

    def parameters(self, table_arn: str) -> dict[str, Any]:
        """What ExportTableToPointInTime takes, without the token and the times."""
        location = self.location
        given = {
            "TableArn": table_arn,
            "S3Bucket": location.bucket,
            "S3Prefix": location.prefix or None,
            "S3BucketOwner": self.s3_bucket_owner,
            "S3SseAlgorithm": self.s3_sse_algorithm,
            "S3SseKmsKeyId": self.s3_sse_kms_key_id,
            "ExportFormat": FORMATS[self.file_format],
        }
        return {name: value for name, value in given.items() if value is not None}


def _exact_second(name: str, value: object) -> datetime | None:
    """An instant in UTC; what DynamoDB takes are whole seconds, so the rest is cut off."""
    found = instant(name, value)
    return None if found is None else found.astimezone(UTC).replace(microsecond=0)


def _lower(*words: str) -> settings.Coercion:
    """A coercion that takes these words in any case."""
    known = settings.one_of(*words)
    return lambda name, value: known(name, value.strip().lower() if isinstance(value, str) else value)


def _upper(*words: str) -> settings.Coercion:
    known = settings.one_of(*words)
    return lambda name, value: known(name, value.strip().upper() if isinstance(value, str) else value)


def _account(name: str, value: object) -> str:
    """An account's twelve digits; a number may have lost its leading zeros on its way."""
    text = f"{value:012}" if isinstance(value, int) else str(value).strip()
    if not (text.isascii() and text.isdigit() and len(text) == ACCOUNT_DIGITS):
        raise InvalidSetting(name, value, "the twelve digits of an AWS account")
    return text


ACCOUNT_DIGITS = 12
REQUIRED = {"table_name": "unknown", "s3_uri": "s3://unknown"}  # each with what may stand in for it
COERCIONS: Mapping[str, settings.Coercion] = {
    "table_name": settings.text,
    "s3_uri": settings.text,
    "export_type": _lower(*EXPORT_TYPES),
    "export_time": _exact_second,
    "file_format": _lower(*FORMATS),
    "view_type": _upper(*VIEW_TYPES),
    "on_gap": _lower(*ON_GAP),
    "s3_bucket_owner": _account,
    "s3_sse_algorithm": _upper(*ALGORITHMS),
    "s3_sse_kms_key_id": settings.text,
}


def _check_words(request: NativeExportRequest) -> Iterator[Problem]:
    known: Mapping[str, tuple[str, ...]] = {
        "export_type": EXPORT_TYPES,
        "file_format": tuple(FORMATS),
        "view_type": VIEW_TYPES,
        "on_gap": ON_GAP,
    }
    for name, words in known.items():
        if getattr(request, name) not in words:
            yield Problem(name, f"{getattr(request, name)!r} is not one of {', '.join(words)}")
    if request.export_type == "full" and request.on_gap != "fail":
        yield Problem("on_gap", "is about incremental exports, and a full one is asked", "leave it out")


def _check_place(request: NativeExportRequest) -> Iterator[Problem]:
    if not request.table_name.strip():
        yield Problem("table_name", "is empty")
    try:
        S3Location.parse(request.s3_uri)
    except InvalidSetting:
        yield Problem("s3_uri", f"{request.s3_uri!r} is not s3://bucket/prefix", "name a bucket after s3://")


def _check_encryption(request: NativeExportRequest) -> Iterator[Problem]:
    algorithm, key = request.s3_sse_algorithm, request.s3_sse_kms_key_id
    if algorithm not in (None, *ALGORITHMS):
        yield Problem("s3_sse_algorithm", f"{algorithm!r} is not one of {', '.join(ALGORITHMS)}")
    if key is not None and algorithm != "KMS":
        yield Problem("s3_sse_kms_key_id", "is for the algorithm KMS", "set s3_sse_algorithm='KMS'")


assert {item.name for item in fields(NativeExportRequest)} == set(COERCIONS)  # noqa: S101  one table, never half

"""What a person asks for: frozen, named with units, refused as a whole when it cannot work."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from airflow_dynamo_pipeline.engine import settings
from airflow_dynamo_pipeline.errors import InvalidRequest, InvalidSetting, Problem
from airflow_dynamo_pipeline.formats import FORMATS
from airflow_dynamo_pipeline.formats.compression import COMPRESSIONS
from airflow_dynamo_pipeline.items.values import is_typed

MAX_SEGMENTS = 1_000_000  # DynamoDB's own limit for TotalSegments
MAX_RATIO = 1.5  # AWS Data Pipeline's documented upper end
DEFAULT_RATIO = 0.25  # likewise its default
MIN_PART_BYTES = 1024 * 1024
MAX_PART_BYTES = 48 * 1024**3  # what 10,000 uploaded pieces of 5 MiB hold, even uncompressed
PLACEHOLDER = re.compile(r"[#:]\w+")
ON_EXISTING = ("resume", "fail", "new")
METHODS = ("scan", "auto")


@dataclass(frozen=True, slots=True)
class S3Location:
    """A bucket and a prefix without slashes at its ends.

    >>> S3Location.parse("s3://backups/orders/")
    S3Location(bucket='backups', prefix='orders')
    """

    bucket: str
    prefix: str

    @classmethod
    def parse(cls, uri: str, name: str = "s3_uri") -> S3Location:
        """Read ``s3://bucket/prefix``; raises InvalidSetting."""
        scheme, found, rest = uri.partition("://")
        bucket, _, prefix = rest.partition("/")
        if scheme not in ("s3", "s3a", "s3n") or not found or not bucket:
            raise InvalidSetting(name, uri, "s3://bucket/prefix")
        return cls(bucket, prefix.strip("/"))

    def key(self, *names: str) -> str:
        """The key of an object below this prefix."""
        return "/".join(part for part in (self.prefix, *names) if part)

    def uri(self, *names: str) -> str:
        """The URI of an object below this prefix."""
        return f"s3://{self.bucket}/{self.key(*names)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportRequest:
    """What to export, where to, and how fast.

    Build it with ``from_settings`` where values come from templates, flags or forms.
    """

    table_name: str
    s3_uri: str
    ratio: float | None = None  # share of the read capacity; None with units_per_second None: 0.25
    units_per_second: float | None = None  # absolute read capacity units
    segments: int | None = None  # None: auto
    index_name: str | None = None
    filter_expression: str | None = None
    projection_expression: str | None = None
    expression_attribute_names: Mapping[str, str] = field(default_factory=dict)
    expression_attribute_values: Mapping[str, Any] = field(default_factory=dict)  # typed: {":v": {"S": "x"}}
    consistent_read: bool = False
    file_format: str = "dynamodb_json"
    compression: str = "gzip"
    part_bytes: int = 128 * 1024 * 1024  # before compression
    on_existing: str = "resume"
    resume_within_seconds: float = 24 * 3600.0
    keep_checkpoint: bool = False
    save_table_definition: bool = False  # beside the manifest
    method: str = "scan"
    finish_within_seconds: float | None = None  # with method auto
    s3_sse_kms_key_id: str | None = None  # None: the bucket's own encryption

    def __post_init__(self) -> None:
        """Refuse the request with every problem found."""
        problems = list(_problems_of(self))
        if problems:
            raise InvalidRequest(problems)

    @classmethod
    def from_settings(cls, given: Mapping[str, object]) -> ExportRequest:
        """Coerce values as templates and flags deliver them; raises InvalidRequest with all problems.

        None, an empty string and the text ``None`` count as not given.
        """
        return settings.build(cls, given, COERCIONS, required=REQUIRED, what="an export")

    @property
    def location(self) -> S3Location:
        """The target as bucket and prefix."""
        return S3Location.parse(self.s3_uri)

    @property
    def effective_ratio(self) -> float:
        """The share of the table's capacity that holds when no absolute rate is asked."""
        return DEFAULT_RATIO if self.ratio is None else self.ratio

    def fingerprint(self) -> str:
        """A hash of what the export holds, not of how fast it is made.

        A retry with another rate, part size or number of segments therefore resumes.
        """
        what = {name: getattr(self, name) for name in WHAT_IT_HOLDS} | {"s3_uri": self.location.uri()}
        return hashlib.sha256(json.dumps(what, sort_keys=True, default=_jsonable).encode()).hexdigest()


def _jsonable(value: object) -> object:
    """Mappings of any kind as dicts, binaries as the base64 text they may be given as, too."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else dict(value)  # type: ignore[call-overload]


REQUIRED = {"table_name": "unknown", "s3_uri": "s3://unknown"}  # each with what may stand in for it
WHAT_IT_HOLDS = (
    "table_name",
    "s3_uri",
    "index_name",
    "filter_expression",
    "projection_expression",
    "expression_attribute_names",
    "expression_attribute_values",
    "consistent_read",
    "file_format",
    "compression",
    "s3_sse_kms_key_id",
)
COERCIONS: Mapping[str, settings.Coercion] = {
    "table_name": settings.text,
    "s3_uri": settings.text,
    "ratio": settings.number,
    "units_per_second": settings.number,
    "segments": settings.whole_number_or_auto,
    "index_name": settings.text,
    "filter_expression": settings.text,
    "projection_expression": settings.text,
    "expression_attribute_names": settings.mapping,
    "expression_attribute_values": settings.mapping,
    "consistent_read": settings.flag,
    "file_format": settings.one_of(*FORMATS),
    "compression": settings.one_of(*COMPRESSIONS),
    "part_bytes": settings.whole_number,
    "on_existing": settings.one_of(*ON_EXISTING),
    "resume_within_seconds": settings.number,
    "keep_checkpoint": settings.flag,
    "save_table_definition": settings.flag,
    "method": settings.one_of(*METHODS),
    "finish_within_seconds": settings.number,
    "s3_sse_kms_key_id": settings.text,
}


def _problems_of(request: ExportRequest) -> Iterator[Problem]:
    for check in CHECKS:
        yield from check(request)


def _check_rate(request: ExportRequest) -> Iterator[Problem]:
    if request.ratio is not None and request.units_per_second is not None:
        yield Problem(
            "ratio, units_per_second",
            "both are given; they contradict each other",
            "keep ratio for a share of the table's capacity, or units_per_second for an absolute rate",
        )
    if request.ratio is not None and not 0 < request.ratio <= MAX_RATIO:
        yield Problem(
            "ratio", f"{request.ratio:g} is not above 0 and at most {MAX_RATIO:g}", "0.25 is a quarter"
        )
    if request.units_per_second is not None and not 1 <= request.units_per_second < math.inf:
        yield Problem("units_per_second", f"{request.units_per_second:g} is not 1 or more, and finite")


def _check_sizes(request: ExportRequest) -> Iterator[Problem]:
    if request.segments is not None and not 1 <= request.segments <= MAX_SEGMENTS:
        yield Problem("segments", f"{request.segments:,} is not 1 to {MAX_SEGMENTS:,}, or 'auto'")
    if not MIN_PART_BYTES <= request.part_bytes <= MAX_PART_BYTES:
        yield Problem(
            "part_bytes",
            f"{request.part_bytes:,} is not {MIN_PART_BYTES:,} (1 MiB) to {MAX_PART_BYTES:,} (48 GiB)",
        )
    if request.resume_within_seconds < 0:
        yield Problem("resume_within_seconds", f"{request.resume_within_seconds:g} is negative")


def _check_names(request: ExportRequest) -> Iterator[Problem]:
    if not request.table_name.strip():
        yield Problem("table_name", "is empty")
    try:
        S3Location.parse(request.s3_uri)
    except InvalidSetting:
        yield Problem("s3_uri", f"{request.s3_uri!r} is not s3://bucket/prefix", "name a bucket after s3://")


def _check_words(request: ExportRequest) -> Iterator[Problem]:
    known: Mapping[str, Any] = {
        "file_format": FORMATS,
        "compression": COMPRESSIONS,
        "on_existing": ON_EXISTING,
        "method": METHODS,
    }
    for name, words in known.items():
        word = getattr(request, name)
        if word not in words:
            yield Problem(name, f"{word!r} is not one of {', '.join(words)}")


def _check_values(request: ExportRequest) -> Iterator[Problem]:
    name = "expression_attribute_values"
    for key, value in request.expression_attribute_values.items():
        if not is_typed(value):
            yield Problem(name, f"{key} is {value!r}, not a typed value", 'as in {":v": {"S": "x"}}')


def _check_expressions(request: ExportRequest) -> Iterator[Problem]:
    used = PLACEHOLDER.findall(f"{request.filter_expression or ''} {request.projection_expression or ''}")
    for name in ("expression_attribute_names", "expression_attribute_values"):
        given: Mapping[str, Any] = getattr(request, name)
        mark = "#" if name.endswith("names") else ":"
        for key in given:
            if not str(key).startswith(mark):
                yield Problem(name, f"{key!r} does not begin with {mark!r}")
            elif key not in used:
                yield Problem(
                    name, f"{key!r} is used in no expression", "DynamoDB refuses unused names and values"
                )


def _check_method(request: ExportRequest) -> Iterator[Problem]:
    seconds = request.finish_within_seconds
    if seconds is None:
        return
    if not 0 < seconds < math.inf:
        yield Problem("finish_within_seconds", f"{seconds:g} is not above 0, and finite")
    if request.method != "auto":
        yield Problem("finish_within_seconds", "is for method='auto'", "a scan's time follows from its rate")


CHECKS: tuple[Callable[[ExportRequest], Iterator[Problem]], ...] = (
    _check_names,
    _check_rate,
    _check_sizes,
    _check_words,
    _check_expressions,
    _check_values,
    _check_method,
)

assert {item.name for item in fields(ExportRequest)} == set(COERCIONS)  # noqa: S101  one table, never half of it

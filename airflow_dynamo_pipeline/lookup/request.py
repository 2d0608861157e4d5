"""What a person asks of a lookup load: frozen, named with units, refused as a whole when it cannot work."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from airflow_dynamo_pipeline.engine import settings
from airflow_dynamo_pipeline.engine.import_request import MAX_SEGMENTS, names
from airflow_dynamo_pipeline.engine.requests import DEFAULT_RATIO, MAX_RATIO, S3Location
from airflow_dynamo_pipeline.errors import InvalidRequest, InvalidSetting, Problem
from airflow_dynamo_pipeline.lookup.mapping import (
    MOMENTS,
    NOT_FINITE,
    NULLS,
    ColumnMapping,
    RowMapping,
    column_mappings,
    mapping_problems,
)

MODES = ("mirror", "upsert", "insert_only", "update_existing")
COMPARISONS = ("table", "digests")
WITH_DIGESTS = ("mirror", "upsert")  # after the others the table need not hold what was asked
MOST_KEY_COLUMNS = 2
MOST_NAMED = 1000
MOST_SAMPLED = 10_000
MOST_DAYS = 36_500


@dataclass(frozen=True, kw_only=True, slots=True)
class LookupRequest:
    """Which table shall equal which query's rows, how it is compared, and what would be too much.

    Build it with ``from_settings`` where values come from templates, flags or forms. The query itself is the
    ``RowSource``'s; ``sql`` is here so that a retry knows its work.
    """

    sql: str
    table_name: str
    key_columns: Sequence[str]  # of the query: the partition key, then the sort key if there is one
    s3_uri: str  # where work files, change sets and records go
    mode: str = "mirror"
    ratio: float | None = None  # share of read and of write capacity; None: 0.25
    units_per_second: float | None = None  # absolute write capacity units, of the table and its indexes
    read_units_per_second: float | None = None  # absolute read capacity units, for the comparison
    segments: int | None = None  # batches under way at the same time; None: auto
    columns: Mapping[str, ColumnMapping] = field(default_factory=dict)
    constants: Mapping[str, Any] = field(default_factory=dict)
    ttl_attribute: str | None = None
    ttl_column: str | None = None
    moments: str = "iso"
    nulls: str = "omit"
    not_finite: str = "reject"
    trim_text: bool = False
    compare: str = "table"
    sample_items: int = 1000  # read back from the table before a digest file is believed
    full_compare_days: float = 7.0  # a digest file older than this is not believed
    consistent_read: bool = False
    max_shrink: float = 0.2  # share by which the rows may be fewer than the table's items
    max_deletes: int | None = None
    max_changes: int | None = None
    allow_empty: bool = False
    max_rejected: int = 0
    generation_days: float | None = None  # blue/green: how long a generation lives; None: in place
    dry_run: bool = False
    max_differences: int = 20  # changes named by a dry run
    allow_protected: bool = False
    s3_sse_kms_key_id: str | None = None

    def __post_init__(self) -> None:
        """Refuse the request with every problem found."""
        problems = [problem for check in CHECKS for problem in check(self)]
        problems += mapping_problems(self.mapping, self.key_columns)
        if problems:
            raise InvalidRequest(problems)

    @classmethod
    def from_settings(cls, given: Mapping[str, object]) -> LookupRequest:
        """Coerce values as templates and flags deliver them; raises InvalidRequest with all problems."""
        return settings.build(cls, given, COERCIONS, required=REQUIRED, what="a lookup load")

    @property
    def location(self) -> S3Location:
        """Where everything this load leaves behind is."""
        return S3Location.parse(self.s3_uri)

    @property
    def mapping(self) -> RowMapping:
        """What rows become; with generations the load itself says when an item expires."""
        return RowMapping(
            columns=self.columns,
            constants=self.constants,
            ttl_attribute=self.ttl_attribute if self.generation_days is None else None,
            ttl_column=self.ttl_column,
            moments=self.moments,
            nulls=self.nulls,
            not_finite=self.not_finite,
            trim_text=self.trim_text,
        )

    @property
    def effective_ratio(self) -> float:
        """The share of the table's capacity that holds when no absolute rate is asked."""
        return DEFAULT_RATIO if self.ratio is None else self.ratio

    @property
    def deletes(self) -> bool:
        """Whether what vanished from the query is deleted from the table."""
        return self.mode == "mirror" and self.generation_days is None

    def fingerprint(self) -> str:
        """A hash of what the load does to the table, not of how fast or how careful it is."""
        what = {name: getattr(self, name) for name in WHAT_IT_DOES}
        return hashlib.sha256(json.dumps(what, sort_keys=True, default=repr).encode()).hexdigest()

    def shape(self) -> str:
        """A hash of what rows become: digests of another shape say nothing about these rows."""
        what = {name: getattr(self, name) for name in SHAPE}
        return hashlib.sha256(json.dumps(what, sort_keys=True, default=repr).encode()).hexdigest()[:16]


SHAPE = (
    "key_columns",
    "columns",
    "constants",
    "ttl_attribute",
    "ttl_column",
    "moments",
    "nulls",
    "not_finite",
    "trim_text",
)
WHAT_IT_DOES = ("sql", "table_name", "mode", "generation_days", *SHAPE)

REQUIRED = {
    "sql": "select 1",
    "table_name": "unknown",
    "key_columns": ("unknown",),
    "s3_uri": "s3://unknown",
}
COERCIONS: Mapping[str, settings.Coercion] = {
    "sql": settings.text,
    "table_name": settings.text,
    "key_columns": names,
    "s3_uri": settings.text,
    "mode": settings.one_of(*MODES),
    "ratio": settings.number,
    "units_per_second": settings.number,
    "read_units_per_second": settings.number,
    "segments": settings.whole_number_or_auto,
    "columns": column_mappings,
    "constants": settings.mapping,
    "ttl_attribute": settings.text,
    "ttl_column": settings.text,
    "moments": settings.one_of(*MOMENTS),
    "nulls": settings.one_of(*NULLS),
    "not_finite": settings.one_of(*NOT_FINITE),
    "trim_text": settings.flag,
    "compare": settings.one_of(*COMPARISONS),
    "sample_items": settings.whole_number,
    "full_compare_days": settings.number,
    "consistent_read": settings.flag,
    "max_shrink": settings.number,
    "max_deletes": settings.whole_number,
    "max_changes": settings.whole_number,
    "allow_empty": settings.flag,
    "max_rejected": settings.whole_number,
    "generation_days": settings.number,
    "dry_run": settings.flag,
    "max_differences": settings.whole_number,
    "allow_protected": settings.flag,
    "s3_sse_kms_key_id": settings.text,
}


def _check_texts(request: LookupRequest) -> Iterator[Problem]:
    for name in ("sql", "table_name"):
        if not getattr(request, name).strip():
            yield Problem(name, "is empty")
    columns = list(request.key_columns)
    if not 1 <= len(columns) <= MOST_KEY_COLUMNS or not all(columns):
        yield Problem("key_columns", f"{columns} is not one or two columns", "partition key, then sort key")
    elif len(set(columns)) < len(columns):
        yield Problem("key_columns", f"{columns[0]!r} stands twice")
    try:
        S3Location.parse(request.s3_uri)
    except InvalidSetting:
        hint = "name a bucket after s3://"
        yield Problem("s3_uri", f"{request.s3_uri!r} is not s3://bucket/prefix", hint)


def _check_rates(request: LookupRequest) -> Iterator[Problem]:
    both = request.units_per_second is not None and request.read_units_per_second is not None
    if request.ratio is not None and both:
        hint = "ratio counts where no absolute rate is given"
        yield Problem("ratio", "says nothing: both absolute rates are given", hint)
    if request.ratio is not None and not 0 < request.ratio <= MAX_RATIO:
        yield Problem("ratio", f"{request.ratio:g} is not above 0 and at most {MAX_RATIO:g}")
    for name in ("units_per_second", "read_units_per_second"):
        rate = getattr(request, name)
        if rate is not None and not 1 <= rate < math.inf:
            yield Problem(name, f"{rate:g} is not 1 or more, and finite")
    if request.segments is not None and not 1 <= request.segments <= MAX_SEGMENTS:
        yield Problem("segments", f"{request.segments:,} is not 1 to {MAX_SEGMENTS}, or 'auto'")


def _check_words(request: LookupRequest) -> Iterator[Problem]:
    for name, words in (("mode", MODES), ("compare", COMPARISONS)):
        if getattr(request, name) not in words:
            yield Problem(name, f"{getattr(request, name)!r} is not one of {', '.join(words)}")
    if request.compare == "digests" and request.mode not in WITH_DIGESTS:
        hint = f"digests are kept with {' and '.join(WITH_DIGESTS)}; use compare='table'"
        yield Problem("compare", f"'digests' cannot be used with mode={request.mode!r}", hint)


def _check_guards(request: LookupRequest) -> Iterator[Problem]:
    if not 0 <= request.max_shrink <= 1:
        yield Problem("max_shrink", f"{request.max_shrink:g} is not 0 to 1", "0.2 lets a fifth vanish")
    for name in ("max_deletes", "max_changes", "max_rejected"):
        most = getattr(request, name)
        if most is not None and most < 0:
            yield Problem(name, f"{most:,} is negative", "0 tolerates none")
    if not 0 <= request.max_differences <= MOST_NAMED:
        yield Problem("max_differences", f"{request.max_differences:,} is not 0 to {MOST_NAMED:,}")
    if not 0 <= request.sample_items <= MOST_SAMPLED:
        yield Problem("sample_items", f"{request.sample_items:,} is not 0 to {MOST_SAMPLED:,}")
    if not 0 <= request.full_compare_days <= MOST_DAYS:
        said = f"{request.full_compare_days:g} is not 0 to {MOST_DAYS:,}"
        yield Problem("full_compare_days", said, "0: every time")


def _check_generations(request: LookupRequest) -> Iterator[Problem]:
    if request.generation_days is None:
        return
    if not 0 < request.generation_days <= MOST_DAYS:
        said = f"{request.generation_days:g} is not above 0 and at most {MOST_DAYS:,}"
        yield Problem("generation_days", said)
    if request.mode != "mirror":
        hint = "a new generation holds what the query says and nothing else: use mode='mirror'"
        yield Problem("generation_days", f"cannot be used with mode={request.mode!r}", hint)
    if request.compare == "digests":
        hint = "a new generation is loaded whole: leave compare out"
        yield Problem("generation_days", "cannot be used with compare='digests'", hint)
    if request.ttl_attribute is None:
        yield Problem(
            "ttl_attribute",
            "is required with generation_days",
            "name the attribute by which the table expires items; an old generation goes by it",
        )
    if request.ttl_column is not None:
        yield Problem("ttl_column", "cannot be used with generation_days: a generation expires as a whole")


CHECKS = (_check_texts, _check_rates, _check_words, _check_guards, _check_generations)

assert {item.name for item in fields(LookupRequest)} == set(COERCIONS)  # noqa: S101  one table, never half

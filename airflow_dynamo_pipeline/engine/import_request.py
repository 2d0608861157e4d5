"""What a person asks of an import: frozen, named with units, refused as a whole when it cannot work."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

from airflow_dynamo_pipeline.engine import settings
from airflow_dynamo_pipeline.engine.requests import DEFAULT_RATIO, MAX_RATIO, ON_EXISTING, S3Location
from airflow_dynamo_pipeline.errors import InvalidRequest, InvalidSetting, Problem
from airflow_dynamo_pipeline.formats.readers import READERS
from airflow_dynamo_pipeline.formats.reading import Attribute, ReadSettings
from airflow_dynamo_pipeline.items.values import TAGS, is_typed

ON_CONFLICT = ("overwrite", "skip", "fail", "newer", "condition")
EXPIRED_ITEMS = ("keep", "drop")
AUTO = "auto"
MAX_SEGMENTS = 32  # batches under way at the same time


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportRequest:
    """What to import, where to, how fast, and what to do about items that are there.

    Build it with ``from_settings`` where values come from templates, flags or forms.
    """

    table_name: str
    s3_uri: Sequence[str]  # one, or a full export and the incremental ones that follow it
    ratio: float | None = None  # share of the write capacity; None with units_per_second None: 0.25
    units_per_second: float | None = None  # absolute write capacity units, of the table and its indexes
    segments: int | None = None  # batches under way at the same time; None: auto
    file_format: str = AUTO
    on_conflict: str = "overwrite"
    version_attribute: str | None = None  # for on_conflict "newer"
    condition_expression: str | None = None  # for on_conflict "condition"
    expression_attribute_names: Mapping[str, str] = field(default_factory=dict)
    expression_attribute_values: Mapping[str, Any] = field(default_factory=dict)
    max_rejected: int = 0
    rejects_s3_uri: str | None = None  # None: beside the source
    dry_run: bool = False
    on_existing: str = "resume"
    expired_items: str = "keep"
    allow_protected: bool = False
    expected_backup_id: str | None = None  # of an earlier look: another backup is refused
    changes_from: datetime | None = None  # the moment of the base that incremental exports follow on
    attributes: Mapping[str, Attribute] = field(default_factory=dict)  # by column or property
    csv_columns: Sequence[str] = ()
    csv_delimiter: str = ","
    null_text: str = ""
    s3_sse_kms_key_id: str | None = None  # for what is written: rejects and the record of the import

    def __post_init__(self) -> None:
        """Refuse the request with every problem found."""
        problems = [problem for check in CHECKS for problem in check(self)]
        if problems:
            raise InvalidRequest(problems)

    @classmethod
    def from_settings(cls, given: Mapping[str, object]) -> ImportRequest:
        """Coerce values as templates and flags deliver them; raises InvalidRequest with all problems."""
        return settings.build(cls, given, COERCIONS, required=REQUIRED, what="an import")

    @property
    def location(self) -> S3Location:
        """The first source as bucket and prefix."""
        return S3Location.parse(self.s3_uri[0])

    @property
    def records_location(self) -> S3Location | None:
        """Where rejects and the record of the import go, if it was said."""
        return S3Location.parse(self.rejects_s3_uri, "rejects_s3_uri") if self.rejects_s3_uri else None

    @property
    def effective_ratio(self) -> float:
        """The share of the table's capacity that holds when no absolute rate is asked."""
        return DEFAULT_RATIO if self.ratio is None else self.ratio

    @property
    def reading(self) -> ReadSettings:
        """How files that do not describe themselves are to be read."""
        return ReadSettings(
            attributes=self.attributes,
            csv_columns=self.csv_columns,
            csv_delimiter=self.csv_delimiter,
            null_text=self.null_text,
        )

    def not_expected(self, backup_id: str) -> Iterator[Problem]:
        """A problem if somebody looked at a backup, and this one, which is there now, is another."""
        if self.expected_backup_id not in (None, backup_id):
            yield Problem(
                "expected_backup_id",
                f"the backup at {', '.join(self.s3_uri)} is not the one that was looked at: its backup_id is "
                f"{backup_id}, expected is {self.expected_backup_id}",
                "look again with dry_run, and expect the backup_id that it returns",
            )

    def fingerprint(self) -> str:
        """A hash of what the import does to the table, not of how fast.

        The URIs are not in it: the backup has an identity of its own.
        """
        what = {name: getattr(self, name) for name in WHAT_IT_DOES}
        return hashlib.sha256(json.dumps(what, sort_keys=True, default=_jsonable).encode()).hexdigest()


WHAT_IT_DOES = (
    "table_name",
    "on_conflict",
    "version_attribute",
    "condition_expression",
    "expression_attribute_names",
    "expression_attribute_values",
    "expired_items",
    "attributes",
    "csv_columns",
    "csv_delimiter",
    "null_text",
)


def _jsonable(value: object) -> object:
    if isinstance(value, Attribute):
        return [value.name, value.tag]
    return value.hex() if isinstance(value, bytes) else dict(value)  # type: ignore[call-overload]


def uris(name: str, value: object) -> tuple[str, ...]:
    """One URI, a list of them, or text with commas or a JSON list."""
    found: object = value
    if isinstance(value, str):
        found = settings.json_list(name, value) if value.strip().startswith("[") else value.split(",")
    if not isinstance(found, Sequence) or not all(isinstance(one, str) for one in found):
        raise InvalidSetting(name, value, "an s3:// URI, or a list of them")
    return tuple(one.strip() for one in found if one.strip())


def instant(name: str, value: object) -> datetime:
    """A moment in ISO 8601; without an offset it is UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise InvalidSetting(name, value, "a moment as 2026-01-31T12:00:00Z") from None
    if not isinstance(value, datetime):
        raise InvalidSetting(name, value, "a moment as 2026-01-31T12:00:00Z")
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def names(name: str, value: object) -> tuple[str, ...]:
    """Names in a list, or in text with commas."""
    found = value.split(",") if isinstance(value, str) else value
    if not isinstance(found, Sequence) or not all(isinstance(one, str) for one in found):
        raise InvalidSetting(name, value, "a list of names")
    return tuple(one.strip() for one in found)


def declared(name: str, value: object) -> Mapping[str, Attribute]:
    """What columns become: ``{"id": "S", "n": {"name": "count", "type": "N"}}``, or JSON text of it."""
    found: dict[str, Attribute] = {}
    for column, what in settings.mapping(name, value).items():
        given = {"name": column, "type": what} if isinstance(what, str) else what
        if isinstance(given, Attribute):
            found[column] = given
        elif isinstance(given, Mapping) and given.get("type") in TAGS and given.keys() <= {"name", "type"}:
            found[column] = Attribute(str(given.get("name", column)), given["type"])
        else:
            raise InvalidSetting(name, value, f"a type ({', '.join(sorted(TAGS))}) for each column")
    return found


REQUIRED = {"table_name": "unknown", "s3_uri": ("s3://unknown",)}
COERCIONS: Mapping[str, settings.Coercion] = {
    "table_name": settings.text,
    "s3_uri": uris,
    "ratio": settings.number,
    "units_per_second": settings.number,
    "segments": settings.whole_number_or_auto,
    "file_format": settings.one_of(AUTO, *READERS),
    "on_conflict": settings.one_of(*ON_CONFLICT),
    "version_attribute": settings.text,
    "condition_expression": settings.text,
    "expression_attribute_names": settings.mapping,
    "expression_attribute_values": settings.mapping,
    "max_rejected": settings.whole_number,
    "rejects_s3_uri": settings.text,
    "dry_run": settings.flag,
    "on_existing": settings.one_of(*ON_EXISTING),
    "expired_items": settings.one_of(*EXPIRED_ITEMS),
    "allow_protected": settings.flag,
    "expected_backup_id": settings.text,
    "changes_from": instant,
    "attributes": declared,
    "csv_columns": names,
    "csv_delimiter": settings.one_character,
    "null_text": settings.any_text,
    "s3_sse_kms_key_id": settings.text,
}


def _check_rate(request: ImportRequest) -> Iterator[Problem]:
    if request.ratio is not None and request.units_per_second is not None:
        hint = "keep ratio for a share of the table's capacity, or units_per_second for an absolute rate"
        yield Problem("ratio, units_per_second", "both are given; they contradict each other", hint)
    if request.ratio is not None and not 0 < request.ratio <= MAX_RATIO:
        yield Problem(
            "ratio", f"{request.ratio:g} is not above 0 and at most {MAX_RATIO:g}", "0.25 is a quarter"
        )
    if request.units_per_second is not None and not 1 <= request.units_per_second < math.inf:
        yield Problem("units_per_second", f"{request.units_per_second:g} is not 1 or more, and finite")


def _check_places(request: ImportRequest) -> Iterator[Problem]:
    if not request.table_name.strip():
        yield Problem("table_name", "is empty")
    if not request.s3_uri:
        yield Problem("s3_uri", "names nothing", "give s3://bucket/prefix of an export or backup")
    places = [("s3_uri", uri) for uri in request.s3_uri]
    places += [("rejects_s3_uri", request.rejects_s3_uri)] if request.rejects_s3_uri else []
    for name, uri in places:
        try:
            S3Location.parse(uri, name)
        except InvalidSetting:
            yield Problem(name, f"{uri!r} is not s3://bucket/prefix", "name a bucket after s3://")


def _check_words(request: ImportRequest) -> Iterator[Problem]:
    known: Mapping[str, Sequence[str]] = {
        "file_format": (AUTO, *READERS),
        "on_conflict": ON_CONFLICT,
        "on_existing": ON_EXISTING,
        "expired_items": EXPIRED_ITEMS,
    }
    for name, words in known.items():
        word = getattr(request, name)
        if word not in words:
            yield Problem(name, f"{word!r} is not one of {', '.join(words)}")


def _check_numbers(request: ImportRequest) -> Iterator[Problem]:
    if request.segments is not None and not 1 <= request.segments <= MAX_SEGMENTS:
        yield Problem("segments", f"{request.segments:,} is not 1 to {MAX_SEGMENTS}, or 'auto'")
    if request.max_rejected < 0:
        yield Problem("max_rejected", f"{request.max_rejected:,} is negative", "0 tolerates none")


def _check_conflicts(request: ImportRequest) -> Iterator[Problem]:
    """Each word of on_conflict has settings of its own, needed with it and useless without."""
    for word, name in (("newer", "version_attribute"), ("condition", "condition_expression")):
        asked, given = request.on_conflict == word, getattr(request, name) is not None
        if asked and not given:
            yield Problem(name, f"is required with on_conflict={word!r}")
        if given and not asked:
            yield Problem(name, f"is used with on_conflict={word!r} only, not {request.on_conflict!r}")
    for name in ("expression_attribute_names", "expression_attribute_values"):
        if getattr(request, name) and request.on_conflict != "condition":
            yield Problem(name, "is used with on_conflict='condition' only")
    for key, value in request.expression_attribute_values.items():
        if not is_typed(value):
            hint = 'as in {":v": {"S": "x"}}'
            yield Problem("expression_attribute_values", f"{key} is {value!r}, not a typed value", hint)


CHECKS: tuple[Callable[[ImportRequest], Iterator[Problem]], ...] = (
    _check_places,
    _check_rate,
    _check_words,
    _check_numbers,
    _check_conflicts,
)

assert {item.name for item in fields(ImportRequest)} == set(COERCIONS)  # noqa: S101  one table, never half

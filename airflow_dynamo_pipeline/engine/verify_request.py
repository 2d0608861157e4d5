"""What to compare an export with, and how fast the table may be read for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace

from airflow_dynamo_pipeline.engine import settings
from airflow_dynamo_pipeline.engine.layout import ExportLayout
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.engine.verify import layout_of
from airflow_dynamo_pipeline.errors import InvalidRequest, InvalidSetting, Problem

MAX_DIFFERENCES = 1000  # each is a line of the error's text
OF_THE_TABLE = ("ratio", "units_per_second", "segments")  # say nothing without a table


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifyRequest:
    """An export, and perhaps the table whose items it is compared with.

    Build it with ``from_settings`` where values come from templates, flags or forms.
    """

    manifest_uri: str
    table_name: str | None = None  # None: the manifest is compared with its files only
    ratio: float | None = None  # share of the read capacity; None with units_per_second None: 0.25
    units_per_second: float | None = None  # absolute read capacity units
    segments: int | None = None  # None: auto
    consistent_read: bool = False  # of the first look; items that seem to differ are read so anyway
    max_differences: int = 20  # named in the error; all are counted

    def __post_init__(self) -> None:
        """Refuse the request with every problem found."""
        problems = list(_problems_of(self))
        if problems:
            raise InvalidRequest(problems)

    @classmethod
    def from_settings(cls, given: Mapping[str, object]) -> VerifyRequest:
        """Coerce values as templates and flags deliver them; raises InvalidRequest with all problems.

        None, an empty string and the text ``None`` count as not given.
        """
        return settings.build(cls, given, COERCIONS, required=REQUIRED, what="a verification")

    @property
    def layout(self) -> ExportLayout:
        """Where the export's objects are."""
        return layout_of(self.manifest_uri)

    @property
    def reading(self) -> ExportRequest:
        """The reads of the table, as an export of it would make them."""
        return ExportRequest(
            table_name=self.table_name or "",
            s3_uri=self.layout.location.uri(),
            ratio=self.ratio,
            units_per_second=self.units_per_second,
            segments=self.segments,
            consistent_read=self.consistent_read,
        )

    @property
    def consistent_reading(self) -> ExportRequest:
        """The same reads, consistent ones."""
        return replace(self.reading, consistent_read=True)


REQUIRED = {"manifest_uri": "s3://unknown/AWSDynamoDB/unknown/manifest-summary.json"}
COERCIONS: Mapping[str, settings.Coercion] = {
    "manifest_uri": settings.text,
    "table_name": settings.text,
    "ratio": settings.number,
    "units_per_second": settings.number,
    "segments": settings.whole_number_or_auto,
    "consistent_read": settings.flag,
    "max_differences": settings.whole_number,
}


def _problems_of(request: VerifyRequest) -> Iterator[Problem]:
    try:
        _ = request.layout
    except InvalidSetting as problem:
        yield Problem("manifest_uri", f"{problem.value!r} is not {problem.expected}")
    else:
        yield from _check_reading(request)
    if not 0 <= request.max_differences <= MAX_DIFFERENCES:
        yield Problem("max_differences", f"{request.max_differences:,} is not 0 to {MAX_DIFFERENCES:,}")


def _check_reading(request: VerifyRequest) -> Iterator[Problem]:
    if request.table_name is not None:
        try:
            _ = request.reading
        except InvalidRequest as refused:
            yield from refused.problems
        return
    for name in OF_THE_TABLE:
        if getattr(request, name) is not None:
            yield Problem(name, "says how a table is read, and none is named", "give table_name, too")


assert {item.name for item in fields(VerifyRequest)} == set(COERCIONS)  # noqa: S101  one table, never half

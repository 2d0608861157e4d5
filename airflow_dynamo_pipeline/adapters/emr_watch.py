"""What to look at on S3 to see how far a job has come, small enough for a trigger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from airflow_dynamo_pipeline.adapters.aws_errors import translated
from airflow_dynamo_pipeline.engine.import_place import ImportPlace
from airflow_dynamo_pipeline.engine.layout import ExportLayout
from airflow_dynamo_pipeline.engine.ports import Clock, JsonObject
from airflow_dynamo_pipeline.engine.range_progress import (
    MOST_READS,
    Look,
    RangesProgress,
    Records,
    export_progress,
    import_progress,
)
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.errors import PipelineError

EVERY_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """The checkpoints of one export or import."""

    kind: str  # export or import
    bucket: str
    prefix: str
    id: str
    ranges: int
    item_count: int  # about how many items there are; 0: unknown
    units_per_second: float

    def to_json(self) -> JsonObject:
        """What the constructor takes."""
        return asdict(self)

    def look(self, s3: Any, clock: Clock) -> Look:
        """A function that looks at the checkpoints by a boto3 client for S3."""
        location, rate = S3Location(self.bucket, self.prefix), self.units_per_second
        source = Records(
            lambda prefix: _versions(s3, self.bucket, prefix), lambda key: _body(s3, self.bucket, key)
        )
        if self.kind == "export":
            layout = ExportLayout(location, self.id)
            return export_progress(source, layout, clock, item_count=self.item_count, units_per_second=rate)
        place = ImportPlace(location, self.id)
        return import_progress(source, place, clock, ranges=self.ranges, units_per_second=rate)


class Watching:
    """Looks at checkpoints once a minute at most. What cannot be seen costs a warning, never the wait."""

    def __init__(self, look: Look, clock: Clock, warn: Callable[[str], None]) -> None:
        self._look = look
        self._clock = clock
        self._warn = warn
        self._due_at = clock.monotonic()

    def progress(self) -> RangesProgress | None:
        """A record, where one is due and there is something to see."""
        if self._clock.monotonic() < self._due_at:
            return None
        self._due_at = self._clock.monotonic() + EVERY_SECONDS
        try:
            return self._look(MOST_READS)
        except PipelineError as error:
            self._warn(f"the progress could not be read: {error}")
            return None

    def unfinished(self) -> str:
        """Which ranges are not done, by all checkpoints; empty where nobody can tell."""
        try:
            found = self._look(None)
        except PipelineError as error:
            self._warn(f"the checkpoints could not be read: {error}")
            return ""
        return found.left() if found else ""


def watch_from(given: Mapping[str, Any]) -> Watch:
    """Read what ``Watch.to_json`` wrote."""
    return Watch(**given)


def _versions(s3: Any, bucket: str, prefix: str) -> dict[str, str]:
    pages = s3.get_paginator("list_objects_v2")
    with translated("s3:ListBucket", f"arn:aws:s3:::{bucket}"):
        return {
            entry["Key"]: entry["ETag"]
            for page in pages.paginate(Bucket=bucket, Prefix=prefix)
            for entry in page.get("Contents", ())
        }


def _body(s3: Any, bucket: str, key: str) -> bytes | None:
    with translated("s3:GetObject", f"arn:aws:s3:::{bucket}/{key}"):
        try:
            body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except s3.exceptions.NoSuchKey:
            return None  # it was removed since it was listed
    return body

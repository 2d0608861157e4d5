"""Whether an export is complete: by its manifest, or by what DynamoDB says of its own job."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime

from airflow_dynamo_pipeline.engine import settings
from airflow_dynamo_pipeline.engine.conditions import Verdict, instant
from airflow_dynamo_pipeline.engine.layout import ROOT, ExportLayout
from airflow_dynamo_pipeline.engine.manifest import Summary, checksum, decode_summary
from airflow_dynamo_pipeline.engine.native_jobs import JobState, check_succeeded
from airflow_dynamo_pipeline.engine.ports import JsonObject, ObjectStore
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.engine.verify import layout_of
from airflow_dynamo_pipeline.errors import (
    InvalidExport,
    InvalidRequest,
    InvalidSetting,
    Problem,
    UnexpectedReply,
    UnknownVersion,
)

CHECKSUMS = (".md5", ".checksum")  # native exports have the first, the documentation the second
ONE_OF = ("manifest_uri", "s3_uri", "export_arn")


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportWanted:
    """The export that is waited for, named in one of three ways.

    Build it with ``from_settings`` where values come from templates.
    """

    manifest_uri: str | None = None
    s3_uri: str | None = None  # the export's own folder, or a prefix that exports go to
    export_arn: str | None = None
    began_after: datetime | None = None  # of exports below a prefix: begun then or later

    def __post_init__(self) -> None:
        """Refuse the request with every problem found."""
        problems = list(_problems_of(self))
        if problems:
            raise InvalidRequest(problems)

    @classmethod
    def from_settings(cls, given: Mapping[str, object]) -> ExportWanted:
        """Coerce values as templates deliver them; raises InvalidRequest with all problems."""
        return settings.build(cls, given, COERCIONS, required={}, what="a wanted export")

    @property
    def layout(self) -> ExportLayout | None:
        """Where the export's objects are, if this names one export on S3."""
        if self.manifest_uri is not None:
            return layout_of(self.manifest_uri)
        names = self.location.prefix.split("/")
        if len(names) > 1 and names[-2] == ROOT:
            return ExportLayout(S3Location(self.location.bucket, "/".join(names[:-2])), names[-1])
        return None

    @property
    def location(self) -> S3Location:
        """Bucket and prefix on S3."""
        if self.manifest_uri is not None:
            return layout_of(self.manifest_uri).location
        return S3Location.parse(self.s3_uri or "")


COERCIONS: Mapping[str, settings.Coercion] = {
    "manifest_uri": settings.text,
    "s3_uri": settings.text,
    "export_arn": settings.text,
    "began_after": instant,
}


def native_export(state: JobState, value: JsonObject) -> Verdict:
    """Whether a native export is COMPLETED; raises NativeJobFailed with DynamoDB's reason when it FAILED.

    ``value`` is what later tasks may want to know of one that is.
    """
    check_succeeded(state)
    if not state.ended:
        return Verdict(met=False, seen=state.seen)
    return Verdict(met=True, seen=f"{state.seen}: {value.get('item_count') or 0:,} items", value=value)


def manifest_complete(layout: ExportLayout, store: ObjectStore) -> Verdict:
    """Whether the export has its manifest and a checksum file that matches it.

    Raises InvalidExport when they disagree, and when one of ours has no checksum file, which it is given
    before the manifest; UnexpectedReply or UnknownVersion when the manifest cannot be read.
    """
    found = _summary(layout, store)
    if isinstance(found, str):
        return Verdict(met=False, seen=f"{found}; waiting for it")
    return _complete(layout, found)


def any_complete(wanted: ExportWanted, store: ObjectStore) -> Verdict:
    """Whether there is a complete export below the prefix, begun late enough if that matters.

    Reads manifests from the latest name on until it finds one. Exports that are damaged are passed over
    and counted: others may be whole.
    """
    prefix = wanted.location.key(ROOT) + "/"
    folders = sorted(store.folders(prefix), reverse=True)
    damaged = 0
    for folder in folders:
        layout = ExportLayout(wanted.location, folder)
        try:
            found = _summary(layout, store)
        except (InvalidExport, UnexpectedReply, UnknownVersion):
            damaged += 1
            continue
        if not isinstance(found, str) and (
            wanted.began_after is None or _utc(found.start_time) >= wanted.began_after
        ):
            return _complete(layout, found)
    late = f" and began at {wanted.began_after.isoformat()} or later" if wanted.began_after else ""
    seen = f"of {len(folders)} exports in s3://{wanted.location.bucket}/{prefix} none is complete{late}"
    also = f" ({damaged} are damaged)" if damaged else ""
    return Verdict(met=False, seen=f"{seen}{also}; waiting for one")


def _complete(layout: ExportLayout, summary: Summary) -> Verdict:
    value = {"manifest_uri": layout.manifest_uri, "item_count": summary.item_count}
    seen = f"{layout.manifest_uri} is complete: {summary.item_count:,} items"
    return Verdict(met=True, seen=seen, value=value)


def _summary(layout: ExportLayout, store: ObjectStore) -> Summary | str:
    """The summary of a complete export, or what is not there yet."""
    stored = store.get(layout.summary_key)
    if stored is None:
        return f"there is no {layout.manifest_uri}"
    summary = decode_summary(stored.body, layout.manifest_uri)
    keys = [layout.summary_key.removesuffix(".json") + suffix for suffix in CHECKSUMS]
    said = next((found for key in keys if (found := store.get(key)) is not None), None)
    if (
        said is None and not summary.ours.file_format
    ):  # DynamoDB does not say which of the two it writes first
        return f"{layout.manifest_uri} has no checksum file"
    if said is None or said.body.strip() not in _checksums(stored.body):
        why = "is missing" if said is None else "does not match"
        problem = Problem(keys[0], f"the manifest's checksum file {why}", "it was edited or is damaged")
        raise InvalidExport(layout.manifest_uri, [problem])
    return summary


def _checksums(body: bytes) -> tuple[bytes, bytes]:
    """The MD5 in base64, or as people write it, in hex."""
    return checksum(body), hashlib.md5(body, usedforsecurity=False).hexdigest().encode()


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def _problems_of(wanted: ExportWanted) -> Iterator[Problem]:
    given = [name for name in ONE_OF if getattr(wanted, name) is not None]
    if len(given) != 1:
        yield Problem(" or ".join(ONE_OF), f"just one is required; given: {', '.join(given) or 'none'}")
    for name, read in (("manifest_uri", layout_of), ("s3_uri", S3Location.parse)):
        if name in given:
            try:
                read(getattr(wanted, name))
            except InvalidSetting as problem:
                yield Problem(name, f"{problem.value!r} is not {problem.expected}")
    if wanted.began_after is not None and "s3_uri" not in given:
        yield Problem("began_after", "chooses among the exports below s3_uri, which is not given")


assert {item.name for item in fields(ExportWanted)} == set(COERCIONS)  # noqa: S101  one table, never half

"""Exports with a manifest of the native layout: our own, native full and native incremental ones."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from airflow_dynamo_pipeline.engine.finding_search import (
    Search,
    Source,
    fingerprint,
    joined,
    split,
    utc,
)
from airflow_dynamo_pipeline.engine.manifest import (
    FileEntry,
    Summary,
    checksum,
    decode_files,
    decode_summary,
)
from airflow_dynamo_pipeline.engine.sources import BackupFile, Stage
from airflow_dynamo_pipeline.engine.verify import SUMMARY_NAME
from airflow_dynamo_pipeline.errors import UnexpectedReply, UnknownVersion
from airflow_dynamo_pipeline.formats import FORMATS

FILES_NAME = "manifest-files.json"
CHECKSUMS = (".md5", ".checksum")  # real exports have the first, the documentation the second
INCREMENTAL = "INCREMENTAL_EXPORT"
CHANGES = "incremental"
BY_OUTPUT_FORMAT = {"DYNAMODB_JSON": "dynamodb_json", "ION": "ion"}


def read_export(folder: str, body: bytes, search: Search) -> Source | None:
    """Read the export whose summary this is, in its folder; None when it cannot be told what it holds."""
    uri = search.uri(joined(folder, SUMMARY_NAME))
    try:
        summary = decode_summary(body, uri)
    except (UnexpectedReply, UnknownVersion) as problem:
        search.refuse_error(problem)
        return None
    _check_sum(joined(folder, SUMMARY_NAME), body, search)
    listed = _listed(folder, summary, search)
    window = _window(summary, uri, search)
    files = _files(folder, summary, listed, search)
    if summary.export_type == INCREMENTAL and window is None:
        return None
    return Source(
        stage=Stage(
            uri=uri,
            reader=_reader(summary, uri, search),
            files=files,
            window=window,
            item_bytes=None if window else summary.billed_size_bytes,
            content_bytes=summary.ours.bytes or None,
        ),
        kind="export" if summary.ours.file_format else "native export",
        fingerprint=fingerprint([uri.encode(), body, listed or b""]),
        at=None if window or not summary.export_time else utc(summary.export_time),
        until=utc(summary.ours.last_page_at) if summary.ours.last_page_at else None,
        is_partial=_is_partial(summary, uri, search),
        table_arn=summary.table_arn,
        table_id=summary.table_id,
    )


def _is_partial(summary: Summary, uri: str, search: Search) -> bool:
    """Whether items or attributes of the table may be missing, which is said."""
    is_partial = summary.ours.filtered or summary.ours.index_name is not None
    if is_partial:
        search.warn(
            f"{uri} is of an index, or was made with a filter or a projection: its items may lack "
            "attributes, and an item that is overwritten is replaced as a whole"
        )
    return is_partial


def _check_sum(key: str, body: bytes, search: Search) -> None:
    """Compare with the checksum files that are there: the MD5 in base64, or as people write it, in hex."""
    known = (checksum(body), hashlib.md5(body, usedforsecurity=False).hexdigest().encode())
    for suffix in CHECKSUMS:
        checksum_key = key.removesuffix(".json") + suffix
        said = search.get(checksum_key)
        if said is not None and said.strip() not in known:
            search.refuse(
                f"{search.uri(key)}: its checksum file {checksum_key} does not match",
                "the manifest was edited or is damaged",
            )


def _reader(summary: Summary, uri: str, search: Search) -> str:
    """The reader by our own key, or else by the native one; "" with the problem kept when there is none."""
    if summary.ours.file_format:
        said = f"airflowDynamoPipeline.fileFormat is {summary.ours.file_format!r}"
        reader = summary.ours.file_format if summary.ours.file_format in FORMATS else ""
    else:
        said = f"outputFormat is {summary.output_format!r}"
        reader = BY_OUTPUT_FORMAT.get(summary.output_format, "")
    if summary.export_type == INCREMENTAL:
        said = f"it is an incremental export whose {said}"
        reader = CHANGES if reader == "dynamodb_json" else ""
    if not reader:
        search.refuse(f"{uri}: {said}, which is not read")
    elif not (reader == CHANGES and search.file_format == "dynamodb_json"):  # both are true of it
        search.check_format(reader, uri)
    return reader


def _window(summary: Summary, uri: str, search: Search) -> tuple[datetime, datetime] | None:
    if summary.export_type != INCREMENTAL:
        return None
    if summary.export_from_time is None or summary.export_to_time is None:
        search.refuse(f"{uri}: an incremental export without exportFromTime and exportToTime")
        return None
    window = utc(summary.export_from_time), utc(summary.export_to_time)
    if window[0] >= window[1]:
        search.refuse(f"{uri}: its exportFromTime is not before its exportToTime")
        return None
    return window


def _listed(folder: str, summary: Summary, search: Search) -> bytes | None:
    """The body of the list of files: beside the summary, or else where the summary says."""
    beside = joined(folder, FILES_NAME)
    for key in (beside, summary.manifest_files_s3_key):
        body = search.get(key)
        if body is not None:
            _check_sum(key, body, search)
            return body
    search.refuse(f"{search.uri(beside)} is not there: without it nobody knows the files of the export")
    return None


def _files(folder: str, summary: Summary, listed: bytes | None, search: Search) -> tuple[BackupFile, ...]:
    """The listed files where they are now; what is wrong with the list, and each missing file, is kept."""
    if listed is None:
        return ()
    uri = search.uri(joined(folder, FILES_NAME))
    try:
        entries = decode_files(listed, uri)
    except UnexpectedReply as problem:
        search.refuse_error(problem)
        return ()
    _check_list(entries, summary, uri, search)
    files = []
    moved = 0
    for entry in entries:
        key = _place(entry.data_file_s3_key, folder, search)
        if key is None:
            search.refuse(f"{search.uri(entry.data_file_s3_key)} is in the manifest but not in the bucket")
            continue
        moved += key != entry.data_file_s3_key
        files.append(BackupFile(key, entry.item_count, entry.md5_checksum or None))
    for key, times in Counter(file.key for file in files).items():
        if times > 1:
            search.refuse(f"{uri} lists {search.uri(key)} {times} times", "each file is imported once")
    if moved:
        search.say(
            f"{uri}: {moved} of {len(entries)} files are not where it says; they are read from beside it"
        )
    return tuple(files)


def _check_list(entries: Sequence[FileEntry], summary: Summary, uri: str, search: Search) -> None:
    total = sum(entry.item_count for entry in entries)
    if total != summary.item_count:
        search.refuse(f"{uri} lists {total} items, the itemCount of its summary is {summary.item_count}")
    if any(entry.item_count < 0 for entry in entries):
        search.refuse(f"{uri} has an itemCount below 0")


def _place(key: str, folder: str, search: Search) -> str | None:
    """Where a listed file is: at its key, or in the copied export's own folder of data, or the shared one."""
    name = f"/{key}".rpartition("/data/")[2] if "/data/" in f"/{key}" else split(key)[1]
    for place in (key, joined(folder, "data", name), joined(split(folder)[0], "data", name)):
        if search.has(place):
            return place
    return None

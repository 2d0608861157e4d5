"""Listings in pages: objects, unfinished uploads, and the parts of one of them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from tests.faults.s3.documents import Encoder, Field, document, encoder, instant
from tests.faults.s3.objects import Bucket, Stored, Upload
from tests.faults.s3.refusals import invalid
from tests.faults.wire import Reply, Request

LONGEST_PAGE = 1000


def objects(bucket: Bucket, request: Request) -> Reply:
    """ListObjectsV2; a folder counts towards the page's length as a key does."""
    query, written = request.query, encoder(request)
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    start, token = query.get("start-after", ""), query.get("continuation-token", "")
    limit = _limit(query, "max-keys")
    after = _key_of(token) if "continuation-token" in query else ""
    rows: dict[str, Stored | None] = {}
    for key in sorted(key for key in bucket.objects if key.startswith(prefix) and key > start):
        folder = _folder(key, prefix, delimiter)
        if (folder or key) > after:
            rows[folder or key] = None if folder else bucket.objects[key]
    page = list(rows.items())[:limit]
    more = bool(page) and len(rows) > len(page)
    fields: list[Field] = [
        ("Name", bucket.name),
        ("Prefix", written(prefix)),
        ("Delimiter", written(delimiter)),
        ("StartAfter", written(start)),
        ("MaxKeys", limit),
        *written.fields,
        ("KeyCount", len(page)),
        ("IsTruncated", more),
        ("ContinuationToken", token),
        ("NextContinuationToken", _token_of(page[-1][0]) if more else ""),
        *(("Contents", _object(written(key), held)) for key, held in page if held is not None),
        *_folders([key for key, held in page if held is None], written),
    ]
    return document("ListBucketResult", fields)


def uploads(bucket: Bucket, request: Request) -> Reply:
    """ListMultipartUploads, by key and then by time."""
    query, written = request.query, encoder(request)
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    marker, id_marker = query.get("key-marker", ""), query.get("upload-id-marker", "")
    limit = _limit(query, "max-uploads")
    after = (marker, id_marker) if id_marker else (marker, "~")  # every id is less than a tilde
    rows: dict[tuple[str, str], Upload | None] = {}
    for key, upload_id in sorted((upload.key, upload_id) for upload_id, upload in bucket.uploads.items()):
        folder = _folder(key, prefix, delimiter)
        row = (folder, "") if folder else (key, upload_id)
        if key.startswith(prefix) and row > after:
            rows[row] = None if folder else bucket.uploads[upload_id]
    page = list(rows.items())[:limit]
    more = bool(page) and len(rows) > len(page)
    last = page[-1][0] if more else ("", "")
    fields: list[Field] = [
        ("Bucket", bucket.name),
        ("KeyMarker", written(marker)),
        ("UploadIdMarker", id_marker),
        ("NextKeyMarker", written(last[0])),
        ("NextUploadIdMarker", last[1]),
        ("Prefix", written(prefix)),
        ("Delimiter", written(delimiter)),
        *written.fields,
        ("MaxUploads", limit),
        ("IsTruncated", more),
        *(("Upload", _upload(written(key), upload_id, found)) for (key, upload_id), found in page if found),
        *_folders([key for (key, _), found in page if found is None], written),
    ]
    return document("ListMultipartUploadsResult", fields)


def parts(bucket: Bucket, key: str, request: Request) -> Reply:
    """ListParts, by number."""
    query, upload_id = request.query, request.query["uploadId"]
    upload = bucket.upload(key, upload_id)
    after, limit = _number(query, "part-number-marker", 0), _limit(query, "max-parts")
    rest = sorted(number for number in upload.parts if number > after)
    page = rest[:limit]
    fields: list[Field] = [
        ("Bucket", bucket.name),
        ("Key", key),
        ("UploadId", upload_id),
        ("StorageClass", "STANDARD"),
        ("PartNumberMarker", after),
        ("NextPartNumberMarker", page[-1] if page else 0),
        ("MaxParts", limit),
        ("IsTruncated", len(rest) > len(page)),
        *(("Part", _part(number, upload.parts[number], upload.algorithm)) for number in page),
    ]
    return document("ListPartsResult", fields)


def _object(key: str, held: Stored) -> list[Field]:
    sums: list[Field] = []
    if held.checksum:
        sums = [("ChecksumAlgorithm", held.checksum.algorithm.upper()), ("ChecksumType", held.checksum.kind)]
    return [
        ("Key", key),
        ("LastModified", instant(held.modified_at)),
        ("ETag", held.quoted_etag),
        *sums,
        ("Size", len(held.body)),
        ("StorageClass", held.headers.get("x-amz-storage-class", "STANDARD")),
    ]


def _upload(key: str, upload_id: str, upload: Upload) -> list[Field]:
    return [
        ("Key", key),
        ("UploadId", upload_id),
        ("StorageClass", "STANDARD"),
        ("Initiated", instant(upload.begun_at)),
    ]


def _part(number: int, part: Stored, algorithm: str | None) -> list[Field]:
    has_sum = algorithm and part.checksum
    sums: list[Field] = [(part.checksum.member, part.checksum.value)] if has_sum and part.checksum else []
    modified = instant(part.modified_at)
    tag: list[Field] = [("PartNumber", number), ("LastModified", modified), ("ETag", part.quoted_etag)]
    return [*tag, ("Size", len(part.body)), *sums]


def _folders(names: list[str], written: Encoder) -> list[Field]:
    return [("CommonPrefixes", [("Prefix", written(name))]) for name in names]


def _folder(key: str, prefix: str, delimiter: str) -> str:
    name, found, _ = key.removeprefix(prefix).partition(delimiter) if delimiter else ("", "", "")
    return prefix + name + delimiter if found else ""


def _limit(query: Mapping[str, str], name: str) -> int:
    return min(_number(query, name, LONGEST_PAGE), LONGEST_PAGE)


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, "")
    if text and not text.isdecimal():
        raise invalid(f"Provided {name} not an integer or within integer range")
    return int(text) if text else default


def _token_of(key: str) -> str:
    """Where a listing goes on; nobody but the fake reads it."""
    return base64.urlsafe_b64encode(key.encode()).decode()


def _key_of(token: str) -> str:
    try:
        if token:
            return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        pass
    raise invalid("The continuation token provided is incorrect", ArgumentName="continuation-token")

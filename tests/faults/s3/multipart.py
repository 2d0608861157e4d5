"""Multipart uploads: begun, filled part by part, completed or aborted."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from tests.faults.s3 import checksums
from tests.faults.s3.asked import Asked
from tests.faults.s3.bodies import Body, Dropped
from tests.faults.s3.checksums import COMPOSITE, FULL_OBJECT, Checksum
from tests.faults.s3.conditions import check_write
from tests.faults.s3.documents import Field, document, root_of, text_of
from tests.faults.s3.headers import encryption_of, kept_headers
from tests.faults.s3.objects import Stored, Upload
from tests.faults.s3.refusals import Refused, invalid, malformed, not_simulated
from tests.faults.wire import Reply

SMALLEST_PART_BYTES = 5 << 20
MOST_PARTS = 10_000
ALGORITHM, KIND = "x-amz-checksum-algorithm", "x-amz-checksum-type"


@dataclass(frozen=True, slots=True)
class Named:
    """A part as CompleteMultipartUpload names it."""

    number: int
    etag: str
    sums: Mapping[str, str]  # ChecksumCRC32 and its like


def begin(asked: Asked) -> Reply:
    """CreateMultipartUpload."""
    headers = asked.request.headers
    algorithm = checksums.known(headers[ALGORITHM]) if ALGORITHM in headers else None
    kind = headers.get(KIND, COMPOSITE) if algorithm else None
    if kind == FULL_OBJECT and algorithm != "crc32":
        text = f"The {FULL_OBJECT} checksum type cannot be used with the {algorithm} checksum algorithm."
        raise Refused(400, "InvalidRequest", text)
    upload = Upload(asked.key, asked.buckets.now(), kept_headers(headers, asked.bucket), algorithm, kind)
    upload_id = asked.buckets.upload_id()
    asked.bucket.uploads[upload_id] = upload
    told = {ALGORITHM: algorithm.upper(), KIND: kind} if algorithm and kind else {}
    fields: list[Field] = [("Bucket", asked.bucket.name), ("Key", asked.key), ("UploadId", upload_id)]
    return document("InitiateMultipartUploadResult", fields, {**encryption_of(upload.headers), **told})


def put_part(asked: Asked) -> Reply:
    """UploadPart; a part of the same number is replaced."""
    query, content = asked.request.query, asked.content
    assert content
    number = query.get("partNumber", "")
    if not number.isdecimal() or not 1 <= int(number) <= MOST_PARTS:
        text = f"Part number must be an integer between 1 and {MOST_PARTS}, inclusive"
        raise invalid(text, ArgumentName="partNumber", ArgumentValue=number)
    upload = asked.bucket.upload(asked.key, query["uploadId"])
    _check_algorithm(upload, content.checksum)
    part = asked.buckets.store(content, encryption_of(upload.headers), asked.buckets.now())
    upload.parts[int(number)] = part
    told = {"ETag": part.quoted_etag, **part.headers}
    if part.checksum:
        told[checksums.PREFIX + part.checksum.algorithm] = part.checksum.value
    return Reply(200, (), told)


def complete(asked: Asked) -> Reply:
    """CompleteMultipartUpload. What is refused may be tried again: the upload stays."""
    headers, bucket = asked.request.headers, asked.bucket
    upload_id = asked.request.query["uploadId"]
    upload = bucket.upload(asked.key, upload_id)
    assert isinstance(asked.body, bytes)
    parts = _parts(upload, _named(asked.body))
    check_write(headers, bucket.objects.get(asked.key), asked.key)
    stored = _assembled(upload, parts)
    _check_whole(headers, stored)
    bucket.objects[asked.key] = stored
    del bucket.uploads[upload_id]
    fields: list[Field] = [
        ("Location", f"http://{headers.get('host', 's3')}/{bucket.name}/{asked.key}"),
        ("Bucket", bucket.name),
        ("Key", asked.key),
        ("ETag", stored.quoted_etag),
    ]
    if stored.checksum:
        fields += [(stored.checksum.member, stored.checksum.value), ("ChecksumType", stored.checksum.kind)]
    return document("CompleteMultipartUploadResult", fields, encryption_of(stored.headers))


def abort(asked: Asked) -> Reply:
    """AbortMultipartUpload."""
    upload_id = asked.request.query["uploadId"]
    asked.bucket.upload(asked.key, upload_id)
    del asked.bucket.uploads[upload_id]
    return Reply(204)


def _named(body: bytes) -> list[Named]:
    named = []
    for part in root_of(body).iter("Part"):
        number = text_of(part, "PartNumber")
        if not number.isdecimal():
            raise malformed()
        sums = {each.tag: each.text or "" for each in part if each.tag.startswith("Checksum")}
        named.append(Named(int(number), text_of(part, "ETag").strip('"'), sums))
    if not named:
        raise malformed()
    return named


def _parts(upload: Upload, named: list[Named]) -> list[Stored]:
    """The parts meant: they rise, exist, are what their names say, and only the last may be small."""
    numbers = [each.number for each in named]
    if numbers != sorted(set(numbers)):
        text = "The list of parts was not in ascending order. The parts list must be specified in order by "
        raise Refused(400, "InvalidPartOrder", text + "part number.")
    for each in named:
        _check_part(upload, each)
    parts = [upload.parts[number] for number in numbers]
    for number, part in zip(numbers[:-1], parts[:-1], strict=True):
        if len(part.body) < SMALLEST_PART_BYTES:
            text = "Your proposed upload is smaller than the minimum allowed size"
            told = {"ProposedSize": str(len(part.body)), "MinSizeAllowed": str(SMALLEST_PART_BYTES)}
            raise Refused(400, "EntityTooSmall", text, **told, PartNumber=str(number), ETag=part.etag)
    return parts


def _check_part(upload: Upload, named: Named) -> None:
    part = upload.parts.get(named.number)
    if part is None or part.etag != named.etag:
        raise _no_such_part(named)
    if upload.checksum_kind == COMPOSITE and not named.sums:
        text = (
            f"The upload was created using a {upload.algorithm} checksum. The complete request must include "
            f"the checksum for each part. It was missing for part {named.number} in the request."
        )
        raise Refused(400, "InvalidRequest", text)
    held = {part.checksum.member: part.checksum.value} if part.checksum else {}
    if any(held.get(name) != value for name, value in named.sums.items()):
        raise _no_such_part(named)


def _no_such_part(named: Named) -> Refused:
    text = (
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the "
        "specified entity tag may not match the part's entity tag."
    )
    return Refused(400, "InvalidPart", text, PartNumber=str(named.number), ETag=named.etag)


def _assembled(upload: Upload, parts: list[Stored]) -> Stored:
    """The object; S3 dates it by the beginning of its upload."""
    bodies = [part.body for part in parts if not isinstance(part.body, Dropped)]
    body: Body = Dropped(sum(len(part.body) for part in parts))
    if len(bodies) == len(parts):
        body = bodies[0] if len(bodies) == 1 else b"".join(bodies)
    digest = hashlib.md5(b"".join(bytes.fromhex(part.etag) for part in parts)).hexdigest()
    etag = f"{digest}-{len(parts)}"
    return Stored(body, etag, upload.begun_at, upload.headers, _checksum(upload, parts, body))


def _checksum(upload: Upload, parts: list[Stored], body: Body) -> Checksum | None:
    values = [part.checksum.value for part in parts if part.checksum]
    if upload.algorithm and upload.checksum_kind == COMPOSITE and len(values) == len(parts):
        return checksums.composed(upload.algorithm, values)
    if upload.algorithm and upload.checksum_kind == FULL_OBJECT and isinstance(body, bytes):
        return Checksum(upload.algorithm, checksums.text_of(upload.algorithm, body))
    return None


def _check_algorithm(upload: Upload, sent: Checksum | None) -> None:
    """A part's sum is of the upload's kind; an upload without one takes parts of any."""
    actual = sent.algorithm if sent else "null"
    if upload.algorithm is None or actual == upload.algorithm:
        return
    if sent or upload.checksum_kind == COMPOSITE:
        kinds = f"expected checksum Type: {upload.algorithm}, actual checksum Type: {actual}"
        raise Refused(400, "InvalidRequest", f"Checksum Type mismatch occurred, {kinds}")


def _check_whole(headers: Mapping[str, str], stored: Stored) -> None:
    """What the client says of the object as a whole."""
    size = headers.get("x-amz-mp-object-size")
    if size is not None and size != str(len(stored.body)):
        text = f"The provided 'x-amz-mp-object-size' header value {size} does not match what was computed"
        raise Refused(400, "InvalidRequest", text)
    sent = checksums.sent_sum(headers)
    if sent is None:
        return
    if stored.checksum is None or stored.checksum.algorithm != sent.algorithm:
        raise not_simulated("a sum of the whole object of another kind than the upload's")
    if sent.value != stored.checksum.value:
        text = f"The {sent.algorithm.upper()} you specified did not match the calculated checksum."
        raise Refused(400, "BadDigest", text)

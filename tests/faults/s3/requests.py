"""S3's REST dialect, path style, over ``objects.Buckets``.

Signatures are not verified; of them, only the region counts. What is not simulated is refused with 501:
versions, copies, tags, object lock, customer keys, several ranges, dates as conditions.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.faults.s3 import listings, multipart, reads
from tests.faults.s3.asked import Asked
from tests.faults.s3.bodies import Body
from tests.faults.s3.checksums import verified
from tests.faults.s3.conditions import check_delete, check_write
from tests.faults.s3.documents import Field, document, refusal, root_of, text_of
from tests.faults.s3.headers import encryption_of, kept_headers
from tests.faults.s3.naming import operation_of, place_of, region_of
from tests.faults.s3.objects import Bucket, Buckets, Content
from tests.faults.s3.refusals import Refused, malformed, not_simulated
from tests.faults.wire import Reply, Request

HOME_REGION = "us-east-1"  # of buckets that are created without a word about it
MOST_DELETED = 1000
MOST_KEY_BYTES = 1024
BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
WITH_CONTENT = frozenset({"PutObject", "UploadPart"})


def answer(buckets: Buckets, request: Request, body: Body) -> Reply:
    """Answer one request. Its sums are computed before the lock is taken."""
    operation = operation_of(request)
    try:
        _refuse_versions(request)
        content = Content.of(request.headers, body) if operation in WITH_CONTENT else None
        with buckets.lock:
            return _answer(buckets, operation, request, body, content)
    except Refused as refused:
        return refusal(refused, request)


def _answer(buckets: Buckets, operation: str, request: Request, body: Body, content: Content | None) -> Reply:
    name, key = place_of(request)
    if operation == "CreateBucket":
        return _create_bucket(buckets, name, request, body)
    handler = HANDLERS.get(operation)
    if handler is None:
        raise not_simulated(operation)
    if len(key.encode()) > MOST_KEY_BYTES:
        raise Refused(400, "KeyTooLongError", "Your key is too long")
    bucket = buckets.find(name, request)
    return handler(Asked(buckets, bucket, key, request, body, content))


def _refuse_versions(request: Request) -> None:
    if "versionId" in request.query:
        raise not_simulated("a version of an object")


# --- buckets --------------------------------------------------------------------------------------


def _create_bucket(buckets: Buckets, name: str, request: Request, body: Body) -> Reply:
    place = root_of(body).findtext("LocationConstraint") if isinstance(body, bytes) and body else None
    signed_for = region_of(request) or HOME_REGION
    region = place or HOME_REGION
    if signed_for not in (HOME_REGION, region):
        text = (
            f"The {place or 'unspecified'} location constraint is incompatible for the region specific "
            "endpoint this request was sent to."
        )
        raise Refused(400, "IllegalLocationConstraintException", text)
    if not BUCKET_NAME.fullmatch(name):
        raise Refused(400, "InvalidBucketName", "The specified bucket is not valid.", BucketName=name)
    if region != HOME_REGION or not buckets.has(name):  # its own region lets an owner create a bucket again
        buckets.create(name, region)
    return Reply(200, (), {"Location": f"/{name}"})


def _head_bucket(asked: Asked) -> Reply:
    return Reply(200, (), {"x-amz-bucket-region": asked.bucket.region, "Content-Type": "application/xml"})


def _delete_bucket(asked: Asked) -> Reply:
    asked.buckets.remove(asked.bucket.name)
    return Reply(204)


def _locate_bucket(asked: Asked) -> Reply:
    region = asked.bucket.region
    return document("LocationConstraint", "" if region == HOME_REGION else region)


# --- objects --------------------------------------------------------------------------------------


def _put(asked: Asked) -> Reply:
    bucket, headers = asked.bucket, asked.request.headers
    check_write(headers, bucket.objects.get(asked.key), asked.key)
    kept = kept_headers(headers, bucket)
    assert asked.content
    stored = asked.buckets.store(asked.content, kept, asked.buckets.now())
    bucket.objects[asked.key] = stored
    sums = stored.checksum.headers if stored.checksum else {}
    return Reply(200, (), {"ETag": stored.quoted_etag, **encryption_of(kept), **sums})


def _delete(asked: Asked) -> Reply:
    check_delete(asked.request.headers.get("if-match"), asked.bucket.objects.get(asked.key), asked.key)
    asked.bucket.objects.pop(asked.key, None)
    return Reply(204)


def _delete_many(asked: Asked) -> Reply:
    assert isinstance(asked.body, bytes)
    sums = ("content-md5", "x-amz-checksum-", "x-amz-trailer")
    if not any(name.startswith(sums) for name in asked.request.headers):
        text = "Missing required header for this request: Content-MD5 OR x-amz-checksum-*"
        raise Refused(400, "InvalidRequest", text)
    verified(asked.request.headers, asked.body)
    root = root_of(asked.body)
    wanted = [(text_of(entry, "Key"), entry.findtext("ETag")) for entry in root.iter("Object")]
    if not 0 < len(wanted) <= MOST_DELETED:
        raise malformed()
    rows = [_deleted(asked.bucket, key, etag) for key, etag in wanted]
    quiet = root.findtext("Quiet") == "true"
    return document("DeleteResult", [row for row in rows if not quiet or row[0] == "Error"])


def _deleted(bucket: Bucket, key: str, etag: str | None) -> Field:
    try:
        check_delete(etag, bucket.objects.get(key), key)
    except Refused as refused:
        return "Error", [("Key", key), ("Code", refused.code), ("Message", str(refused))]
    bucket.objects.pop(key, None)
    return "Deleted", [("Key", key)]


HANDLERS: dict[str, Callable[[Asked], Reply]] = {
    "HeadBucket": _head_bucket,
    "DeleteBucket": _delete_bucket,
    "GetBucketLocation": _locate_bucket,
    "ListObjectsV2": lambda asked: listings.objects(asked.bucket, asked.request),
    "ListMultipartUploads": lambda asked: listings.uploads(asked.bucket, asked.request),
    "ListParts": lambda asked: listings.parts(asked.bucket, asked.key, asked.request),
    "PutObject": _put,
    "GetObject": lambda asked: reads.get(asked.bucket.object(asked.key), asked.request),
    "HeadObject": lambda asked: reads.head(asked.bucket.object(asked.key), asked.request),
    "DeleteObject": _delete,
    "DeleteObjects": _delete_many,
    "CreateMultipartUpload": multipart.begin,
    "UploadPart": multipart.put_part,
    "CompleteMultipartUpload": multipart.complete,
    "AbortMultipartUpload": multipart.abort,
}

"""Which of S3's operations a request asks for, of which object, and in which region."""

from __future__ import annotations

import re

from tests.faults.wire import Request

CREDENTIAL = re.compile(r"Credential=[^/]*/[^/]*/([^/]*)/")
OPERATIONS = {
    ("GET", "service", ""): "ListBuckets",
    ("PUT", "bucket", ""): "CreateBucket",
    ("HEAD", "bucket", ""): "HeadBucket",
    ("DELETE", "bucket", ""): "DeleteBucket",
    ("GET", "bucket", ""): "ListObjects",
    ("GET", "bucket", "list-type"): "ListObjectsV2",
    ("GET", "bucket", "location"): "GetBucketLocation",
    ("GET", "bucket", "uploads"): "ListMultipartUploads",
    ("POST", "bucket", "delete"): "DeleteObjects",
    ("PUT", "object", ""): "PutObject",
    ("GET", "object", ""): "GetObject",
    ("HEAD", "object", ""): "HeadObject",
    ("DELETE", "object", ""): "DeleteObject",
    ("POST", "object", "uploads"): "CreateMultipartUpload",
    ("PUT", "object", "uploadId"): "UploadPart",
    ("POST", "object", "uploadId"): "CompleteMultipartUpload",
    ("DELETE", "object", "uploadId"): "AbortMultipartUpload",
    ("GET", "object", "uploadId"): "ListParts",
}
COPIES = {"PutObject": "CopyObject", "UploadPart": "UploadPartCopy"}
# Every other name in a query (acl, tagging, versioning, ...) chooses an operation.
PARAMETERS = frozenset(
    {
        "continuation-token",
        "delimiter",
        "encoding-type",
        "fetch-owner",
        "key-marker",
        "max-keys",
        "max-parts",
        "max-uploads",
        "part-number-marker",
        "partNumber",
        "prefix",
        "start-after",
        "upload-id-marker",
        "versionId",
        "x-id",
    }
)


def place_of(request: Request) -> tuple[str, str]:
    """The bucket and the key of a path-style request; empty where it names none."""
    bucket, _, key = request.path[1:].partition("/")
    return bucket, key


def operation_of(request: Request) -> str:
    """S3's own name of what is asked; what is unknown here is called by its method and subresource."""
    bucket, key = place_of(request)
    level = "object" if key else "bucket" if bucket else "service"
    mark = next((name for name in request.query if name not in PARAMETERS), "")
    found = OPERATIONS.get((request.method, level, mark))
    if found is None:
        return f"{request.method} {level}?{mark}"
    return COPIES.get(found, found) if "x-amz-copy-source" in request.headers else found


def region_of(request: Request) -> str | None:
    """The region that a request was signed for."""
    found = CREDENTIAL.search(request.headers.get("authorization", ""))
    return found.group(1) if found else None

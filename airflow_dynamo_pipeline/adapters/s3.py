"""An S3 bucket behind the engine's port: conditional writes and streamed uploads, no temporary file."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from airflow_dynamo_pipeline.adapters.aws_errors import DENIED, translated
from airflow_dynamo_pipeline.engine.ports import Absent, StoredObject, VersionConflict
from airflow_dynamo_pipeline.errors import AccessDenied, NotFound, PipelineError, ServiceTrouble

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PIECE_BYTES = 5 * 1024 * 1024  # of an upload: the least that S3 takes; it takes 10,000 of them
READ_BYTES = 128 * 1024
DELETE_AT_ONCE = 1000
CONFLICTS = ("PreconditionFailed", "412", "NoSuchKey", "404")
GONE = ("NoSuchKey", "404", "NotFound")
NO_UPLOAD = "NoSuchUpload"
MOVED = ("301", "PermanentRedirect")
UNSAID = "400"  # expired credentials, for one: a reply to HEAD has no body to say so; the next call has one
REGION_HEADER = "x-amz-bucket-region"


class S3Store:
    """One bucket. Every call is tried once: retries are a wrapper's business."""

    def __init__(self, client: S3Client, bucket: str, *, kms_key_id: str | None = None) -> None:
        """``kms_key_id`` encrypts what is written; None leaves it to the bucket's own settings."""
        self._client = client
        self._bucket = bucket
        self._encryption: dict[str, Any] = {}
        if kms_key_id:
            self._encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key_id}

    def region(self) -> str | None:
        """The bucket's region; raises NotFound or AccessDenied."""
        with translated("s3:ListBucket", self._arn()):
            try:
                reply = self._client.head_bucket(Bucket=self._bucket)
            except ClientError as error:
                if _code(error) in GONE or _code(error) == "NoSuchBucket":
                    hint = "create it, or mend the bucket's name in s3_uri"
                    raise NotFound("bucket", self._bucket, hint) from error
                region = _headers(error.response).get(REGION_HEADER)
                if _code(error) == UNSAID or (region and _code(error) in (*DENIED, *MOVED)):
                    return region  # a policy limited to a prefix denies HeadBucket; the probe decides
                raise
        return _headers(reply).get(REGION_HEADER)

    def probe(self, key: str) -> None:
        """Begin an upload and abort it, list and delete: what an export needs.

        Nothing is left; where the bucket keeps versions, the deletion of no object leaves a delete marker.
        """
        with translated("s3:ListBucket", self._arn()):
            self._client.list_objects_v2(Bucket=self._bucket, Prefix=key, MaxKeys=1)
        with translated("s3:PutObject", self._arn(key)):
            reply = self._client.create_multipart_upload(Bucket=self._bucket, Key=key, **self._encryption)
        with translated("s3:AbortMultipartUpload", self._arn(key)):
            _abort(self._client, {"Bucket": self._bucket, "Key": key}, reply["UploadId"])
        self.abort_uploads(key)  # those of probes that were killed between the two calls above
        self.delete([key])

    def get(self, key: str) -> StoredObject | None:
        """Read a small object; None when there is none."""
        with translated("s3:GetObject", self._arn(key)):
            try:
                reply = self._client.get_object(Bucket=self._bucket, Key=key)
            except ClientError as error:
                if _code(error) in GONE or (_is_masked(error) and not self._may_be_there(key)):
                    return None
                raise
            return StoredObject(reply["Body"].read(), reply["ETag"])

    def _may_be_there(self, key: str) -> bool:
        """Ask by a list, which a policy may allow below a prefix only."""
        try:
            return self._is_listed(key)
        except ClientError:
            return True

    def _is_listed(self, key: str) -> bool:
        reply = self._client.list_objects_v2(Bucket=self._bucket, Prefix=key, MaxKeys=1)
        return any(entry["Key"] == key for entry in reply.get("Contents", ()))

    def read(self, key: str) -> Iterator[bytes]:
        """Stream an object in chunks of a quarter mebibyte; raises NotFound."""
        with translated("s3:GetObject", self._arn(key)):
            reply = self._client.get_object(Bucket=self._bucket, Key=key)
            yield from reply["Body"].iter_chunks(READ_BYTES)

    def size(self, key: str) -> int:
        """An object's size in bytes; raises NotFound."""
        with translated("s3:GetObject", self._arn(key)):
            try:
                return int(self._client.head_object(Bucket=self._bucket, Key=key)["ContentLength"])
            except ClientError as error:
                if _code(error) in GONE or (_code(error) in DENIED and self._is_absent(key)):
                    raise NotFound("key", self._arn(key)) from error
                raise

    def _is_absent(self, key: str) -> bool:
        """What a denied HEAD has no body to say; raises AccessDenied if it may not be asked."""
        with translated("s3:ListBucket", self._arn()):
            return not self._is_listed(key)

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Some of an object's bytes; raises NotFound."""
        if length <= 0:
            return b""
        wanted = f"bytes={start}-{start + length - 1}"
        with translated("s3:GetObject", self._arn(key)):
            reply = self._client.get_object(Bucket=self._bucket, Key=key, Range=wanted)
            return reply["Body"].read()

    def put(self, key: str, body: bytes, *, expect: str | Absent | None = None) -> str:
        """Write a small object and return its ETag; raises VersionConflict."""
        condition: dict[str, Any] = {}
        if isinstance(expect, Absent):
            condition = {"IfNoneMatch": "*"}
        elif expect is not None:
            condition = {"IfMatch": expect}
        with translated("s3:PutObject", self._arn(key)):
            try:
                reply = self._client.put_object(
                    Bucket=self._bucket, Key=key, Body=body, **condition, **self._encryption
                )
            except ClientError as error:
                if condition and _code(error) in CONFLICTS:
                    raise VersionConflict(key) from error
                raise
        return reply["ETag"]

    def create(self, key: str) -> S3Writer:
        """Begin to stream an object; nothing is sent before the first piece is full."""
        return S3Writer(self._client, self._bucket, key, self._encryption)

    def keys(self, prefix: str) -> Iterator[str]:
        """Every key under a prefix, in order."""
        pages = self._client.get_paginator("list_objects_v2")
        with translated("s3:ListBucket", self._arn()):
            for page in pages.paginate(Bucket=self._bucket, Prefix=prefix):
                for entry in page.get("Contents", ()):
                    yield entry["Key"]

    def folders(self, prefix: str) -> Iterator[str]:
        """The folder names directly under a prefix that ends in a slash."""
        pages = self._client.get_paginator("list_objects_v2")
        with translated("s3:ListBucket", self._arn()):
            for page in pages.paginate(Bucket=self._bucket, Prefix=prefix, Delimiter="/"):
                for entry in page.get("CommonPrefixes", ()):
                    yield entry["Prefix"][len(prefix) :].rstrip("/")

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects, a thousand a call."""
        rest = iter(keys)
        while some := list(itertools.islice(rest, DELETE_AT_ONCE)):
            with translated("s3:DeleteObject", self._arn(some[0])):
                reply = self._client.delete_objects(
                    Bucket=self._bucket, Delete={"Objects": [{"Key": key} for key in some], "Quiet": True}
                )
            if errors := reply.get("Errors"):
                raise _not_deleted(errors[0], self._arn(errors[0].get("Key")))

    def abort_uploads(self, prefix: str) -> int:
        """Abort every unfinished upload under a prefix."""
        with translated("s3:ListBucketMultipartUploads", self._arn()):
            pages = self._client.get_paginator("list_multipart_uploads")
            found = [
                (upload["Key"], upload["UploadId"])
                for page in pages.paginate(Bucket=self._bucket, Prefix=prefix)
                for upload in page.get("Uploads", ())
            ]
        for key, upload_id in found:
            with translated("s3:AbortMultipartUpload", self._arn(key)):
                _abort(self._client, {"Bucket": self._bucket, "Key": key}, upload_id)
        return len(found)

    def _arn(self, key: str | None = None) -> str:
        partition = self._client.meta.partition
        return f"arn:{partition}:s3:::{self._bucket}" + (f"/{key}" if key else "")


class S3Writer:
    """Streams one object.

    What ``write`` was given stays buffered if a call fails, so that ``write(b"")`` goes on where it
    failed, and ``close`` may be called again.
    """

    def __init__(self, client: S3Client, bucket: str, key: str, encryption: dict[str, Any]) -> None:
        self._client = client
        self._where: dict[str, Any] = {"Bucket": bucket, "Key": key}
        self._encryption = encryption
        self._arn = f"arn:{client.meta.partition}:s3:::{bucket}/{key}"
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._upload_id: str | None = None
        self._pieces: list[Any] = []
        self._completing = False

    def write(self, data: bytes) -> None:
        """Append; sends a piece each time 5 MiB have come together."""
        if data:
            self._waiting.append(data)
            self._waiting_bytes += len(data)
        if self._waiting_bytes >= PIECE_BYTES:
            self._send()

    def close(self) -> str:
        """Make the object visible and return its ETag."""
        if self._upload_id is None:
            with translated("s3:PutObject", self._arn):
                body = b"".join(self._waiting)
                return self._client.put_object(**self._where, Body=body, **self._encryption)["ETag"]
        if self._waiting:
            self._send()
        with translated("s3:PutObject", self._arn):
            try:
                return self._client.complete_multipart_upload(
                    **self._where, UploadId=self._upload_id, MultipartUpload={"Parts": self._pieces}
                )["ETag"]
            except ClientError as error:
                if self._completing and _code(error) == NO_UPLOAD:  # the first try had succeeded
                    return self._client.head_object(**self._where)["ETag"]
                raise
            finally:
                self._completing = True

    def abort(self) -> None:
        """Drop the upload; nothing becomes visible."""
        self._waiting.clear()
        if self._upload_id is not None:
            with translated("s3:AbortMultipartUpload", self._arn):
                _abort(self._client, self._where, self._upload_id)
            self._upload_id = None

    def _send(self) -> None:
        with translated("s3:PutObject", self._arn):
            if self._upload_id is None:
                begun = self._client.create_multipart_upload(**self._where, **self._encryption)
                self._upload_id = begun["UploadId"]
            number = len(self._pieces) + 1
            piece = b"".join(self._waiting)
            self._waiting[:] = [piece]  # one copy in memory, kept in case the call fails
            reply = self._client.upload_part(
                **self._where, UploadId=self._upload_id, PartNumber=number, Body=piece
            )
        self._pieces.append({"PartNumber": number, "ETag": reply["ETag"]})
        self._waiting.clear()
        self._waiting_bytes = 0


def _abort(client: S3Client, where: dict[str, Any], upload_id: str) -> None:
    """Abort an upload; that somebody else ended it is as good."""
    try:
        client.abort_multipart_upload(**where, UploadId=upload_id)
    except ClientError as error:
        if _code(error) != NO_UPLOAD:
            raise


def _not_deleted(entry: Mapping[str, Any], arn: str) -> PipelineError:
    """DeleteObjects answers 200 and says what went wrong key by key."""
    code, text = str(entry.get("Code", "")), str(entry.get("Message", ""))
    if code in DENIED:
        return AccessDenied("s3:DeleteObject", arn, text)
    return ServiceTrouble(f"s3:DeleteObject on {arn}: {code}: {text}")


def _is_masked(error: ClientError) -> bool:
    """Whether S3 denies GetObject for want of s3:ListBucket: what is not there is then no 404."""
    return _code(error) in DENIED and "s3:ListBucket" in str(error)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _headers(reply: Any) -> Mapping[str, str]:
    headers: Mapping[str, str] = reply["ResponseMetadata"].get("HTTPHeaders", {})
    return headers

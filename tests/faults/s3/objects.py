"""What S3 keeps: buckets, objects and unfinished uploads. Callers hold the lock of ``Buckets``."""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tests.faults.s3.bodies import Body, Dropped
from tests.faults.s3.checksums import Checksum, verified
from tests.faults.s3.naming import region_of
from tests.faults.s3.refusals import Refused, no_such_key, no_such_upload
from tests.faults.wire import Request

ENCRYPTION = "x-amz-server-side-encryption"
KMS_KEY = ENCRYPTION + "-aws-kms-key-id"
PLAIN_ENCRYPTION = {ENCRYPTION: "AES256"}  # what S3 does when it is told nothing


@dataclass(frozen=True, slots=True)
class Content:
    """The body of one request, and what was computed of it outside the lock."""

    body: Body
    md5: str | None  # None: of a body that was dropped
    checksum: Checksum | None

    @classmethod
    def of(cls, headers: Mapping[str, str], body: Body) -> Content:
        """Compute and verify; raises Refused where a sum does not fit."""
        checksum = verified(headers, body)
        return cls(body, None if isinstance(body, Dropped) else hashlib.md5(body).hexdigest(), checksum)


@dataclass(frozen=True, slots=True)
class Stored:
    """An object, or a part of one to be."""

    body: Body
    etag: str  # without quotes
    modified_at: datetime
    headers: Mapping[str, str]  # what a reader is told besides: type, metadata, encryption
    checksum: Checksum | None = None

    @property
    def quoted_etag(self) -> str:
        """The ETag as headers and documents show it."""
        return f'"{self.etag}"'


@dataclass(slots=True)
class Upload:
    """A multipart upload under way."""

    key: str
    begun_at: datetime
    headers: Mapping[str, str]
    algorithm: str | None = None
    checksum_kind: str | None = None
    parts: dict[int, Stored] = field(default_factory=dict)


@dataclass(slots=True)
class Bucket:
    """Objects by key, unfinished uploads by id."""

    name: str
    region: str
    encryption: Mapping[str, str] = field(default_factory=lambda: PLAIN_ENCRYPTION)
    objects: dict[str, Stored] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)

    def object(self, key: str) -> Stored:
        """Look an object up."""
        if key not in self.objects:
            raise no_such_key(key)
        return self.objects[key]

    def upload(self, key: str, upload_id: str) -> Upload:
        """Look an unfinished upload up."""
        found = self.uploads.get(upload_id)
        if found is None or found.key != key:
            raise no_such_upload(upload_id)
        return found


class Buckets:
    """All buckets under one lock: every answer is given as a whole, while nobody else's is."""

    def __init__(self, now: Callable[[], datetime], *, kept_bytes: int | None = None) -> None:
        """Bodies of ``kept_bytes`` and above are dropped; None keeps all of them."""
        self.lock = threading.Lock()
        self.now = now
        self.uploaded_bytes = 0  # bodies of PutObject and UploadPart, framing taken off
        self._kept_bytes = kept_bytes
        self._buckets: dict[str, Bucket] = {}
        self._serials = itertools.count(1)

    def has(self, name: str) -> bool:
        """Whether there is such a bucket."""
        return name in self._buckets

    def create(self, name: str, region: str, encryption: Mapping[str, str] = PLAIN_ENCRYPTION) -> Bucket:
        """Make an empty bucket."""
        if name in self._buckets:
            text = "Your previous request to create the named bucket succeeded and you already own it."
            raise Refused(409, "BucketAlreadyOwnedByYou", text, BucketName=name)
        return self._buckets.setdefault(name, Bucket(name, region, encryption))

    def remove(self, name: str) -> None:
        """Delete an empty bucket."""
        if self._buckets[name].objects:
            text = "The bucket you tried to delete is not empty"
            raise Refused(409, "BucketNotEmpty", text, BucketName=name)
        del self._buckets[name]

    def find(self, name: str, request: Request | None = None) -> Bucket:
        """Look a bucket up; a request on whose behalf it is must have been signed for its region."""
        found = self._buckets.get(name)
        if found is None:
            raise Refused(404, "NoSuchBucket", "The specified bucket does not exist", BucketName=name)
        if request and region_of(request) not in (None, found.region):
            raise moved(found)
        return found

    def store(self, content: Content, headers: Mapping[str, str], modified_at: datetime) -> Stored:
        """Make an object or a part; its ETag is the body's MD5 unless KMS encrypts it."""
        self.uploaded_bytes += len(content.body)
        in_kms = headers.get(ENCRYPTION, "").startswith("aws:kms")
        etag = None if in_kms else content.md5
        etag = etag or f"{next(self._serials):032x}"  # says nothing, and is like no other
        drops = self._kept_bytes is not None and len(content.body) >= self._kept_bytes
        body = Dropped(len(content.body)) if drops else content.body
        return Stored(body, etag, modified_at, headers, content.checksum)

    def upload_id(self) -> str:
        """An id like no other; the later of two is the greater, so that both orders of a listing agree."""
        serial = next(self._serials)
        return f"{serial:012}{hashlib.md5(f'upload {serial}'.encode()).hexdigest()}"


def moved(bucket: Bucket) -> Refused:
    """What an endpoint of one region says of a bucket in another."""
    text = (
        "The bucket you are attempting to access must be addressed using the specified endpoint. "
        "Please send all future requests to this endpoint."
    )
    endpoint = f"{bucket.name}.s3.{bucket.region}.amazonaws.com"
    refused = Refused(301, "PermanentRedirect", text, Endpoint=endpoint, Bucket=bucket.name)
    refused.headers = {"x-amz-bucket-region": bucket.region}
    return refused

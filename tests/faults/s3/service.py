"""S3 as a service of the fake, and what a test does to it from outside."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

from tests.faults.calls import Call
from tests.faults.s3.bodies import Dropped
from tests.faults.s3.headers import kept_headers
from tests.faults.s3.objects import ENCRYPTION, KMS_KEY, PLAIN_ENCRYPTION, Buckets, Content, Stored
from tests.faults.s3.requests import HOME_REGION, answer
from tests.faults.wire import Reply


class WallClock(Protocol):
    """What S3 needs of a clock."""

    def now(self) -> datetime:
        """The instant, in UTC."""
        ...


class NoTime:
    """The clock of those who do not ask how late it is."""

    def now(self) -> datetime:
        return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class S3:
    """Buckets of any region. Every answer takes effect as a whole, and is seen by the next call.

    A request is taken for one to the endpoint of the region that it was signed for. The bodies and
    errors are S3's; what is not simulated is listed in ``requests``.
    """

    def __init__(self, clock: WallClock | None = None) -> None:
        """``clock`` dates objects and uploads; without one all are of the same moment."""
        self._buckets = Buckets((clock or NoTime()).now)

    def answer(self, call: Call) -> Reply:
        """Do what the call asks."""
        return answer(self._buckets, call.request, call.body)

    def create_bucket(self, bucket: str, *, region: str = HOME_REGION, kms_key_id: str | None = None) -> None:
        """Make an empty bucket. With a ``kms_key_id``, whatever does not say otherwise is encrypted by it."""
        by_kms = {ENCRYPTION: "aws:kms", KMS_KEY: kms_key_id or ""}
        with self._buckets.lock:
            self._buckets.create(bucket, region, by_kms if kms_key_id else PLAIN_ENCRYPTION)

    def objects(self, bucket: str) -> dict[str, bytes]:
        """Every object's body by its key: two such snapshots are equal if the bucket's content is."""
        return {key: _bytes(held) for key, held in self._stored(bucket).items()}

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        """Every key under a prefix, in order."""
        return sorted(key for key in self._stored(bucket) if key.startswith(prefix))

    def get(self, bucket: str, key: str) -> bytes:
        """An object's body; raises KeyError."""
        return _bytes(self._stored(bucket)[key])

    def etag(self, bucket: str, key: str) -> str:
        """An object's ETag, in quotes as clients see it; raises KeyError."""
        return self._stored(bucket)[key].quoted_etag

    def put(self, bucket: str, key: str, body: bytes) -> str:
        """Write an object whatever is there, and return its ETag."""
        content = Content.of({}, body)
        with self._buckets.lock:
            found = self._buckets.find(bucket)
            stored = self._buckets.store(content, kept_headers({}, found), self._buckets.now())
            found.objects[key] = stored
        return stored.quoted_etag

    def delete(self, bucket: str, key: str) -> None:
        """Delete an object; raises KeyError."""
        with self._buckets.lock:
            del self._buckets.find(bucket).objects[key]

    def uploads(self, bucket: str, prefix: str = "") -> list[tuple[str, str]]:
        """Key and id of every unfinished upload under a prefix, in order."""
        with self._buckets.lock:
            uploads = self._buckets.find(bucket).uploads
            found = [(upload.key, upload_id) for upload_id, upload in uploads.items()]
        return sorted(pair for pair in found if pair[0].startswith(prefix))

    def _stored(self, bucket: str) -> dict[str, Stored]:
        with self._buckets.lock:
            return dict(self._buckets.find(bucket).objects)


def _bytes(held: Stored) -> bytes:
    assert not isinstance(held.body, Dropped)
    return held.body

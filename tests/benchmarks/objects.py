"""The endpoint's S3 side: objects are counted; only those below 1 MiB are kept.

Conditional writes, part order, the smallest part size and ETags of what is kept are as in S3. A body that
is dropped has an ETag that says nothing of it (as with SSE-KMS), and its checksum is not verified.
"""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

KEPT_BYTES = 1 << 20  # bodies of this size and above are dropped
SMALLEST_PART_BYTES = 5 << 20


class Refused(Exception):
    """An error reply of S3's."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(message or code)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class Stored:
    """An object, or a part of one to be."""

    size_bytes: int
    body: bytes | None  # None: dropped
    etag: str

    @classmethod
    def of(cls, body: bytes) -> Stored:
        """Keep the body if it is small."""
        return cls(len(body), body if len(body) < KEPT_BYTES else None, f'"{hashlib.md5(body).hexdigest()}"')

    @classmethod
    def dropped(cls, size_bytes: int) -> Stored:
        """Stand for a body that was not even read."""
        return cls(size_bytes, None, f'"{uuid.uuid4().hex}"')


@dataclass(slots=True)
class Upload:
    """A multipart upload under way."""

    key: str
    parts: dict[int, Stored] = field(default_factory=dict)

    def assemble(self, wanted: list[tuple[int, str]]) -> Stored:
        """Make the object of the parts named, which must exist, rise and not be too small."""
        numbers = [number for number, _ in wanted]
        if not wanted or numbers != sorted(set(numbers)):
            raise Refused(400, "InvalidPartOrder")
        if any(number not in self.parts or self.parts[number].etag != etag for number, etag in wanted):
            raise Refused(400, "InvalidPart")
        parts = [self.parts[number] for number in numbers]
        if any(part.size_bytes < SMALLEST_PART_BYTES for part in parts[:-1]):
            raise Refused(400, "EntityTooSmall")
        size = sum(part.size_bytes for part in parts)
        bodies = [part.body for part in parts if part.body is not None]
        body = b"".join(bodies) if len(bodies) == len(parts) and size < KEPT_BYTES else None
        return Stored(size, body, f'"{uuid.uuid4().hex}-{len(parts)}"')


class Bucket:
    """All objects and uploads; keys begin with the bucket's name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._objects: dict[str, Stored] = {}
        self._uploads: dict[str, Upload] = {}
        self.uploaded_bytes = 0  # bodies of PUT requests, framing taken off

    def put(self, key: str, stored: Stored, headers: Mapping[str, str]) -> Stored:
        """Write an object, if its conditions hold."""
        with self._lock:
            self._check(key, headers)
            self._objects[key] = stored
            self.uploaded_bytes += stored.size_bytes
        return stored

    def _check(self, key: str, headers: Mapping[str, str]) -> None:
        held = self._objects.get(key)
        if headers.get("if-none-match") == "*" and held:
            raise Refused(412, "PreconditionFailed")
        wanted = headers.get("if-match")
        if wanted and not held:
            raise Refused(404, "NoSuchKey")
        if wanted and held and wanted.strip('"') != held.etag.strip('"'):
            raise Refused(412, "PreconditionFailed")

    def get(self, key: str) -> Stored:
        """Look an object up."""
        held = self._objects.get(key)
        if not held:
            raise Refused(404, "NoSuchKey")
        return held

    def delete(self, key: str) -> None:
        """Delete an object if it is there."""
        with self._lock:
            self._objects.pop(key, None)

    def matching(self, prefix: str) -> list[tuple[str, Stored]]:
        """Every object under a prefix, in order of the keys."""
        with self._lock:
            return sorted((key, held) for key, held in self._objects.items() if key.startswith(prefix))

    def begin(self, key: str) -> str:
        """Begin a multipart upload and return its id."""
        upload_id = uuid.uuid4().hex
        with self._lock:
            self._uploads[upload_id] = Upload(key)
        return upload_id

    def upload(self, upload_id: str) -> Upload:
        """Look an unfinished upload up."""
        found = self._uploads.get(upload_id)
        if not found:
            raise Refused(404, "NoSuchUpload")
        return found

    def put_part(self, upload_id: str, number: int, part: Stored) -> Stored:
        """Add a part to an upload."""
        with self._lock:
            self.upload(upload_id).parts[number] = part
            self.uploaded_bytes += part.size_bytes
        return part

    def complete(self, upload_id: str, wanted: list[tuple[int, str]], headers: Mapping[str, str]) -> Stored:
        """Make an upload's object visible, if its conditions hold."""
        with self._lock:
            upload = self.upload(upload_id)
            self._check(upload.key, headers)
            stored = self._objects[upload.key] = upload.assemble(wanted)
            del self._uploads[upload_id]
        return stored

    def abort(self, upload_id: str) -> None:
        """Drop an unfinished upload."""
        with self._lock:
            self.upload(upload_id)
            del self._uploads[upload_id]

    def uploads(self, prefix: str) -> list[tuple[str, str]]:
        """Key and id of every unfinished upload under a prefix."""
        with self._lock:
            found = [(upload.key, upload_id) for upload_id, upload in self._uploads.items()]
        return sorted(pair for pair in found if pair[0].startswith(prefix))

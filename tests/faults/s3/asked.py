"""What a handler is given."""

from __future__ import annotations

from dataclasses import dataclass

from tests.faults.s3.bodies import Body
from tests.faults.s3.objects import Bucket, Buckets, Content
from tests.faults.wire import Request


@dataclass(frozen=True, slots=True)
class Asked:
    """A request under the lock: where it is to work, with a body that has been verified."""

    buckets: Buckets
    bucket: Bucket
    key: str
    request: Request
    body: Body
    content: Content | None  # of what PutObject and UploadPart bring

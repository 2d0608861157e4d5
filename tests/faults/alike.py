"""The same call to the fake and to the service it is measured by, and what both answer."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from tests.faults.s3 import S3
from tests.faults.serving import service_at_work
from tests.services import Services, aws_client

Answer = dict[str, Any]

# Owners and places are of an account and a host. Moto tells a version of objects that have none, and says
# neither of which kind a checksum is nor which token it was given.
NOISE = {"Owner", "Initiator", "Location", "VersionId", "ChecksumType", "ContinuationToken"}
OWN = {"UploadId", "UploadIdMarker", "NextUploadIdMarker", "ContinuationToken", "NextContinuationToken"}


class Side:
    """One of the two services; its ids are told by the order in which they were seen."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self._names: dict[str, str] = {}

    def call(self, operation: str, **params: Any) -> Answer:
        """Call, and make the answer comparable: no dates, no ids of its own, errors as code and status."""
        try:
            reply = getattr(self.client, operation)(**self._own(params))
        except ClientError as error:
            found = error.response
            return {"Error": found["Error"]["Code"], "Status": found["ResponseMetadata"]["HTTPStatusCode"]}
        status = reply.pop("ResponseMetadata")["HTTPStatusCode"]
        return {**self._shown(reply), "Status": status}

    def _own(self, params: dict[str, Any]) -> dict[str, Any]:
        own = {shown: real for real, shown in self._names.items()}
        return {name: own.get(value, value) if name in OWN else value for name, value in params.items()}

    def _shown(self, value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: self._shown(one, key) for key, one in value.items() if self._counts(key, one)}
        if isinstance(value, list):
            return [self._shown(one) for one in value]
        if isinstance(value, datetime):
            return "a date"
        if isinstance(value, StreamingBody):
            return value.read()
        if name in OWN and value:
            return self._names.setdefault(value, f"number {len(self._names) + 1}")
        return value

    @staticmethod
    def _counts(name: str, value: Any) -> bool:
        """Whether a member says something; S3 encrypts by its own keys whatever it is not told to."""
        return name not in NOISE and value != "" and (name, value) != ("ServerSideEncryption", "AES256")


class Alike:
    """Both services. ``call`` finds them alike; ``apart`` is for what is known to be different."""

    def __init__(self, fake: Any, measure: Any, **always: Any) -> None:
        """Clients of both; ``always`` are parameters of every call."""
        self._sides = Side(fake), Side(measure)
        self._always = always

    def call(self, operation: str, **params: Any) -> Answer:
        """The answer of both."""
        ours, theirs = self.apart(operation, **params)
        assert theirs == ours, (operation, params)
        return ours

    def documented(self, wanted: Answer, operation: str, **params: Any) -> None:
        """Where the service's documentation and the other differ, the fake follows the documentation."""
        ours, theirs = self.apart(operation, **params)
        assert wanted == {name: ours.get(name) for name in wanted}, (operation, params)
        assert wanted != {name: theirs.get(name) for name in wanted}, "mended: both are alike now"

    def fake(self, operation: str, **params: Any) -> Answer:
        """The answer of the fake alone, for what the other does not know at all."""
        return self._sides[0].call(operation, **self._always, **params)

    def apart(self, operation: str, **params: Any) -> tuple[Answer, Answer]:
        """The answers of the fake and of the other."""
        fake, measure = self._sides
        wanted = {**self._always, **params}
        return fake.call(operation, **wanted), measure.call(operation, **wanted)


@contextlib.contextmanager
def s3_clients(services: Services) -> Iterator[tuple[Any, Any]]:
    """Clients of a fake S3 and of moto's; to make one takes longer than a test."""
    with service_at_work(S3()) as url:
        yield aws_client("s3", url), aws_client("s3", services.moto_url)


def in_a_new_bucket(clients: tuple[Any, Any]) -> Alike:
    """Both sides with an empty bucket of the same name."""
    both = Alike(*clients, Bucket=f"bucket-{uuid.uuid4().hex}")
    both.call("create_bucket")
    return both

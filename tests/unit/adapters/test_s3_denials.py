"""To a role that may list below a prefix only, S3 does not say that an object is not there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from airflow_dynamo_pipeline.adapters.s3 import S3Store
from airflow_dynamo_pipeline.errors import AccessDenied, NotFound

SAID = "User: arn:aws:iam::1:user/u is not authorized to perform: {} because no policy allows the action"


class Client:
    """S3 with one object and a policy; answers reads and lists as the service does."""

    meta = SimpleNamespace(partition="aws", region_name="us-east-1")

    def __init__(self, lacking: str, *, may_list: bool = True) -> None:
        self._lacking = lacking
        self._may_list = may_list

    def get_object(self, **_: Any) -> Any:
        raise denied("GetObject", self._lacking)

    def head_object(self, **_: Any) -> Any:
        raise ClientError({"Error": {"Code": "403", "Message": "Forbidden"}}, "HeadObject")

    def list_objects_v2(self, *, Prefix: str, **_: Any) -> Any:  # noqa: N803  AWS's name
        if not self._may_list:
            raise denied("ListObjectsV2", "s3:ListBucket")
        key = "daily/plan.json-old"
        return {"Contents": [{"Key": key}]} if key.startswith(Prefix) else {}


def denied(operation: str, action: str) -> ClientError:
    return ClientError({"Error": {"Code": "AccessDenied", "Message": SAID.format(action)}}, operation)


def store(client: Any) -> S3Store:
    return S3Store(client, "backups")


@pytest.mark.parametrize("key", ["daily/plan.json", "daily/other", "daily/plan.json-old2"])
def test_what_is_denied_for_want_of_a_list_and_not_listed_is_not_there(key: str) -> None:
    assert store(Client("s3:ListBucket")).get(key) is None


@pytest.mark.parametrize(
    ("key", "client"),
    [
        ("daily/plan.json-old", Client("s3:ListBucket")),
        ("daily/plan.json", Client("s3:ListBucket", may_list=False)),
        ("daily/plan.json", Client("s3:GetObject")),
    ],
    ids=["there", "not listed either", "not allowed to read"],
)
def test_what_is_there_or_cannot_be_told_stays_denied(key: str, client: Client) -> None:
    with pytest.raises(AccessDenied):
        store(client).get(key)


@pytest.mark.parametrize(
    ("key", "may_list", "expected", "said"),
    [
        ("daily/plan.json", True, NotFound, "daily/plan.json"),
        (
            "daily/plan.json-old",
            True,
            AccessDenied,
            "allow s3:GetObject on arn:aws:s3:::backups/daily/plan.json-old",
        ),
        ("daily/plan.json", False, AccessDenied, "allow s3:ListBucket on arn:aws:s3:::backups "),
    ],
    ids=["absent", "there", "not to be told"],
)
def test_a_size_that_is_denied_names_what_lacks(
    key: str, may_list: bool, expected: type[Exception], said: str
) -> None:
    """A reply to HEAD has no body to say why; a list tells what is not there from what may not be read."""
    with pytest.raises(expected, match=said):
        store(Client("s3:GetObject", may_list=may_list)).size(key)

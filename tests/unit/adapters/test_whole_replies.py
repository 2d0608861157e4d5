from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.awsrequest import AWSRequest, AWSResponse, HTTPHeaders

from airflow_dynamo_pipeline.adapters.conditions import describe_table
from airflow_dynamo_pipeline.adapters.s3 import S3Store
from airflow_dynamo_pipeline.adapters.whole_replies import refusing_cut_replies
from airflow_dynamo_pipeline.errors import ServiceTrouble
from tests.unit.scripted_aws import Scripted, _Body, table


def client(service: str, body: bytes, announced: int | None, **headers: str) -> Any:
    """A client whose every reply has this body and announces so many bytes."""
    found = Scripted(service, (200, b"")).client

    def answer(request: AWSRequest, **_: object) -> AWSResponse:
        head = HTTPHeaders()
        for name, value in headers.items():
            head[name.replace("_", "-")] = value
        if announced is not None:
            head["Content-Length"] = str(announced)
        return AWSResponse(str(request.url), 200, head, _Body(body))

    found.meta.events.register_first("before-send", answer)
    return refusing_cut_replies(found)


WHOLE = json.dumps(table()[1]).encode()


def test_a_reply_that_was_cut_short_is_trouble_and_not_a_reply_without_members() -> None:
    with pytest.raises(ServiceTrouble, match="DescribeTable"):
        describe_table(client("dynamodb", WHOLE[:40], len(WHOLE)), "orders")


@pytest.mark.parametrize("announced", [len(WHOLE), None])
def test_a_whole_reply_passes_whether_its_length_was_announced_or_not(announced: int | None) -> None:
    assert "orders" == describe_table(client("dynamodb", WHOLE, announced), "orders").name


def test_an_encoded_reply_is_as_long_as_it_is() -> None:
    found = client("dynamodb", WHOLE, len(WHOLE) + 9, content_encoding="identity")

    assert "orders" == describe_table(found, "orders").name


def test_the_reply_to_a_head_announces_what_it_does_not_send() -> None:
    store = S3Store(client("s3", b"", 1000, x_amz_bucket_region="eu-west-1"), "backups")

    assert "eu-west-1" == store.region()


def test_a_listing_that_was_cut_short_is_trouble() -> None:
    with pytest.raises(ServiceTrouble, match="ListBucket"):
        list(S3Store(client("s3", b"<ListBucketResult>", 900), "backups").keys("daily/"))

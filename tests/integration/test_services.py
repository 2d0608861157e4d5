"""The services answer, the gateway adds nothing and takes nothing, and no test leaves this machine."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.services import Services, aws_client
from tests.services.process import DidNotStart, server

if TYPE_CHECKING:  # stubs, which only the checker has
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

PARENT = """
import sys, time
from tests.services.moto_server import moto_server
with moto_server() as url:
    print(url, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def through_gateway(services: Services) -> "DynamoDBClient":
    return aws_client("dynamodb", services.gateway_url)


@pytest.fixture
def table(through_gateway: "DynamoDBClient") -> Iterator[str]:
    name = f"table-{uuid.uuid4().hex}"
    through_gateway.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield name
    through_gateway.delete_table(TableName=name)


def test_what_is_written_through_the_gateway_is_in_dynamodb_local(
    through_gateway: "DynamoDBClient", dynamodb: "DynamoDBClient", table: str
) -> None:
    through_gateway.put_item(TableName=table, Item={"id": {"S": "é😀"}, "n": {"N": "1E+100"}})

    assert dynamodb.scan(TableName=table)["Items"] == through_gateway.scan(TableName=table)["Items"]
    assert 1 == dynamodb.scan(TableName=table)["Count"]


def test_point_in_time_recovery_which_local_lacks_is_answered(
    through_gateway: "DynamoDBClient", table: str
) -> None:
    def status() -> str:
        backups = through_gateway.describe_continuous_backups(TableName=table)
        return backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"][
            "PointInTimeRecoveryStatus"
        ]

    assert "DISABLED" == status()

    through_gateway.update_continuous_backups(
        TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )

    assert "ENABLED" == status()


def test_a_deleted_table_can_be_made_again(through_gateway: "DynamoDBClient", table: str) -> None:
    through_gateway.delete_table(TableName=table)
    through_gateway.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )

    assert through_gateway.describe_continuous_backups(TableName=table)


def test_an_error_passes_through(through_gateway: "DynamoDBClient") -> None:
    with pytest.raises(through_gateway.exceptions.ResourceNotFoundException):
        through_gateway.describe_table(TableName="there-is-none")


def test_body_and_headers_pass_byte_for_byte(
    services: Services, dynamodb: "DynamoDBClient", table: str
) -> None:
    """The checksum DynamoDB Local made is still there and still right, on a connection that is kept."""
    dynamodb.put_item(TableName=table, Item={"id": {"S": 'a\x01é😀<>&"\\'}, "b": {"B": b"\x00\xff"}})

    direct, via = _scan_twice(services.dynamodb_url, table), _scan_twice(services.gateway_url, table)

    assert direct[0][1] == direct[1][1] == via[0][1] == via[1][1]
    for (expected, _), (headers, body) in zip(direct, via, strict=True):
        assert set(expected) == set(headers)
        assert expected["x-amz-crc32"] == headers["x-amz-crc32"] == str(zlib.crc32(body))


def _scan_twice(url: str, table: str) -> list[tuple[dict[str, str], bytes]]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    replies = []
    for _ in range(2):
        connection.request(
            "POST",
            "/",
            json.dumps({"TableName": table}),
            {
                "X-Amz-Target": "DynamoDB_20120810.Scan",
                "Content-Type": "application/x-amz-json-1.0",
                "Authorization": "AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/dynamodb/"
                "aws4_request, SignedHeaders=host, Signature=0",
            },
        )
        response = connection.getresponse()
        replies.append(({name.lower(): value for name, value in response.getheaders()}, response.read()))
    connection.close()
    return replies


def test_s3_keeps_what_it_is_given(s3: "S3Client", bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a/b", Body=b"\x00\xff")

    assert b"\x00\xff" == s3.get_object(Bucket=bucket, Key="a/b")["Body"].read()


def test_a_server_that_ends_at_once_shows_its_log() -> None:
    with (
        pytest.raises(DidNotStart, match=r"(?s)broken ended with 1.*no such thing"),
        server("broken", _fails),
    ):
        pytest.fail("it cannot run")


def test_a_second_server_that_fails_takes_the_first_one_down() -> None:
    """Not as if the first had failed to start."""
    urls: list[str] = []

    def start_both() -> None:
        with server("first", _files) as url:
            urls.append(url)
            with server("second", _fails):
                pytest.fail("it cannot run")

    with pytest.raises(DidNotStart, match="second"):
        start_both()

    assert 1 == len(urls)
    assert not _listens(urls[0])


def test_an_interrupt_of_the_body_passes_and_the_server_is_gone() -> None:
    urls: list[str] = []

    def interrupted() -> None:
        with server("files", _files) as url:
            urls.append(url)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert not _listens(urls[0])


def _files(port: int) -> list[str]:
    return [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]


def _fails(port: int) -> list[str]:
    return [sys.executable, "-c", "raise SystemExit('no such thing')"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_no_service_outlives_a_parent_that_was_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    url = parent.stdout.readline().strip()
    assert _listens(url)

    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()

    deadline = time.monotonic() + 10
    while _listens(url) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _listens(url)


def _listens(url: str) -> bool:
    host, _, port = urlsplit(url).netloc.partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def test_a_connection_to_elsewhere_is_refused() -> None:
    """192.0.2.1 is set aside for documentation: nothing would be reached even without the guard."""
    with socket.socket() as probe, pytest.raises(pytest.fail.Exception, match="loopback only"):
        probe.connect(("192.0.2.1", 80))

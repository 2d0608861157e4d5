"""An export as a test runs it: tables, clients, one call, and what can be read back without the package."""

from __future__ import annotations

import base64
import concurrent.futures
import decimal
import functools
import gzip
import http.client
import json
import secrets
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from unittest import mock
from urllib.parse import urlsplit

import boto3
import zstandard

from airflow_dynamo_pipeline.adapters import wiring
from airflow_dynamo_pipeline.adapters.wiring import ENGINE_CONFIG, export_ports
from airflow_dynamo_pipeline.engine.housekeeping import Reports
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.plan import Ports
from airflow_dynamo_pipeline.engine.ports import Clock
from airflow_dynamo_pipeline.engine.progress import Progress
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.engine.table_export import ExportResult, export_table
from tests.services import Services
from tests.services.clients import ACCESS_KEY, REGION, SECRET_KEY

if TYPE_CHECKING:  # stubs, which only the checker has
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

Item = dict[str, Any]  # typed, as on the wire: {"pk": {"S": "a"}}
QUICK = 1_000_000  # units per second: no waiting
SUMMARY = "manifest-summary.json"


@functools.cache
def _session() -> boto3.Session:
    """One session for all clients: it keeps the service models it has read."""
    return boto3.Session(aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY, region_name=REGION)


class FastClock:
    """Real time, many times faster: long pauses are short, and threads keep their order."""

    def __init__(self, factor: float = 50.0) -> None:
        self._factor = factor
        self._began = time.monotonic()
        self._began_at = datetime.now(UTC)

    def monotonic(self) -> float:
        return (time.monotonic() - self._began) * self._factor

    def now(self) -> datetime:
        return self._began_at + timedelta(seconds=self.monotonic())

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(seconds / self._factor)


@dataclass
class World:
    """A bucket and the clients of the next export. Faults are put on these before ``export`` is called."""

    dynamodb_url: str
    moto_url: str
    bucket: str
    said: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)
    reports: list[Progress] = field(default_factory=list)
    clients: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, services: Services, bucket: str) -> World:
        return cls(services.dynamodb_url, services.moto_url, bucket)

    def client(self, service: str) -> Any:
        """The client that the export will use."""
        if service not in self.clients:
            self.clients[service] = self.fresh_client(service)
        return self.clients[service]

    def fresh_client(self, service: str) -> Any:
        """A client without faults."""
        url = self.dynamodb_url if service == "dynamodb" else self.moto_url
        make: Callable[..., Any] = _session().client
        return make(service, endpoint_url=url, config=ENGINE_CONFIG)

    def request(self, table_name: str, **settings: object) -> ExportRequest:
        """A request as an operator or the command line would make it."""
        if "ratio" not in settings:
            settings = {"units_per_second": QUICK, "segments": 2, **settings}
        return ExportRequest.from_settings(
            {"table_name": table_name, "s3_uri": f"s3://{self.bucket}/out", **settings}
        )

    def ports(self, request: ExportRequest, clock: Clock | None = None) -> Ports:
        """The package's own wiring, under a fast clock: what is tried for ten minutes is soon given up."""
        with mock.patch.object(wiring, "SystemClock", return_value=clock or FastClock()):
            return export_ports(
                self.client, request, stop=threading.Event(), say=self.said.append, warn=self.warned.append
            )

    def export(
        self, table_name: str, *, clock: Clock | None = None, generation: str = "", **settings: object
    ) -> ExportResult:
        """Export a table as the command line does: the same arguments find what they left."""
        request = self.request(table_name, **settings)
        work = Work(run=None, generation=generation or secrets.token_hex(8), began_at=datetime.now(UTC))
        try:
            return export_table(request, work, self.ports(request, clock), Reports(self.reports.append))
        finally:
            self.clients.clear()  # faults last for one export

    # --- what lies in the bucket, read without the package ----------------------------------------

    def listed(self) -> list[str]:
        pages = self.fresh_client("s3").get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return [entry["Key"] for page in pages for entry in page.get("Contents", ())]

    def uploads(self) -> list[str]:
        """Keys of the unfinished uploads."""
        reply = self.fresh_client("s3").list_multipart_uploads(Bucket=self.bucket)
        return [upload["Key"] for upload in reply.get("Uploads", ())]

    def get(self, key: str) -> bytes:
        body: bytes = self.fresh_client("s3").get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return body

    def put(self, key: str, body: bytes) -> None:
        self.fresh_client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)

    def data_keys(self) -> list[str]:
        return [key for key in self.listed() if "/data/" in key]

    def manifests(self) -> list[str]:
        return [key for key in self.listed() if key.endswith(SUMMARY)]

    def checkpoints(self) -> list[Item]:
        """The state of every segment of the only unfinished export, in order."""
        keys = [key for key in self.listed() if "/_checkpoint/" in key]
        return [json.loads(self.get(key)) for key in keys if key.rpartition("/")[2][:-5].isdigit()]

    def summary(self, manifest_uri: str) -> Item:
        found: Item = json.loads(self.get(key_of(manifest_uri)))
        return found

    def file_entries(self, manifest_uri: str) -> list[Item]:
        files = self.get(self.summary(manifest_uri)["manifestFilesS3Key"])
        return [json.loads(line) for line in files.decode().splitlines()]

    def data(self, manifest_uri: str) -> list[bytes]:
        """The decompressed content of each listed file, in the order of the manifest."""
        keys = [entry["dataFileS3Key"] for entry in self.file_entries(manifest_uri)]
        return [decompressed(key, self.get(key)) for key in keys]

    def lines(self, manifest_uri: str) -> list[bytes]:
        """Every line of every listed file. Splits at line feeds only, as readers of JSON lines do."""
        files = self.data(manifest_uri)
        assert all(content.endswith(b"\n") for content in files)
        return [line for content in files for line in content[:-1].split(b"\n")]

    def items(self, manifest_uri: str) -> list[Item]:
        """Every item of an export in DynamoDB JSON."""
        return [json.loads(line)["Item"] for line in self.lines(manifest_uri)]


def key_of(manifest_uri: str) -> str:
    return urlsplit(manifest_uri).path.lstrip("/")


def decompressed(key: str, body: bytes) -> bytes:
    if key.endswith(".gz"):
        return gzip.decompress(body)
    if key.endswith(".zst"):
        return zstandard.ZstdDecompressor().decompressobj().decompress(body)
    return body


# --- tables ---------------------------------------------------------------------------------------


def create_table(
    dynamodb: DynamoDBClient, key: Sequence[tuple[str, str]] = (("pk", "S"),), **more: Any
) -> str:
    """Make an empty table; ``key`` names one or two attributes and their types."""
    name = f"table-{uuid.uuid4().hex}"
    kinds = ("HASH", "RANGE")
    attributes = dict(key) | {
        each["AttributeName"]: each["AttributeType"] for each in more.pop("attributes", ())
    }
    billing = {"ProvisionedThroughput": {"ReadCapacityUnits": 100, "WriteCapacityUnits": 100}}
    arguments: dict[str, Any] = {
        "TableName": name,
        "KeySchema": [
            {"AttributeName": part, "KeyType": kind} for (part, _), kind in zip(key, kinds, strict=False)
        ],
        "AttributeDefinitions": [{"AttributeName": n, "AttributeType": t} for n, t in attributes.items()],
        **billing,
        **more,
    }
    dynamodb.create_table(**arguments)
    return name


def fill(url: str, table_name: str, items: Iterable[Item], *, threads: int = 4) -> None:
    """Write items through BatchWriteItem, as JSON text: nothing of a client's comes between."""
    waiting = list(items)
    batches = [waiting[n : n + 25] for n in range(0, len(waiting), 25)]
    shares = [batches[n::threads] for n in range(threads)]
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(functools.partial(_fill, url, table_name), shares):
            pass


def _fill(url: str, table_name: str, batches: list[list[Item]]) -> None:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    for batch in batches:
        requests = [{"PutRequest": {"Item": item}} for item in batch]
        reply = call(connection, "BatchWriteItem", {"RequestItems": {table_name: requests}})
        assert json.loads(reply)["UnprocessedItems"] == {}
    connection.close()


def call(connection: http.client.HTTPConnection, operation: str, request: Item) -> bytes:
    """One call of DynamoDB's JSON protocol; the body as it came."""
    connection.request(
        "POST",
        "/",
        json.dumps(request),
        {
            "X-Amz-Target": f"DynamoDB_20120810.{operation}",
            "Content-Type": "application/x-amz-json-1.0",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20260101/{REGION}/dynamodb/"
            "aws4_request, SignedHeaders=host, Signature=0",
        },
    )
    response = connection.getresponse()
    body = response.read()
    assert response.status == http.client.OK, body
    return body


def binary(value: bytes) -> Item:
    """A typed binary value."""
    return {"B": base64.b64encode(value).decode()}


def multiset(items: Iterable[Item]) -> Counter[str]:
    """Items to be compared whatever their order.

    The members of a set have no order either, and a number may come back in another notation.
    """
    return Counter(json.dumps(_canonical(item), sort_keys=True) for item in items)


def _canonical(value: Any) -> Any:
    if isinstance(value, list):
        return [_canonical(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {name: _canonical_value(name, inner) for name, inner in value.items()}


def _canonical_value(name: str, held: Any) -> Any:
    if name == "N" and isinstance(held, str):
        return _digits(held)
    if name in ("SS", "NS", "BS") and isinstance(held, list):
        return sorted(_digits(one) for one in held) if name == "NS" else sorted(held)
    return _canonical(held)


def _digits(number: str) -> str:
    """One notation for each number, exactly."""
    with decimal.localcontext(prec=40):
        return str(decimal.Decimal(number).normalize())


def bucket_in(s3: S3Client, region: str) -> str:
    """A new bucket in another region."""
    name = f"bucket-{uuid.uuid4().hex}"
    placed: Any = {"LocationConstraint": region}
    s3.create_bucket(Bucket=name, CreateBucketConfiguration=placed)
    return name

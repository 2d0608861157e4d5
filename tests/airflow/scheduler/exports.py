"""A table for one story, and what came of exporting it."""

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_dynamo_pipeline.engine.layout import ROOT, ExportLayout
from airflow_dynamo_pipeline.engine.requests import S3Location
from tests.airflow.scheduler.tap import Call
from tests.services import Services, aws_client

if TYPE_CHECKING:  # stubs, which only the checker has
    from mypy_boto3_s3 import S3Client

BUCKET = "backups"
READY_KEY = "ready"
ITEMS = 2000
ITEM_CHARACTERS = 2000  # 4 MB together: enough for four segments, and for parts of 1 MiB
AT_ONCE = 25


def item(number: int) -> dict[str, Any]:
    """Two kilobytes with a number."""
    return {"pk": {"S": f"k{number}"}, "text": {"S": "x" * ITEM_CHARACTERS}}


EACH_ONCE = Counter(f"k{number}" for number in range(ITEMS))


def make_bucket(services: Services) -> None:
    """Make the bucket and the mark that the example DAG waits for."""
    s3 = aws_client("s3", services.moto_url)
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key=READY_KEY, Body=b"")


@dataclass(frozen=True, slots=True)
class Source:
    """A table of one story; its exports go below a prefix of the same name."""

    name: str
    services: Services

    @property
    def s3_uri(self) -> str:
        """The target of its exports."""
        return f"s3://{BUCKET}/{self.name}"

    def fill(self, *, read_units: int, recoverable: bool = True) -> None:
        """Make the table; ``recoverable`` says whether it has point-in-time recovery."""
        dynamodb = aws_client("dynamodb", self.services.gateway_url)
        dynamodb.create_table(
            TableName=self.name,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            ProvisionedThroughput={"ReadCapacityUnits": read_units, "WriteCapacityUnits": 1000},
        )
        if recoverable:
            self.make_recoverable()
        for start in range(0, ITEMS, AT_ONCE):
            requests: list[Any] = [
                {"PutRequest": {"Item": item(start + number)}} for number in range(AT_ONCE)
            ]
            reply = dynamodb.batch_write_item(RequestItems={self.name: requests})
            assert not reply["UnprocessedItems"]

    def make_recoverable(self) -> None:
        """Switch point-in-time recovery on."""
        aws_client("dynamodb", self.services.gateway_url).update_continuous_backups(
            TableName=self.name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )

    def is_scan(self, call: Call) -> bool:
        """Whether a call reads this table."""
        return call.operation == "Scan" and call.asked["TableName"] == self.name

    def is_scan_of(self, segment: int) -> Callable[[Call], bool]:
        """Whether a call reads this segment of the table."""
        return lambda call: self.is_scan(call) and call.asked["Segment"] == segment

    def is_commit(self, call: Call) -> bool:
        """Whether a call writes the object that makes an export real."""
        return (
            call.method == "PUT"
            and f"/{self.name}/" in call.path
            and call.path.endswith("/manifest-summary.json")
        )

    def exports(self) -> list["Export"]:
        """The folders below the prefix, in no order: those of one run differ in a hash only."""
        s3 = aws_client("s3", self.services.moto_url)
        found = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{self.name}/{ROOT}/", Delimiter="/")
        names = [folder["Prefix"].split("/")[-2] for folder in found.get("CommonPrefixes", [])]
        return [Export(s3, ExportLayout(S3Location(BUCKET, self.name), name)) for name in names]


def items_read(calls: Iterable[Call]) -> int:
    """How many items some Scan calls have evaluated."""
    return sum(call.got["ScannedCount"] for call in calls)


@dataclass(frozen=True, slots=True)
class Export:
    """One export's folder."""

    s3: "S3Client"
    layout: ExportLayout

    def objects(self) -> dict[str, str]:
        """Names below the folder, with the instant each was written and its ETag."""
        prefix = self.layout.key("")
        found = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        return {
            entry["Key"].removeprefix(prefix): f"{entry['LastModified']} {entry['ETag']}" for entry in found
        }

    def manifest(self) -> dict[str, Any] | None:
        """The summary; None as long as nothing was committed."""
        return self._record(self.layout.summary_key)

    def lease(self) -> dict[str, Any]:
        """Who works on it, or worked last."""
        return self._record(self.layout.lease_key) or {}

    def range_lease(self, number: int) -> dict[str, Any]:
        """Who works on one range of it, or worked last."""
        return self._record(self.layout.range_key(number)) or {}

    def checkpoints(self) -> dict[int, dict[str, Any]]:
        """Each segment's checkpoint, by the segment's number."""
        prefix = self.layout.checkpoint_prefix
        found = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        names = [entry["Key"].removeprefix(prefix).removesuffix(".json") for entry in found]
        records = {int(name): self._record(f"{prefix}{name}.json") for name in names if name.isdigit()}
        return {number: record for number, record in records.items() if record is not None}

    def keys(self) -> Counter[str]:
        """How often each item stands in the files below ``data/``."""
        found = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=self.layout.data_prefix).get("Contents", [])
        return Counter(
            json.loads(line)["Item"]["pk"]["S"]
            for entry in found
            for line in gzip.decompress(self._body(entry["Key"])).splitlines()
        )

    def _record(self, key: str) -> dict[str, Any] | None:
        try:
            record: dict[str, Any] = json.loads(self._body(key))
        except self.s3.exceptions.NoSuchKey:
            return None
        return record

    def _body(self, key: str) -> bytes:
        return self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()

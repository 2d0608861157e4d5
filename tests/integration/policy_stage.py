"""Where operators and sensors run under a policy: tables, a bucket, and clients that no policy holds."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_dynamo_pipeline.operators.table_export import DynamoDBExportOperator
from tests.airflow.conftest import FakeTask, context_of
from tests.integration.policy_needs import KmsKeys
from tests.integration.policy_simulator import Call, Policy, Simulator
from tests.integration.world import QUICK, Item

if TYPE_CHECKING:  # stubs, which only the checker has
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

PREFIX = "daily/orders"
INDEX = "by-shop"
KEY = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ALIAS = "alias/backups"

# Seven pages, and more than the 5 MiB from which on a file is sent in pieces.
MANY: list[Item] = [
    {"pk": {"S": f"{n:02}"}, "shop": {"S": "a"}, "text": {"S": chr(97 + n) * 390_000}} for n in range(18)
]
ITEMS = MANY[:4]  # two pages, for whoever needs no pieces


def nothing(*_: object) -> None:
    """For whoever has nothing to do."""


@dataclass
class Stage:
    """Where one run is tried."""

    dynamodb: DynamoDBClient
    s3: S3Client
    bucket: str
    table: str  # provisioned, with an index
    on_demand_table: str
    large_table: str  # on demand, of MANY items
    new_table: str  # on demand, empty, without point-in-time recovery
    manifest_uri: str = ""  # of an export that was made beforehand
    keys: KmsKeys = field(default_factory=dict)
    after: Callable[[Call], object] = nothing  # told of every call
    between_looks: Callable[[], object] = nothing  # called where a sensor would sleep

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{PREFIX}"

    def key(self, name: str) -> str:
        """The key of an object below the prefix."""
        return f"{PREFIX}/{name}"

    @property
    def names(self) -> dict[str, str]:
        """What the arguments of a command may name."""
        return {
            "bucket": self.bucket,
            "uri": self.uri,
            "table": self.table,
            "on_demand_table": self.on_demand_table,
            "large_table": self.large_table,
            "new_table": self.new_table,
            "manifest_uri": self.manifest_uri,
            "index": INDEX,
            "key": KEY,
            "alias": ALIAS,
        }

    @contextmanager
    def under(self, document: Mapping[str, Any]) -> Iterator[Simulator]:
        """Hold everybody to this policy meanwhile."""
        simulator = Simulator(Policy(document), self.keys, after=self._tell)
        with simulator.in_force():
            yield simulator

    def _tell(self, call: Call) -> None:
        """Whoever listens now, not whoever did when the policy was put into force."""
        self.after(call)

    def export(self, run_id: str = "", **settings: Any) -> dict[str, Any]:
        """Export as a task does, and see that everything is there."""
        result = self.operator(**settings).execute(context_of(FakeTask(run_id or uuid.uuid4().hex)))
        wanted = MANY if settings.get("table_name") == self.large_table else ITEMS
        assert len(wanted) == result["item_count"]
        return result

    def operator(self, **settings: Any) -> DynamoDBExportOperator:
        rate = {} if "ratio" in settings else {"units_per_second": QUICK}
        given = {"table_name": self.table, "s3_uri": self.uri, "segments": 1, **rate, **settings}
        return DynamoDBExportOperator(task_id="export", **given)

    def export_beforehand(self, kms_key: str | None = None) -> None:
        """Make an export that no policy holds, and remember it."""
        self.manifest_uri = self.export(s3_sse_kms_key_id=kms_key)["manifest_uri"]
        if kms_key:
            self.keys.update({f"arn:aws:s3:::{self.bucket}/{key}": kms_key for key in self.listed()})

    def listed(self) -> list[str]:
        return [entry["Key"] for entry in self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])]

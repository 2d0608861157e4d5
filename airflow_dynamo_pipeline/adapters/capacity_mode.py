"""A table's capacity behind the engine's port: DescribeTable, UpdateTable, and what CloudWatch saw used."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from airflow_dynamo_pipeline.adapters.autoscaling import AwsAutoscaling
from airflow_dynamo_pipeline.adapters.aws_errors import translated
from airflow_dynamo_pipeline.adapters.clock import SystemClock
from airflow_dynamo_pipeline.adapters.retrying import Retries, RetryingStore
from airflow_dynamo_pipeline.adapters.s3 import S3Store
from airflow_dynamo_pipeline.adapters.whole_replies import refusing_cut_replies
from airflow_dynamo_pipeline.engine.capacity_request import CapacityModeRequest
from airflow_dynamo_pipeline.engine.capacity_state import CapacityPorts, LimitReached, Place, TableCapacity
from airflow_dynamo_pipeline.engine.ports import Clock, JsonObject
from airflow_dynamo_pipeline.errors import ServiceTrouble

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient

PERIOD = timedelta(minutes=1)
MOST_POINTS = 1440  # of one GetMetricStatistics
BUSY = "ResourceInUseException"
LIMIT = "LimitExceededException"
AT_ONCE = "simultaneous"  # in the text of a limit that is over in a moment: too many tables change at a time


class AwsCapacityTable:
    """One table."""

    def __init__(
        self,
        client: DynamoDBClient,
        cloudwatch: Callable[[], CloudWatchClient],
        table_name: str,
        retries: Retries,
    ) -> None:
        """CloudWatch's client is made when it is first needed."""
        self._client = client
        self._cloudwatch = cloudwatch
        self._name = table_name
        self._retries = retries

    def describe(self) -> TableCapacity:
        """What DescribeTable says; raises NotFound or AccessDenied."""
        return self._retries(self._describe)

    def _describe(self) -> TableCapacity:
        with translated("dynamodb:DescribeTable", f"table {self._name}"):
            reply = self._client.describe_table(TableName=self._name)
        return capacity_of(reply["Table"], self._client.meta.region_name)

    def update(self, parameters: JsonObject) -> None:
        """UpdateTable, once; raises LimitReached, and ServiceTrouble for a table that is being changed."""
        with translated("dynamodb:UpdateTable", f"table {self._name}"):
            try:
                self._client.update_table(TableName=self._name, **parameters)
            except ClientError as error:
                code = error.response.get("Error", {}).get("Code")
                text = error.response.get("Error", {}).get("Message", "")
                if code == BUSY:
                    raise ServiceTrouble(f"table {self._name} is being changed: {text}") from error
                if code == LIMIT and AT_ONCE not in text:
                    raise LimitReached(f"{code}: {text}") from error
                raise

    def consumed(self, index: str | None, kind: str, start: datetime, end: datetime) -> Sequence[float]:
        """The mean of each minute in which something was consumed, a day a call."""
        found: list[float] = []
        while start < end:
            until = min(end, start + MOST_POINTS * PERIOD)
            found += self._retries(partial(self._means, index, kind, start, until))
            start = until
        return found

    def _means(self, index: str | None, kind: str, start: datetime, end: datetime) -> list[float]:
        dimensions: list[Any] = [{"Name": "TableName", "Value": self._name}]
        if index is not None:
            dimensions.append({"Name": "GlobalSecondaryIndexName", "Value": index})
        with translated("cloudwatch:GetMetricStatistics", f"the consumed {kind} capacity of {self._name}"):
            reply = self._cloudwatch().get_metric_statistics(
                Namespace="AWS/DynamoDB",
                MetricName=f"Consumed{kind.title()}CapacityUnits",
                Dimensions=dimensions,
                StartTime=start,
                EndTime=end,
                Period=int(PERIOD.total_seconds()),
                Statistics=["Sum"],
            )
        return [point["Sum"] / PERIOD.total_seconds() for point in reply["Datapoints"]]


def capacity_of(table: Mapping[str, Any], region: str | None) -> TableCapacity:
    """DescribeTable's ``Table`` as the engine's value."""
    billing = table.get("BillingModeSummary", {})
    on_demand = billing.get("BillingMode") == "PAY_PER_REQUEST"
    indexes = table.get("GlobalSecondaryIndexes", ())
    created: datetime | None = table.get("CreationDateTime")
    return TableCapacity(
        table_name=table["TableName"],
        arn=table["TableArn"],
        table_id=table.get("TableId") or (created.isoformat() if created else ""),
        status=table["TableStatus"],
        on_demand=on_demand,
        on_demand_since=billing.get("LastUpdateToPayPerRequestDateTime"),
        places=[
            _place(None, table["TableStatus"], table, on_demand=on_demand),
            *(
                _place(index["IndexName"], index.get("IndexStatus", "ACTIVE"), index, on_demand=on_demand)
                for index in indexes
            ),
        ],
        replicas=[
            replica["RegionName"] for replica in table.get("Replicas", ()) if replica["RegionName"] != region
        ],
    )


def _place(index: str | None, status: str, described: Mapping[str, Any], *, on_demand: bool) -> Place:
    units = described.get("ProvisionedThroughput", {})
    maxima = described.get("OnDemandThroughput", {})
    return Place(
        index=index,
        status=status,
        read=0 if on_demand else int(units.get("ReadCapacityUnits", 0)),
        write=0 if on_demand else int(units.get("WriteCapacityUnits", 0)),
        max_read=_maximum(maxima.get("MaxReadRequestUnits")),
        max_write=_maximum(maxima.get("MaxWriteRequestUnits")),
        decreases_today=int(units.get("NumberOfDecreasesToday", 0)),
        last_decrease_at=units.get("LastDecreaseDateTime"),
    )


def _maximum(units: int | None) -> int | None:
    return None if units is None or units < 0 else int(units)


def capacity_ports(
    client: Callable[[str], Any],
    request: CapacityModeRequest,
    *,
    stop: threading.Event,
    say: Callable[[str], None],
    warn: Callable[[str], None],
    clock: Clock | None = None,
) -> CapacityPorts:
    """Everything that a change of capacity needs; ``client`` makes a client of any service."""
    clock = clock or SystemClock()
    retries = Retries(clock, stop, warn)
    table = AwsCapacityTable(
        refusing_cut_replies(client("dynamodb")),
        lambda: refusing_cut_replies(client("cloudwatch")),
        request.table_name,
        retries,
    )
    scaling = AwsAutoscaling(lambda: refusing_cut_replies(client("application-autoscaling")), retries)
    store = None
    if request.location is not None:
        bucket = S3Store(refusing_cut_replies(client("s3")), request.location.bucket)
        store = RetryingStore(bucket, clock, stop, warn)
    return CapacityPorts(
        table=table, scaling=scaling, store=store, clock=clock, stop=stop, say=say, warn=warn
    )

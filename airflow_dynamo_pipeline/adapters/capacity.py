"""What bounds an on-demand table and what its readers use: Service Quotas and CloudWatch."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_dynamo_pipeline.adapters.aws_errors import translated
from airflow_dynamo_pipeline.engine.ports import Clock
from airflow_dynamo_pipeline.errors import PipelineError, Temporary

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_service_quotas import ServiceQuotasClient

DEFAULT_TABLE_QUOTA = 40_000.0  # read request units, "Quotas in Amazon DynamoDB", Developer Guide
TABLE_READ_QUOTA_CODE = "L-CF0CBE56"  # table-level read throughput limit
LOOK_BACK = timedelta(hours=1)
PERIOD_SECONDS = 60
PERCENTILE = 0.99


class AwsCapacity:
    """Asks the two services when an on-demand table is exported by ratio, and only then."""

    def __init__(
        self,
        cloudwatch: Callable[[], CloudWatchClient],
        quotas: Callable[[], ServiceQuotasClient],
        clock: Clock,
        warn: Callable[[str], None],
    ) -> None:
        """Clients are made when they are first needed."""
        self._cloudwatch = cloudwatch
        self._quotas = quotas
        self._clock = clock
        self._warn = warn
        self._quota: float | None = None

    def table_read_quota(self) -> float:
        """The account's quota for one table, 40,000 where it cannot be read; asked once."""
        if self._quota is None:
            self._quota = self._read_quota()
        return self._quota

    def consumed_read_units_per_second(self, table_name: str, index_name: str | None) -> float:
        """The 99th percentile of the last hour's one-minute means; 0 when nothing was recorded."""
        dimensions: list[Any] = [{"Name": "TableName", "Value": table_name}]
        if index_name:
            dimensions.append({"Name": "GlobalSecondaryIndexName", "Value": index_name})
        end = self._clock.now()
        with translated("cloudwatch:GetMetricStatistics", f"the consumed read capacity of {table_name}"):
            reply = self._cloudwatch().get_metric_statistics(
                Namespace="AWS/DynamoDB",
                MetricName="ConsumedReadCapacityUnits",
                Dimensions=dimensions,
                StartTime=end - LOOK_BACK,
                EndTime=end,
                Period=PERIOD_SECONDS,
                Statistics=["Sum"],
            )
        means = sorted(point["Sum"] / PERIOD_SECONDS for point in reply["Datapoints"])
        return means[min(len(means) - 1, int(len(means) * PERCENTILE))] if means else 0.0

    def _read_quota(self) -> float:
        try:
            with translated("servicequotas:GetServiceQuota", TABLE_READ_QUOTA_CODE):
                reply = self._quotas().get_service_quota(
                    ServiceCode="dynamodb", QuotaCode=TABLE_READ_QUOTA_CODE
                )
        except Temporary:
            raise
        except PipelineError as error:
            self._warn(
                f"the account's table quota could not be read, taking {DEFAULT_TABLE_QUOTA:,.0f}: {error}"
            )
            return DEFAULT_TABLE_QUOTA
        return float(reply["Quota"].get("Value", DEFAULT_TABLE_QUOTA))

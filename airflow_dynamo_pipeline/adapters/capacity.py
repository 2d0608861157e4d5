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

DEFAULT_TABLE_QUOTA = 40_000.0  # request units of either kind, "Quotas in Amazon DynamoDB", Developer Guide
TABLE_READ_QUOTA_CODE = "L-CF0CBE56"  # table-level read throughput limit
TABLE_WRITE_QUOTA_CODE = "L-AB614373"  # table-level write throughput limit
LOOK_BACK = timedelta(hours=1)
PERIOD_SECONDS = 60
PERCENTILE = 0.99


class AwsCapacity:
    """Asks the two services when an on-demand table is read or written by ratio, and only then."""

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
        self._quotas_read: dict[str, float] = {}

    def table_read_quota(self) -> float:
        """The account's quota for one table, 40,000 where it cannot be read; asked once."""
        return self._quota(TABLE_READ_QUOTA_CODE)

    def table_write_quota(self) -> float:
        """The account's quota for writes to one table, 40,000 where it cannot be read; asked once."""
        return self._quota(TABLE_WRITE_QUOTA_CODE)

    def consumed_read_units_per_second(self, table_name: str, index_name: str | None) -> float:
        """The 99th percentile of the last hour's one-minute means; 0 when nothing was recorded."""
        return self._consumed("Read", table_name, index_name)

    def consumed_write_units_per_second(self, table_name: str, index_name: str | None) -> float:
        """Likewise of writes."""
        return self._consumed("Write", table_name, index_name)

    def _consumed(self, kind: str, table_name: str, index_name: str | None) -> float:
        dimensions: list[Any] = [{"Name": "TableName", "Value": table_name}]
        if index_name:
            dimensions.append({"Name": "GlobalSecondaryIndexName", "Value": index_name})
        end = self._clock.now()
        with translated(
            "cloudwatch:GetMetricStatistics", f"the consumed {kind.lower()} capacity of {table_name}"
        ):
            reply = self._cloudwatch().get_metric_statistics(
                Namespace="AWS/DynamoDB",
                MetricName=f"Consumed{kind}CapacityUnits",
                Dimensions=dimensions,
                StartTime=end - LOOK_BACK,
                EndTime=end,
                Period=PERIOD_SECONDS,
                Statistics=["Sum"],
            )
        means = sorted(point["Sum"] / PERIOD_SECONDS for point in reply["Datapoints"])
        return means[min(len(means) - 1, int(len(means) * PERCENTILE))] if means else 0.0

    def _quota(self, code: str) -> float:
        if code not in self._quotas_read:
            self._quotas_read[code] = self._read_quota(code)
        return self._quotas_read[code]

    def _read_quota(self, code: str) -> float:
        try:
            with translated("servicequotas:GetServiceQuota", code):
                reply = self._quotas().get_service_quota(ServiceCode="dynamodb", QuotaCode=code)
        except Temporary:
            raise
        except PipelineError as error:
            self._warn(
                f"the account's table quota could not be read, taking {DEFAULT_TABLE_QUOTA:,.0f}: {error}"
            )
            return DEFAULT_TABLE_QUOTA
        return float(reply["Quota"].get("Value", DEFAULT_TABLE_QUOTA))

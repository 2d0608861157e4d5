"""What bounds an on-demand table and what its readers use: Service Quotas and CloudWatch."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
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
MOST_POINTS = 1440  # of one GetMetricStatistics
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


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

    def write_units_since(self, table_name: str, begin: datetime) -> float:
        """All write units of the table since an instant: by minutes up to a day, beyond that by whole hours.

        One call is enough: the datapoints are as long as that takes.
        """
        end, start = self._clock.now(), begin.replace(second=0, microsecond=0)
        if start >= end:
            return 0.0
        if end - start <= MOST_POINTS * MINUTE:
            return sum(self._sums("Write", table_name, None, (start, end), MINUTE))
        start = start.replace(minute=0)
        hours = -((start - end) // (MOST_POINTS * HOUR))
        return sum(self._sums("Write", table_name, None, (start, end), hours * HOUR))

    def _consumed(self, kind: str, table_name: str, index_name: str | None) -> float:
        end = self._clock.now()
        sums = self._sums(kind, table_name, index_name, (end - LOOK_BACK, end), MINUTE)
        means = sorted(one / PERIOD_SECONDS for one in sums)
        return means[min(len(means) - 1, int(len(means) * PERCENTILE))] if means else 0.0

    def _sums(
        self,
        kind: str,
        table_name: str,
        index_name: str | None,
        span: tuple[datetime, datetime],
        period: timedelta,
    ) -> list[float]:
        """The units of each period in which CloudWatch has any, in no order."""
        dimensions: list[Any] = [{"Name": "TableName", "Value": table_name}]
        if index_name:
            dimensions.append({"Name": "GlobalSecondaryIndexName", "Value": index_name})
        with translated(
            "cloudwatch:GetMetricStatistics", f"the consumed {kind.lower()} capacity of {table_name}"
        ):
            reply = self._cloudwatch().get_metric_statistics(
                Namespace="AWS/DynamoDB",
                MetricName=f"Consumed{kind}CapacityUnits",
                Dimensions=dimensions,
                StartTime=span[0],
                EndTime=span[1],
                Period=int(period.total_seconds()),
                Statistics=["Sum"],
            )
        return [point["Sum"] for point in reply["Datapoints"]]

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

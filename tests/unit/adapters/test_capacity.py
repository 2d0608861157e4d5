from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from airflow_dynamo_pipeline.adapters.capacity import DEFAULT_TABLE_QUOTA, AwsCapacity
from airflow_dynamo_pipeline.errors import AccessDenied, ServiceTrouble
from tests.clock import EPOCH, ManualClock
from tests.unit.scripted_aws import Scripted

LATER = EPOCH + timedelta(minutes=1)
QUOTA = {"Quota": {"Value": 12_345.0}}


class Metrics:
    """A CloudWatch that has these sums, one a minute."""

    def __init__(self, *sums: float) -> None:
        self.sums = sums
        self.asked: list[dict[str, Any]] = []

    def get_metric_statistics(self, **asked: Any) -> Any:
        self.asked.append(asked)
        return {"Datapoints": [{"Sum": one} for one in self.sums]}


def capacity(metrics: Any = None, *replies: Any, warned: list[str] | None = None) -> AwsCapacity:
    quotas = Scripted("service-quotas", *(replies or [(200, QUOTA)]))
    said = warned if warned is not None else []
    return AwsCapacity(lambda: metrics, lambda: quotas.client, ManualClock(), said.append)


def test_the_quota_is_the_accounts_and_asked_once() -> None:
    quotas = Scripted("service-quotas", (200, QUOTA))
    source = AwsCapacity(lambda: None, lambda: quotas.client, ManualClock(), [].append)  # type: ignore[arg-type, return-value]

    assert [12_345.0, 12_345.0] == [source.table_read_quota(), source.table_read_quota()]
    assert ["GetServiceQuota"] == quotas.calls


def test_a_quota_that_may_not_be_read_is_the_default_and_said() -> None:
    warned: list[str] = []
    source = capacity(None, (400, {"__type": "AccessDeniedException", "message": "no"}), warned=warned)

    assert DEFAULT_TABLE_QUOTA == source.table_read_quota()
    assert ["the account's table quota could not be read"] == [line.split(",")[0] for line in warned]


def test_trouble_with_the_quota_is_not_taken_for_the_default() -> None:
    with pytest.raises(ServiceTrouble):
        capacity(None, (500, {"__type": "ServiceException"})).table_read_quota()


def test_consumption_is_the_worst_minute_of_the_last_hour() -> None:
    metrics = Metrics(600.0, 6000.0, *[60.0] * 58)

    assert 100.0 == capacity(metrics).consumed_read_units_per_second("orders", None)
    (asked,) = metrics.asked
    assert [{"Name": "TableName", "Value": "orders"}] == asked["Dimensions"]
    assert EPOCH == asked["EndTime"]
    assert 3600 == (asked["EndTime"] - asked["StartTime"]).total_seconds()


def test_an_index_has_a_consumption_of_its_own() -> None:
    metrics = Metrics(60.0)
    capacity(metrics).consumed_read_units_per_second("orders", "by-city")

    assert {"Name": "GlobalSecondaryIndexName", "Value": "by-city"} in metrics.asked[0]["Dimensions"]


def test_a_table_nobody_read_has_no_consumption() -> None:
    assert 0.0 == capacity(Metrics()).consumed_read_units_per_second("orders", None)


def test_a_consumption_that_may_not_be_read_is_never_taken_for_none() -> None:
    class Denied:
        def get_metric_statistics(self, **_: Any) -> Any:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetMetricStatistics")

    with pytest.raises(AccessDenied, match="cloudwatch:GetMetricStatistics"):
        capacity(Denied()).consumed_read_units_per_second("orders", None)


def test_writes_have_a_quota_of_their_own() -> None:
    read, write = {"Quota": {"Value": 40_000.0}}, {"Quota": {"Value": 7_000.0}}
    quotas = Scripted("service-quotas", (200, read), (200, write))
    source = AwsCapacity(lambda: None, lambda: quotas.client, ManualClock(), [].append)  # type: ignore[arg-type, return-value]

    assert [40_000.0, 7_000.0] * 2 == [
        quota() for _ in range(2) for quota in (source.table_read_quota, source.table_write_quota)
    ]
    assert ["GetServiceQuota"] * 2 == quotas.calls


@pytest.mark.parametrize(("kind", "metric"), [("read", "Read"), ("write", "Write")])
def test_reads_and_writes_have_metrics_of_their_own(kind: str, metric: str) -> None:
    metrics = Metrics(600.0)
    source = capacity(metrics)
    ask = source.consumed_write_units_per_second if kind == "write" else source.consumed_read_units_per_second

    assert 10.0 == ask("orders", "by-city")
    (asked,) = metrics.asked
    assert f"Consumed{metric}CapacityUnits" == asked["MetricName"]
    assert {"Name": "GlobalSecondaryIndexName", "Value": "by-city"} in asked["Dimensions"]


@pytest.mark.parametrize(
    ("since", "start", "period"),
    [
        (timedelta(hours=1), "2026-01-02T02:04:00", 60),
        (timedelta(hours=23, minutes=59), "2026-01-01T03:05:00", 60),
        (timedelta(days=1), "2026-01-01T03:00:00", 3600),
        (timedelta(days=35), "2025-11-28T03:00:00", 3600),
        (timedelta(days=59), "2025-11-04T03:00:00", 3600),
        (timedelta(days=60), "2025-11-03T03:00:00", 7200),
    ],
)
def test_all_writes_since_an_instant_take_one_call(since: timedelta, start: str, period: int) -> None:
    metrics = Metrics(600.0, 60.0)

    assert 660.0 == capacity(metrics).write_units_since("orders", EPOCH - since)
    (asked,) = metrics.asked
    assert ("ConsumedWriteCapacityUnits", period) == (asked["MetricName"], asked["Period"])
    assert (datetime.fromisoformat(f"{start}+00:00"), EPOCH) == (asked["StartTime"], asked["EndTime"])
    assert [{"Name": "TableName", "Value": "orders"}] == asked["Dimensions"]
    assert (EPOCH - asked["StartTime"]).total_seconds() / period <= 1440


def test_nothing_was_written_since_now() -> None:
    metrics = Metrics(60.0)

    assert (0.0, []) == (capacity(metrics).write_units_since("orders", LATER), metrics.asked)


def test_a_denied_metric_of_writes_is_said_to_be_theirs() -> None:
    class Denied:
        def get_metric_statistics(self, **_: Any) -> Any:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetMetricStatistics")

    with pytest.raises(AccessDenied, match="the consumed write capacity of orders"):
        capacity(Denied()).consumed_write_units_per_second("orders", None)

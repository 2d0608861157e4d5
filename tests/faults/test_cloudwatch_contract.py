"""The fake's CloudWatch and Service Quotas answer as moto does, and as DynamoDB's metrics are documented."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.capacity import AwsCapacity
from tests.clock import EPOCH, ManualClock
from tests.faults.alike import Alike
from tests.faults.cloudwatch import CloudWatch, Metric, Summary
from tests.faults.quotas import DEFAULTS, TABLE_READ, Quotas
from tests.faults.serving import service_at_work
from tests.services import Services, aws_client

MINUTE = timedelta(minutes=1)
START = EPOCH.replace(second=0)
HERE = [{"Name": "Place", "Value": "here"}]
ALL = ["Average", "Maximum", "Minimum", "SampleCount", "Sum"]
Usage = dict[tuple[str, str | None, str, datetime], float]


class Fake:
    """CloudWatch over figures that a test writes down, at a time of its choice."""

    def __init__(self) -> None:
        self.usage: Usage = {}
        self.clock = ManualClock()
        self.service = CloudWatch(self.consumed, self.clock)

    def consumed(self, table: str, index: str | None, kind: str, start: datetime, end: datetime) -> float:
        assert end - start == MINUTE
        return self.usage.get((table, index, kind, start), 0.0)


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
def client(fake: Fake) -> Iterator[Any]:
    with service_at_work(fake.service) as url:
        yield aws_client("cloudwatch", url)


@pytest.fixture
def both(client: Any, services: Services, request: pytest.FixtureRequest) -> Alike:
    """Each test has a namespace of its own; moto keeps what other tests put."""
    return Alike(client, aws_client("cloudwatch", services.moto_url), Namespace=f"Own/{request.node.name}")


def asked(statistics: list[str] | None = None, minutes: float = 5, period: int = 60) -> dict[str, Any]:
    """What to ask of the metric that ``put`` writes."""
    span = {"StartTime": START, "EndTime": START + minutes * MINUTE, "Period": period}
    return {"MetricName": "m", "Dimensions": HERE, "Statistics": statistics or ["Sum"], **span}


def put(both: Alike, *data: dict[str, Any]) -> None:
    rows = [{"MetricName": "m", "Dimensions": HERE, "Unit": "Count", **row} for row in data]
    both.call("put_metric_data", MetricData=rows)


def at(seconds: float) -> dict[str, datetime]:
    return {"Timestamp": START + timedelta(seconds=seconds)}


# --- as moto --------------------------------------------------------------------------------------


def test_samples_of_a_minute_are_summed_up(both: Alike) -> None:
    put(both, {**at(0), "Value": 2.0}, {**at(59), "Value": 4.0})

    found = both.call("get_metric_statistics", **asked(ALL))["Datapoints"]
    wanted = {"SampleCount": 2.0, "Average": 3.0, "Sum": 6.0, "Minimum": 2.0, "Maximum": 4.0}
    assert [wanted] == [{name: point[name] for name in ALL} for point in found]


def test_samples_may_come_counted_or_summed_up(both: Alike) -> None:
    summed = {"SampleCount": 4.0, "Sum": 10.0, "Minimum": 1.0, "Maximum": 7.0}
    put(both, {**at(0), "Values": [1.0, 5.0], "Counts": [2.0, 3.0]}, {**at(1), "StatisticValues": summed})

    found = both.call("get_metric_statistics", **asked(ALL))["Datapoints"]
    assert [(9.0, 27.0, 1.0, 7.0)] == [
        tuple(point[name] for name in ("SampleCount", "Sum", "Minimum", "Maximum")) for point in found
    ]


def test_a_longer_period_takes_minutes_together(both: Alike) -> None:
    put(both, *({**at(60 * minute), "Value": 1.0} for minute in range(5)))

    assert [5.0] == [
        point["Sum"] for point in both.call("get_metric_statistics", **asked(period=300))["Datapoints"]
    ]


def test_the_end_is_not_in_the_span(both: Alike) -> None:
    put(both, {**at(0), "Value": 1.0}, {**at(60), "Value": 2.0})

    assert [1.0] == [
        point["Sum"] for point in both.call("get_metric_statistics", **asked(minutes=1))["Datapoints"]
    ]


def test_points_come_in_no_order_to_rely_on(both: Alike) -> None:
    """Moto sorts them; CloudWatch does not, so the fake turns them round."""
    put(both, {**at(0), "Value": 1.0}, {**at(60), "Value": 2.0})
    ours, theirs = both.apart("get_metric_statistics", **asked())

    assert ([2.0, 1.0], [1.0, 2.0]) == tuple(
        [point["Sum"] for point in side["Datapoints"]] for side in (ours, theirs)
    )


def test_a_metric_that_nobody_put_has_no_points(both: Alike) -> None:
    assert {"Label": "m", "Datapoints": [], "Status": 200} == both.call("get_metric_statistics", **asked())


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"EndTime": START}, "InvalidParameterValue"),
        ({"EndTime": START - MINUTE}, "InvalidParameterValue"),
    ],
)
def test_a_question_without_sense_is_refused(both: Alike, wrong: dict[str, Any], code: str) -> None:
    assert {"Error": code, "Status": 400} == both.call("get_metric_statistics", **{**asked(), **wrong})


# --- as documented, where moto is lax -------------------------------------------------------------


def test_another_set_of_dimensions_is_another_metric(both: Alike) -> None:
    """Moto finds every series of which the dimensions asked for are a part."""
    put(both, {**at(0), "Value": 1.0})

    both.documented({"Datapoints": []}, "get_metric_statistics", **{**asked(), "Dimensions": []})


def test_a_period_is_of_whole_minutes(both: Alike) -> None:
    refusal = {"Error": "InvalidParameterValue", "Status": 400}

    both.documented(refusal, "get_metric_statistics", **asked(period=61))


def test_nobody_puts_into_the_namespaces_of_aws(both: Alike) -> None:
    refusal = {"Error": "InvalidParameterValue", "Status": 400}
    data = [{"MetricName": "m", "Value": 1.0}]

    both.documented(refusal, "put_metric_data", Namespace="AWS/DynamoDB", MetricData=data)


def test_no_more_than_1440_points_are_told(both: Alike) -> None:
    assert 200 == both.call("get_metric_statistics", **asked(minutes=1440))["Status"]
    both.documented(
        {"Error": "InvalidParameterCombination", "Status": 400},
        "get_metric_statistics",
        **asked(minutes=1441),
    )


# --- what DynamoDB's tables consumed --------------------------------------------------------------


def consumption(
    client: Any, *, minutes: float = 5, kind: str = "Read", **dimensions: str
) -> dict[int, float]:
    """Units by the minute."""
    reply = client.get_metric_statistics(
        Namespace="AWS/DynamoDB",
        MetricName=f"Consumed{kind}CapacityUnits",
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=START,
        EndTime=START + minutes * MINUTE,
        Period=60,
        Statistics=["Sum"],
    )
    return {(point["Timestamp"] - START) // MINUTE: point["Sum"] for point in reply["Datapoints"]}


def test_minutes_in_which_nothing_was_consumed_have_no_point(fake: Fake, client: Any) -> None:
    fake.clock.advance(600)
    fake.usage = {("t", None, "read", START + n * MINUTE): units for n, units in ((0, 1.5), (3, 60.0))}

    assert {0: 1.5, 3: 60.0} == consumption(client, TableName="t")
    assert {} == consumption(client, TableName="t", kind="Write")
    assert {} == consumption(client, TableName="other")


def test_a_table_and_its_indexes_are_metrics_of_their_own(fake: Fake, client: Any) -> None:
    fake.clock.advance(600)
    fake.usage = {("t", None, "write", START): 1.0, ("t", "i", "write", START): 2.0}

    assert {0: 1.0} == consumption(client, TableName="t", kind="Write")
    assert {0: 2.0} == consumption(client, TableName="t", GlobalSecondaryIndexName="i", kind="Write")
    assert {} == consumption(client, TableName="t", Operation="Scan", kind="Write")


def test_a_minute_is_told_once_it_is_over(fake: Fake, client: Any) -> None:
    fake.usage = {("t", None, "read", START + n * MINUTE): 1.0 for n in range(5)}
    fake.clock.advance(60)  # EPOCH is five seconds into its minute

    assert [0] == sorted(consumption(client, TableName="t"))
    fake.clock.advance(60)
    assert [0, 1] == sorted(consumption(client, TableName="t"))
    fake.service.delay = MINUTE
    assert [0] == sorted(consumption(client, TableName="t"))


def test_a_minute_that_begins_in_the_span_is_told(fake: Fake, client: Any) -> None:
    fake.clock.advance(600)
    fake.usage = {("t", None, "read", START + n * MINUTE): 1.0 for n in range(5)}

    assert [0, 1, 2] == sorted(consumption(client, TableName="t", minutes=2.5))


def test_points_put_by_hand_are_added(fake: Fake, client: Any) -> None:
    fake.clock.advance(600)
    metric = Metric("AWS/DynamoDB", "ConsumedReadCapacityUnits", frozenset({("TableName", "t")}), "Count")
    fake.usage = {("t", None, "read", START): 1.0}
    fake.service.put(metric, START, Summary.of(10.0))
    fake.service.put(metric, START + MINUTE, Summary.of(20.0))

    assert {0: 11.0, 1: 20.0} == consumption(client, TableName="t")


def test_the_package_finds_what_a_table_consumed_in_the_last_hour(fake: Fake, client: Any) -> None:
    fake.clock.advance(7200)
    minute = fake.clock.now().replace(second=0)
    fake.usage = {("t", None, "read", minute - n * MINUTE): 60.0 * n for n in range(1, 11)}
    fake.usage["t", None, "read", minute - 62 * MINUTE] = 1e6

    capacity = AwsCapacity(lambda: client, lambda: client, fake.clock, pytest.fail)

    assert 10.0 == capacity.consumed_read_units_per_second("t", None)


@pytest.mark.parametrize("days", [0.5, 1.0, 35.0])
def test_the_package_finds_all_writes_since_an_instant(fake: Fake, client: Any, days: float) -> None:
    fake.clock.advance(40 * 86_400)
    begin = fake.clock.now() - timedelta(days=days)
    minute = begin.replace(second=0)
    fake.usage = {("t", None, "write", minute + n * MINUTE): 60.0 for n in (1, 70, 600)}
    fake.usage["t", None, "write", minute - 61 * MINUTE] = 1e6
    fake.usage["t", "index", "write", minute + MINUTE] = 1e6

    capacity = AwsCapacity(lambda: client, lambda: client, fake.clock, pytest.fail)

    assert 180.0 == capacity.write_units_since("t", begin)


@pytest.mark.parametrize("operation", ["list_metrics", "describe_alarms"])
def test_what_is_not_simulated_is_refused(client: Any, operation: str) -> None:
    answer = Alike(client, client).call(operation)

    assert {"Error": "UnknownOperationException", "Status": 400} == answer


# --- quotas ---------------------------------------------------------------------------------------


@pytest.fixture
def quotas() -> Quotas:
    return Quotas()


@pytest.fixture
def quota_client(quotas: Quotas) -> Iterator[Any]:
    with service_at_work(quotas) as url:
        yield aws_client("service-quotas", url)


def test_a_quota_that_is_not_there_is_refused(quota_client: Any, services: Services) -> None:
    both = Alike(quota_client, aws_client("service-quotas", services.moto_url))
    refusal = {"Error": "NoSuchResourceException", "Status": 400}

    assert refusal == both.call("get_service_quota", ServiceCode="vpc", QuotaCode="L-00000000")
    assert refusal == both.call("get_service_quota", ServiceCode="dynamodb", QuotaCode="L-00000000")


def test_a_quota_has_the_members_that_moto_tells(quota_client: Any, services: Services) -> None:
    ours = quota_client.get_service_quota(ServiceCode="dynamodb", QuotaCode=TABLE_READ)["Quota"]
    moto = aws_client("service-quotas", services.moto_url)
    theirs = moto.get_service_quota(ServiceCode="vpc", QuotaCode="L-2AFB9258")["Quota"]

    assert {name: type(value) for name, value in theirs.items()} == {
        name: type(value) for name, value in ours.items()
    }


def test_the_package_reads_the_quota_of_a_table(quotas: Quotas, quota_client: Any) -> None:
    def found(warnings: list[str]) -> float:
        return AwsCapacity(
            lambda: quota_client, lambda: quota_client, ManualClock(), warnings.append
        ).table_read_quota()

    warnings: list[str] = []
    assert DEFAULTS[TABLE_READ] == found(warnings)
    quotas.set(TABLE_READ, 120_000.0)
    assert (120_000.0, []) == (found(warnings), warnings)
    quotas.remove(TABLE_READ)
    assert 40_000.0 == found(warnings)
    assert "NoSuchResourceException" in warnings[0]

"""From one capacity to another: the calls, and when DynamoDB allows them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_dynamo_pipeline.engine.capacity_changes import (
    Wanted,
    check_decreases,
    refused_by_aws,
    scaling_changes,
    update_for,
)
from airflow_dynamo_pipeline.engine.capacity_sizing import percentile_of
from airflow_dynamo_pipeline.engine.capacity_state import Place, Scaling, TableCapacity
from airflow_dynamo_pipeline.errors import CapacityRefused

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TEN_TO_MIDNIGHT = datetime(2026, 3, 1, 23, 50, tzinfo=UTC)
ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/orders"


def table(*places: Place, **more: Any) -> TableCapacity:
    usual = {"table_name": "orders", "arn": ARN, "table_id": "1", "status": "ACTIVE", "on_demand": False}
    return TableCapacity(**{**usual, **more}, places=places)


def wanted(*places: Place, on_demand: bool = False) -> Wanted:
    return Wanted(on_demand=on_demand, places={place.index: place for place in places})


def test_only_what_differs_is_sent() -> None:
    now = table(Place(index=None, read=5, write=5), Place(index="a", read=5, write=5))
    target = wanted(Place(index=None, read=5, write=5), Place(index="a", read=5, write=9))

    units = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 9}
    update = {"Update": {"IndexName": "a", "ProvisionedThroughput": units}}
    assert {"GlobalSecondaryIndexUpdates": [update]} == update_for(now, target)


def test_what_is_reached_needs_no_call() -> None:
    place = Place(index=None, read=5, write=5)

    assert {} == update_for(table(place), wanted(place))
    assert {} == update_for(table(Place(index=None), on_demand=True), wanted(on_demand=True))


def test_a_table_that_becomes_provisioned_gets_units_for_indexes_nobody_spoke_of() -> None:
    now = table(Place(index=None), Place(index="new"), on_demand=True)

    parameters = update_for(now, wanted(Place(index=None, read=5, write=6)))

    units = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6}
    update = {"Update": {"IndexName": "new", "ProvisionedThroughput": units}}
    assert {
        "BillingMode": "PROVISIONED",
        "ProvisionedThroughput": units,
        "GlobalSecondaryIndexUpdates": [update],
    } == parameters


@pytest.mark.parametrize(
    ("lowered", "last", "now", "may_at"),
    [
        (3, NOON, NOON, None),
        (4, NOON - timedelta(hours=1), NOON, None),
        (4, NOON - timedelta(minutes=59), NOON, NOON + timedelta(minutes=1)),
        (26, NOON, NOON, NOON + timedelta(hours=1)),
        (27, NOON - timedelta(hours=2), NOON, NOON + timedelta(hours=12)),
        (4, TEN_TO_MIDNIGHT, TEN_TO_MIDNIGHT, TEN_TO_MIDNIGHT + timedelta(minutes=10)),
    ],
)
def test_a_decrease_may_be_made_four_times_a_day_and_then_once_an_hour(
    lowered: int, last: datetime, now: datetime, may_at: datetime | None
) -> None:
    place = Place(index=None, read=9, write=9, decreases_today=lowered, last_decrease_at=last)
    target = wanted(Place(index=None, read=9, write=8))
    if may_at is None:
        check_decreases(table(place), target, now)
        return

    with pytest.raises(CapacityRefused) as caught:
        check_decreases(table(place), target, now)

    assert may_at == caught.value.may_at
    assert may_at.isoformat() in str(caught.value)


@pytest.mark.parametrize("on_demand", [True, False], ids=["mode", "up"])
def test_a_switch_and_an_increase_are_no_decrease(on_demand: bool) -> None:
    place = Place(index=None, read=9, write=9, decreases_today=27, last_decrease_at=NOON)
    target = wanted(Place(index=None, read=10, write=9), on_demand=on_demand)

    check_decreases(table(place), target, NOON)


def test_a_refusal_of_anything_else_has_the_words_of_aws_alone() -> None:
    now = table(Place(index=None, read=9, write=9), on_demand_since=NOON)

    refused = refused_by_aws(now, wanted(Place(index=None, read=90_000, write=9)), "too many units")

    assert refused.may_at is None
    assert "HINT" not in str(refused)
    assert "too many units" in str(refused)


def test_a_target_that_goes_takes_its_policies_along() -> None:
    where = {"ResourceId": "table/orders", "ScalableDimension": "dynamodb:table:ReadCapacityUnits"}
    now = Scaling.of([{**where, "MinCapacity": 1}], [{**where, "PolicyName": "p"}])

    changes = scaling_changes(now, Scaling())

    assert (1, 0) == (len(changes.remove.targets), len(changes.remove.policies))
    assert scaling_changes(now, now).is_empty


@pytest.mark.parametrize(
    ("percentile", "expected"), [(1, 1.0), (50, 50.0), (99, 99.0), (99.1, 100.0), (100, 100.0)]
)
def test_a_percentile_is_a_value_that_was_seen(percentile: float, expected: float) -> None:
    assert expected == percentile_of([float(value) for value in range(100, 0, -1)], percentile)


def test_the_percentile_of_nothing_is_nothing() -> None:
    assert 0 == percentile_of([], 99)

from __future__ import annotations

from typing import Any

import pytest

from airflow_dynamo_pipeline.engine.batches import item_reply
from airflow_dynamo_pipeline.engine.ports import ConditionFailed
from airflow_dynamo_pipeline.engine.write_capacity import WriteRate
from airflow_dynamo_pipeline.errors import AccessDenied, ItemRefused, ServiceTrouble, Throttled
from tests.unit.engine.import_parts import Answer, Parts, ScriptedTable

ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/t"


def parts(*answers: Answer, units: float = 10.0, factor: float = 1.0, **rate: Any) -> Parts:
    return Parts(
        ScriptedTable(list(answers)),
        WriteRate(units_per_second=units, reason="asked", first_factor=factor, **rate),
    )


def cost(units: float, **indexes: float) -> dict[str, object]:
    each = {name: {"CapacityUnits": one} for name, one in indexes.items()}
    return {"ConsumedCapacity": {"CapacityUnits": units, "GlobalSecondaryIndexes": each}}


def put(one: Parts, units: float = 10.0) -> None:
    one.calls.call("PutItem", b"{}", units, item_reply)


def seconds_of(one: Parts, *units: float) -> list[float]:
    """Make calls; returns for how long each waited for its turn."""
    waited = []
    for each in units:
        before = one.clock.monotonic()
        put(one, each)
        waited.append(round(one.clock.monotonic() - before, 6))
    return waited


def test_a_call_waits_until_what_was_consumed_before_it_is_paid_for() -> None:
    one = parts(cost(10), cost(30), cost(10), {})

    assert [0.0, 1.0, 3.0, 1.0] == seconds_of(one, 10, 30, 10, 10)
    assert 60.0 == one.calls.throttle.consumed


def test_the_first_guess_is_replaced_by_what_replies_say() -> None:
    one = parts(*[cost(10)] * 30, factor=4.0)
    most = [one.calls.most_units]

    for _ in range(30):
        put(one)
        most.append(one.calls.most_units)

    assert 1.0 == most[0]  # one item: what it replaces may be larger
    assert 2.5 / 4 < most[1]
    assert most[1:] == sorted(most[1:])
    assert 2.4 < most[-1] <= 2.5


def test_one_call_may_always_hold_a_unit() -> None:
    assert 1.0 == parts(units=1.0).calls.most_units


def test_the_charge_is_that_of_the_scarcest_index() -> None:
    one = parts(cost(20, slow=10), cost(20), weights={"slow": 4.0})

    assert [0.0, 4.0] == seconds_of(one, 10, 10)
    assert 60.0 == one.calls.throttle.consumed


@pytest.mark.parametrize(
    ("error", "waited"),
    [
        (Throttled("no"), 0.0),  # refused as a whole: nothing was consumed
        (ItemRefused("no"), 0.0),
        (ConditionFailed(None), 1.0),  # DynamoDB charges for the item it looked at
        (ServiceTrouble("cut"), 1.0),  # it may have been written
        (AccessDenied("dynamodb:PutItem", "t"), 1.0),
    ],
)
def test_a_call_that_failed_costs_what_it_may_have_cost(error: Exception, waited: float) -> None:
    one = parts(error, cost(10))
    with pytest.raises(type(error)):
        put(one)

    assert [waited] == seconds_of(one, 10)


def throttled(reason: str, resource: str = ARN) -> Throttled:
    return Throttled("no", [(reason, resource)])


@pytest.mark.parametrize(
    ("reason", "slower"),
    [
        ("TableWriteProvisionedThroughputExceeded", True),
        ("TableWriteAccountLimitExceeded", True),
        ("IndexWriteProvisionedThroughputExceeded", True),
        ("TableWriteKeyRangeThroughputExceeded", False),
    ],
)
def test_a_refusal_lowers_the_rate_unless_it_is_one_key_ranges(reason: str, slower: bool) -> None:
    one = parts()

    one.calls.before_retry(throttled(reason))

    assert slower == (one.calls.throttle.units_per_second < 10.0)


def test_an_index_is_named_once_a_minute() -> None:
    one = parts()
    first = throttled("IndexWriteProvisionedThroughputExceeded", f"{ARN}/index/slow")
    other = throttled("IndexWriteKeyRangeThroughputExceeded", f"{ARN}/index/hot")

    for seconds in (0.0, 30.0, 31.0):
        one.clock.advance(seconds)
        one.calls.before_retry(first)
        one.calls.before_retry(other)

    assert ["index slow", "index hot"] * 2 == [" ".join(line.split()[:2]) for line in one.warned]


def test_other_trouble_is_said_and_leaves_the_rate() -> None:
    one = parts()

    one.calls.before_retry(ServiceTrouble("500 of DynamoDB"))

    assert (["500 of DynamoDB; trying again"], 10.0) == (one.warned, one.calls.throttle.units_per_second)


def test_a_turn_that_came_late_is_given_back_and_waited_for_anew() -> None:
    one = parts(cost(10))
    late = iter([False, True, False, False])
    one.calls._before_call = lambda: next(late)

    put(one)

    assert [] == list(late)
    assert (1, 10.0) == (len(one.table.calls), one.calls.throttle.consumed)

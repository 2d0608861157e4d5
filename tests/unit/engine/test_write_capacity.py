from __future__ import annotations

from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.memory import FixedCapacity
from airflow_dynamo_pipeline.engine.import_request import ImportRequest
from airflow_dynamo_pipeline.engine.own_use import OwnUse
from airflow_dynamo_pipeline.engine.ports import TableDescription, Throughput
from airflow_dynamo_pipeline.engine.write_capacity import Consumed, Units, WriteRate, write_rate
from tests.unit.engine.world import described, index


def request(**settings: Any) -> ImportRequest:
    return ImportRequest.from_settings({"table_name": "orders", "s3_uri": "s3://b/x", **settings})


def table(write: float, *, on_demand: bool = False, **indexes: float) -> TableDescription:
    """A table and its global indexes with these write units."""

    def units(amount: float) -> Throughput:
        return Throughput(warm=amount) if on_demand else Throughput(provisioned=amount)

    return described(
        on_demand=on_demand,
        write_throughput=units(write),
        indexes={name: index(name, write_throughput=units(each)) for name, each in indexes.items()},
    )


def rate(
    told: TableDescription, own: float = 0.0, source: FixedCapacity | None = None, **settings: Any
) -> WriteRate:
    return write_rate(request(**settings), told, source or FixedCapacity(), own=OwnUse.exactly(own))


def consumed(whole: float, **indexes: float) -> Consumed:
    """What a reply says: all units of a call, and those of its global indexes."""
    each = {name: Units(CapacityUnits=units) for name, units in indexes.items()}
    return Consumed(CapacityUnits=whole, GlobalSecondaryIndexes=each)


@pytest.mark.parametrize(
    ("write", "settings", "wanted"),
    [(100, {}, 25.0), (100, {"ratio": 0.5}, 50.0), (1, {}, 1.0), (100, {"ratio": 1.5}, 150.0)],
)
def test_provisioned_units_are_shared_and_one_unit_is_the_least(
    write: float, settings: dict[str, Any], wanted: float
) -> None:
    assert wanted == rate(table(write), **settings).units_per_second


def test_an_absolute_number_holds_whatever_the_table_has_and_counts_every_unit() -> None:
    found = rate(table(5, a=1, b=1), units_per_second=77)

    assert (77.0, 3.0, None) == (found.units_per_second, found.first_factor, found.weights)
    assert 9.0 == found.charge(consumed(9.0, a=3.0, b=3.0))


def test_a_call_is_charged_what_it_takes_of_the_scarcest() -> None:
    found = rate(table(100, wide=200, narrow=10), ratio=0.5)

    assert (50.0, "narrow", 10.0) == (found.units_per_second, found.scarcest, found.first_factor)
    assert 20.0 == found.charge(consumed(24.0, wide=4.0))
    assert 40.0 == found.charge(consumed(28.0, wide=4.0, narrow=4.0))
    assert 8.0 == found.charge(consumed(8.0))  # and what its local indexes take


def test_an_index_as_large_as_its_table_holds_nothing_down() -> None:
    found = rate(table(100, same=100, wide=200))

    assert (None, 1.0) == (found.scarcest, found.first_factor)
    assert "index" not in found.reason


def test_a_local_index_has_no_capacity_of_its_own() -> None:
    told = described(
        on_demand=False,
        write_throughput=Throughput(provisioned=100),
        indexes={"local": index("local", is_global=False)},
    )

    assert {} == rate(told).weights
    assert 1.0 == rate(told, units_per_second=9).first_factor


def test_the_unknown_index_of_a_reply_counts_as_one_like_its_table() -> None:
    assert 7.0 == rate(table(100, a=100)).charge(consumed(12.0, new=7.0))


def test_no_capacity_at_all_is_not_divided_by() -> None:
    found = rate(table(0, a=0))

    assert (1.0, {"a": 1.0}) == (found.units_per_second, found.weights)


@pytest.mark.parametrize(
    ("own", "wanted"),
    [(0.0, 400.0), (500.0, 900.0), (900.0, 1000.0), (5000.0, 1000.0)],
)
def test_on_demand_leaves_others_what_they_use_and_does_not_take_itself_for_one(
    own: float, wanted: float
) -> None:
    source = FixedCapacity(consumed=3600.0)

    assert wanted == rate(table(4000, on_demand=True), own=own, source=source).units_per_second

from typing import Any

import msgspec
import pytest

from airflow_dynamo_pipeline.engine.table_aspects import Difference, differences, shape_differences
from airflow_dynamo_pipeline.engine.table_definition import TableDefinition
from airflow_dynamo_pipeline.engine.table_restore import is_foreign
from airflow_dynamo_pipeline.engine.table_settings import (
    MARK,
    AttributeDefinition,
    Encryption,
    ProvisionedUnits,
    Tag,
    WarmUnits,
)
from tests.unit.engine.test_table_definition import FULL

KEY = "arn:aws:kms:eu-west-1:1:key/k"


def changed(definition: TableDefinition = FULL, /, **members: Any) -> TableDefinition:
    return msgspec.structs.replace(definition, table=msgspec.structs.replace(definition.table, **members))


def names(wanted: TableDefinition, found: TableDefinition) -> list[str]:
    return [each.what for each in differences(wanted, found)]


def warm(read: int, write: int) -> WarmUnits:
    return WarmUnits(read_units_per_second=read, write_units_per_second=write)


def test_a_definition_does_not_differ_from_itself() -> None:
    assert [] == names(FULL, FULL)


@pytest.mark.parametrize(
    ("member", "value", "difference"),
    [
        ("billing_mode", "PAY_PER_REQUEST", "billing mode: PROVISIONED wanted, PAY_PER_REQUEST found"),
        ("table_class", "STANDARD", "table class: STANDARD_INFREQUENT_ACCESS wanted, STANDARD found"),
        ("stream_specification", None, "stream: KEYS_ONLY wanted, none found"),
        ("deletion_protection_enabled", False, "deletion protection: True wanted, False found"),
        (
            "provisioned_throughput",
            ProvisionedUnits(read_capacity_units=3, write_capacity_units=5),
            "WriteCapacityUnits: 4 wanted, 5 found",
        ),
        ("tags", (Tag(key="aws:stack", value="s"), Tag(key="team", value="x")), "tag team:  wanted, x found"),
    ],
)
def test_each_aspect_that_differs_is_named_with_both_sides(
    member: str, value: object, difference: str
) -> None:
    (found,) = differences(FULL, changed(**{member: value}))

    assert difference == found.line()


@pytest.mark.parametrize(
    ("found", "is_enough"), [((3, 4), True), ((30, 40), True), ((2, 40), False), ((30, 3), False)]
)
def test_more_warm_throughput_than_wanted_is_no_difference(found: tuple[int, int], is_enough: bool) -> None:
    assert ([] if is_enough else ["warm throughput"]) == names(FULL, changed(warm_throughput=warm(*found)))


def test_a_definition_without_warm_throughput_is_met_by_any() -> None:
    assert [] == names(changed(warm_throughput=None), FULL)
    assert ["warm throughput"] == names(FULL, changed(warm_throughput=None))


def test_units_are_left_to_autoscaling_where_both_tables_have_it() -> None:
    (index,) = FULL.table.global_secondary_indexes
    units = ProvisionedUnits(read_capacity_units=8, write_capacity_units=2)
    moved = changed(global_secondary_indexes=(msgspec.structs.replace(index, provisioned_throughput=units),))

    assert [] == names(FULL, moved)
    unscaled = msgspec.structs.replace(moved, autoscaling=())
    assert "ReadCapacityUnits of global index g" in names(FULL, unscaled)
    assert "autoscaling of ReadCapacityUnits of global index g" in names(FULL, unscaled)


@pytest.mark.parametrize(
    ("wanted", "found", "is_same"),
    [
        (KEY, KEY, True),
        ("k", KEY, True),
        ("alias/any", KEY, True),
        ("other", KEY, False),
        (None, KEY, False),
        (KEY, None, False),
        (None, None, True),
    ],
)
def test_a_key_is_known_by_its_arn_and_its_id(wanted: str | None, found: str | None, is_same: bool) -> None:
    one, other = (
        changed(sse_specification=Encryption(enabled=True, kms_master_key_id=key)) for key in (wanted, found)
    )

    assert ([] if is_same else ["encryption"]) == names(one, other)


def test_tags_of_aws_and_of_a_restore_belong_to_their_table() -> None:
    more = (*FULL.table.tags, Tag(key="aws:other", value=""), Tag(key=MARK, value="unfinished"))

    assert [] == names(FULL, changed(tags=more))
    assert ["tag aws:stack"] == names(FULL, changed(tags=FULL.table.tags[1:]))


def test_another_type_of_a_key_is_another_table() -> None:
    one, two, three = FULL.table.attribute_definitions
    other = AttributeDefinition(attribute_name=three.attribute_name, attribute_type="N")

    (found, *_) = shape_differences(FULL, changed(attribute_definitions=(one, two, other)))

    assert Difference(what="key", wanted="pk S HASH", found="pk N HASH") == found


def test_capacity_makes_no_other_table() -> None:
    assert [] == shape_differences(FULL, changed(provisioned_throughput=None, tags=()))


@pytest.mark.parametrize(
    ("key", "is_one"),
    [
        ("arn:aws:kms:eu-west-1:111122223333:key/k", False),
        ("arn:aws:kms:us-east-1:111122223333:key/k", True),
        ("arn:aws:kms:eu-west-1:999999999999:key/k", True),
        ("alias/mine", False),
        (None, False),
    ],
)
def test_a_key_of_another_region_or_account_is_foreign(key: str | None, is_one: bool) -> None:
    assert is_one == is_foreign(key, "eu-west-1", "111122223333")

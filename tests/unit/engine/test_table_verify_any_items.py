"""Any items of all ten types: another notation is identical, another value is found and named."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from airflow_dynamo_pipeline.adapters.memory import Item
from airflow_dynamo_pipeline.engine.ports import KeyAttribute
from airflow_dynamo_pipeline.errors import TableDiffers
from tests.faults.any_items import meaning, tables, values
from tests.unit.engine.verify_world import Compared, KeyedTable

KEY = (KeyAttribute("pk", "S"),)
EXAMPLES = 60


def compared(source: list[Item], target: list[Item]) -> Compared:
    export_settings = {"file_format": "data_pipeline"} if len(source) % 3 == 0 else {}
    return Compared(
        source=source, source_key=KEY, target=KeyedTable(target, KEY), export_settings=export_settings
    )


def respelled_number(number: str, choice: int) -> str:
    """Another text of the same number."""
    digits, _, exponent = number.upper().partition("E")
    if choice % 3 == 0:
        return str(Decimal(number).normalize()) if len(digits) < 20 else number
    if "." not in digits:
        digits += "."
    return f"{digits}{'0' * (choice % 3)}E{int(exponent or 0)}"


def respelled(value: Any, choose: Any) -> Any:
    """The same typed value in another notation and order."""
    ((tag, held),) = value.items()
    if tag == "N":
        return {tag: respelled_number(held, choose(st.integers(0, 5)))}
    if tag == "NS":
        members = [respelled_number(member, choose(st.integers(0, 5))) for member in held]
        return {tag: choose(st.permutations(members))}
    if tag in ("SS", "BS"):
        return {tag: choose(st.permutations(held))}
    if tag == "L":
        return {tag: [respelled(member, choose) for member in held]}
    if tag == "M":
        return {tag: another_order(held, choose)}
    return value


def another_order(attributes: Item, choose: Any) -> Item:
    return {name: respelled(attributes[name], choose) for name in choose(st.permutations(list(attributes)))}


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data(), tables())
def test_i5_any_items_in_another_notation_are_identical(data: st.DataObject, source: list[Item]) -> None:
    target = [another_order(item, data.draw) for item in data.draw(st.permutations(source))]

    result = compared(source, target).verify()

    assert (True, len(source), len(source)) == (
        result.identical,
        result.item_count,
        result.table_item_count,
    )


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data(), tables(), values)
def test_i5_any_value_that_is_another_one_is_found_and_named(
    data: st.DataObject, source: list[Item], value: Any
) -> None:
    changed = data.draw(st.sampled_from(source))
    name = data.draw(st.sampled_from([name for name in (*changed, "new") if name != "pk"]))
    other = {**changed, name: value}
    assume(meaning(other) != meaning(changed))
    target = [other if item is changed else item for item in source]

    with pytest.raises(TableDiffers) as caught:
        compared(source, target).verify()

    (problem,) = caught.value.problems
    assert {"pk": changed["pk"]} == json.loads(problem.where)
    assert f"differs in {name}" == problem.message

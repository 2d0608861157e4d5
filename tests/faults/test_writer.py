"""The writer changes a table by its seed, and its history knows every version there was."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.clock import ManualClock
from tests.faults.dynamodb import DynamoDB, History, Writer
from tests.faults.dynamodb.asking import ask

Item = dict[str, Any]
Held = dict[str, Item]

TABLE = "orders"
A, B = {"pk": {"S": "a"}}, {"pk": {"S": "b"}}


def made(key: tuple[tuple[str, str], ...] = (("pk", "S"),), count: int = 10) -> DynamoDB:
    dynamodb = DynamoDB(ManualClock())
    dynamodb.create_table(TABLE, key=key)
    values: dict[str, Any] = {"S": str, "N": str, "B": lambda n: f"AAA{n}"}
    dynamodb.put_items(TABLE, [{name: {kind: values[kind](n)} for name, kind in key} for n in range(count)])
    return dynamodb


def held(dynamodb: DynamoDB) -> Held:
    names = dynamodb.table(TABLE).schema.names
    return {json.dumps([item[name] for name in names]): item for item in dynamodb.items(TABLE)}


@pytest.mark.parametrize("key", [(("pk", "S"),), (("pk", "N"), ("sk", "B")), (("pk", "B"), ("sk", "N"))])
def test_every_state_of_the_table_can_be_told_from_the_history(key: tuple[tuple[str, str], ...]) -> None:
    dynamodb = made(key)
    writer = Writer(dynamodb, TABLE, seed=5)
    states = {dynamodb.tick: held(dynamodb)}
    for _ in range(200):
        writer.step()
        states[dynamodb.tick] = held(dynamodb)

    history = writer.history
    for tick, state in states.items():
        for found in history.every_key():
            text = json.dumps([found[name] for name, _ in key])
            assert [state.get(text)] == history.versions_between(found, tick, tick)
    assert len(states) > 190
    assert len({len(state) for state in states.values()}) > 3


def test_the_same_seed_writes_the_same_and_another_does_not() -> None:
    ends = []
    for seed in (1, 1, 2):
        dynamodb = made()
        writer = Writer(dynamodb, TABLE, seed=seed)
        for _ in range(50):
            writer.step()
        ends.append(held(dynamodb))

    assert ends[0] == ends[1]
    assert ends[0] != ends[2]


def test_steps_are_weighed() -> None:
    dynamodb = made()
    writer = Writer(dynamodb, TABLE, 1, inserts=0, updates=1, deletes=0)

    for _ in range(30):
        writer.step()

    assert 10 == len(dynamodb.items(TABLE))
    assert 30 == writer.steps == dynamodb.tick - 10


def test_an_empty_table_is_inserted_into() -> None:
    dynamodb = made(count=0)
    writer = Writer(dynamodb, TABLE, 1, inserts=0, updates=1, deletes=1)

    writer.step()

    assert 1 == len(dynamodb.items(TABLE))


def test_an_update_keeps_what_it_does_not_write() -> None:
    dynamodb = made(count=0)
    dynamodb.put_items(TABLE, [{**A, "mine": {"SS": ["x"]}}])

    Writer(dynamodb, TABLE, 1, inserts=0, deletes=0).step()

    (item,) = dynamodb.items(TABLE)
    assert {"SS": ["x"]} == item["mine"]
    assert {"N": "1"} == item["version"]


def test_a_writer_before_each_scan_is_seen_by_it() -> None:
    dynamodb = made()
    writer = Writer(dynamodb, TABLE, seed=3, inserts=1, updates=0, deletes=0)
    dynamodb.before_call("Scan", writer.step)

    counts = [ask(dynamodb, "Scan", TableName=TABLE)["Count"] for _ in range(3)]

    assert [11, 12, 13] == counts


# --- history --------------------------------------------------------------------------------------


def test_versions_between_are_those_held_at_any_time() -> None:
    dynamodb = made(count=0)
    history = History(dynamodb, TABLE)
    forms: list[Item] = [{**A, "v": {"N": str(n)}} for n in range(3)]
    dynamodb.put_items(TABLE, [forms[0], B, forms[1]])
    dynamodb.delete_item(TABLE, A)
    dynamodb.put_items(TABLE, [forms[2]])

    between = history.versions_between
    assert [None, forms[0], forms[1], None, forms[2]] == between(A, 0, 5)
    assert [forms[0]] == between(A, 1, 2)
    assert [forms[0], forms[1]] == between(A, 2, 3)
    assert [None, forms[2]] == between(A, 4, 5)
    assert [forms[2]] == between(A, 5, 99)
    assert [None] == between({"pk": {"S": "never"}}, 0, 5)


def test_untouched_is_what_was_there_all_the_time() -> None:
    dynamodb = made(count=0)
    dynamodb.put_items(TABLE, [A, B])
    history = History(dynamodb, TABLE)
    start = dynamodb.tick
    assert [A, B] == sorted(history.untouched(start, start), key=str)

    dynamodb.put_items(TABLE, [{**A, "v": {"N": "1"}}, {"pk": {"S": "c"}}])
    dynamodb.put_items(TABLE, [A])
    middle = dynamodb.tick
    dynamodb.delete_item(TABLE, B)

    assert [B] == history.untouched(start, middle)
    assert [] == history.untouched(start, dynamodb.tick)
    assert [A, {"pk": {"S": "c"}}] == sorted(history.untouched(middle, dynamodb.tick), key=str)


def test_writes_through_the_api_and_of_others_are_in_the_history() -> None:
    dynamodb = made(count=0)
    dynamodb.create_table("other")
    history = History(dynamodb, TABLE)

    ask(dynamodb, "PutItem", TableName=TABLE, Item=A)
    ask(dynamodb, "PutItem", TableName=TABLE, Item=A)  # no effect
    ask(dynamodb, "PutItem", TableName="other", Item=B)
    ask(dynamodb, "BatchWriteItem", RequestItems={TABLE: [{"DeleteRequest": {"Key": A}}]})

    assert [A] == history.every_key()
    assert [None, A, None] == history.versions_between(A, 0, dynamodb.tick)
    assert 3 == dynamodb.tick


def test_numbers_are_the_same_key_in_any_notation() -> None:
    dynamodb = made((("pk", "N"),), count=0)
    history = History(dynamodb, TABLE)
    dynamodb.put_items(TABLE, [{"pk": {"N": "1.0"}}, {"pk": {"N": "01"}, "v": {"S": "x"}}])

    found = history.versions_between({"pk": {"N": "1"}}, 0, dynamodb.tick)

    assert [None, {"pk": {"N": "1"}}, {"pk": {"N": "1"}, "v": {"S": "x"}}] == found

"""What becomes of an item whose key the table has already, against a model of each word of on_conflict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_dynamo_pipeline.errors import ImportFailed
from tests.faults.attempts import Item, items
from tests.faults.conftest import Tally
from tests.faults.import_backups import files
from tests.faults.import_world import (
    ImportWorld,
    accounts,
    assert_accounts,
    assert_finished_once,
    assert_nothing_reads_as_finished,
    assert_table,
)
from tests.faults.script import Fault, Kind

pytestmark = pytest.mark.usefixtures("small_steps")
Held = Item | None
LOST = [(Kind.SERVER_ERROR, True), (Kind.CUT, True), (Kind.REFUSE, True), (Kind.REFUSE, False)]


def item(name: str, version: Item | None = None, **more: Item) -> Item:
    return {"pk": {"S": name}, **({} if version is None else {"v": version}), **more}


def number(text: str) -> Item:
    return {"N": text}


# --- the models: whether an item of the source replaces what is there ---------------------------


def overwrites(source: Item, held: Held) -> bool:
    return True


def skips(source: Item, held: Held) -> bool:
    return held is None


def is_newer(source: Item, held: Held) -> bool:
    """A version of another type is neither older nor newer: what is there stays."""
    if held is None or "v" not in held:
        return True
    ((tag, new),), ((held_tag, old),) = source["v"].items(), held["v"].items()
    return bool(tag == held_tag and (float(old) < float(new) if tag == "N" else old < new))


def is_open(source: Item, held: Held) -> bool:
    return held is None or held.get("state") == {"S": "open"}


MODES: dict[str, tuple[Callable[[Item, Held], bool], dict[str, Any]]] = {
    "overwrite": (overwrites, {}),
    "skip": (skips, {}),
    "newer": (is_newer, {"version_attribute": "v"}),
    "condition": (
        is_open,
        {
            "condition_expression": "attribute_not_exists(pk) OR #s = :open",
            "expression_attribute_names": {"#s": "state"},
            "expression_attribute_values": {":open": {"S": "open"}},
        },
    ),
}
VERSIONS = st.sampled_from([number("1"), number("2"), number("10"), {"S": "1"}, {"S": "2"}])
STATES = st.sampled_from([{"S": "open"}, {"S": "closed"}])
NAMES = "abcdefgh"


@st.composite
def encounters(draw: st.DrawFn) -> tuple[list[Item], list[Item]]:
    """Items of a source, and items that the table holds, with some keys in both."""
    source = [
        item(name, draw(VERSIONS), state=draw(STATES), by={"S": "source"})
        for name in draw(st.sets(st.sampled_from(NAMES), min_size=1))
    ]
    held = [
        item(name, draw(st.none() | VERSIONS), state=draw(STATES), by={"S": "table"})
        for name in draw(st.sets(st.sampled_from(NAMES)))
    ]
    return source, held


@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(pair=encounters(), writers=st.sampled_from([1, 3]), fault=st.sampled_from(LOST), at=st.integers(1, 8))
def test_i3_the_table_and_the_accounts_are_what_the_model_says_though_a_reply_is_lost(
    mode: str,
    tally: Tally,
    pair: tuple[list[Item], list[Item]],
    writers: int,
    fault: tuple[Kind, bool],
    at: int,
) -> None:
    source, held = pair
    replaces, more = MODES[mode]
    there = {one["pk"]["S"]: one for one in held}
    written = [one for one in source if replaces(one, there.get(one["pk"]["S"]))]
    wanted = {**there, **{one["pk"]["S"]: one for one in written}}
    world = ImportWorld(files(source), held)
    operation = "BatchWriteItem" if mode == "overwrite" else "PutItem"
    strike = Fault(fault[0], at, on=operation, after=fault[1])

    attempt = world.run(strike, on_conflict=mode, segments=writers, **more)

    tally(max(1, len(attempt.struck)))
    assert accounts(len(source), skipped=len(source) - len(written)) == attempt.accounts
    assert_accounts(attempt)
    assert_table(world, list(wanted.values()))
    assert_finished_once(world)


def test_i3_fail_stops_at_the_first_item_that_is_there_and_names_it() -> None:
    source = items(20)
    world = ImportWorld(files(source[:4], source[4:]), [item("00009")])

    attempt = world.run(on_conflict="fail")

    attempt.failed(ImportFailed, "given/part-1.json line 6", "the key 00009", "copy")
    assert {"pk": {"S": "00009"}} in world.items
    assert_nothing_reads_as_finished(world)
    puts = [call.params["Item"]["pk"]["S"] for call in attempt.calls if call.operation == "PutItem"]
    assert "00009" == puts[-1]
    assert len(puts) < len(source)


@pytest.mark.parametrize("at_the_end", [False, True], ids=["first line", "last line"])
def test_i3_fail_meets_the_same_item_again_until_it_is_gone(at_the_end: bool) -> None:
    """A retry neither passes over a conflict nor calls the import a success."""
    source = items(3)
    name = source[-1 if at_the_end else 0]["pk"]["S"]
    world = ImportWorld(files(source), [item(name)])
    for _ in range(3):
        world.run(on_conflict="fail").failed(ImportFailed, f"the key {name}")
        assert_nothing_reads_as_finished(world)
    world.aws.dynamodb.delete_item("copy", {"pk": {"S": name}})

    attempt = world.run(on_conflict="fail")

    assert accounts(3) == attempt.accounts
    assert_table(world, source)


def test_i3_fail_takes_an_item_that_differs_for_a_conflict_even_after_a_kill(tally: Tally) -> None:
    """What an earlier attempt wrote is its own; what somebody changed since is not."""
    source = items(3)
    world = ImportWorld(files(source))
    killed = world.run(Fault(Kind.KILL, 2, on="PutItem", after=True), on_conflict="fail")
    tally(len(killed.struck))
    (changed, *_) = [one["pk"]["S"] for one in world.items]
    world.aws.dynamodb.put_items("copy", [item(changed, number("1"))])

    world.run(on_conflict="fail").failed(ImportFailed, f"the key {changed}")

    assert item(changed, number("1")) in world.items


def test_i3_an_item_without_the_version_is_rejected_by_newer() -> None:
    source = [item("a", number("1")), item("b"), item("c", {"L": []}), item("d", number("1"))]
    world = ImportWorld(files(source), [item("b", number("1"))])

    attempt = world.run(on_conflict="newer", version_attribute="v", max_rejected=2)

    assert accounts(4, rejected=2) == attempt.accounts
    assert [("given/part-0.json", 2), ("given/part-0.json", 3)] == world.rejects
    assert_table(world, [source[0], source[3], item("b", number("1"))])

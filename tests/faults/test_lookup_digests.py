"""Digests that no longer tell the truth about the table: found out, and repaired by looking at the table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from airflow_dynamo_pipeline.lookup import partition
from airflow_dynamo_pipeline.lookup.source import Column
from tests.faults.attempts import BUCKET
from tests.faults.conftest import Tally
from tests.faults.lookup_promises import assert_digests_are_true, assert_nothing_left_over, assert_table
from tests.faults.lookup_world import (
    PREFIX,
    TARGET,
    LookupAttempt,
    LookupWorld,
    in_small_buckets,
    item_of,
    items_of,
    product,
)
from tests.faults.script import Fault, Kind

OLD = [product(number, "old") for number in range(16)]
NEW = [*OLD[:12], product(12), product(50), product(51)]
STATE = f"{PREFIX}/_lookups/{TARGET}/state.json"
FOREIGN = {"pk": {"S": "P003"}, "name": {"S": "theirs"}, "price": {"N": "1"}}
WEEK = 7 * 86_400.0


@pytest.fixture(scope="module")
def loaded() -> Iterator[LookupWorld]:
    """A table that last night's load left digests of; tonight's query says something else."""
    with in_small_buckets():
        world = LookupWorld(OLD, settings={"compare": "digests"})
        world.load(run="last night")
        world.rows = NEW
        yield world


def digests_key(world: LookupWorld) -> str:
    assert world.state is not None
    key: str = world.state["digests"]["key"]
    return key


def rewrite(world: LookupWorld, change: Callable[[bytes], bytes]) -> None:
    """Damage the digest file."""
    key = digests_key(world)
    world.aws.s3.put(BUCKET, key, change(world.objects[key]))


def repaired(world: LookupWorld, *words: str, **settings: Any) -> LookupAttempt:
    """A load that looked at the table itself, and said why."""
    attempt = world.load(**settings)
    assert "table" == attempt.result.compared_with
    said = " ".join([*attempt.said, *attempt.warned])
    assert [] == [word for word in ("comparing with the whole table", *words) if word not in said], said
    assert_mended(world)
    return attempt


def assert_mended(world: LookupWorld) -> None:
    """The table is its query again, and so are the digests: the next load believes them."""
    assert_table(world, items_of(world.rows))
    assert_digests_are_true(world)
    assert_nothing_left_over(world)
    following = world.load(run="the night after")
    assert ("digests", 0) == (following.result.compared_with, following.result.written)


def test_r6_digests_that_tell_the_truth_are_believed_and_the_table_is_not_scanned(
    loaded: LookupWorld,
) -> None:
    world = loaded.copy()

    attempt = world.load()

    assert "digests" == attempt.result.compared_with
    assert "Scan" not in attempt.operations
    assert_mended(world)


def test_r6_a_lost_digest_file_is_repaired_by_a_full_comparison(loaded: LookupWorld) -> None:
    world = loaded.copy()
    world.aws.s3.delete(BUCKET, digests_key(world))

    repaired(world)


def test_r6_a_lost_state_file_is_repaired_by_a_full_comparison(loaded: LookupWorld) -> None:
    world = loaded.copy()
    world.aws.dynamodb.put_items(TARGET, [FOREIGN])
    world.aws.s3.delete(BUCKET, STATE)

    repaired(world, "no load has left digests yet")


def test_r6_a_truncated_digest_file_is_repaired_wherever_it_was_cut(
    loaded: LookupWorld, tally: Tally
) -> None:
    whole = len(loaded.objects[digests_key(loaded)])
    assert loaded.state is not None
    (_, first), (second, _) = loaded.state["digests"]["buckets"]
    assert first == second
    for length in (0, 1, first - 1, first, first + 1, whole - 9, whole - 1):
        world = loaded.copy()
        rewrite(world, lambda body, length=length: body[:length])  # type: ignore[misc]

        repaired(world)
        tally(1)


def test_r6_a_damaged_digest_file_is_repaired_whichever_byte_was_hit(
    loaded: LookupWorld, tally: Tally
) -> None:
    """A byte of a header that says nothing may be any."""
    body = loaded.objects[digests_key(loaded)]
    believed = []
    for at in range(0, len(body), 23):
        world = loaded.copy()
        damaged = bytes([*body[:at], body[at] ^ 0x10, *body[at + 1 :]])
        rewrite(world, lambda _, damaged=damaged: damaged)  # type: ignore[misc]

        attempt = world.load()

        tally(1)
        assert_table(world, items_of(NEW))
        if attempt.result.compared_with == "digests":
            believed.append(at)
    assert len(believed) <= 1


def test_r6_digests_of_another_table_in_this_ones_place_are_found_out(loaded: LookupWorld) -> None:
    other = LookupWorld([product(n, "alien") for n in range(100, 116)], settings={"compare": "digests"})
    other.load(run="other")
    assert other.state is not None
    world = loaded.copy()
    state = {**json.loads(world.objects[STATE])}
    state["digests"] = {**other.state["digests"], "key": state["digests"]["key"]}
    world.aws.s3.put(BUCKET, STATE, json.dumps(state).encode())
    rewrite(world, lambda _: other.objects[digests_key(other)])

    repaired(world, "16 of 16 items read back are not as the digest file says")


def test_r6_digests_of_rows_of_another_shape_are_not_believed(loaded: LookupWorld) -> None:
    world = loaded.copy()
    world.columns = (Column("pk", "text"), Column("label", "text"), Column("price", "number"))

    attempt = world.load(columns={"label": {"name": "name"}})

    assert "table" == attempt.result.compared_with
    assert "rows become other items than at the last load" in "".join(attempt.said)
    assert_table(world, items_of(NEW))


def test_r6_a_state_of_another_table_of_the_same_name_is_not_believed(loaded: LookupWorld) -> None:
    """The table was deleted and made anew: with its old items, with others, or with none."""
    for items in ([], items_of(OLD), [FOREIGN]):
        world = loaded.copy()
        world.aws.dynamodb.table(TARGET).table_id = "another"
        for item in world.items:
            world.aws.dynamodb.delete_item(TARGET, {"pk": item["pk"]})
        world.aws.dynamodb.put_items(TARGET, items)

        repaired(world, "deleted and made anew")


CHANGES: dict[str, Callable[[LookupWorld], None]] = {
    "an item was changed": lambda world: world.aws.dynamodb.put_items(TARGET, [FOREIGN]),
    "an attribute was added": lambda world: world.aws.dynamodb.put_items(
        TARGET, [{**item_of(OLD[3]), "more": {"BOOL": True}}]
    ),
    "an item was deleted": lambda world: world.aws.dynamodb.delete_item(TARGET, {"pk": {"S": "P003"}}),
    "an item expired": lambda world: world.aws.dynamodb.expire(TARGET, {"pk": {"S": "P003"}}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_r6_a_single_change_by_others_is_found_by_a_sample_of_all_items(
    loaded: LookupWorld, name: str
) -> None:
    world = loaded.copy()
    CHANGES[name](world)

    repaired(world, "1 of 16 items read back are not as the digest file says", sample_items=16)


def test_r6_a_single_change_by_others_is_found_whichever_item_it_was(tally: Tally) -> None:
    """Also where the items are in more buckets than a sample usually takes from."""
    rows = [product(number, "old") for number in range(120)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partition, "FEWEST_BUCKETS", 16)
        world = LookupWorld(rows, settings={"compare": "digests"})
        world.load(run="last night")
        for number in range(0, 120, 10):
            other = world.copy()
            other.aws.dynamodb.put_items(TARGET, [item_of(product(number, "theirs"))])
            tally(1)

            attempt = other.load(sample_items=120)

            assert "table" == attempt.result.compared_with, number
            assert_table(other, items_of(rows))


def test_r6_an_item_that_others_added_is_found_once_the_digests_are_too_old(loaded: LookupWorld) -> None:
    """No sample can find what the digests do not know."""
    world = loaded.copy()
    stranger = item_of(product(99, "theirs"))
    world.aws.dynamodb.put_items(TARGET, [stranger])
    world.load(run="believing")
    assert_table(world, [*items_of(NEW), stranger])
    world.pass_time(WEEK)

    repaired(world, "the last full comparison is 7 days ago", run="a week later")


def test_r6_loads_that_believe_digests_do_not_make_them_younger(loaded: LookupWorld) -> None:
    world = loaded.copy()
    compared = []
    for night in range(9):
        compared.append(world.load(run=f"night {night}").result.compared_with)
        world.pass_time(86_400.0)

    assert ["digests"] * 7 + ["table", "digests"] == compared


def test_r6_with_no_days_at_all_every_load_compares_with_the_table(loaded: LookupWorld) -> None:
    world = loaded.copy()

    repaired_by = [world.load(run=f"night {n}", full_compare_days=0).result.compared_with for n in range(2)]

    assert ["table", "table"] == repaired_by


def test_r6_after_a_load_that_was_killed_while_it_wrote_the_table_is_looked_at(loaded: LookupWorld) -> None:
    world = loaded.copy()
    world.load(Fault(Kind.KILL, 2, on="BatchWriteItem"))

    attempt = world.load(run="tomorrow night")

    assert "table" == attempt.result.compared_with
    assert "did not come to its end" in "".join(attempt.said)
    assert_table(world, items_of(NEW))
    assert_digests_are_true(world)


def test_r6_a_state_that_cannot_be_read_is_no_licence_to_write(loaded: LookupWorld) -> None:
    """A person is told which file it is."""
    for body in (b"", b"{", b"null", b'{"version": 99}'):
        world = loaded.copy()
        world.aws.s3.put(BUCKET, STATE, body)

        attempt = world.load()

        assert isinstance(attempt.outcome, Exception)
        assert STATE in str(attempt.outcome)
        assert [] == attempt.writes
        assert_table(world, items_of(OLD))


def test_r6_an_age_in_the_future_is_not_young() -> None:
    """A clock that was wrong once must not make digests believed for years."""
    with in_small_buckets():
        world = LookupWorld(OLD, settings={"compare": "digests"})
        world.load(run="last night")
        state = json.loads(world.objects[STATE])
        later = world.aws.clock.now() + timedelta(days=900)
        world.aws.s3.put(BUCKET, STATE, json.dumps({**state, "fullComparedAt": later.isoformat()}).encode())
        world.aws.dynamodb.put_items(TARGET, [item_of(product(99, "theirs"))])

        attempt = world.load(full_compare_days=7)

        assert "table" == attempt.result.compared_with

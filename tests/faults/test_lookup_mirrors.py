"""After a mirror the table is its query; what has not changed is not written."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.faults.dynamodb.pair import texts
from tests.faults.lookup_promises import assert_digests_are_true, assert_nothing_left_over, assert_table
from tests.faults.lookup_rows import Scene, scenes
from tests.faults.lookup_world import GENERATIONS, LookupWorld, in_small_buckets, item_of, items_of, product

EXAMPLES = 15
OLD = [product(number, "old") for number in range(12)]
given_scenes = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module", autouse=True)
def _small() -> Iterator[None]:
    with in_small_buckets():
        yield


@given_scenes
@given(scene=scenes(), compare=st.sampled_from(["table", "digests"]))
def test_r1_r2_after_a_mirror_the_table_is_its_query_whatever_it_was(scene: Scene, compare: str) -> None:
    kept = set(texts(scene.held)) & set(texts(scene.wanted))
    world = LookupWorld(
        scene.rows, scene.held, scene.schema, scene.columns, {**scene.settings, "compare": compare}
    )

    first = world.load(run="first")

    assert_table(world, scene.wanted)
    assert_digests_are_true(world)
    assert len(kept) == first.result.unchanged
    assert len(scene.held) == first.result.table_items
    assert first.result.written == first.result.inserted + first.result.updated + first.result.deleted

    again = world.load(run="again")

    assert [] == again.writes
    assert (len(scene.rows), 0, compare) == (
        again.result.unchanged,
        again.result.written,
        again.result.compared_with,
    )
    assert_table(world, scene.wanted)


@pytest.mark.parametrize("compare", ["table", "digests"])
@pytest.mark.parametrize("rows", [300, 301])
def test_r1_hundreds_of_rows_with_spills_and_many_files_of_changes_end_as_the_query(
    compare: str, rows: int
) -> None:
    dice = random.Random(rows)
    world = LookupWorld([product(n, "old") for n in range(0, 2 * rows, 2)], settings={"compare": compare})
    world.load(run="first", max_shrink=1)
    world.rows = [product(n, dice.choice(["old", "new"])) for n in dice.sample(range(2 * rows), rows)]

    with in_small_buckets(spill_bytes=4000, file_bytes=1000):
        attempt = world.load(run="second", segments=3)

    files = [key for key in world.objects if "/changes/puts/" in key]
    assert len(files) > 5
    assert (
        sum(
            call.operation == "CreateMultipartUpload" or "-rows-" in call.request.path
            for call in attempt.calls
        )
        > 3
    )
    assert_table(world, items_of(world.rows))
    assert_digests_are_true(world)
    assert_nothing_left_over(world)


@pytest.mark.parametrize("compare", ["table", "digests"])
def test_r2_only_what_changed_is_written_and_every_change_once(compare: str) -> None:
    world = LookupWorld(OLD, settings={"compare": compare})
    world.load(run="first")
    seen: list[Any] = []
    world.aws.dynamodb.watch(seen.append)
    world.rows = [*OLD[:8], product(8), product(9), product(50)]

    attempt = world.load(run="second")

    assert 5 == len(seen)  # an insert, two updates, two deletes
    assert 5 == attempt.result.written == attempt.result.write_units == attempt.result.consumed_units
    assert_table(world, items_of(world.rows))


@pytest.mark.parametrize("mode", ["mirror", "upsert", "insert_only", "update_existing"])
def test_r2_a_load_without_changes_writes_nothing_in_any_mode(mode: str) -> None:
    world = LookupWorld(OLD, items_of(OLD), settings={"mode": mode})
    seen: list[Any] = []
    world.aws.dynamodb.watch(seen.append)

    attempt = world.load()

    assert [] == attempt.writes == seen
    assert (12, 0, None) == (attempt.result.unchanged, attempt.result.written, attempt.result.changes_uri)
    assert [] == [key for key in world.objects if "/changes/" in key]


def test_r2_a_value_that_is_only_spelled_otherwise_is_no_change() -> None:
    """DynamoDB normalizes numbers; sets and maps have no order."""
    held = [{"pk": {"S": "P000"}, "name": {"S": "old"}, "price": {"N": "1"}}]
    world = LookupWorld([("P000", "old", "1.00")], held)

    assert [] == world.load().writes


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        ("mirror", [product(0, "new"), product(2, "new")]),
        ("upsert", [product(0, "new"), product(1, "old"), product(2, "new")]),
        ("insert_only", [product(0, "old"), product(1, "old"), product(2, "new")]),
        ("update_existing", [product(0, "new"), product(1, "old")]),
    ],
)
def test_r1_each_mode_writes_what_it_says(mode: str, wanted: list[Any]) -> None:
    held = items_of([product(0, "old"), product(1, "old")])
    world = LookupWorld([product(0, "new"), product(2, "new")], held, settings={"mode": mode})

    attempt = world.load()

    assert_table(world, items_of(wanted))
    assert 2 == attempt.result.rows
    assert [] == world.load(run="again").writes


@pytest.mark.parametrize("mode", ["insert_only", "update_existing"])
def test_r1_what_others_write_meanwhile_is_not_overwritten_by_a_mode_that_must_not(mode: str) -> None:
    """Between the comparison and the write another inserts or deletes the key."""
    world = LookupWorld([product(0, "new")], settings={"mode": mode})
    db = world.aws.dynamodb
    if mode == "update_existing":
        db.put_items("products", items_of([product(0, "old")]))
        db.before_call("PutItem", lambda: db.delete_item("products", {"pk": {"S": "P000"}}))
        wanted = []
    else:
        db.before_call("PutItem", lambda: db.put_items("products", [item_of(product(0, "theirs"))]))
        wanted = items_of([product(0, "theirs")])

    attempt = world.load()

    assert (0, 1) == (attempt.result.written, attempt.result.conflicted)
    assert_table(world, wanted)


def test_r1_inserts_and_updates_come_before_the_first_delete() -> None:
    world = LookupWorld([product(n) for n in range(60)], items_of([product(n) for n in range(50, 110)]))
    what: list[str] = []

    def note(change: Any) -> None:
        what.append("put" if change.new is not None else "delete")

    world.aws.dynamodb.watch(note)

    world.load(segments=3, max_shrink=1)

    assert ["put"] * 50 + ["delete"] * 50 == what


@pytest.mark.parametrize("settings_", [{}, {"compare": "digests"}, GENERATIONS], ids=str)
def test_r1_a_dry_run_says_what_it_would_do_and_does_nothing(settings_: dict[str, Any]) -> None:
    world = LookupWorld(OLD, settings=settings_)
    world.load(run="first")
    before, objects = texts(world.items), world.objects
    world.rows = [*OLD[1:], product(50)]

    attempt = world.load(run="second", dry_run=True)

    assert [] == attempt.writes
    assert before == texts(world.items)
    kept = {key for key in world.objects if key not in objects}
    assert objects == {key: body for key, body in world.objects.items() if key not in kept}
    assert {True} == {"/changes/" in key for key in kept}  # for whoever wants to see all of them
    told = attempt.result
    assert told.dry_run
    assert 0 == told.written
    if "generation_days" not in settings_:
        assert {"insert P050", "delete P000"} == set(told.differences)
    done = world.load(run="third")
    counted = ("rows", "unchanged", "inserted", "updated", "deleted", "write_units")
    assert [getattr(done.result, name) for name in counted] == [getattr(told, name) for name in counted]


def test_r1_the_audit_names_every_change_with_its_digests() -> None:
    world = LookupWorld([*OLD[:3], product(3), product(50)], items_of(OLD[:5]))

    world.load()

    told = {(one["change"], one["key"][0], one["old"] is None, "new" in one) for one in world.changes}
    assert {
        ("put", "P003", False, True),
        ("put", "P050", True, True),
        ("delete", "P004", False, False),
    } == told

"""A query's rows as a lookup table on DynamoDB Local: equal afterwards, by the fewest writes."""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest

from airflow_dynamo_pipeline.errors import AccessDenied, LookupRefused, TableChanged
from airflow_dynamo_pipeline.lookup import deciding
from airflow_dynamo_pipeline.lookup.partition import Partition
from tests.integration.lookup_world import LookupWorld
from tests.integration.test_table_import import run_import
from tests.integration.world import World

ROWS = [("P1", "one", 1), ("P2", "two", 2.5), ("P3", None, 3)]
ITEMS = {
    "P1": {"pk": {"S": "P1"}, "name": {"S": "one"}, "price": {"N": "1"}},
    "P2": {"pk": {"S": "P2"}, "name": {"S": "two"}, "price": {"N": "2.5"}},
    "P3": {"pk": {"S": "P3"}, "price": {"N": "3"}},
}


@pytest.fixture
def lookups(world: World) -> LookupWorld:
    """An empty lookup table, and a query without rows."""
    return LookupWorld(world)


def test_a_first_load_inserts_every_row(lookups: LookupWorld) -> None:
    lookups.fill(ROWS)

    result = lookups.load()

    assert (3, 3, 0, 0, 0, 3) == (
        result.rows,
        result.inserted,
        result.updated,
        result.deleted,
        result.unchanged,
        result.written,
    )
    assert ITEMS == lookups.items()


@pytest.mark.parametrize("compare", ["digests", "table"])
def test_a_second_load_writes_what_changed_and_deletes_what_vanished(
    lookups: LookupWorld, compare: str
) -> None:
    lookups.fill(ROWS)
    lookups.load(compare=compare)
    lookups.fill([("P1", "one", 1), ("P2", "zwei", 2.5), ("P4", "four", 4)])

    result = lookups.load(compare=compare, max_shrink=0.5)

    assert (1, 1, 1, 1, 3, compare) == (
        result.unchanged,
        result.inserted,
        result.updated,
        result.deleted,
        result.written,
        result.compared_with,
    )
    assert {"P1", "P2", "P4"} == set(lookups.items())
    assert {"S": "zwei"} == lookups.items()["P2"]["name"]


def test_a_load_without_changes_writes_nothing(lookups: LookupWorld) -> None:
    lookups.fill(ROWS)
    lookups.load()

    result = lookups.load()

    assert (3, 0, 0.0, None) == (result.unchanged, result.written, result.consumed_units, result.changes_uri)


def test_a_generation_is_loaded_beside_the_other_and_flipped_to(lookups: LookupWorld) -> None:
    lookups.dynamodb.update_time_to_live(
        TableName=lookups.table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "gone_at"}
    )
    lookups.fill(ROWS)
    first = lookups.load(generation_days=2, ttl_attribute="gone_at")
    second = lookups.load(generation_days=2, ttl_attribute="gone_at")

    found = lookups.items()
    assert {"S": second.generation} == found["#current"]["generation"]
    assert {"S": first.generation} == found["#current"]["earlier"]
    assert 7 == len(found)
    assert ITEMS["P1"]["price"] == found[f"{second.generation}#P1"]["price"]


def item(key: str, name: str, price: object) -> dict[str, Any]:
    return {"pk": {"S": key}, "name": {"S": name}, "price": {"N": str(price)}}


BEFORE = [("P1", "one", 1), ("P2", "two", 2), ("P3", "three", 3)]
AFTER = [("P2", "zwei", 2), ("P3", "three", 3), ("P4", "four", 4)]
GENERATION: dict[str, Any] = {"generation_days": 2, "ttl_attribute": "gone_at"}


@pytest.mark.parametrize(
    ("mode", "wanted", "counts"),
    [
        ("upsert", {"P1": "one", "P2": "zwei", "P3": "three", "P4": "four"}, (1, 1, 1, 0)),
        ("insert_only", {"P1": "one", "P2": "two", "P3": "three", "P4": "four"}, (1, 1, 0, 1)),
        ("update_existing", {"P1": "one", "P2": "zwei", "P3": "three"}, (1, 0, 1, 1)),
    ],
)
def test_a_mode_writes_what_it_says_and_leaves_the_rest_alone(
    lookups: LookupWorld, mode: str, wanted: dict[str, str], counts: tuple[int, ...]
) -> None:
    lookups.fill(BEFORE)
    lookups.load()
    lookups.fill(AFTER)

    result = lookups.load(mode=mode)

    assert wanted == {key: held["name"]["S"] for key, held in lookups.items().items()}
    assert (*counts, 0) == (
        result.unchanged,
        result.inserted,
        result.updated,
        result.skipped,
        result.deleted,
    )


def test_a_mirror_of_a_table_that_others_filled_makes_it_the_query(lookups: LookupWorld) -> None:
    lookups.dynamodb.put_item(TableName=lookups.table, Item=item("P1", "one", "1"))
    lookups.dynamodb.put_item(TableName=lookups.table, Item={"pk": {"S": "theirs"}, "x": {"BOOL": True}})
    lookups.fill(ROWS)

    result = lookups.load(max_shrink=0)

    assert (1, 2, 0, 1) == (result.unchanged, result.inserted, result.updated, result.deleted)
    assert ITEMS == lookups.items()


@pytest.mark.parametrize(
    ("rows", "settings", "said"),
    [
        ([], {}, "the query has no rows"),
        (BEFORE[:2], {}, "33.3% fewer, max_shrink is 20.0%"),
        (BEFORE[:2], {"max_shrink": 1, "max_deletes": 0}, "1 items would be deleted, max_deletes is 0"),
        (AFTER, {"max_changes": 2}, "3 items differ"),
        ([*BEFORE, ("P1", "again", 1)], {}, "1 keys (id) stand in more than one row: P1 (2 rows)"),
        ([*BEFORE, (None, "nobody", 1)], {}, "1 of 4 rows cannot become items"),
        ([*BEFORE, ("", "nobody", 1)], {}, "1 of 4 rows cannot become items"),
    ],
)
def test_what_is_too_much_is_refused_without_a_write(
    lookups: LookupWorld, rows: list[tuple[object, ...]], settings: dict[str, Any], said: str
) -> None:
    lookups.fill(BEFORE)
    lookups.load()
    before = lookups.items()
    lookups.fill(rows)

    with pytest.raises(LookupRefused, match="refused before the first write") as caught:
        lookups.load(breaks_at=1, **settings)
    assert said in str(caught.value)
    assert before == lookups.items()


def test_an_empty_query_empties_the_table_where_that_is_allowed(lookups: LookupWorld) -> None:
    lookups.fill(BEFORE)
    lookups.load()
    lookups.fill([])

    result = lookups.load(allow_empty=True)

    assert (3, {}) == (result.deleted, lookups.items())


def test_a_dry_run_tells_the_differences_and_writes_nothing_to_the_table(lookups: LookupWorld) -> None:
    lookups.fill(BEFORE)
    lookups.load()
    before = lookups.items()
    lookups.fill(AFTER)

    result = lookups.load(dry_run=True, max_shrink=1, breaks_at=1)

    assert before == lookups.items()
    assert ["delete P1", "insert P4", "update P2"] == sorted(result.differences)
    assert (True, 0, 3) == (result.dry_run, result.written, result.inserted + result.updated + result.deleted)
    assert 1 == len(lookups.keys("/run.json"))


def test_no_allowed_change_verifies_that_a_table_equals_its_query(lookups: LookupWorld) -> None:
    lookups.fill(BEFORE)
    lookups.load()

    same = lookups.load(dry_run=True, max_changes=0)
    lookups.fill(AFTER)

    assert (3, []) == (same.unchanged, same.differences)
    with pytest.raises(LookupRefused, match=r"3 items differ .* max_changes is 0"):
        lookups.load(dry_run=True, max_changes=0)


def test_every_change_stands_in_a_file_with_its_old_and_its_new_digest(lookups: LookupWorld) -> None:
    lookups.fill(BEFORE)
    first = lookups.load()
    digests = {line["key"][0]: line["new"] for line in lookups.changes()}
    lookups.fill(AFTER)

    second = lookups.load(max_shrink=1)

    assert first.changes_uri
    assert second.changes_uri
    lines = {line["key"][0]: line for line in lookups.changes() if line["key"] == ["P4"] or line["old"]}
    assert {"P1": "delete", "P2": "put", "P4": "put"} == {key: line["change"] for key, line in lines.items()}
    assert [digests["P1"], digests["P2"], None] == [lines[key]["old"] for key in ("P1", "P2", "P4")]
    assert digests["P2"] != lines["P2"]["new"]
    assert item("P2", "zwei", 2) == lines["P2"]["item"]
    assert {"pk": {"S": "P1"}} == lines["P1"]["keys"]


def test_a_change_set_can_be_imported_into_another_table(lookups: LookupWorld) -> None:
    lookups.fill(BEFORE)
    result = lookups.load()
    other = LookupWorld(lookups.world)

    run_import(lookups.world, other.table, f"{result.changes_uri}puts/", allow_protected=True)

    assert lookups.items() == other.items()


def test_rejected_rows_are_told_of_and_their_items_stay(lookups: LookupWorld) -> None:
    lookups.fill(BEFORE)
    lookups.load()
    lookups.fill([("P1", "one", 1), ("P2", "two", float("inf")), ("P3", "three", 3), (None, "nobody", 1)])

    result = lookups.load(max_rejected=2, max_shrink=0)

    assert (4, 2, 2, 0, 0) == (
        result.rows,
        result.unchanged,
        result.rejected,
        result.deleted,
        result.written,
    )
    assert item("P2", "two", 2) == lookups.items()["P2"]
    (key,) = lookups.keys("/rejects/")
    assert str(result.rejects_uri).endswith(key.rpartition("/")[0].rpartition("/")[2] + "/")
    lines = [json.loads(line) for line in lookups.world.get(key).splitlines()]
    assert [2, 4] == [line["rejected"]["line"] for line in lines]


def test_rejected_rows_can_be_imported_once_they_are_mended(lookups: LookupWorld) -> None:
    lookups.fill([*BEFORE, ("P9", "nine", float("inf"))])
    sql = "SELECT id AS pk, name, price FROM products"
    result = lookups.load(sql=sql, key_columns="pk", columns={}, max_rejected=1)
    (key,) = lookups.keys("/rejects/")
    mended = lookups.world.get(key).replace(b'\\"inf\\"', b"9.50")
    lookups.world.fresh_client("s3").put_object(Bucket=lookups.world.bucket, Key=key, Body=mended)

    run_import(
        lookups.world,
        lookups.table,
        str(result.rejects_uri),
        file_format="rejects",
        allow_protected=True,
    )

    assert item("P9", "nine", "9.5") == lookups.items()["P9"]


@pytest.mark.parametrize("harm", ["gone", "damaged", "cut"])
def test_a_digest_file_that_is_harmed_is_repaired_by_a_full_comparison(
    lookups: LookupWorld, harm: str
) -> None:
    lookups.fill(BEFORE)
    lookups.load(compare="digests")
    (key,) = lookups.keys("/digests/")
    s3, bucket = lookups.world.fresh_client("s3"), lookups.world.bucket
    body = lookups.world.get(key)
    if harm == "gone":
        s3.delete_object(Bucket=bucket, Key=key)
    else:
        s3.put_object(Bucket=bucket, Key=key, Body=body[:1] if harm == "cut" else b"x" * len(body))
    lookups.fill(AFTER)

    result = lookups.load(compare="digests", max_shrink=1)
    after = lookups.load(compare="digests")

    assert ("table", "digests") == (result.compared_with, after.compared_with)
    assert {"P2": "zwei", "P3": "three", "P4": "four"} == {
        key: held["name"]["S"] for key, held in lookups.items().items()
    }
    assert any("comparing with the whole table: digest file" in line for line in lookups.warned)
    assert 1 == len(lookups.keys("/digests/"))


@pytest.mark.parametrize("change", ["put", "delete"])
def test_an_item_that_others_changed_is_found_by_reading_some_back(lookups: LookupWorld, change: str) -> None:
    lookups.fill(BEFORE)
    lookups.load(compare="digests")
    if change == "put":
        lookups.dynamodb.put_item(TableName=lookups.table, Item=item("P2", "by others", "2"))
    else:
        lookups.dynamodb.delete_item(TableName=lookups.table, Key={"pk": {"S": "P2"}})

    result = lookups.load(compare="digests")

    assert ("table", 1) == (result.compared_with, result.written)
    assert item("P2", "two", 2) == lookups.items()["P2"]


def make_again(lookups: LookupWorld) -> None:
    """Delete the table and make another, empty one of its name."""
    description = lookups.dynamodb.describe_table(TableName=lookups.table)["Table"]
    lookups.dynamodb.delete_table(TableName=lookups.table)
    lookups.dynamodb.create_table(
        TableName=lookups.table,
        KeySchema=description["KeySchema"],
        AttributeDefinitions=description["AttributeDefinitions"],
        BillingMode="PAY_PER_REQUEST",
    )


def test_a_table_made_anew_is_not_compared_with_the_digests_of_the_other(lookups: LookupWorld) -> None:
    lookups.fill(BEFORE)
    lookups.load(compare="digests")
    make_again(lookups)

    result = lookups.load(compare="digests")

    assert ("table", 3) == (result.compared_with, result.inserted)
    assert 3 == len(lookups.items())


def test_a_retry_of_a_finished_run_adopts_its_result(lookups: LookupWorld) -> None:
    lookups.fill(BEFORE)
    first = lookups.load(run="nightly")
    lookups.fill(AFTER)

    second = lookups.load(run="nightly", breaks_at=1)

    assert ("new", "adopt", first.run_id, 3) == (first.start, second.start, second.run_id, second.written)
    assert {"P1", "P2", "P3"} == set(lookups.items())


def test_a_retry_of_a_broken_run_applies_what_was_decided_without_the_query(lookups: LookupWorld) -> None:
    many = [(f"P{n:03}", "name", n) for n in range(200)]
    lookups.fill(many)
    with pytest.raises(AccessDenied):
        lookups.load(run="nightly", breaks_at=4)
    written = len(lookups.items())
    lookups.rows.execute("DROP TABLE products")

    result = lookups.load(run="nightly")

    assert 0 < written < 200
    assert ("resume", 200, 200) == (result.start, result.rows, result.written)
    assert {key for key, *_ in many} == set(lookups.items())


def test_another_run_after_a_broken_one_compares_with_the_table(lookups: LookupWorld) -> None:
    lookups.fill([(f"P{n:03}", "name", n) for n in range(200)])
    with pytest.raises(AccessDenied):
        lookups.load(compare="digests", breaks_at=4)

    result = lookups.load(compare="digests")

    assert ("new", "table", 200) == (result.start, result.compared_with, len(lookups.items()))
    assert 0 < result.unchanged < 200
    assert 200 == result.unchanged + result.written


@pytest.mark.parametrize("mode", ["mirror", "upsert"])
def test_a_load_that_spills_everything_is_the_same(
    lookups: LookupWorld, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setattr(deciding, "Partition", functools.partial(Partition, spill_bytes=500))
    lookups.fill([(f"P{n:03}", "name", n) for n in range(300)])
    lookups.load(mode=mode)
    lookups.fill([(f"P{n:03}", "name" if n % 2 else "other", n) for n in range(10, 310)])

    result = lookups.load(mode=mode)

    deleted = 10 if mode == "mirror" else 0
    assert (145, 10, 145, deleted) == (result.unchanged, result.inserted, result.updated, result.deleted)
    assert 310 - deleted == len(lookups.items())
    assert [] == lookups.keys("/scratch/")


def test_a_generation_that_shrank_is_refused_by_the_rows_of_the_pointer(lookups: LookupWorld) -> None:
    lookups.dynamodb.update_time_to_live(
        TableName=lookups.table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "gone_at"}
    )
    lookups.fill(BEFORE)
    lookups.load(**GENERATION)
    before = lookups.items()
    lookups.fill(BEFORE[:1])

    with pytest.raises(LookupRefused, match=r"the generation that counts 3 items: there would be 1, 66\.7%"):
        lookups.load(**GENERATION)
    assert before == lookups.items()


def test_a_generation_that_broke_is_flipped_to_by_the_next_attempt(lookups: LookupWorld) -> None:
    lookups.dynamodb.update_time_to_live(
        TableName=lookups.table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "gone_at"}
    )
    lookups.fill(BEFORE)
    with pytest.raises(AccessDenied):
        lookups.load(run="nightly", breaks_at=2, **GENERATION)
    assert "#current" not in lookups.items()

    result = lookups.load(run="nightly", **GENERATION)

    found = lookups.items()
    assert ("resume", {"S": result.generation}) == (result.start, found["#current"]["generation"])
    assert {"N": "3"} == found["#current"]["rows"]
    assert 4 == len(found)


def test_a_table_made_anew_while_its_query_runs_is_not_written_to(lookups: LookupWorld) -> None:
    """The digests had been believed by then, and say nothing of which table they are of."""
    lookups.fill(BEFORE)
    lookups.load(compare="digests")
    lookups.fill([*BEFORE, ("P9", "nine", 9)])
    made: list[str] = []

    def seen(key: str) -> bool:
        if not made and any("are as the digest file says" in line for line in lookups.said):
            made.append(key)
            make_again(lookups)
        return True

    lookups.rows.create_function("seen", 1, seen)
    sql = "SELECT id, name, price FROM products WHERE seen(id)"
    lookups.load(sql=sql, compare="table", dry_run=True)
    assert [] == made

    with pytest.raises(TableChanged, match="made anew while the query was compared with it"):
        lookups.load(sql=sql, compare="digests", breaks_at=1)

    assert [made, {}] == [["P1"], lookups.items()]
    after = lookups.load(compare="digests")
    assert ("table", 4) == (after.compared_with, len(lookups.items()))


@pytest.mark.parametrize("settings", [{}, {"max_shrink": 1.0, "max_deletes": 50}])
def test_rows_without_keys_do_not_empty_a_table_however_many_may_be_rejected(
    lookups: LookupWorld, settings: dict[str, Any]
) -> None:
    lookups.fill([(f"P{n:02}", "name", n) for n in range(50)])
    lookups.load()
    lookups.fill([(None, "name", n) for n in range(50)])

    with pytest.raises(LookupRefused, match="none of the 50 rows of the query can become an item"):
        lookups.load(max_rejected=50, breaks_at=1, **settings)

    assert 50 == len(lookups.items())


def test_a_first_generation_of_rejected_rows_does_not_count(lookups: LookupWorld) -> None:
    lookups.dynamodb.update_time_to_live(
        TableName=lookups.table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "gone_at"}
    )
    lookups.fill([("P1", "one", float("inf")), (None, "two", 2)])

    with pytest.raises(LookupRefused, match="none of the 2 rows of the query can become an item"):
        lookups.load(max_rejected=2, breaks_at=1, **GENERATION)

    assert {} == lookups.items()


def test_a_mirror_in_place_does_not_touch_generations(lookups: LookupWorld) -> None:
    lookups.dynamodb.update_time_to_live(
        TableName=lookups.table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "gone_at"}
    )
    lookups.fill(BEFORE)
    generation = lookups.load(**GENERATION).generation
    before = lookups.items()

    with pytest.raises(LookupRefused, match=f"has generations, and {generation} counts"):
        lookups.load(max_shrink=1.0, breaks_at=1)

    assert before == lookups.items()

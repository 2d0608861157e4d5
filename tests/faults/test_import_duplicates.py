"""Keys that come twice in a backup: imported all the same, counted, and named where both places are known."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_dynamo_pipeline.engine import duplicates
from tests.faults.attempts import Item, items
from tests.faults.conftest import Tally
from tests.faults.import_backups import files
from tests.faults.import_world import (
    ImportAttempt,
    ImportWorld,
    accounts,
    assert_accounts,
    assert_finished_once,
    assert_table,
    importing,
)

PLACE = "given/part-0.json lines 2 and 4"


def entry(name: str, body: str) -> Item:
    return {"pk": {"S": name}, "body": {"S": body}}


def numbered(number: str, body: str) -> Item:
    return {"pk": {"N": number}, "body": {"S": body}}


def warned(attempt: ImportAttempt, count: int) -> list[str]:
    """The warnings of an import that found so many, but for the one that says the number."""
    assert count == attempt.result.duplicates
    assert 1.0 == attempt.result.duplicates_share
    (said,) = [text for text in attempt.warned if "had a key that came before" in text]
    assert said.startswith(f"{count:,} items")
    return [text for text in attempt.warned if text.startswith("duplicate: ")]


def test_an_import_without_duplicates_warns_of_none() -> None:
    world = ImportWorld(files(items(30), items(60)[30:]))

    attempt = world.run()

    assert 0 == attempt.result.duplicates
    assert [] == attempt.warned


@pytest.mark.parametrize("mode", ["overwrite", "skip"])
def test_i7_a_key_twice_in_one_batch_is_imported_counted_and_named_by_both_lines(mode: str) -> None:
    twice = [entry("a", "1"), entry("b", "1"), entry("c", "1"), entry("b", "2")]
    world = ImportWorld(files(twice))

    attempt = world.run(on_conflict=mode)

    assert [f"duplicate: {PLACE}: key b"] == warned(attempt, 1)
    assert_accounts(attempt)
    assert_finished_once(world)
    refused = [call for call in attempt.operations if call == "PutItem"] if mode == "overwrite" else []
    assert [] == refused  # no batch held the key twice, so none had to be written one by one
    kept = twice[3] if mode == "overwrite" else twice[1]
    assert_table(world, [twice[0], kept, twice[2]])


def test_i7_a_key_in_two_files_is_counted() -> None:
    one, other = [entry("a", "1"), entry("b", "1")], [entry("b", "2"), entry("c", "1")]
    world = ImportWorld(files(one, other))

    attempt = world.run()

    warned(attempt, 1)
    assert accounts(4) == attempt.accounts
    assert {"a", "b", "c"} == {item["pk"]["S"] for item in world.items}
    assert [item for item in world.items if item["pk"]["S"] == "b"] in ([one[1]], [other[0]])


def test_i7_a_key_far_away_in_the_same_file_is_counted_though_the_lines_are_not_known() -> None:
    far = [*items(9_000, size=60), *items(3, size=61)]
    world = ImportWorld(files(far))

    attempt = world.run()

    assert [] == warned(attempt, 3)
    assert 9_000 == len(world.items)


@pytest.mark.parametrize(
    ("one", "other"), [("1", "1.0"), ("10", "1E1"), ("0", "-0.0"), ("0.5", "5e-1"), ("-7", "-7.00")]
)
def test_i7_a_number_spelled_in_two_ways_is_one_key(one: str, other: str) -> None:
    """DynamoDB refuses a batch that holds both: they are written one by one."""
    source = [numbered("3", "a"), numbered(one, "b"), numbered("4", "a"), numbered(other, "c")]
    world = ImportWorld(files(source), table={"key": (("pk", "N"),)})

    attempt = world.run()

    assert [f"duplicate: {PLACE}: key {other}"] == warned(attempt, 1)
    assert_accounts(attempt)
    assert_finished_once(world)
    assert 3 == len(world.items)


def test_i7_numbers_that_differ_are_not_taken_for_each_other() -> None:
    source = [numbered(text, "a") for text in ("1", "-1", "10", "0.1", "1E-2", "100", "0", "1.01")]
    world = ImportWorld(files(source), table={"key": (("pk", "N"),)})

    assert 0 == world.run().result.duplicates
    assert len(source) == len(world.items)


def test_i7_one_key_many_times_is_imported_once_and_counted_but_for_the_first() -> None:
    world = ImportWorld(files([entry("a", str(number)) for number in range(60)]))

    attempt = world.run(segments=3)

    assert 10 == len(warned(attempt, 59))  # no more are named
    assert accounts(60) == attempt.accounts
    assert 1 == len(world.items)


def test_i7_beyond_what_is_remembered_a_share_of_the_keys_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(duplicates, "MOST_HASHES", 100)
    world = ImportWorld(files(items(150), items(150)))

    attempt = world.run()

    result = attempt.result
    assert result.duplicates_share <= 0.5
    assert 0 < result.duplicates < 150
    assert any("% of the keys" in text for text in attempt.warned)


@pytest.mark.usefixtures("small_steps")
def test_i7_an_attempt_that_stopped_makes_no_duplicates_of_its_own(tally: Tally) -> None:
    """After a resume what is said is at most what there is: an item that is read again is none."""
    source = items(12)
    laid = files([*source, source[-1]])
    settings: dict[str, Any] = {"units_per_second": 12.0}
    calls = ImportWorld(laid).run(**settings).operations
    found = []
    for at in range(calls.index("BatchWriteItem") + 1, len(calls)):
        world = ImportWorld(laid)
        ImportAttempt(world, importing(laid, **settings), stop_at=at).run()
        tally(1)

        last = world.run(**settings)

        found.append(last.result.duplicates)
        assert accounts(13) == last.accounts
        assert_table(world, source)
    assert 1 == max(found)

"""A dry run: reads everything, foretells what an import would do, and changes nothing anywhere."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_dynamo_pipeline.errors import ImportRefused
from tests.faults.attempts import BUCKET, Item, items
from tests.faults.conftest import Tally
from tests.faults.import_backups import Laid, chain, exported, files, native_base, native_window
from tests.faults.import_world import IN_S3, MUTATING, ImportAttempt, ImportWorld, accounts
from tests.faults.script import AFTER_ONLY, Fault, Kind

pytestmark = pytest.mark.usefixtures("small_steps")
KEY = {"pk": {"S": "00001"}}
BAD_ITEM: Item = {"pk": {"S": "bad"}, "n": {"N": "no number"}}
SOURCES: dict[str, tuple[Laid, dict[str, Any]]] = {
    "files": (files(items(12)[:7], items(12)[7:]), {}),
    "changes": (chain(native_base(items(5)), [native_window(0, [(KEY, None)])]), {}),
    "a condition": (files(items(12)), {"on_conflict": "skip"}),
}


def assert_untouched(world: ImportWorld, attempt: ImportAttempt) -> None:
    """No call that changes anything was made, and nothing is other than it was."""
    assert [] == [name for name in attempt.operations if name in MUTATING | IN_S3]
    assert list(world.held) == world.items
    assert dict(world.laid.objects) == world.objects


@pytest.mark.parametrize("name", SOURCES)
def test_i8_a_dry_run_makes_no_call_that_changes_anything(name: str) -> None:
    laid, settings = SOURCES[name]
    world = ImportWorld(laid, [{"pk": {"S": "00001"}, "old": {"BOOL": True}}])

    attempt = world.run(dry_run=True, segments=3, **settings)

    assert attempt.result.dry_run
    assert accounts(laid.lines) == attempt.accounts | {"deleted": 0}
    assert_untouched(world, attempt)


def test_i8_a_dry_run_prints_what_the_import_will_come_to() -> None:
    large = [{**item, "body": {"S": "x" * 1500}} for item in items(20)]
    world = ImportWorld(files(large), table={"write": 40})

    attempt = world.run(dry_run=True, units_per_second=4)

    (said,) = [text for text in attempt.said if text.startswith("dry run")]
    assert "nothing was written" in said
    assert "20 items read, 20 would be written with on_conflict overwrite, 0 rejected" in said
    assert "40 write units" in said
    assert "dollars" in said
    assert 40.0 == attempt.result.consumed_units
    assert_untouched(world, attempt)


def test_i8_what_a_dry_run_says_is_what_the_import_then_does() -> None:
    source: list[Item | str] = [*items(6), BAD_ITEM, *items(12)[6:], "no JSON", items(1)[0]]
    world = ImportWorld(files(source))
    foretold = world.run(dry_run=True, max_rejected=2)
    assert_untouched(world, foretold)

    done = world.run(max_rejected=2)

    assert done.accounts == foretold.accounts
    assert accounts(15, rejected=2) == done.accounts
    assert 1 == done.result.duplicates == foretold.result.duplicates
    assert done.result.consumed_units == foretold.result.consumed_units
    said = [text for text in foretold.said if text.startswith("would reject")]
    places = [f"would reject given/part-0.json line {line}: " for line in (7, 14)]
    assert 2 == len(said)
    assert all(any(text.startswith(place) for text in said) for place in places)
    assert [("given/part-0.json", 7), ("given/part-0.json", 14)] == world.rejects


def test_i8_a_dry_run_that_would_be_refused_is_refused_and_changes_nothing() -> None:
    world = ImportWorld(files(items(3)), table={"DeletionProtectionEnabled": True})

    attempt = world.run(dry_run=True)

    attempt.failed(ImportRefused, "protected against deletion")
    assert_untouched(world, attempt)


CHANGED: dict[str, tuple[Laid, str, bytes]] = {
    "a file more": (files(items(6)), "given/part-9.json", b'{"Item":{"pk":{"S":"unseen"}}}\n'),
    "another file": (files(items(6)), "given/part-0.json", b'{"Item":{"pk":{"S":"unseen"}}}\n'),
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_backup_that_changes_after_the_look_is_not_imported_when_the_look_is_named(name: str) -> None:
    laid, key, body = CHANGED[name]
    world = ImportWorld(laid)
    looked = world.run(dry_run=True).result.backup_id
    world.aws.s3.put(BUCKET, key, body)
    before = world.objects

    attempt = world.run(expected_backup_id=looked)

    attempt.failed(ImportRefused, "is not the one that was looked at")
    assert ([], before) == (world.items, world.objects)
    assert looked != world.run().result.backup_id


def test_a_backup_that_is_as_it_was_is_imported_and_resumed_when_the_look_is_named() -> None:
    world = ImportWorld(exported(12))
    looked = world.run(dry_run=True).result.backup_id
    world.run(Fault(Kind.KILL, 2, on="BatchWriteItem"), units_per_second=12.0)

    attempt = world.run(expected_backup_id=looked)

    assert ("resume", looked) == (attempt.result.start, attempt.result.backup_id)
    assert accounts(12) == attempt.accounts
    assert [looked] == [record["result"]["backup_id"] for record in world.records]


def test_an_attempt_after_the_backup_changed_does_not_go_on_with_what_was_looked_at() -> None:
    world = ImportWorld(files(items(6)))
    looked = world.run(dry_run=True).result.backup_id
    world.run(Fault(Kind.KILL, 1, on="BatchWriteItem"), expected_backup_id=looked)
    there = world.items
    world.aws.s3.put(BUCKET, "given/part-9.json", b'{"Item":{"pk":{"S":"unseen"}}}\n')

    attempt = world.run(expected_backup_id=looked)

    attempt.failed(ImportRefused, "is not the one that was looked at")
    assert there == world.items


def test_i8_a_dry_run_beside_an_unfinished_import_leaves_it_as_it_is() -> None:
    world = ImportWorld(exported(12))
    world.run(Fault(Kind.KILL, 2, on="BatchWriteItem"), units_per_second=12.0)
    before, there = world.objects, world.items

    attempt = world.run(dry_run=True)

    assert accounts(12) == attempt.accounts
    assert (before, there) == (world.objects, world.items)
    assert "resume" == world.run().result.start


def test_i8_a_dry_run_writes_nothing_whatever_goes_wrong(tally: Tally) -> None:
    laid, settings = SOURCES["files"]
    calls = ImportWorld(laid).run(dry_run=True, **settings).operations
    for at in range(1, len(calls) + 1):
        kind = (Kind.KILL, Kind.SERVER_ERROR, Kind.CUT)[at % 3]
        world = ImportWorld(laid)
        attempt = world.run(Fault(kind, at, after=kind in AFTER_ONLY), dry_run=True, **settings)
        tally(max(1, len(attempt.struck)))
        assert_untouched(world, attempt)
        if kind is not Kind.KILL:
            assert accounts(12) == attempt.accounts

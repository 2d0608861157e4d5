"""The same backup once more: by a lost attempt's successor, a cleared task, another run."""

from __future__ import annotations

import itertools

import pytest

from airflow_dynamo_pipeline.errors import ImportRefused, LeaseHeld, PipelineError
from tests.faults.attempts import items
from tests.faults.calls import Call
from tests.faults.conftest import Tally
from tests.faults.endpoint import Killed
from tests.faults.import_backups import files
from tests.faults.import_world import (
    MUTATING,
    ImportAttempt,
    ImportWorld,
    accounts,
    assert_finished_once,
    assert_nothing_left_over,
    assert_table,
    importing,
    working,
)
from tests.faults.script import Fault, Kind

pytestmark = pytest.mark.usefixtures("small_steps")
ITEMS = items(6)
CHANGED = {"pk": {"S": "00002"}, "body": {"S": "changed since"}}


def world() -> ImportWorld:
    return ImportWorld(files(ITEMS[:4], ["no JSON", *ITEMS[4:]]))


def first(one: ImportWorld, *faults: Fault) -> ImportAttempt:
    return one.run(*faults, max_rejected=1)


def changed_since(one: ImportWorld) -> None:
    """The application goes on working with the table."""
    one.aws.dynamodb.put_items("copy", [CHANGED])


def assert_change_is_kept(one: ImportWorld) -> None:
    assert_table(one, [CHANGED if item["pk"] == CHANGED["pk"] else item for item in ITEMS])


def test_i2_an_import_whose_worker_was_lost_after_the_finished_record_is_adopted(tally: Tally) -> None:
    calls = first(world()).operations
    at = max(n for n, name in enumerate(calls, start=1) if name == "DescribeTable")  # the last look
    adopted = 0
    for lost_at in range(at + 1, len(calls) + 1):
        one = world()
        killed = first(one, Fault(Kind.KILL, lost_at, after=True))
        assert isinstance(killed.outcome, Killed)
        tally(len(killed.struck))
        if not any(record["finishedAt"] for record in one.records):
            continue
        adopted += 1
        changed_since(one)

        attempt = first(one)

        assert "adopt" == attempt.result.start
        assert accounts(7, rejected=1) == attempt.accounts
        assert not MUTATING & set(attempt.operations)
        assert_change_is_kept(one)
        assert_finished_once(one)
        assert [("given/part-1.json", 1)] == one.rejects
    assert adopted >= 2


def test_i2_a_cleared_task_that_had_succeeded_imports_again() -> None:
    one = world()
    assert 6 == first(one).result.written
    changed_since(one)

    again = one.run(max_rejected=1, work=working(generation="1"))

    assert "new" == again.result.start
    assert accounts(7, rejected=1) == again.accounts
    assert_table(one, ITEMS)
    assert 2 == sum(record["finishedAt"] is not None for record in one.records)
    assert_nothing_left_over(one)


def test_i2_the_next_run_of_a_recurring_dag_is_refused_unless_another_import_is_asked_for() -> None:
    one = world()
    first(one)
    changed_since(one)

    refused = one.run(max_rejected=1, work=working("dag|task|-1|next day"))

    refused.failed(ImportRefused, "was imported into table copy already", "on_existing='new'")
    assert not MUTATING & set(refused.operations)
    assert_change_is_kept(one)

    asked = one.run(max_rejected=1, work=working("dag|task|-1|next day"), on_existing="new")

    assert "new" == asked.result.start
    assert_table(one, ITEMS)


OTHER = working("dag|task|-1|next day")


def unfinished() -> ImportWorld:
    """What a run left that was killed, long enough ago to be known for dead."""
    one = world()
    first(one, Fault(Kind.KILL, on="BatchWriteItem"))
    one.aws.clock.advance(3600.0)  # type: ignore[union-attr]
    return one


@pytest.mark.parametrize("word", ["resume", "new"])
def test_i2_another_run_leaves_an_unfinished_import_as_it_is_and_makes_its_own(word: str) -> None:
    one = unfinished()
    (before,) = one.records

    attempt = one.run(max_rejected=1, on_existing=word, work=OTHER)

    assert "new" == attempt.result.start
    assert accounts(7, rejected=1) == attempt.accounts
    assert_table(one, ITEMS)
    assert before in one.records


def test_i2_a_cleared_task_goes_on_with_what_its_run_left_unfinished() -> None:
    one = unfinished()

    attempt = one.run(max_rejected=1, work=working(generation="1"))

    assert "resume" == attempt.result.start
    assert_table(one, ITEMS)
    assert_finished_once(one)


def test_i2_an_unfinished_import_is_refused_where_that_was_asked() -> None:
    one = unfinished()

    attempt = one.run(max_rejected=1, on_existing="fail", work=OTHER)

    attempt.failed(ImportRefused, "'fail' was asked", "on_existing='resume'")
    assert [] == one.items


@pytest.mark.parametrize("word", ["resume", "new"])
def test_i2_while_another_run_lives_no_second_import_begins(word: str) -> None:
    one = world()
    first(one, Fault(Kind.KILL, on="BatchWriteItem"))

    attempt = one.run(max_rejected=1, on_existing=word, work=OTHER)

    attempt.failed(LeaseHeld, "another live run")
    assert not MUTATING & set(attempt.operations)
    assert 1 == len(one.records)


def test_i2_another_table_is_another_import() -> None:
    one = world()
    first(one)
    one.aws.dynamodb.create_table("copy2")

    attempt = one.run(max_rejected=1, table_name="copy2", work=working("dag|task|-1|next day"))

    assert "new" == attempt.result.start
    assert 6 == len(one.aws.dynamodb.items("copy2"))


def test_i2_a_backup_that_changed_since_is_another_import() -> None:
    one = world()
    killed = first(one, Fault(Kind.KILL, on="BatchWriteItem", after=True))
    assert isinstance(killed.outcome, Killed)
    one.aws.s3.put("backups", "given/part-2.json", b'{"Item":{"pk":{"S":"one more"}}}\n')

    attempt = one.run(max_rejected=1)

    assert "new" == attempt.result.start
    assert 7 == attempt.result.written


def test_i2_a_record_that_was_removed_meanwhile_ends_the_attempt_without_a_success() -> None:
    one = world()
    looked_at = sum(map(is_of_record, first(world()).calls))
    seen = itertools.count(1)

    def meanwhile(call: Call) -> None:
        if is_of_record(call) and next(seen) == looked_at - 1:
            remove_record(one)

    attempt = ImportAttempt(one, importing(one.laid, max_rejected=1))
    with one.aws.door() as door:
        door.before = meanwhile
        attempt.through(door)

    attempt.failed(PipelineError, "was removed during the import")
    assert [] == one.records


def is_of_record(call: Call) -> bool:
    path: str = call.request.path
    return path.endswith("/import.json")


def remove_record(one: ImportWorld) -> None:
    for key in [key for key in one.objects if key.endswith("/import.json")]:
        one.aws.s3.delete("backups", key)

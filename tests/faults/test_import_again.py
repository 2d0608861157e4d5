"""The same backup once more: by a lost attempt's successor, a cleared task, another run."""

from __future__ import annotations

import pytest

from airflow_dynamo_pipeline.errors import ImportRefused, PipelineError
from tests.faults.attempts import items
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


@pytest.mark.parametrize(("word", "start"), [("resume", "resume"), ("new", "new"), ("fail", None)])
def test_i2_what_another_run_left_unfinished_is_treated_as_was_asked(word: str, start: str | None) -> None:
    one = world()
    first(one, Fault(Kind.KILL, on="BatchWriteItem"))

    attempt = one.run(max_rejected=1, on_existing=word, work=working("dag|task|-1|next day"))

    if start is None:
        attempt.failed(ImportRefused, "'fail' was asked", "on_existing='resume'")
        assert [] == one.items
        return
    assert start == attempt.result.start
    assert accounts(7, rejected=1) == attempt.accounts
    assert_table(one, ITEMS)


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
    calls = first(world()).calls
    records = [n for n, call in enumerate(calls, start=1) if call.request.path.endswith("/import.json")]
    attempt = ImportAttempt(one, importing(one.laid, max_rejected=1))
    with one.aws.door() as door:
        door.before = lambda _: remove_record(one) if len(door.calls) + 1 == records[-2] else None
        attempt.through(door)

    attempt.failed(PipelineError, "was removed during the import")
    assert [] == one.records


def remove_record(one: ImportWorld) -> None:
    for key in [key for key in one.objects if key.endswith("/import.json")]:
        one.aws.s3.delete("backups", key)

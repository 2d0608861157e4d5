"""What ranges of an import share, what each has of its own, and what a person may do in between."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from airflow_dynamo_pipeline.engine.import_result import ImportResult
from airflow_dynamo_pipeline.engine.ranges import RangeWork
from airflow_dynamo_pipeline.errors import ImportFailed, ImportRefused, InvalidRequest, LeaseHeld
from tests.clock import VirtualClock
from tests.faults.attempts import BUCKET, QUIET_SECONDS, Item, items
from tests.faults.endpoint import FakeAws
from tests.faults.import_backups import Laid, exported, files, native_base, native_window
from tests.faults.import_range_attempts import (
    Worker,
    assert_committed_once,
    assert_not_committed,
    commit_of,
    committing,
    plan_of,
    planning,
    range_of,
    range_records,
    ranging,
    sleeping,
    whole_records,
)
from tests.faults.import_world import MUTATING, ImportWorld, assert_table, working
from tests.faults.script import Fault, Kind

pytestmark = pytest.mark.usefixtures("small_steps")
BAD = "no JSON"
OTHER_RUN = working("another run")


def done(world: ImportWorld, parts: tuple[RangeWork, ...], **settings: Any) -> Any:
    """Every range, then the commit."""
    for part in parts:
        result = ranging(world, part, **settings)
        assert isinstance(result, ImportResult), repr(result)
    return committing(world, parts[0], **settings)


def refused(outcome: Any) -> list[str]:
    """Where an attempt was refused."""
    assert isinstance(outcome, ImportRefused), repr(outcome)
    return [problem.where for problem in outcome.problems]


def test_i1_ranges_in_any_order_make_one_import() -> None:
    world = ImportWorld(exported(40))
    parts = planning(world, ranges=3)

    results = [ranging(world, part) for part in reversed(parts)]
    result = committing(world, parts[0])

    assert 40 == result.read == result.written == sum(one.read for one in results)
    assert all(one.read for one in results)
    assert result.to_json() == whole_records(world)[0]["result"]
    assert_table(world, items(40))
    assert_committed_once(world, 3)


def test_i1_a_commit_names_the_ranges_that_were_not_finished() -> None:
    world = ImportWorld(exported(40))
    parts = planning(world, ranges=3)
    ranging(world, parts[1])
    ranging(world, parts[2], Fault(Kind.KILL, 1, on="BatchWriteItem"))

    assert ["range 0", "range 2"] == refused(committing(world, parts[0]))
    assert_not_committed(world)


# --- retries, Clear, and other runs --------------------------------------------------------------


def test_i2_a_plan_made_twice_is_the_same_plan() -> None:
    world = ImportWorld(exported(40))

    first = planning(world, ranges=3, at_once=2)
    second = planning(world, ranges=4)

    assert [0, 1, 2] == [part.number for part in first]
    assert first == second
    assert 1 == len(whole_records(world))


@pytest.mark.parametrize("committed", [False, True])
def test_i2_a_finished_range_that_is_cleared_alone_writes_nothing_and_says_the_same(committed: bool) -> None:
    world = ImportWorld(exported(40))
    parts = planning(world, ranges=2)
    first = [ranging(world, part) for part in parts]
    if committed:
        committing(world, parts[0])
    before = len(range_records(world))
    world.aws.dynamodb.put_items("copy", [{"pk": {"S": "00001"}, "body": {"S": "written since"}}])

    again = ranging(world, parts[0])

    assert ("adopt", first[0].read) == (again.start, again.read)
    assert first[0].read < 40
    assert before == len(range_records(world))
    assert "written since" in json.dumps(world.items)


def test_i2_all_tasks_cleared_after_success_make_another_import() -> None:
    world = ImportWorld(exported(40))
    first = done(world, planning(world, ranges=2))

    parts = planning(world, ranges=3, work=working(generation="1"))
    second = done(world, parts)

    assert first.import_id != second.import_id
    assert (40, 40, 3) == (first.written, second.written, len(parts))
    assert 2 == len(whole_records(world))


def test_i2_all_tasks_cleared_before_the_end_go_on_with_what_was_finished() -> None:
    world = ImportWorld(exported(40))
    parts = planning(world, ranges=2)
    ranging(world, parts[0])
    ranging(world, parts[1], Fault(Kind.KILL, 1, on="BatchWriteItem", after=True))

    again = planning(world, ranges=2, work=working(generation="1"))
    starts = [ranging(world, part).start for part in again]
    result = committing(world, again[0])

    assert [part.id for part in parts] == [part.id for part in again]
    assert ["adopt", "resume"] == starts
    assert 40 == result.read == result.written
    assert_table(world, items(40))
    assert_committed_once(world, 2)


def test_i2_a_plan_of_the_same_run_after_the_end_adopts_and_so_do_its_range_and_commit() -> None:
    world = ImportWorld(exported(40))
    first = done(world, planning(world, ranges=2))

    (part,) = planning(world, ranges=2)

    assert part.finished
    assert part == RangeWork.from_json(json.loads(json.dumps(part.to_json())))
    for again in (ranging(world, part), committing(world, part)):
        assert {**first.to_json(), "start": "adopt"} == again.to_json()
    assert_committed_once(world, 2)


def test_i2_another_run_is_refused_after_the_end_and_may_make_another_where_asked() -> None:
    world = ImportWorld(exported(40))
    first = done(world, planning(world, ranges=2))

    said = planning(world, ranges=2, work=OTHER_RUN)
    result = done(world, planning(world, ranges=2, work=OTHER_RUN, on_existing="new"), on_existing="new")

    assert ["on_existing"] == refused(said)
    assert "imported into table copy already" in str(said)
    assert 40 == result.written
    assert first.import_id != result.import_id


def test_i2_another_run_is_held_off_while_a_worker_lives_and_begins_its_own_import_after_that() -> None:
    clock = VirtualClock(QUIET_SECONDS)
    world = ImportWorld(exported(40), aws=FakeAws(clock))
    parts = planning(world, ranges=2)
    running = sleeping(world, range_of(parts[1]), 30, after=True, minute=5)
    clock.advance(300.0)  # to the minute in which that one works

    held = planning(world, ranges=2, work=OTHER_RUN)
    running.wake()
    other = planning(world, ranges=2, work=OTHER_RUN)
    results = [done(world, other), done(world, parts)]

    assert isinstance(held, LeaseHeld), held
    assert other[0].id != parts[0].id
    assert [40, 40] == [result.written for result in results]
    assert_table(world, items(40))


def test_i2_an_import_of_no_run_is_planned_done_and_committed() -> None:
    world = ImportWorld(exported(40))
    job = dataclasses.replace(working(), run=None)

    assert 40 == done(world, planning(world, ranges=2, work=job), on_existing="fail").written

    assert_committed_once(world, 2)


# --- rejected items ------------------------------------------------------------------------------


HELD = items(12)
WITH_BAD = files([*HELD[:4], BAD], [*HELD[4:8], BAD, BAD], HELD[8:])
REJECTS = [("given/part-0.json", 5), ("given/part-1.json", 5), ("given/part-1.json", 6)]


def test_i6_more_rejects_than_allowed_over_all_ranges_fail_the_commit_and_more_allowed_let_it_go_on() -> None:
    world = ImportWorld(WITH_BAD)
    parts = planning(world, ranges=3, max_rejected=2)
    for part in parts:
        assert ranging(world, part, max_rejected=2).rejected <= 2

    failed = committing(world, parts[0], max_rejected=2)
    assert isinstance(failed, ImportFailed), failed
    assert "3 items were rejected by all ranges together, max_rejected is 2" in str(failed)
    assert f"below s3://{BUCKET}/given/_imports/{parts[0].id}/ranges/" in str(failed)
    assert_not_committed(world)

    result = committing(world, parts[0], max_rejected=3)

    assert (15, 12, 3) == (result.read, result.written, result.rejected)
    assert_committed_once(world, 3)
    assert REJECTS == world.rejects


def test_i6_a_worker_that_meets_more_than_allowed_fails_and_goes_on_alone_once_more_are_allowed() -> None:
    world = ImportWorld(WITH_BAD)
    parts = planning(world, ranges=3, max_rejected=1)
    outcomes = [ranging(world, part, max_rejected=1) for part in parts]
    failed = [number for number, one in enumerate(outcomes) if isinstance(one, ImportFailed)]
    assert 1 == len(failed)
    assert [f"range {failed[0]}"] == refused(committing(world, parts[0], max_rejected=1))

    again = ranging(world, parts[failed[0]], max_rejected=3)
    result = committing(world, parts[0], max_rejected=3)

    assert ("resume", 2) == (again.start, again.rejected)
    assert (15, 12, 3) == (result.read, result.written, result.rejected)
    assert_table(world, HELD)
    assert REJECTS == world.rejects
    (record,) = whole_records(world)
    assert sorted(key for key in world.objects if "/rejects/" in key) == sorted(record["rejects"])


def test_i6_what_all_ranges_rejected_is_mended_where_it_lies_and_imported_from_one_place() -> None:
    world = ImportWorld(WITH_BAD)
    first = done(world, planning(world, ranges=3, max_rejected=3), max_rejected=3)
    uri = f"s3://{BUCKET}/given/_imports/{first.import_id}/ranges/"
    assert uri == first.rejects_uri
    mended = [{"pk": {"S": f"mended {number}"}} for number in range(2)]
    mend(world, [*map(json.dumps, ({"Item": item} for item in mended)), BAD])

    unsaid = world.run(work=OTHER_RUN, s3_uri=uri)
    again = world.run(work=OTHER_RUN, s3_uri=uri, file_format="rejects", max_rejected=1)
    third = world.run(work=OTHER_RUN, s3_uri=uri, file_format="rejects", max_rejected=1, on_existing="fail")

    assert "say file_format='rejects'" in unsaid.failed(ImportRefused)
    assert (3, 2, 1) == (again.result.read, again.result.written, again.result.rejected)
    assert "adopt" == third.result.start, "what was rejected again became a part of the backup"
    assert_table(world, [*HELD, *mended])


def test_i6_what_all_ranges_rejected_is_imported_by_ranges_too() -> None:
    world = ImportWorld(WITH_BAD)
    uri = done(world, planning(world, ranges=3, max_rejected=3), max_rejected=3).rejects_uri
    mend(world, [json.dumps({"Item": {"pk": {"S": f"mended {number}"}}}) for number in range(3)])
    settings: dict[str, Any] = {"s3_uri": uri, "file_format": "rejects"}

    parts = planning(world, ranges=2, work=OTHER_RUN, **settings)
    result = done(world, parts, **settings)

    assert (3, 3, 2) == (result.read, result.written, len(parts))
    assert 15 == len(world.items)


def mend(world: ImportWorld, texts: list[str]) -> None:
    """Put other texts in place of what was rejected, as a person would."""
    for key in sorted(key for key in world.objects if "/rejects/" in key):
        told = [json.loads(one) for one in world.objects[key].splitlines()]
        for one in told:
            one["text"] = texts.pop(0)
        world.aws.s3.put(BUCKET, key, "".join(json.dumps(one) + "\n" for one in told).encode())
    assert [] == texts


# --- how files are shared out --------------------------------------------------------------------


def test_a_backup_of_fewer_files_than_ranges_has_a_range_for_each_file() -> None:
    world = ImportWorld(files(HELD[:6], HELD[6:]))

    parts = planning(world, ranges=5)

    assert [(2, 2), (2, 2)] == [(part.ranges, part.at_once) for part in parts]
    assert 12 == done(world, parts).written
    assert_table(world, HELD)


def test_one_file_is_one_range_that_has_the_whole_rate() -> None:
    world = ImportWorld(files(HELD))

    (part,) = planning(world, ranges=5, at_once=3, units_per_second=1.0)

    assert (1, 1, 0.0) == (part.ranges, part.at_once, part.slack)
    result = done(world, (part,), units_per_second=1.0)
    assert (12, 1.0) == (result.written, result.units_per_second_asked)
    assert_committed_once(world, 1)


def test_a_backup_without_files_is_done_by_one_range() -> None:
    world = ImportWorld(native_base())

    (part,) = planning(world, ranges=4)
    result = done(world, (part,))

    assert (0, 0, None) == (result.read, result.written, result.rejects_uri)
    assert_committed_once(world, 1)


def data_pipeline(*parts: list[Item]) -> Laid:
    """A backup of Data Pipeline, without a manifest."""

    def line(item: Item) -> str:
        return json.dumps({name: {tag.lower(): one for tag, one in v.items()} for name, v in item.items()})

    return files(*([line(item) for item in part] for part in parts))


def csv(*parts: list[Item]) -> Laid:
    return files(*(["pk,body", *(f"{one['pk']['S']},{one['body']['S']}" for one in part)] for part in parts))


@pytest.mark.parametrize(
    ("laid", "settings"),
    [
        (data_pipeline(HELD[:3], HELD[3:7], HELD[7:]), {}),
        (csv(HELD[:3], HELD[3:7], HELD[7:]), {"file_format": "csv", "attributes": {"pk": "S", "body": "S"}}),
        (native_base(HELD[:3], HELD[3:7], HELD[7:]), {}),
    ],
    ids=["data_pipeline", "csv", "native"],
)
def test_i1_backups_of_other_tools_are_shared_out(laid: Laid, settings: dict[str, Any]) -> None:
    world = ImportWorld(laid)

    parts = planning(world, ranges=2, **settings)
    result = done(world, parts, **settings)

    assert (12, 2) == (result.written, len(parts))
    assert_table(world, HELD)
    assert_committed_once(world, 2)


def test_i11_a_chain_of_exports_is_refused_and_says_how_to_do_it() -> None:
    world = ImportWorld(native_base(HELD) + native_window(0, [(HELD[0], None)]))
    before = world.objects

    said = planning(world, ranges=2)

    assert ["s3_uri"] == refused(said)
    assert "a chain of 2 exports, which are applied in order" in str(said)
    assert "with DynamoDBImportOperator and changes_from" in str(said)
    assert before == world.objects


def test_i8_a_dry_run_is_refused_before_anything_is_looked_at() -> None:
    said = planning(ImportWorld(files(HELD)), ranges=2, dry_run=True)

    assert isinstance(said, InvalidRequest), said
    assert ["dry_run"] == [problem.where for problem in said.problems]


# --- what must not change in between --------------------------------------------------------------


def test_i12_a_file_added_after_the_plan_is_neither_skipped_nor_imported_twice() -> None:
    world = ImportWorld(files(HELD[:4], HELD[4:8], HELD[8:]))
    parts = planning(world, ranges=2)
    first = ranging(world, parts[0])
    late = {"pk": {"S": "late"}}
    world.aws.s3.put(BUCKET, "given/part-9.json", json.dumps({"Item": late}).encode())

    for said in (ranging(world, parts[1]), committing(world, parts[0])):
        assert ["s3_uri"] == refused(said)
        assert f"is not the one that import {parts[0].id} was planned for: files were added" in str(said)
    assert first.written == len(world.items)
    assert_not_committed(world)

    again = planning(world, ranges=2)
    result = done(world, again)

    assert parts[0].id != again[0].id
    assert (13, 13) == (result.read, result.written)
    assert_table(world, [*HELD, late])


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"on_conflict": "skip"}, "was planned with other settings"),
        ({"rejects_s3_uri": "s3://backups/elsewhere"}, "there is no import"),
    ],
)
def test_i12_settings_that_differ_from_the_plans_are_refused(settings: dict[str, Any], what: str) -> None:
    world = ImportWorld(files(HELD[:6], HELD[6:]))
    parts = planning(world, ranges=2)

    for doing in (ranging, committing):
        said = doing(world, parts[0], **settings)
        assert ["work"] == refused(said)
        assert what in str(said)
    assert [] == world.items


def test_i12_a_table_made_anew_after_the_plan_is_not_written_to() -> None:
    world = ImportWorld(files(HELD[:6], HELD[6:]))
    parts = planning(world, ranges=2)
    with world.aws.door() as door:
        door.client("dynamodb").delete_table(TableName="copy")
    world.aws.dynamodb.create_table("copy")

    said = ranging(world, parts[0])

    assert ["table_name"] == refused(said)
    assert "was deleted and made anew since" in str(said)
    assert [] == world.items


@pytest.mark.parametrize(
    "change", [{"number": 2}, {"ranges": 3}, {"at_once": 1}, {"finished": True, "at_once": 1}]
)
def test_i12_a_range_that_the_plan_did_not_hand_out_is_refused(change: dict[str, Any]) -> None:
    world = ImportWorld(files(HELD[:6], HELD[6:]))
    parts = planning(world, ranges=2)

    said = ranging(world, dataclasses.replace(parts[1], **change))

    assert ["work"] == refused(said)
    assert [] == world.items


def test_i12_a_protected_table_is_refused_by_plan_and_range() -> None:
    world = ImportWorld(files(HELD[:6], HELD[6:]), table={"DeletionProtectionEnabled": True})
    told = planning(world, ranges=2)
    parts = planning(world, ranges=2, allow_protected=True)

    said = ranging(world, parts[0])

    assert ["table_name"] == refused(told) == refused(said)
    assert [] == world.items
    assert 12 == done(world, parts, allow_protected=True).written


@pytest.mark.parametrize("doing", [plan_of, range_of, commit_of])
def test_i12_another_backup_than_the_expected_one_is_refused_by_every_task(doing: Any) -> None:
    world = ImportWorld(files(HELD[:6], HELD[6:]))
    backup_id = done(world, planning(world, ranges=2)).backup_id
    work = working(generation="1")
    parts = planning(world, ranges=2, work=work, expected_backup_id=backup_id)
    assert isinstance(parts, tuple), parts

    tasks = {
        plan_of: lambda **more: planning(world, ranges=2, work=work, **more),
        range_of: lambda **more: ranging(world, parts[0], **more),
        commit_of: lambda **more: committing(world, parts[0], **more),
    }
    said = tasks[doing](expected_backup_id="of another day")

    assert ["expected_backup_id"] == refused(said)
    assert 12 == done(world, parts, expected_backup_id=backup_id).written


def test_i12_ranges_and_commit_go_on_while_the_tables_capacity_changes() -> None:
    world = ImportWorld(files(HELD[:6], HELD[6:]), table={"write": 50})
    parts = planning(world, ranges=2)
    world.aws.dynamodb._database._settle_seconds = 1e9
    with world.aws.door() as door:
        more = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 60}
        door.client("dynamodb").update_table(TableName="copy", ProvisionedThroughput=more)

    assert ["table_name"] == refused(planning(world, ranges=2, work=working(generation="1")))
    assert 12 == done(world, parts).written


def test_i8_a_plan_and_a_commit_write_no_item() -> None:
    world = ImportWorld(exported(40))
    plan = Worker(world, plan_of(2)).run()
    for part in plan.outcome:
        ranging(world, part)
    commit = Worker(world, commit_of(plan.outcome[0])).run()

    assert 40 == commit.outcome.written
    assert not MUTATING & {*plan.operations, *commit.operations}

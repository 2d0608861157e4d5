from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from airflow_dynamo_pipeline.engine import records
from airflow_dynamo_pipeline.errors import UnexpectedReply, UnknownVersion
from airflow_dynamo_pipeline.lookup.records import (
    ChangeFile,
    ChangeSet,
    Counts,
    DigestFile,
    LookupPlace,
    RunRecord,
    TableState,
    scratch_folder,
)
from tests.clock import EPOCH
from tests.unit.lookup.load_world import asked, work

CHANGES = ChangeSet(
    counts=Counts(rows=3, inserted=2, deleted=1, unchanged=1),
    puts=(ChangeFile(key="p", lines=2, md5="x=="),),
    deletes=(ChangeFile(key="d", lines=1, md5="y=="),),
    rejects=("r",),
    table_identity="id/at",
    compared_with="table",
    digests=DigestFile(key="g", items=3, buckets=((0, 5), (5, 0))),
    full_compared_at=EPOCH,
    generation="g1",
    expires_at=12,
)
RECORD = RunRecord(
    fingerprint="f", run="r", generation="0", planned_at=EPOCH, after_state=None, change_set=CHANGES
)
STATE = TableState(
    run_id="r1",
    table_identity="id/at",
    shape="s",
    is_applied=True,
    changed_at=EPOCH,
    digests=CHANGES.digests,
    full_compared_at=EPOCH,
)


def place(**changes: str) -> LookupPlace:
    return LookupPlace.of(asked(), work(**changes))


@pytest.mark.parametrize("record", [RECORD, STATE], ids=["run", "state"])
def test_a_record_comes_back_as_it_was_written(record: RunRecord | TableState) -> None:
    assert record == records.decode(records.encode(record), type(record), "key")


@pytest.mark.parametrize("record", [RECORD, STATE], ids=["run", "state"])
def test_a_record_of_a_newer_package_is_refused(record: RunRecord | TableState) -> None:
    newer = msgspec.structs.replace(record, version=99)

    with pytest.raises(UnknownVersion):
        records.decode(records.encode(newer), type(record), "key")


def test_what_is_no_record_is_refused_with_its_key() -> None:
    with pytest.raises(UnexpectedReply, match=r"state\.json is not a TableState"):
        records.decode(b'{"version":1}', TableState, "state.json")


def test_a_record_is_done_once_it_has_a_result() -> None:
    done = msgspec.structs.replace(RECORD, result=msgspec.Raw(b'{"rows":3}'))

    assert not RECORD.is_done
    assert done.is_done
    assert not records.decode(records.encode(RECORD), RunRecord, "key").is_done
    assert records.decode(records.encode(done), RunRecord, "key").is_done


@pytest.mark.parametrize(
    ("counts", "is_balanced"),
    [
        (Counts(), True),
        (Counts(rows=15, unchanged=1, inserted=2, updated=3, skipped=4, rejected=5, deleted=9), True),
        (Counts(rows=2, inserted=1), False),
        (Counts(rows=1, inserted=1, rejected=1), False),
    ],
)
def test_accounts_balance_when_every_row_became_something(counts: Counts, is_balanced: bool) -> None:
    assert is_balanced == counts.balanced


def test_changes_are_what_is_to_be_written_or_deleted() -> None:
    assert 1 + 2 + 4 == Counts(inserted=1, updated=2, deleted=4, skipped=8, unchanged=16, rejected=32).changes


def test_every_object_of_a_table_lies_below_its_name() -> None:
    found = place()
    folder = f"loads/_lookups/products/runs/{found.run_id}"

    assert "loads/_lookups/products/state.json" == found.state_key
    assert "loads/_lookups/products/lease.json" == found.lease_key
    assert f"{folder}/run.json" == found.record_key
    assert f"{folder}/changes/puts" == found.key("changes", "puts")
    assert f"s3://lake/{folder}/changes/" == found.changes_uri
    assert f"s3://lake/{folder}/rejects/" == found.rejects_uri


def test_a_table_by_name_and_by_arn_has_one_state_one_lease_and_one_scratch_folder() -> None:
    arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/products"
    by_arn, found = asked(table_name=arn), LookupPlace.of(asked(table_name=arn), work())

    assert place().state_key == found.state_key
    assert place().lease_key == found.lease_key
    assert scratch_folder(asked()) == scratch_folder(by_arn)
    assert scratch_folder(asked(dry_run=True)) == scratch_folder(asked(table_name=arn, dry_run=True))


def test_a_run_is_named_by_its_instant_and_its_work() -> None:
    assert "2026-01-02-03-04-05-" == place().run_id[:20]
    assert 8 == len(place().run_id[20:])


def test_attempts_at_one_work_have_one_place_and_others_have_others() -> None:
    same = LookupPlace.of(asked(max_shrink=1.0, segments=3), work())
    others = [
        place(run="dag|task|-1|other"),
        place(generation="1"),
        LookupPlace.of(asked(sql="select 2"), work()),
    ]

    assert place() == same
    assert 4 == len({place().run_id, *(other.run_id for other in others)})


def test_a_run_of_another_instant_is_another() -> None:
    later = work()
    later = type(later)(run=later.run, generation=later.generation, began_at=EPOCH + timedelta(seconds=1))

    assert place().run_id != LookupPlace.of(asked(), later).run_id

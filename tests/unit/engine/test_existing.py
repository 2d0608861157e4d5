from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from airflow_dynamo_pipeline.adapters.memory import MemoryStore
from airflow_dynamo_pipeline.engine import records
from airflow_dynamo_pipeline.engine.existing import Start, Target, choose_target
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.layout import ExportLayout
from airflow_dynamo_pipeline.engine.manifest import OurPart
from airflow_dynamo_pipeline.engine.records import LeaseRecord, StoredPlan
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.errors import PreflightFailed, UnknownVersion
from tests.clock import EPOCH
from tests.unit.engine import test_manifest
from tests.unit.engine.world import request, work

DAY = 24 * 3600.0


class Bucket:
    """A bucket with exports left in it, and the next attempt's choice."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.said: list[str] = []

    def choose(
        self,
        job: Work | None = None,
        asked: ExportRequest | None = None,
        *,
        table: str | None = "table-1",
        later: float = 60.0,
    ) -> Target:
        now = EPOCH + timedelta(seconds=later)
        return choose_target(asked or request(), job or work(), self.store, table, now, self.said.append)

    def leave_incomplete(
        self, place: ExportLayout, *, generation: str = "0", beat: float | None = 0.0
    ) -> None:
        plan = StoredPlan(
            fingerprint=request().fingerprint(),
            generation=generation,
            segments=3,
            table_identity="table-1",
            started_at=EPOCH,
        )
        self.store.put(place.started_key, b"")
        self.store.put(place.plan_key, records.encode(plan))
        if beat is not None:
            lease = LeaseRecord(attempt="a", beats=9, beat_at=EPOCH + timedelta(seconds=beat))
            self.store.put(place.lease_key, records.encode(lease))

    def leave_complete(self, place: ExportLayout, *, generation: str = "0") -> None:
        summary = replace_generation(generation)
        self.store.put(place.summary_key, summary)


def replace_generation(generation: str) -> bytes:
    ours = OurPart(generation=generation)
    return type(test_manifest.SUMMARY)(
        **{
            name: getattr(test_manifest.SUMMARY, name)
            for name in test_manifest.SUMMARY.__struct_fields__
            if name != "ours"
        },
        ours=ours,
    ).to_json()


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


def test_where_nothing_is_an_export_is_new(bucket: Bucket) -> None:
    target = bucket.choose()

    assert (Start.NEW, None) == (target.start, target.plan)
    assert {} == bucket.store.objects


def test_an_attempt_killed_before_its_plan_leaves_nothing_to_resume(bucket: Bucket) -> None:
    first = bucket.choose()
    bucket.store.put(first.layout.started_key, b"")

    assert first == bucket.choose()


def test_a_retry_resumes_what_its_first_attempt_left(bucket: Bucket) -> None:
    first = bucket.choose()
    bucket.leave_incomplete(first.layout)
    again = bucket.choose()

    assert (Start.RESUME, first.layout) == (again.start, again.layout)
    assert again.plan is not None
    assert 3 == again.plan.segments


def test_clear_of_an_incomplete_export_resumes_it(bucket: Bucket) -> None:
    first = bucket.choose(work(generation="0"))
    bucket.leave_incomplete(first.layout, generation="0")
    cleared = bucket.choose(work(generation="1"))

    assert (Start.RESUME, first.layout) == (cleared.start, cleared.layout)


def test_clear_of_a_complete_export_makes_a_new_one_beside_it(bucket: Bucket) -> None:
    first = bucket.choose(work(generation="0"))
    bucket.leave_complete(first.layout, generation="0")
    cleared = bucket.choose(work(generation="1"))

    assert Start.NEW == cleared.start
    assert first.layout != cleared.layout


def test_a_retry_after_a_second_clear_finds_its_own_unfinished_export(bucket: Bucket) -> None:
    first = bucket.choose(work(generation="0"))
    bucket.leave_complete(first.layout, generation="0")
    second = bucket.choose(work(generation="1"))
    bucket.leave_incomplete(second.layout, generation="1")
    retried = bucket.choose(work(generation="1"))

    assert (Start.RESUME, second.layout) == (retried.start, retried.layout)


def test_a_retry_after_the_commit_adopts_it(bucket: Bucket) -> None:
    first = bucket.choose()
    bucket.leave_complete(first.layout)
    again = bucket.choose()

    assert (Start.ADOPT, first.layout) == (again.start, again.layout)


@pytest.mark.parametrize("on_existing", ["resume", "fail", "new"])
def test_a_retry_after_the_commit_adopts_it_whatever_was_asked(bucket: Bucket, on_existing: str) -> None:
    asked = request(on_existing=on_existing)
    first = bucket.choose(asked=asked)
    bucket.leave_complete(first.layout)

    assert Start.ADOPT == bucket.choose(asked=asked).start


def test_a_retry_adopts_the_second_export_not_the_first(bucket: Bucket) -> None:
    first = bucket.choose(work(generation="0"))
    bucket.leave_complete(first.layout, generation="0")
    second = bucket.choose(work(generation="1"))
    bucket.leave_complete(second.layout, generation="1")
    again = bucket.choose(work(generation="1"))

    assert (Start.ADOPT, second.layout) == (again.start, again.layout)


def test_another_run_never_touches_this_ones_export(bucket: Bucket) -> None:
    first = bucket.choose()
    bucket.leave_incomplete(first.layout)
    other = bucket.choose(work("dag|task|-1|another run"))

    assert Start.NEW == other.start
    assert first.layout.export_id != other.layout.export_id


def test_an_export_silent_for_longer_than_resume_within_is_left_and_that_is_said(bucket: Bucket) -> None:
    first = bucket.choose()
    bucket.leave_incomplete(first.layout)
    target = bucket.choose(later=DAY + 1)

    assert Start.NEW == target.start
    assert first.layout != target.layout
    assert (
        f"incomplete export {first.layout.export_id} was last worked on at 2026-01-02 03:04:05"
        in bucket.said[0]
    )


def test_resume_within_counts_from_the_last_beat_not_from_the_start(bucket: Bucket) -> None:
    first = bucket.choose()
    bucket.leave_incomplete(first.layout, beat=DAY)

    assert Start.RESUME == bucket.choose(later=2 * DAY).start


@pytest.mark.parametrize("seconds", [1e11, float("inf")])
def test_an_export_may_be_resumed_for_longer_than_there_are_dates(bucket: Bucket, seconds: float) -> None:
    first = bucket.choose()
    bucket.leave_incomplete(first.layout)

    again = bucket.choose(asked=request(resume_within_seconds=seconds), later=300 * DAY)

    assert (Start.RESUME, first.layout) == (again.start, again.layout)


def test_without_a_lease_resume_within_counts_from_the_start(bucket: Bucket) -> None:
    first = bucket.choose()
    bucket.leave_incomplete(first.layout, beat=None)

    assert Start.RESUME == bucket.choose(later=DAY).start
    assert Start.NEW == bucket.choose(later=DAY + 1).start


def test_an_export_of_a_table_recreated_since_is_left_and_that_is_said(bucket: Bucket) -> None:
    first = bucket.choose()
    bucket.leave_incomplete(first.layout)
    target = bucket.choose(table="table-2")

    assert Start.NEW == target.start
    assert "deleted and made anew" in bucket.said[0]


def test_where_the_table_is_unknown_it_is_not_taken_for_another(bucket: Bucket) -> None:
    bucket.leave_incomplete(bucket.choose().layout)

    assert Start.RESUME == bucket.choose(table=None).start


def test_new_leaves_an_incomplete_export_of_another_generation_alone(bucket: Bucket) -> None:
    first = bucket.choose(work(generation="0"))
    bucket.leave_incomplete(first.layout, generation="0")
    target = bucket.choose(work(generation="1"), request(on_existing="new"))

    assert Start.NEW == target.start
    assert first.layout != target.layout


@pytest.mark.parametrize("on_existing", ["fail", "new"])
def test_a_retry_resumes_its_own_whatever_was_asked(bucket: Bucket, on_existing: str) -> None:
    asked = request(on_existing=on_existing)
    first = bucket.choose(asked=asked)
    bucket.leave_incomplete(first.layout)
    again = bucket.choose(asked=asked)

    assert (Start.RESUME, first.layout) == (again.start, again.layout)


def test_new_passes_over_what_a_newer_package_left(bucket: Bucket) -> None:
    first = bucket.choose()
    bucket.store.put(first.layout.plan_key, b'{"version":2}')
    target = bucket.choose(asked=request(on_existing="new"))

    assert Start.NEW == target.start
    assert first.layout != target.layout


@pytest.mark.parametrize("complete", [True, False])
def test_fail_refuses_when_another_generation_left_one_and_says_where(bucket: Bucket, complete: bool) -> None:
    first = bucket.choose()
    leave = bucket.leave_complete if complete else bucket.leave_incomplete
    leave(first.layout, generation="0")

    with pytest.raises(PreflightFailed) as caught:
        bucket.choose(work(generation="1"), request(on_existing="fail"))

    (problem,) = caught.value.problems
    assert "on_existing" == problem.where
    assert f"{'complete' if complete else 'incomplete'} export {first.layout.export_id}" in problem.message
    assert first.layout.manifest_uri in problem.message


def test_fail_is_new_where_nothing_is(bucket: Bucket) -> None:
    assert Start.NEW == bucket.choose(asked=request(on_existing="fail")).start


def test_a_newer_packages_plan_is_refused(bucket: Bucket) -> None:
    bucket.store.put(bucket.choose().layout.plan_key, b'{"version":2}')

    with pytest.raises(UnknownVersion):
        bucket.choose()


def cli(generation: str, seconds: float = 0.0) -> Work:
    return Work(run=None, generation=generation, began_at=EPOCH + timedelta(seconds=seconds))


def test_the_same_command_again_resumes_an_incomplete_export(bucket: Bucket) -> None:
    first = bucket.choose(cli("g1"))
    bucket.leave_incomplete(first.layout, generation="g1")
    again = bucket.choose(cli("g2", 600))

    assert (Start.RESUME, first.layout) == (again.start, again.layout)


def test_the_same_command_after_a_complete_export_makes_a_new_one(bucket: Bucket) -> None:
    first = bucket.choose(cli("g1"))
    bucket.leave_complete(first.layout, generation="g1")
    again = bucket.choose(cli("g2", 600))

    assert Start.NEW == again.start
    assert first.layout != again.layout


def test_two_commands_in_one_second_get_two_ids(bucket: Bucket) -> None:
    first = bucket.choose(cli("g1"))
    bucket.leave_complete(first.layout, generation="g1")

    assert first.layout.export_id < bucket.choose(cli("g2")).layout.export_id


def test_the_same_command_with_new_makes_another_even_in_the_same_second(bucket: Bucket) -> None:
    first = bucket.choose(cli("g1"))
    bucket.leave_incomplete(first.layout, generation="g1")
    again = bucket.choose(cli("g2"), request(on_existing="new"))

    assert Start.NEW == again.start
    assert first.layout != again.layout


def test_a_command_with_other_arguments_leaves_an_export_alone(bucket: Bucket) -> None:
    first = bucket.choose(cli("g1"))
    bucket.leave_incomplete(first.layout)
    other = bucket.choose(cli("g2"), replace(request(), consistent_read=True))

    assert Start.NEW == other.start


def test_a_command_refuses_with_fail_when_its_export_exists(bucket: Bucket) -> None:
    bucket.leave_complete(bucket.choose(cli("g1")).layout, generation="g1")

    with pytest.raises(PreflightFailed, match="'fail' was asked"):
        bucket.choose(cli("g2", 600), request(on_existing="fail"))

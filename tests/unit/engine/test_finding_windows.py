import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.unit.engine.golden_manifests import (
    FIRST_DAY,
    FULL,
    ION,
    OURS,
    ROOT,
    SECOND_DAY,
    Bucket,
    keys_of,
    summary_uri,
)

THIRD, FOURTH, FIFTH = (datetime(2023, 9, day, tzinfo=UTC) for day in (3, 4, 5))


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


def test_windows_follow_the_full_export_in_their_order(bucket: Bucket) -> None:
    uris = [bucket.export(export_id) for export_id in (SECOND_DAY, FULL, FIRST_DAY)]
    found = bucket.find(*uris)

    assert [summary_uri(export_id) for export_id in (FULL, FIRST_DAY, SECOND_DAY)] == [
        stage.uri for stage in found.stages
    ]
    assert ["dynamodb_json", "incremental", "incremental"] == [stage.reader for stage in found.stages]
    assert [None, (THIRD, FOURTH), (FOURTH, FIFTH)] == [stage.window for stage in found.stages]
    assert ("native export", 18) == (found.kind, found.item_count)
    assert [f"{ROOT}/data/window1mnbv.json.gz", f"{ROOT}/data/window2mnbv.json.gz"] == keys_of(found)[2:]


def test_the_identity_does_not_depend_on_the_order_of_locations_but_on_every_one(bucket: Bucket) -> None:
    uris = [bucket.export(export_id) for export_id in (FULL, FIRST_DAY, SECOND_DAY)]

    assert bucket.find(*uris).identity == bucket.find(*reversed(uris)).identity
    assert bucket.find(*uris).identity != bucket.find(*uris[:2]).identity


def test_incremental_exports_that_were_copied_are_read_from_the_shared_folder_beside(bucket: Bucket) -> None:
    uris = [bucket.export(export_id) for export_id in (FULL, FIRST_DAY)]
    bucket.move("nightly/", "copy/")

    assert (
        "copy/AWSDynamoDB/data/window1mnbv.json.gz"
        == keys_of(bucket.find(*(uri.replace("nightly", "copy") for uri in uris)))[-1]
    )


def test_a_missing_window_is_named_in_utc(bucket: Bucket) -> None:
    (problem,) = bucket.problems(bucket.export(FULL), bucket.export(SECOND_DAY))

    assert "the changes from 2023-09-03T00:00:00.028000Z to 2023-09-04T00:00:00Z (UTC) are missing" in problem


def test_a_missing_window_in_the_middle_is_named_in_utc(bucket: Bucket) -> None:
    uris = [bucket.export(FULL), bucket.export(FIRST_DAY)]
    later = bucket.export(SECOND_DAY, exportFromTime="2023-09-04T08:00:00+02:00")
    (problem,) = bucket.problems(*uris, later)

    assert "the changes from 2023-09-04T00:00:00Z to 2023-09-04T06:00:00Z (UTC) are missing" in problem
    assert f"between {uris[1]} and {later}" in problem


def test_a_gap_of_less_than_a_second_is_one(bucket: Bucket) -> None:
    uris = [bucket.export(FULL), bucket.export(FIRST_DAY, exportFromTime="2023-09-03T00:00:00.5Z")]

    assert 1 == len(bucket.problems(*uris))


def test_windows_that_overlap_are_refused(bucket: Bucket) -> None:
    uris = [bucket.export(FULL), bucket.export(FIRST_DAY)]
    later = bucket.export(SECOND_DAY, exportFromTime="2023-09-03T23:00:00Z")
    (problem,) = bucket.problems(*uris, later)

    assert f"{later} begins at 2023-09-03T23:00:00Z, before 2023-09-04T00:00:00Z" in problem


def test_a_window_that_is_given_twice_is_refused(bucket: Bucket) -> None:
    uris = [bucket.export(FULL), bucket.export(FIRST_DAY)]
    (problem,) = bucket.problems(*uris, uris[1])

    assert "each of them once" in problem


def test_a_window_that_begins_before_the_full_export_and_ends_after_it_is_refused(bucket: Bucket) -> None:
    early = bucket.export(FIRST_DAY, exportFromTime="2023-09-02T23:59:59Z")
    (problem,) = bucket.problems(bucket.export(FULL), early)

    assert "begins at 2023-09-02T23:59:59Z, before 2023-09-03T00:00:00.028000Z" in problem


def test_a_window_that_ends_before_the_full_export_is_passed_over_and_told(bucket: Bucket) -> None:
    full = bucket.export(FULL, exportTime="2023-09-04T00:00:00Z")
    old, later = bucket.export(FIRST_DAY), bucket.export(SECOND_DAY)
    found = bucket.find(full, old, later)

    assert [full, later] == [stage.uri for stage in found.stages]
    (said,) = bucket.said
    assert said.startswith(f"{old} ends before the full export was made")


def test_changes_without_a_full_export_need_a_known_base(bucket: Bucket) -> None:
    (problem,) = bucket.problems(bucket.export(FIRST_DAY), bucket.export(SECOND_DAY))

    assert problem.startswith("no known base")
    assert "changes_from='2023-09-03T00:00:00Z'" in problem


@pytest.fixture
def far_from_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("far_from_utc")
@pytest.mark.parametrize("changes_from", [THIRD, datetime(2023, 9, 3)])  # noqa: DTZ001  no zone: UTC
def test_changes_from_is_the_base_of_changes_alone(bucket: Bucket, changes_from: datetime) -> None:
    uris = [bucket.export(SECOND_DAY), bucket.export(FIRST_DAY)]
    found = bucket.find(*uris, changes_from=changes_from)

    assert [(THIRD, FOURTH), (FOURTH, FIFTH)] == [stage.window for stage in found.stages]
    assert "native export" == found.kind


@pytest.mark.parametrize("changes_from", [datetime(2023, 9, 2, tzinfo=UTC), FOURTH])
def test_changes_from_must_be_where_the_first_window_begins(bucket: Bucket, changes_from: datetime) -> None:
    assert 1 == len(bucket.problems(bucket.export(FIRST_DAY), changes_from=changes_from))


def test_a_gap_is_told_along_with_the_missing_base(bucket: Bucket) -> None:
    uris = [bucket.export(FIRST_DAY), bucket.export(SECOND_DAY, exportFromTime="2023-09-04T06:00:00Z")]
    base, gap = bucket.problems(*uris)

    assert base.startswith("no known base")
    assert gap.startswith("the changes from 2023-09-04T00:00:00Z to 2023-09-04T06:00:00Z (UTC) are missing")


def test_changes_from_must_not_contradict_a_full_export(bucket: Bucket) -> None:
    uris = [bucket.export(FULL), bucket.export(FIRST_DAY)]
    (problem,) = bucket.problems(*uris, changes_from=FOURTH)

    assert "changes_from is 2023-09-04T00:00:00Z, but" in problem
    assert 2 == len(bucket.find(*uris, changes_from=THIRD).stages)


def test_changes_from_without_changes_is_warned_of(bucket: Bucket) -> None:
    bucket.find(bucket.export(FULL), changes_from=THIRD)

    assert 1 == len(bucket.warned)


@pytest.mark.parametrize(
    "edited",
    [
        {"tableId": "another"},
        {"tableId": None, "tableArn": "arn:aws:dynamodb:us-east-1:123456789012:table/customers"},
    ],
    ids=["made anew", "another"],
)
def test_changes_of_another_table_are_refused(bucket: Bucket, edited: dict[str, object]) -> None:
    (problem,) = bucket.problems(bucket.export(FULL), bucket.export(FIRST_DAY, **edited))

    assert problem.startswith(f"{summary_uri(FIRST_DAY)} is of the table")


def test_where_an_id_is_not_known_the_arn_tells_the_table(bucket: Bucket) -> None:
    uris = [bucket.export(FULL), bucket.export(FIRST_DAY, tableId=None)]

    assert 2 == len(bucket.find(*uris).stages)


def test_two_full_exports_are_refused(bucket: Bucket) -> None:
    uris = [bucket.export(FULL), bucket.export(ION)]
    (problem,) = bucket.problems(*uris)

    assert "2 backups are given that each hold whole items" in problem
    assert all(uri in problem for uri in uris)


def test_our_own_export_is_a_base_from_its_first_page_on(bucket: Bucket) -> None:
    found = bucket.find(bucket.export(OURS), bucket.export(FIRST_DAY))

    assert ("export", ["plain_json", "incremental"]) == (found.kind, [stage.reader for stage in found.stages])


def test_changes_that_end_while_our_export_was_still_read_would_set_items_back(bucket: Bucket) -> None:
    uris = [bucket.export(OURS), bucket.export(FIRST_DAY, exportToTime="2023-09-03T02:00:00Z")]
    (problem,) = bucket.problems(*uris)

    assert "was read until 2023-09-03T02:00:00Z" in problem


@pytest.mark.parametrize("part", [{"filtered": True}, {"indexName": "by-day"}], ids=["filter", "index"])
def test_a_part_of_a_table_is_no_base_for_the_changes_of_all_of_it(
    bucket: Bucket, part: dict[str, object]
) -> None:
    ours = bucket.export(OURS, airflowDynamoPipeline={"fileFormat": "dynamodb_json", **part})
    (problem,) = bucket.problems(ours, bucket.export(FIRST_DAY))

    assert "holds a part of its table" in problem


def test_a_backup_that_shows_no_instant_is_no_base(bucket: Bucket) -> None:
    (problem,) = bucket.problems(bucket.export(FULL, exportTime=None), bucket.export(FIRST_DAY))

    assert "does not say which instant it shows" in problem


@pytest.mark.parametrize(
    ("edited", "told"),
    [
        ({"exportToTime": None}, "without exportFromTime and exportToTime"),
        ({"exportToTime": "2023-09-03T00:00:00Z"}, "exportFromTime is not before its exportToTime"),
        ({"outputFormat": "ION"}, "incremental export whose outputFormat is 'ION'"),
    ],
)
def test_an_incremental_export_that_cannot_be_applied_is_refused(
    bucket: Bucket, edited: dict[str, object], told: str
) -> None:
    (problem,) = bucket.problems(bucket.export(FULL), bucket.export(FIRST_DAY, **edited))

    assert told in problem


def test_a_location_that_cannot_be_read_is_not_told_as_a_gap(bucket: Bucket) -> None:
    uris = [bucket.export(FULL), bucket.export(FIRST_DAY), bucket.export(SECOND_DAY)]
    bucket.store.delete([f"{ROOT}/{FIRST_DAY}/manifest-summary.json"])
    (problem,) = bucket.problems(*uris)

    assert problem.startswith(f"{uris[1]} is not there")


def test_missing_files_and_missing_windows_are_told_at_once(bucket: Bucket) -> None:
    uris = [bucket.export(FULL), bucket.export(SECOND_DAY)]
    bucket.store.delete([f"{ROOT}/data/window2mnbv.json.gz"])
    file, window = bucket.problems(*uris)

    assert "window2mnbv.json.gz is in the manifest but not in the bucket" in file
    assert "are missing" in window


def test_a_format_may_be_said_of_the_full_export_and_is_true_of_its_changes(bucket: Bucket) -> None:
    uris = [bucket.export(FULL), bucket.export(FIRST_DAY)]

    assert 2 == len(bucket.find(*uris, file_format="dynamodb_json").stages)
    assert 1 == len(bucket.problems(*uris, file_format="incremental"))

"""Kills, Clear, Mark failed and restarts in a running Airflow, over its REST API.

Promises A1 (the same logical run whatever happens to its processes), A2 (a stop stops our work and releases
the lease) and A3 (progress and results can be read, secrets cannot). The stories themselves are in the
modules beside this one; all of them run at once, because each mostly waits.
"""

import re

import pytest

from tests.airflow.scheduler.approval import APPROVED, BACKED_UP, REJECTED, imports_are_decided
from tests.airflow.scheduler.assets import export_starts_a_dag
from tests.airflow.scheduler.cleared import killed_after_the_commit, marked_failed
from tests.airflow.scheduler.conftest import Stories
from tests.airflow.scheduler.exports import EACH_ONCE, ITEMS, items_read
from tests.airflow.scheduler.imports import LINES, import_is_killed
from tests.airflow.scheduler.killed import Resumed, supervisor_is_lost, task_is_killed, worker_is_lost
from tests.airflow.scheduler.notices import people_are_told
from tests.airflow.scheduler.ranges import ranges_are_lost
from tests.airflow.scheduler.waiting import triggerer_is_killed, two_runs
from tests.airflow.scheduler.world import SECRET_KEY

pytestmark = pytest.mark.slow


def assert_is_one_whole_export(story: Resumed) -> None:
    """The second attempt succeeded by resuming, and each item stands in the files of one export once."""
    (export,) = story.exports
    manifest = export.manifest()
    assert "success" == story.run_state
    assert "resume" == story.result["start"]
    assert ITEMS == story.result["item_count"]
    assert 2 == story.attempts
    assert export.layout.manifest_uri == story.result["manifest_uri"]
    assert manifest is not None
    assert ITEMS == manifest["itemCount"] == manifest["airflowDynamoPipeline"]["scannedCount"]
    assert EACH_ONCE == export.keys()


def test_airflow_retries_a_killed_task_and_the_retry_finishes_the_same_export(stories: Stories) -> None:
    assert_is_one_whole_export(stories.told(task_is_killed).resumed)


def test_the_retry_reads_only_what_the_checkpoints_do_not_have(stories: Stories) -> None:
    story = stories.told(task_is_killed).resumed
    finished = {number for number, state in story.left.checkpoints.items() if state["done"]}

    assert {1, 2, 3} == finished
    assert {0} == {call.asked["Segment"] for call in story.scans}
    assert story.left.items_missing == items_read(story.scans) < ITEMS


def test_progress_is_readable_while_the_task_runs(stories: Stories) -> None:
    story = stories.told(task_is_killed)

    assert "running" == story.state
    assert 3 == story.progress["segments_done"]
    assert 4 == story.progress["segments"]
    assert 0 < story.progress["items"] < ITEMS
    assert 0 < story.progress["share_done"] < 1
    assert 120 == story.progress["units_per_second_asked"]


def test_a_task_whose_worker_is_lost_is_found_by_its_missing_heartbeat_and_resumed(stories: Stories) -> None:
    story = stories.told(worker_is_lost)

    assert_is_one_whole_export(story)
    assert not story.left.lease["released"]


def test_the_retry_of_a_lost_worker_goes_on_behind_the_last_part_of_each_segment(stories: Stories) -> None:
    story = stories.told(worker_is_lost)

    assert [1, 1] == [len(state["parts"]) for state in story.left.checkpoints.values()]
    assert story.start_keys == {
        number: state["lastEvaluatedKey"] for number, state in story.left.checkpoints.items()
    }
    assert story.left.items_missing == items_read(story.scans) < ITEMS


def test_a_task_whose_supervisor_is_lost_ends_by_itself_and_lets_its_export_go(stories: Stories) -> None:
    story = stories.told(supervisor_is_lost)

    assert_is_one_whole_export(story)
    assert story.left.lease["released"]
    assert ITEMS == items_read(story.left.scans) + items_read(story.scans)


def test_mark_failed_stops_the_scan_with_the_pages_under_way(stories: Stories) -> None:
    story = stories.told(marked_failed)

    assert story.scans_when_marked == len(story.left.scans)
    assert "failed" == story.run_state
    assert 1 == story.attempts


def test_mark_failed_leaves_a_checkpoint_a_released_lease_and_no_manifest(stories: Stories) -> None:
    story = stories.told(marked_failed)

    assert [3, 3] == [state["pages"] for state in story.left.checkpoints.values()]
    assert [1, 1] == [len(state["parts"]) for state in story.left.checkpoints.values()]
    assert story.left.lease["released"]
    assert story.left.manifest is None


def test_clear_of_the_failed_task_resumes_and_reads_nothing_twice(stories: Stories) -> None:
    story = stories.told(marked_failed).resumed

    assert_is_one_whole_export(story)
    assert ITEMS == items_read(story.left.scans) + items_read(story.scans)


def test_a_retry_after_the_commit_adopts_what_is_there_and_reads_nothing(stories: Stories) -> None:
    story = stories.told(killed_after_the_commit)
    lasting = {
        name: written for name, written in story.objects.items() if not name.startswith("/_checkpoint/")
    }

    assert "success" == story.retried.run_state
    assert 2 == story.retried.attempts
    assert "adopt" == story.retried.result["start"]
    assert ITEMS == story.retried.result["item_count"]
    assert [] == story.retried.scans
    assert lasting == story.retried.objects != story.objects


def test_clear_of_the_succeeded_task_makes_a_second_export_beside_the_first(stories: Stories) -> None:
    story = stories.told(killed_after_the_commit)
    (second,) = story.others

    assert "success" == story.cleared.run_state
    assert "new" == story.cleared.result["start"]
    assert ITEMS == items_read(story.cleared.scans)
    assert story.retried.objects == story.cleared.objects
    assert second.layout.manifest_uri == story.cleared.result["manifest_uri"]
    assert [EACH_ONCE, EACH_ONCE] == [story.first.keys(), second.keys()]


def test_two_runs_of_one_dag_at_once_make_two_whole_exports(stories: Stories) -> None:
    story = stories.told(two_runs)

    assert ["success", "success"] == story.run_states
    assert ["new", "new"] == [result["start"] for result in story.results]
    assert 2 == len(story.exports)
    assert {export.layout.manifest_uri for export in story.exports} == {
        result["manifest_uri"] for result in story.results
    }
    assert [EACH_ONCE, EACH_ONCE] == [export.keys() for export in story.exports]


def test_a_deferred_sensor_survives_the_death_of_its_triggerer(stories: Stories) -> None:
    story = stories.told(triggerer_is_killed)
    first, second = story.triggerers

    assert "deferred" == story.state
    assert first != second
    assert "success" == story.run_state
    assert 1 == story.attempts


def test_links_lead_to_table_and_prefix_while_the_export_runs(stories: Stories) -> None:
    links = stories.told(export_starts_a_dag).links

    assert {
        "DynamoDB table": "https://console.aws.amazon.com/dynamodbv2/home?region=us-east-1#table?name=announced",
        "S3 prefix": "https://console.aws.amazon.com/s3/buckets/backups?region=us-east-1"
        "&prefix=orders-for-others%2F",
    } == {name: link for name, link in links.items() if link}


def test_an_exports_event_starts_the_dag_that_waits_for_its_asset(stories: Stories) -> None:
    story = stories.told(export_starts_a_dag)

    told = {**story.result, "table_name": story.name}
    assert ITEMS == story.result["item_count"]
    assert [told] == story.extra
    assert told == story.seen
    assert "success" == story.run_state


def test_a_rehearsed_import_makes_no_event(stories: Stories) -> None:
    story = stories.told(export_starts_a_dag)

    assert (True, ITEMS) == (story.rehearsal["dry_run"], story.rehearsal["read"])
    assert 1 == story.events


def test_people_are_told_of_a_run_that_is_done_by_its_task_and_by_the_run(stories: Stories) -> None:
    told = stories.told(people_are_told)
    of_task = told.messages[f"Done: task export of DAG export_with_notices, table {told.name}"].splitlines()
    of_run = told.messages[f"Done: DAG export_with_notices, table {told.name}"].splitlines()

    assert "success" == told.states[0]
    for lines in (of_task, of_run):
        assert {f"Run: {told.runs[0]}", f"item count: {ITEMS:,}", f"Table: {told.name}"} <= set(lines)
        assert any(line.startswith(f"Manifest: s3://backups/{told.name}/AWSDynamoDB/") for line in lines)
        assert any(line.startswith("Log: http://127.0.0.1:") for line in lines)


def test_people_are_told_of_a_run_that_failed_and_what_to_do(stories: Stories) -> None:
    told = stories.told(people_are_told)
    of_task = told.messages["FAILED: task export of DAG export_with_notices, table no-such-table"]
    of_run = told.messages["FAILED: DAG export_with_notices, table no-such-table"]

    assert "failed" == told.states[1]
    assert "no such table: no-such-table" in of_task.splitlines()[0]
    assert "Clear" in of_task.splitlines()[0]
    assert "Clear" in of_run.splitlines()[0]
    assert f"Run: {told.runs[1]}" in of_run


def test_people_are_told_of_a_run_that_is_late(stories: Stories) -> None:
    told = stories.told(people_are_told)
    (subject,) = [subject for subject in told.messages if subject.startswith("Late")]

    assert subject.startswith("Late: DAG scheduler_late, table ")
    assert told.messages[subject].startswith("Late: DAG scheduler_late has not finished by 20")
    assert f"Run: {told.runs[2]}" in told.messages[subject]
    assert "success" == told.states[2]  # it went on


def test_an_import_is_made_if_a_person_approves_what_it_would_write(stories: Stories) -> None:
    decided = stories.told(imports_are_decided)[APPROVED]

    assert ("success", "success", BACKED_UP) == (decided.run_state, decided.import_state, decided.items)
    for figure in (APPROVED, "s3://backups/decided", f"Items to write | {BACKED_UP}", "overwrite"):
        assert figure in decided.body
    assert f"| Write units | {BACKED_UP}; with global indexes at most {BACKED_UP} |" in decided.body
    assert re.search(
        r"^\| Dollars \| at most \d\S*, on-demand, list prices .*us-east-1.* \|$", decided.body, re.MULTILINE
    )


def test_nothing_is_written_if_a_person_rejects_the_import(stories: Stories) -> None:
    decided = stories.told(imports_are_decided)[REJECTED]

    assert ("success", "skipped", 0) == (decided.run_state, decided.import_state, decided.items)


def test_no_log_holds_the_secret_key(stories: Stories) -> None:
    stories.all_over()
    logs = stories.world.airflow.logs()

    assert stories.world.airflow.components <= {name.rpartition("-")[0] for name in logs}
    assert [name for name, text in logs.items() if "resume: worker-is-lost" in text]
    assert [] == [name for name, text in logs.items() if SECRET_KEY in text]


def test_a_killed_import_is_finished_by_its_retry(stories: Stories) -> None:
    story = stories.told(import_is_killed)

    assert ("success", 2) == (story.run_state, story.attempts)
    found = [story.result[name] for name in ("start", "read", "written", "rejected")]
    assert ["resume", 2 * LINES, 2 * LINES, 0] == found
    assert [f"{part}{number:04}" for part in "ab" for number in range(LINES)] == story.keys


def test_a_second_run_does_not_import_the_same_backup_into_the_same_table(stories: Stories) -> None:
    assert "failed" == stories.told(import_is_killed).again


def test_a_range_whose_process_is_killed_is_retried_alone_and_goes_on_where_it_was(
    stories: Stories,
) -> None:
    story = stories.told(ranges_are_lost)

    assert [("success", 1), ("success", 2), ("failed", 1)] == story.failed.ranges
    assert 0 < story.killed["scannedCount"] < story.whole.checkpoints[1]["scannedCount"]
    assert story.killed["lastEvaluatedKey"] == story.start_keys[1]
    assert [[], []] == [story.asked_twice(segment) for segment in (0, 2)]


def test_mark_failed_of_a_range_stops_it_and_leaves_its_lease_and_the_others_alone(
    stories: Stories,
) -> None:
    story = stories.told(ranges_are_lost)

    assert ("failed", "upstream_failed") == (story.failed.run_state, story.failed.commit)
    assert story.scans_when_marked == story.scans_when_failed
    assert story.failed.leases[2]["released"]
    assert None is story.failed.manifest


def test_clear_of_the_range_that_failed_runs_it_and_the_commit_and_nothing_else(stories: Stories) -> None:
    story = stories.told(ranges_are_lost)

    assert ("success", "success") == (story.whole.run_state, story.whole.commit)
    assert [("success", 1), ("success", 2), ("success", 2)] == story.whole.ranges
    assert "resume" == story.result["start"]
    assert ITEMS == story.result["item_count"]
    assert story.whole.manifest is not None
    assert ITEMS == story.whole.manifest["airflowDynamoPipeline"]["scannedCount"]
    assert EACH_ONCE == story.keys


def test_mapped_tasks_are_called_by_their_range(stories: Stories) -> None:
    assert ["range 0 of 3", "range 1 of 3", "range 2 of 3"] == stories.told(ranges_are_lost).names

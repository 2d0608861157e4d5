from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.memory import MemoryStore
from airflow_dynamo_pipeline.engine import records
from airflow_dynamo_pipeline.engine.existing import Start
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.import_place import Chosen, Search, choose_place, records_location
from airflow_dynamo_pipeline.engine.import_records import ImportRecord
from airflow_dynamo_pipeline.engine.import_request import ImportRequest
from airflow_dynamo_pipeline.engine.sources import Backup, BackupFile, Stage
from airflow_dynamo_pipeline.errors import LeaseHeld, PreflightFailed
from tests.unit.engine.world import work

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def request(**settings: Any) -> ImportRequest:
    return ImportRequest.from_settings({"table_name": "orders", "s3_uri": "s3://backups/daily", **settings})


def backup(identity: str = "one") -> Backup:
    stage = Stage(uri="s3://backups/daily", reader="csv", files=(BackupFile("daily/part-1"),))
    return Backup(identity=identity, kind="files", stages=(stage,))


def choose(
    store: MemoryStore,
    job: Work | None = None,
    *,
    of: str = "one",
    table: str = "id",
    after: timedelta = timedelta(minutes=5),
    **settings: Any,
) -> Chosen:
    return choose_place(
        Search(
            request=request(**settings),
            work=job or work(),
            backup=backup(of),
            table_identity=table,
            store=store,
            now=NOON + after,
            say=lambda _: None,
        )
    )


def leave(store: MemoryStore, chosen: Chosen, job: Work | None = None, *, finished: bool) -> None:
    """Put the record of an import there."""
    job = job or work()
    record = ImportRecord(
        fingerprint="f",
        run=job.run,
        generation=job.generation,
        backup_identity="one",
        backup_uri="s3://backups/daily",
        table_identity="id",
        started_at=NOON,
        finished_at=NOON if finished else None,
    )
    store.put(chosen.place.record_key, records.encode(record))


OTHERS = work(run="dag|task|-1|another")


def test_the_first_import_is_new() -> None:
    assert Start.NEW is choose(MemoryStore()).start


@pytest.mark.parametrize("on_existing", ["resume", "fail", "new"])
def test_an_unfinished_import_of_the_same_run_is_gone_on_with(on_existing: str) -> None:
    store = MemoryStore()
    first = choose(store)
    leave(store, first, finished=False)

    again = choose(store, on_existing=on_existing)

    assert (Start.RESUME, first.place) == (again.start, again.place)


@pytest.mark.parametrize("on_existing", ["resume", "fail", "new"])
def test_a_finished_import_of_the_same_run_is_adopted(on_existing: str) -> None:
    store = MemoryStore()
    leave(store, choose(store), finished=True)

    assert Start.ADOPT is choose(store, on_existing=on_existing).start


def test_a_finished_import_of_another_run_is_not_done_again_unless_that_is_asked() -> None:
    store = MemoryStore()
    first = choose(store, OTHERS)
    leave(store, first, OTHERS, finished=True)

    with pytest.raises(
        PreflightFailed, match="this backup was imported into table orders already, 2026-01-02"
    ):
        choose(store)
    again = choose(store, on_existing="new")

    assert Start.NEW is again.start
    assert first.place.import_id != again.place.import_id


def test_a_task_that_had_succeeded_and_was_cleared_imports_again() -> None:
    store = MemoryStore()
    leave(store, choose(store), finished=True)

    assert Start.NEW is choose(store, work(generation="1")).start


def test_an_unfinished_import_of_another_run_is_left_as_it_is_or_refused_as_asked() -> None:
    store = MemoryStore()
    first = choose(store, OTHERS)
    leave(store, first, OTHERS, finished=False)

    for on_existing in ("resume", "new"):
        found = choose(store, on_existing=on_existing)
        assert Start.NEW is found.start
        assert first.place != found.place
    with pytest.raises(PreflightFailed, match="begun and not finished"):
        choose(store, on_existing="fail")


@pytest.mark.parametrize("other", [{"of": "two"}, {"table": "recreated"}, {"on_conflict": "skip"}])
def test_another_backup_table_or_way_of_importing_is_another_import(other: dict[str, Any]) -> None:
    store = MemoryStore()
    leave(store, choose(store), finished=True)

    assert Start.NEW is choose(store, **other).start


@pytest.mark.parametrize(
    ("uri", "more", "folder"),
    [
        ("s3://backups/daily", {}, "daily"),
        ("s3://backups/daily/", {}, "daily"),
        ("s3://backups/daily/manifest", {}, "daily"),
        ("s3://backups/daily/manifest-summary.json", {}, "daily"),
        ("s3://backups/daily/part-1", {}, "daily"),
        ("s3://backups/daily", {"rejects_s3_uri": "s3://other/x/y/"}, "x/y"),
    ],
)
def test_records_lie_in_the_folder_of_the_source_unless_another_is_said(
    uri: str, more: dict[str, str], folder: str
) -> None:
    location = records_location(request(s3_uri=uri, **more), backup())

    assert ("other" if more else "backups", f"{folder}/_imports") == (
        location.bucket,
        location.key("_imports"),
    )


@pytest.mark.parametrize("on_existing", ["resume", "new"])
def test_an_import_that_another_run_has_just_begun_is_waited_for_although_it_has_no_lease_yet(
    on_existing: str,
) -> None:
    store = MemoryStore()
    leave(store, choose(store, OTHERS), OTHERS, finished=False)

    with pytest.raises(LeaseHeld):
        choose(store, after=timedelta(seconds=59), on_existing=on_existing)
    assert Start.NEW is choose(store, after=timedelta(seconds=61), on_existing=on_existing).start


def test_an_unfinished_import_of_the_same_run_is_begun_anew_after_a_day() -> None:
    store = MemoryStore()
    cleared = work(generation="1")
    leave(store, choose(store), finished=False)

    assert Start.RESUME is choose(store, cleared, after=timedelta(hours=23)).start
    assert Start.NEW is choose(store, cleared, after=timedelta(hours=25)).start

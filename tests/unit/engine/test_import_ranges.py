from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from airflow_dynamo_pipeline.adapters.memory import FixedCapacity, MemoryStore
from airflow_dynamo_pipeline.engine import records
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.import_housekeeping import ImportReports
from airflow_dynamo_pipeline.engine.import_ranges import commit_import, part_of, plan_import, shared_out
from airflow_dynamo_pipeline.engine.import_records import ImportRecord
from airflow_dynamo_pipeline.engine.import_request import ImportRequest
from airflow_dynamo_pipeline.engine.import_result import ImportResult
from airflow_dynamo_pipeline.engine.import_shares import rate_of_one
from airflow_dynamo_pipeline.engine.own_use import SharedRate
from airflow_dynamo_pipeline.engine.paying import first_debt, most_of_a_call
from airflow_dynamo_pipeline.engine.ports import TableDescription, Throughput
from airflow_dynamo_pipeline.engine.ranges import RangeWork, range_works
from airflow_dynamo_pipeline.engine.shares import ALONE, Sharing
from airflow_dynamo_pipeline.engine.sources import Backup, BackupFile, Stage
from airflow_dynamo_pipeline.engine.table_import import import_table
from airflow_dynamo_pipeline.errors import ImportRefused
from tests.clock import EPOCH, ManualClock
from tests.unit.engine.test_import_plan import Table, ports_of
from tests.unit.engine.world import described, work

FILES = [BackupFile(f"data/{number:03}", item_count=1000 + 37 * (number % 11)) for number in range(100)]


@pytest.mark.parametrize("ranges", [2, 3, 7, 64, 100])
def test_every_file_is_in_one_range_and_ranges_have_about_as_many_items(ranges: int) -> None:
    found = shared_out(FILES, ranges)

    assert sorted(file.key for file in FILES) == sorted(file.key for some in found for file in some)
    loads = [sum(file.item_count or 0 for file in some) for some in found]
    assert max(loads) - min(loads) <= max(file.item_count or 0 for file in FILES)
    assert all(loads)


def test_it_does_not_matter_in_which_order_files_are_listed() -> None:
    mixed = random.Random(7).sample(FILES, len(FILES))

    assert shared_out(FILES, 7) == shared_out(mixed, 7)


def test_one_large_file_has_a_range_of_its_own() -> None:
    files = [BackupFile("large", 900), *(BackupFile(f"small-{number}", 100) for number in range(9))]

    assert [["large"], [f"small-{number}" for number in range(9)]] == [
        [file.key for file in some] for some in shared_out(files, 2)
    ]


def test_without_counts_ranges_have_about_as_many_files() -> None:
    found = shared_out([BackupFile(f"part-{number}") for number in range(10)], 4)

    assert [3, 3, 2, 2] == [len(some) for some in found]


def test_empty_files_are_shared_out_too() -> None:
    found = shared_out([BackupFile(f"part-{number}", 0) for number in range(4)], 4)

    assert [1, 1, 1, 1] == [len(some) for some in found]


def test_parts_of_a_backup_are_backups_of_their_own_that_make_the_whole() -> None:
    backup = Backup(
        identity="one",
        kind="export",
        stages=(Stage(uri="s3://backups/daily/", reader="dynamodb_json", files=tuple(FILES), item_bytes=9),),
    )
    works = range_works(Work(run="r", generation="0", began_at=EPOCH), "id", 7, Sharing(workers=3))
    parts = [part_of(backup, work) for work in works]

    assert 7 == len({part.identity for part in parts})
    assert backup.item_count == sum(part.item_count or 0 for part in parts)
    assert backup.files == sum(part.files for part in parts)


def test_who_shares_a_rate_waits_for_a_call_of_the_one_before_and_a_resumed_attempt_for_its_own() -> None:
    sharing = Sharing(workers=4)

    assert 0.0 == first_debt(40.0, ALONE, 4, resumed=False)
    assert 40.0 == first_debt(40.0, ALONE, 4, resumed=True)
    assert most_of_a_call(10.0, sharing) == first_debt(10.0, sharing, 4, resumed=False) == 2.5
    assert 10.0 == first_debt(10.0, sharing, 4, resumed=True)


def test_calls_of_all_who_share_a_rate_are_together_no_larger_than_a_full_one_and_what_is_spared() -> None:
    for workers in (2, 4, 16):
        for slack in (0.0, 0.01, 0.05):
            sharing = Sharing(workers=workers, slack=slack)
            for rate in (100.0, 1000.0, 40_000.0):
                calls = workers * most_of_a_call(sharing.rate(rate), sharing)
                assert calls <= 25.0 + slack * rate + 1e-9


def rate(told: TableDescription, planned: float = 1000.0, consumed: float = 0.0, **settings: Any) -> float:
    """The share of one of four workers."""
    request = ImportRequest.from_settings({"table_name": "orders", "s3_uri": "s3://b/x", **settings})
    source = FixedCapacity(consumed=consumed)
    all_four = SharedRate(planned=planned, sharing=Sharing(workers=4, slack=0.05), clock=ManualClock())
    found = rate_of_one(request, told, source, all_four)
    assert "shared by 4 workers" in found.reason
    return found.units_per_second


def test_a_worker_has_its_share_of_what_all_may_use() -> None:
    provisioned = described(write_throughput=Throughput(provisioned=400))

    assert 0.5 * 400 * 0.95 / 4 == rate(provisioned, ratio=0.5)
    assert 80 * 0.95 / 4 == rate(provisioned, units_per_second=80)
    assert 1 * 0.95 / 4 == rate(described(write_throughput=Throughput(provisioned=1)), ratio=0.1)


def test_what_the_other_workers_consume_of_an_on_demand_table_is_not_taken_for_other_peoples() -> None:
    told = described(on_demand=True, write_throughput=Throughput(warm=1000))

    assert 900 * 0.95 / 4 == rate(told, planned=900, consumed=900 * 0.95, ratio=0.9)
    others_use_400 = 900 * 0.95 + 400
    assert 600 * 0.95 / 4 == pytest.approx(rate(told, planned=900, consumed=others_use_400, ratio=0.9))


class Shared:
    """A backup of three files, and who shares its import out; nobody writes, ranges are finished by hand."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        for number in range(3):
            self.store.put(f"daily/part-{number}", b"")
        self.ports = replace(ports_of(Table(), self.store), say=self.say, warn=self.warn)
        self.said: list[str] = []
        self.warned: list[str] = []

    def say(self, line: str) -> None:
        self.said.append(line)

    def warn(self, line: str) -> None:
        self.warned.append(line)

    def asked(self, **settings: Any) -> ImportRequest:
        given = {"table_name": "orders", "s3_uri": "s3://backups/daily", "file_format": "dynamodb_json"}
        return ImportRequest.from_settings({**given, **settings})

    def plan(self, **settings: Any) -> tuple[RangeWork, ...]:
        return plan_import(self.asked(**settings), work(), self.ports, ranges=3)

    def record(self) -> tuple[str, ImportRecord]:
        (key,) = [
            key for key in self.store.keys("") if key.endswith("/import.json") and "/ranges/" not in key
        ]
        found = self.store.get(key)
        assert found is not None
        return key, records.decode(found.body, ImportRecord, key)

    def finish(self, *results: ImportResult) -> None:
        key, record = self.record()
        for number, result in enumerate(results):
            raw = msgspec.Raw(msgspec.json.encode(result.to_json()))
            done = msgspec.structs.replace(record, ranges=0, finished_at=EPOCH, result=raw)
            where = key.replace("import.json", f"ranges/_imports/{number:04}/import.json")
            self.store.put(where, records.encode(done))


def result(read: int, duplicates: int = 0, share: float = 1.0) -> ImportResult:
    counts = {
        "skipped": 0,
        "conflicted": 0,
        "rejected": 0,
        "expired": 0,
        "deleted": 0,
        "duplicates": duplicates,
    }
    texts = {"import_id": "i", "table_name": "orders", "start": "new", "backup_id": "b"}
    rates = {
        "consumed_units": 1.0,
        "units_per_second_asked": 5.0,
        "units_per_second_held": 5.0,
        "seconds": 9.0,
    }
    told: dict[str, Any] = {
        **counts,
        **texts,
        **rates,
        "read": read,
        "written": read,
        "duplicates_share": share,
    }
    return ImportResult(**told, dry_run=False, rejects_uri=None)


@pytest.mark.parametrize("on_existing", ["resume", "new"])
def test_an_import_that_is_shared_out_is_not_gone_on_with_by_one_worker(on_existing: str) -> None:
    """It would write every file again, beside those who have a share of the rate."""
    shared = Shared()
    shared.plan()

    with pytest.raises(ImportRefused, match="is shared out to several workers") as caught:
        import_table(shared.asked(on_existing=on_existing), work(), shared.ports, ImportReports(print))

    assert ["on_existing"] == [problem.where for problem in caught.value.problems]
    assert 3 == shared.record()[1].ranges


def test_an_import_that_one_worker_began_is_not_shared_out() -> None:
    shared = Shared()
    shared.plan()
    key, record = shared.record()
    as_by_one = {**msgspec.json.decode(records.encode(record))}
    for name in ("ranges", "atOnce", "slack", "unitsPerSecond"):  # as an older package left it
        del as_by_one[name]
    shared.store.put(key, msgspec.json.encode(as_by_one))

    with pytest.raises(ImportRefused, match="was begun by one worker") as caught:
        shared.plan()

    assert ["on_existing"] == [problem.where for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("reads", "share", "compared"),
    [
        ([10, 10, 10], 1.0, 0.333333),
        ([10, 10, 10], 0.5, 0.166667),
        ([30, 0, 0], 1.0, 1.0),
        ([0, 0, 0], 1.0, 1.0),
    ],
)
def test_a_commit_says_that_keys_of_different_ranges_are_not_compared(
    reads: list[int], share: float, compared: float
) -> None:
    shared = Shared()
    parts = shared.plan()
    shared.finish(*(result(read, 2 * bool(read), share) for read in reads))

    total = commit_import(shared.asked(), shared.ports, parts[0])

    found = 2 * sum(map(bool, reads))
    assert (found, compared) == (total.duplicates, total.duplicates_share)
    assert (
        f"{found} duplicates found: keys are compared within a range, not between ranges" == shared.said[-1]
    )


def test_a_commit_tells_the_rate_that_was_planned() -> None:
    shared = Shared()
    parts = shared.plan(units_per_second=50)
    shared.finish(*[result(10)] * 3)

    assert (
        50.0
        == commit_import(shared.asked(units_per_second=70), shared.ports, parts[0]).units_per_second_asked
    )


def test_a_commit_that_is_refused_does_not_say_that_nothing_was_written() -> None:
    shared = Shared()
    parts = shared.plan()

    with pytest.raises(ImportRefused) as caught:
        commit_import(shared.asked(), shared.ports, parts[0])

    assert "the import was not called done: 3 problems" == str(caught.value).splitlines()[0]


def test_a_rate_that_became_too_low_for_all_workers_is_warned_of_and_the_import_goes_on() -> None:
    shared = Shared()
    parts = shared.plan(units_per_second=50)
    assert [] == [line for line in shared.warned if "cannot share" in line]

    assert parts == shared.plan(units_per_second=2)

    (warning,) = [line for line in shared.warned if "cannot share" in line]
    assert warning.startswith(
        "3 workers cannot share 2.0 units per second (units_per_second as asked, of the table and its "
        "indexes together); together they may be further ahead"
    )

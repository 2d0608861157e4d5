from __future__ import annotations

from typing import Any

from airflow_dynamo_pipeline.engine.plan_import import ImportEstimate, estimate_import
from airflow_dynamo_pipeline.engine.prices import GB, prices_for
from airflow_dynamo_pipeline.engine.sources import Backup, BackupFile, Stage
from airflow_dynamo_pipeline.engine.write_capacity import WriteRate
from tests.unit.engine.golden_manifests import FULL, OURS, Bucket
from tests.unit.engine.world import described, index

RATE = WriteRate(units_per_second=100.0, reason="")


def stage(*counts: int | None, **known: Any) -> Stage:
    files = tuple(BackupFile(f"data/{number}", count) for number, count in enumerate(counts))
    return Stage(uri="s3://backups/x", reader="dynamodb_json", files=files, **known)


def estimated(*stages: Stage, rate: WriteRate = RATE, **table: Any) -> ImportEstimate:
    backup = Backup(identity="x", kind="export", stages=stages)
    table = {"on_demand": True, **table}
    return estimate_import(backup, described(**table), rate, prices_for("us-east-1"))


def test_an_item_is_at_least_a_write_unit() -> None:
    found = estimated(stage(3_000_000, 1_000_000))

    assert (4_000_000.0, 40_000.0) == (found.write_units, found.seconds)
    assert (
        "at least 4,000,000 write units for the table; at least 11.1 hours; at least about 2.50 dollars "
        f"({found.prices.source})"
    ) == found.line()


def test_what_dynamodb_counted_of_a_native_export_is_at_least_so_many_kilobytes() -> None:
    found = estimated(stage(10, item_bytes=10 * 2048 + 1), stage(7, window=None, item_bytes=10))

    assert 21.0 + 7 == found.write_units


def test_indexes_take_units_again() -> None:
    found = estimated(stage(5), indexes={"g": index("g"), "l": index("l", is_global=False)})

    assert 1 == found.global_indexes
    assert "5 write units for the table, and up to as many for its global index; " in found.line()


def test_each_of_several_indexes_takes_units_again() -> None:
    found = estimated(stage(5), indexes={"g": index("g"), "h": index("h")})

    assert "up to as many for each of 2 global indexes; " in found.line()


def test_the_scarcest_index_holds_the_time() -> None:
    slow = WriteRate(units_per_second=100.0, reason="", first_factor=4.0)

    assert 40.0 == estimated(stage(1000), rate=slow).seconds


def test_without_a_manifest_nothing_is_told() -> None:
    found = estimated(stage(5, None))

    assert "no manifest tells how many write units this takes; a dry run counts them" == found.line()
    assert (None, None, None) == (
        found.to_json()["items"],
        found.to_json()["write_units_at_least"],
        found.to_json()["dollars_at_least"],
    )


def test_capacity_that_is_paid_for_anyway_costs_nothing_more() -> None:
    found = estimated(stage(3_600_000), on_demand=False)

    assert (0.0, 0.65, 2.25) == (
        found.to_json()["dollars_at_least"],
        found.to_json()["paid_anyway_dollars_at_least"],
        found.to_json()["on_demand_dollars_at_least"],
    )


def test_a_native_import_is_priced_where_the_size_of_the_files_is_known() -> None:
    found = estimated(stage(5, content_bytes=10 * GB))

    assert 1.5 == found.to_json()["native_import_dollars"]
    assert "as a native import into a new table: about 1.50 dollars" in found.line()
    assert estimated(stage(5), stage(5, content_bytes=GB)).to_json()["native_import_dollars"] is None


def test_the_sizes_are_those_of_the_manifests() -> None:
    bucket = Bucket()
    native = bucket.find(bucket.export(FULL)).stages[0]
    ours = bucket.find(bucket.export(OURS)).stages[0]

    assert (1234, None) == (native.item_bytes, native.content_bytes)
    assert ours.item_bytes is None
    assert (ours.content_bytes or 0) > 0

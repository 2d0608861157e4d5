"""``method="auto"``: what is chosen is done, and a retry goes on with what was begun."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters.auto_wiring import auto_ports
from airflow_dynamo_pipeline.adapters.wiring import export_ports
from airflow_dynamo_pipeline.engine.auto_export import export_by_choice
from airflow_dynamo_pipeline.engine.housekeeping import Reports
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.prices import prices_from
from airflow_dynamo_pipeline.errors import PipelineError
from tests.clock import EPOCH
from tests.faults.attempts import TABLE, asked, items
from tests.faults.cloudwatch import Metric, Summary
from tests.faults.endpoint import Killed
from tests.faults.native_export_world import NativeWorld
from tests.faults.script import Fault, Kind

NATIVE, SCAN = "ExportTableToPointInTime", "Scan"
HURRY: dict[str, Any] = {"units_per_second": 1.0, "finish_within_seconds": 0.001}  # less than any scan takes


@dataclass
class Run:
    """How one attempt ended, and what it called and said."""

    record: dict[str, Any] = field(default_factory=dict)
    error: PipelineError | Killed | None = None
    operations: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def count(self, operation: str) -> int:
        return self.operations.count(operation)


def attempt(
    world: NativeWorld,
    *faults: Fault,
    generation: str = "0",
    prices_file: str | None = None,
    **settings: Any,
) -> Run:
    """One attempt of one run."""
    run = Run()
    request = asked(method="auto", **settings)
    with world.aws.door(*faults) as door:
        ports = export_ports(
            door.client,
            request,
            stop=threading.Event(),
            say=run.said.append,
            warn=run.said.append,
            clock=door.clock,
        )
        auto = auto_ports(door.client, request, replace(ports, prices=prices_from(prices_file)))
        work = Work(run="dag|task|-1|run", generation=generation, began_at=EPOCH)
        try:
            run.record = export_by_choice(request, work, auto, Reports(lambda _: None))
        except (PipelineError, Killed) as error:
            run.error = error
        run.operations = door.operations()
    return run


def test_the_scan_is_made_where_it_is_the_cheapest() -> None:
    run = attempt(NativeWorld())

    assert ("scan", 5, 0) == (run.record["method"], run.record["item_count"], run.count(NATIVE))
    assert any(line.startswith("method scan: the cheapest") for line in run.said)


def test_a_native_export_is_made_where_the_scan_would_take_too_long() -> None:
    world = NativeWorld()

    run = attempt(world, **HURRY)

    assert ("full", 5, 0) == (run.record["method"], run.record["item_count"], run.count(SCAN))


def test_the_record_has_the_plan_and_the_choice_whichever_way_is_gone() -> None:
    scan, native = attempt(NativeWorld()), attempt(NativeWorld(), **HURRY)

    assert ("scan", "full") == (scan.record["plan"]["method"], native.record["plan"]["method"])
    for run in (scan, native):
        plan = run.record["plan"]
        assert ("us-east-1", "scan") == (plan["region"], plan["cheapest"])
        assert plan["bytes"] > 0
        assert ["scan", "full", "incremental"] == [way["method"] for way in plan["methods"]]


def test_a_native_export_says_what_it_costs_when_it_is_asked_for_and_when_it_is_complete() -> None:
    run = attempt(NativeWorld(), **HURRY)

    asked_for = next(line for line in run.said if line.startswith("the full export: arn:"))
    assert "about 5 items and " in asked_for
    assert "dollars (list prices of us-east-1, " in asked_for
    complete = next(line for line in run.said if "bytes billed" in line)
    assert "dollars (list prices of us-east-1, " in complete


def test_a_native_export_has_the_prices_of_the_scan(tmp_path: Path) -> None:
    ours = tmp_path / "ours.json"
    ours.write_text('{"export_gb": 5}', "utf-8")

    run = attempt(NativeWorld(), prices_file=str(ours), **HURRY)

    assert any(f"bytes billed, less than 0.01 dollars (prices of {ours} " in line for line in run.said)


def test_a_retry_adopts_the_native_export_that_was_asked_for() -> None:
    world = NativeWorld()
    killed = attempt(world, Fault(Kind.KILL, on="DescribeExport"), **HURRY)

    retry = attempt(world)  # by now the scan would be chosen

    assert isinstance(killed.error, Killed)
    assert ("full", 5) == (retry.record["method"], retry.record["item_count"])
    assert 1 == killed.count(NATIVE) + retry.count(NATIVE)
    assert any("an earlier attempt of this run has asked for it" in line for line in retry.said)


def test_a_retry_resumes_the_scan_that_was_begun() -> None:
    world = NativeWorld()
    world.aws.dynamodb.page_items = 2
    killed = attempt(world, Fault(Kind.KILL, at=2, on=SCAN))

    retry = attempt(world, **HURRY)

    assert isinstance(killed.error, Killed)
    assert ("scan", 0) == (retry.record["method"], retry.count(NATIVE))
    assert any("an earlier attempt of this run has begun one" in line for line in retry.said)


def test_a_retry_that_asks_for_what_a_native_export_cannot_do_does_not_adopt_one() -> None:
    world = NativeWorld()
    attempt(world, Fault(Kind.KILL, on="DescribeExport"), **HURRY)

    retry = attempt(world, filter_expression="attribute_not_exists(pk)", **HURRY)

    assert ("scan", 0) == (retry.record["method"], retry.record["item_count"])


def test_a_clear_adopts_the_native_export_that_is_still_under_way() -> None:
    world = NativeWorld()
    attempt(world, Fault(Kind.KILL, on="DescribeExport"), **HURRY)

    cleared = attempt(world, generation="1")

    assert ("full", 0, 0) == (cleared.record["method"], cleared.count(NATIVE), cleared.count(SCAN))


def test_a_clear_of_an_export_that_succeeded_chooses_anew() -> None:
    world = NativeWorld()
    attempt(world, **HURRY)

    assert "scan" == attempt(world, generation="1").record["method"]


def test_where_another_run_has_exported_the_changes_it_is_another_choice() -> None:
    world = NativeWorld()
    world.aws.dynamodb.put_items(TABLE, items(40, size=300_000))
    world.run(run="base")
    world.pass_time(hours=1)
    world.changes(Fault(Kind.KILL, on="DescribeExport"), run="lost")

    run = attempt(world, **HURRY)

    assert run.error is None
    assert run.record["method"] in ("incremental", "full")


def test_a_target_that_cannot_be_read_rules_native_exports_out() -> None:
    world = NativeWorld()
    denied = [Fault(Kind.DENY, on=operation, times=9) for operation in ("GetObject", "ListObjectsV2")]

    run = attempt(world, *denied, **HURRY)

    assert not run.record
    assert 0 == run.count(NATIVE)


def exported_days_ago(*, units: float = 0.0) -> NativeWorld:
    """Exported natively 44 hours ago; a batch wrote 20 hours ago, and nobody since."""
    world = NativeWorld()
    world.run(run="base")
    world.pass_time(days=1)
    dimensions = frozenset({("TableName", TABLE)})
    metric = Metric("AWS/DynamoDB", "ConsumedWriteCapacityUnits", dimensions, "Count")
    if units:
        world.aws.cloudwatch.put(metric, world.aws.clock.now(), Summary.of(units))
    world.pass_time(hours=20)
    return world


def price_of_changes(run: Run) -> float | None:
    found: float | None = run.record["plan"]["methods"][2]["dollars"]
    return found


def test_what_a_batch_wrote_many_hours_ago_is_in_the_price_of_the_changes() -> None:
    run = attempt(exported_days_ago(units=50 * 1024**2), **HURRY)

    assert 5.0 == price_of_changes(run)
    assert 1 == run.count("GetMetricStatistics")
    assert any("incremental: about 5.00 dollars by the write units since" in line for line in run.said)


def test_changes_of_quiet_days_cost_what_is_the_least_for_each_day() -> None:
    run = attempt(exported_days_ago(), **HURRY)

    days = run.record["plan"]["methods"][2]
    assert (None, round(2 * 0.1 * 10 / 1024, 4)) == (days["refused"], days["dollars"])


@pytest.mark.parametrize("kind", [Kind.DENY, Kind.SERVER_ERROR])
def test_where_cloudwatch_tells_nothing_nobody_knows_the_price_of_the_changes(kind: Kind) -> None:
    trouble = Fault(kind, on="GetMetricStatistics", times=99)

    run = attempt(exported_days_ago(units=1e6), trouble, units_per_second=1000.0)

    assert (None, None) == (run.error, price_of_changes(run))
    assert ("scan", "scan") == (run.record["method"], run.record["plan"]["cheapest"])


def test_a_table_that_was_not_counted_is_not_scanned_in_time() -> None:
    world = NativeWorld()
    for item in items(5):
        world.aws.dynamodb.delete_item(TABLE, {"pk": item["pk"]})

    run = attempt(world, finish_within_seconds=600)

    plan = run.record["plan"]
    assert ("full", None, None, None) == (
        plan["method"],
        plan["dollars"],
        plan["seconds"],
        plan["read_units"],
    )
    asked_for = next(line for line in run.said if line.startswith("the full export: arn:"))
    assert "an unknown price, for DynamoDB has not counted the table yet" in asked_for


def test_changes_follow_on_a_native_export_below_the_target() -> None:
    world = NativeWorld()
    world.aws.dynamodb.put_items(TABLE, items(40, size=300_000))
    world.run(run="base")
    world.pass_time(hours=1)

    run = attempt(world, **HURRY)

    assert ("incremental", "incremental") == (run.record["method"], run.record["export_type"])

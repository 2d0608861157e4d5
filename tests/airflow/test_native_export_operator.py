"""DynamoDBPointInTimeExportOperator against the fault harness, which has what moto lacks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_dynamo_pipeline.airflow_versions import (
    AirflowFailException,
    AirflowSkipException,
    Asset,
    BaseTrigger,
)
from airflow_dynamo_pipeline.engine.native_export_request import COERCIONS
from airflow_dynamo_pipeline.errors import Stopped
from airflow_dynamo_pipeline.operators.links import NativeExportJobLink
from airflow_dynamo_pipeline.operators.native import DynamoDBPointInTimeExportOperator
from airflow_dynamo_pipeline.triggers.dynamodb import DynamoDBConditionTrigger
from airflow_dynamo_pipeline.triggers.native import NativeJobTrigger
from tests.airflow.conftest import FakeTask, context_of
from tests.airflow.test_example_dags import dag_bag
from tests.faults.attempts import TABLE
from tests.faults.calls import Call
from tests.faults.endpoint import Door
from tests.faults.native_export_world import URI, NativeWorld
from tests.services.clients import ACCESS_KEY, REGION, SECRET_KEY
from tests.unit.airflow_parts import OutletEventAccessors, deferral_of

NewTask = Callable[..., FakeTask]


@pytest.fixture
def world() -> NativeWorld:
    return NativeWorld()


@pytest.fixture
def door(world: NativeWorld, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    """The connection ``aws_default`` leads to the fake."""
    with world.aws.door() as opened:
        extra = {
            "region_name": REGION,
            "endpoint_url": opened.url,
            "config_kwargs": {"s3": {"addressing_style": "path"}, "proxies": {}},
        }
        known = {"conn_type": "aws", "login": ACCESS_KEY, "password": SECRET_KEY, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(known))
        yield opened


def export(**settings: Any) -> DynamoDBPointInTimeExportOperator:
    usual = {"task_id": "export", "table_name": TABLE, "s3_uri": URI, "poke_interval": 0}
    return DynamoDBPointInTimeExportOperator(**{**usual, **settings})


def events_of(trigger: BaseTrigger, pause: Callable[[], None] = lambda: None) -> list[Any]:
    """What a trigger fires, as the task gets it; in each of its pauses something may happen."""

    async def nap(_: float) -> None:
        pause()

    async def collect() -> list[Any]:
        return [event.payload async for event in trigger.run()]

    trigger.sleep = nap  # type: ignore[attr-defined]  # every trigger of the package has it
    return asyncio.run(collect())


@dataclass(frozen=True)
class Resumed:
    """An operator after what it waited for has come."""

    operator: DynamoDBPointInTimeExportOperator
    event: dict[str, Any]
    kept: dict[str, Any] = field(default_factory=dict)

    def execute(self, context: Any) -> object:
        return self.operator.execute_complete(context, self.event, **self.kept)


def test_every_setting_of_a_native_export_is_a_templated_parameter() -> None:
    assert set(COERCIONS) <= set(DynamoDBPointInTimeExportOperator.template_fields)


@pytest.mark.usefixtures("door")
def test_it_waits_for_the_export_and_says_what_was_exported(world: NativeWorld, new_task: NewTask) -> None:
    world.exports.looks = 2
    result = export().execute(context_of(new_task()))

    (made,) = world.exports.made
    assert {
        "status": "COMPLETED",
        "table_name": TABLE,
        "export_type": "full",
        "export_arn": made.arn,
        "manifest_uri": f"s3://backups/{made.folder}/manifest-summary.json",
        "item_count": 5,
        "billed_bytes": 500,
    }.items() <= result.items()
    assert result == json.loads(json.dumps(result))


@pytest.mark.usefixtures("door")
def test_the_job_is_shown_before_the_task_is_deferred(world: NativeWorld, new_task: NewTask) -> None:
    task = new_task()
    deferral_of(export(deferrable=True), context_of(task))

    (made,) = world.exports.made
    (parts,) = task.pushed[NativeExportJobLink.key]
    expected = f"https://console.aws.amazon.com/dynamodbv2/home?region={made.arn.split(':')[3]}#exports"
    assert expected == NativeExportJobLink().format_link(**parts)


@pytest.mark.usefixtures("door")
def test_what_was_exported_is_told_to_whoever_waits_for_the_asset(new_task: NewTask) -> None:
    made = Asset(URI)
    context: Any = {**context_of(new_task()), "outlet_events": OutletEventAccessors()}

    result = export(outlets=[made]).execute(context)

    assert result == context["outlet_events"][made].extra
    assert 5 == result["item_count"]


@pytest.mark.usefixtures("door")
def test_lineage_leads_from_the_table_to_the_prefix_also_after_a_deferral(
    world: NativeWorld, new_task: NewTask
) -> None:
    task = new_task()
    deferral = deferral_of(export(deferrable=True), context_of(task))
    (event,) = events_of(deferral.trigger)
    resumed = export(deferrable=True)
    getattr(resumed, deferral.method_name)(context_of(task), event)

    told = resumed.get_openlineage_facets_on_complete(None)

    ((read,), (written,)) = told.inputs, told.outputs
    assert world.exports.made[0].arn.startswith(f"{read.namespace}:{read.name}/export/")
    assert URI == f"{written.namespace}/{written.name}"
    assert 5 == written.outputFacets["outputStatistics"].rowCount


@pytest.mark.usefixtures("door")
def test_deferred_it_goes_on_in_another_process_and_bills_once(world: NativeWorld, new_task: NewTask) -> None:
    task = new_task()
    deferral = deferral_of(export(deferrable=True), context_of(task))

    assert isinstance(deferral.trigger, NativeJobTrigger)
    (event,) = events_of(deferral.trigger)
    resumed = export(deferrable=True)
    result = getattr(resumed, deferral.method_name)(context_of(task), event)

    assert [result["export_arn"]] == [made.arn for made in world.exports.made] == [event["arn"]]


@pytest.mark.usefixtures("door")
def test_deferred_it_waits_for_an_instant_that_is_not_recoverable_yet(
    world: NativeWorld, new_task: NewTask
) -> None:
    task = new_task()
    at = world.aws.clock.now().replace(microsecond=0)
    asked: dict[str, Any] = {"deferrable": True, "export_time": at.isoformat()}
    early = deferral_of(export(**asked), context_of(task))

    assert isinstance(early.trigger, DynamoDBConditionTrigger)
    assert [] == world.exports.made
    (event,) = events_of(early.trigger, lambda: world.pass_time(minutes=1))
    begun = deferral_of(Resumed(export(**asked), event), context_of(task))
    (event,) = events_of(begun.trigger)
    result = export(**asked).execute_complete(context_of(task), event)

    assert at.isoformat() == result["export_time"]


@pytest.mark.usefixtures("door")
def test_deferred_it_keeps_the_settings_that_were_rendered_first(
    world: NativeWorld, new_task: NewTask
) -> None:
    """A template of the clock, which names another and not yet recoverable instant at each resumption."""
    task = new_task()

    def rendered() -> DynamoDBPointInTimeExportOperator:
        return export(deferrable=True, export_time=world.aws.clock.now().isoformat())

    at = world.aws.clock.now().replace(microsecond=0)
    early = deferral_of(rendered(), context_of(task))
    (event,) = events_of(early.trigger, lambda: world.pass_time(minutes=1))
    begun = deferral_of(Resumed(rendered(), event, json.loads(json.dumps(early.kwargs))), context_of(task))
    assert isinstance(begun.trigger, NativeJobTrigger)
    (event,) = events_of(begun.trigger)
    world.pass_time(minutes=1)
    result = rendered().execute_complete(context_of(task), event, **begun.kwargs)

    assert at.isoformat() == result["export_time"]
    assert 1 == len(world.exports.made)


@pytest.mark.usefixtures("door")
def test_deferred_before_settings_were_kept_it_goes_on_with_what_was_asked_for(
    world: NativeWorld, new_task: NewTask
) -> None:
    task = new_task()
    asked = world.aws.clock.now() - timedelta(minutes=10)
    deferral = deferral_of(export(deferrable=True, export_time=asked), context_of(task))
    (event,) = events_of(deferral.trigger)
    later = export(deferrable=True, export_time=asked + timedelta(minutes=5))
    result = later.execute_complete(context_of(task), event)

    assert [result["export_arn"]] == [made.arn for made in world.exports.made]


@pytest.mark.usefixtures("door")
@pytest.mark.parametrize("deferrable", [True, False])
def test_an_export_that_failed_fails_the_task_at_once_with_its_code(
    world: NativeWorld, new_task: NewTask, deferrable: bool
) -> None:
    world.exports.fails = "S3AccessDenied"
    context = context_of(new_task())
    operator = export(deferrable=deferrable)
    attempt: Any = operator
    if deferrable:
        (event,) = events_of(deferral_of(operator, context).trigger)
        attempt = Resumed(operator, event)

    with pytest.raises(AirflowFailException, match="is FAILED: S3AccessDenied: said by the test"):
        attempt.execute(context)


@pytest.mark.usefixtures("door")
def test_a_trigger_that_cannot_go_on_fails_the_task_at_once(new_task: NewTask) -> None:
    event = {"status": "error", "arn": "arn", "message": "access denied: dynamodb:DescribeExport on arn"}
    with pytest.raises(AirflowFailException, match="access denied"):
        export().execute_complete(context_of(new_task()), event)


@pytest.mark.usefixtures("door")
def test_what_is_wrong_is_all_said_at_once_and_before_any_call(world: NativeWorld, new_task: NewTask) -> None:
    wrong = {"s3_uri": "backups", "export_time": "soon", "file_format": "csv", "s3_bucket_owner": "me"}
    with pytest.raises(AirflowFailException) as caught:
        export(**wrong).execute(context_of(new_task()))

    assert [] == [name for name in wrong if f"\n{name}: " not in str(caught.value)]
    assert [] == world.exports.made


@pytest.mark.usefixtures("door")
def test_with_too_little_to_do_the_task_is_skipped(new_task: NewTask) -> None:
    export().execute(context_of(new_task()))
    with pytest.raises(AirflowSkipException, match="less than 15 minutes"):
        export(export_type="incremental").execute(context_of(new_task(run_id="hourly")))


@pytest.mark.usefixtures("door")
def test_settings_may_be_rendered_text(world: NativeWorld, new_task: NewTask) -> None:
    at = (world.aws.clock.now() - timedelta(minutes=30)).replace(microsecond=0)
    result = export(export_time=str(at), s3_bucket_owner="None", s3_sse_algorithm="").execute(
        context_of(new_task())
    )

    assert at.isoformat() == result["export_time"]


def test_a2_on_kill_stops_waiting_and_the_retry_adopts_the_export(
    world: NativeWorld, door: Door, new_task: NewTask
) -> None:
    task = new_task()
    world.exports.looks = 1000
    operator = export(poke_interval=600)

    def kill(call: Call) -> None:
        if call.operation == "DescribeExport":
            operator.on_kill()

    door.before = kill
    with pytest.raises(Stopped, match="the next attempt goes on with it"):
        operator.execute(context_of(task))
    door.before = lambda _: None
    world.exports.made[0].looks = 0

    assert world.exports.made[0].arn == export().execute(context_of(task))["export_arn"]
    assert 1 == len(world.exports.made)


@pytest.mark.usefixtures("door")
def test_the_last_export_is_shown_in_the_asset_state_store(new_task: NewTask) -> None:
    kept: dict[str, Any] = {}
    operator = export()
    operator.outlets = ["an asset"]
    context = context_of(new_task())
    context["asset_state_store"] = {"an asset": SimpleNamespace(set=kept.__setitem__)}

    assert operator.execute(context) == kept["native_export"]


@pytest.mark.usefixtures("door")
def test_an_asset_state_store_that_cannot_be_written_costs_only_a_warning(new_task: NewTask) -> None:
    def refuse(_: str, __: object) -> None:
        raise RuntimeError("no")

    operator = export()
    operator.outlets = ["an asset"]
    context = context_of(new_task())
    context["asset_state_store"] = {"an asset": SimpleNamespace(set=refuse)}

    assert "COMPLETED" == operator.execute(context)["status"]


@pytest.mark.usefixtures("door")
def test_the_example_dags_make_a_base_and_then_changes_that_the_import_can_read(
    world: NativeWorld, new_task: NewTask
) -> None:
    dags = dag_bag().dags
    full = dags["full_native_export"].get_task("full")
    changes = dags["incremental_exports"].get_task("changes")
    for operator in (full, changes):
        operator.table_name, operator.s3_uri, operator.poke_interval = TABLE, URI, 0
    changes.on_gap = "fail"

    full.execute(context_of(new_task(run_id="weekly")))
    for hour in range(2):
        world.pass_time(hours=1)
        changes.execute(context_of(new_task(run_id=f"hour {hour}")))

    kinds = [stage.window is None for stage in world.found(world.chain.manifest_uris).stages]
    assert [True, False, False] == kinds

"""Exports and imports as jobs on EMR: submitted once, adopted, cancelled, gone on with."""

from __future__ import annotations

import asyncio
import functools
import json
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_dynamo_pipeline.adapters.emr_jobs import EmrJobFailed
from airflow_dynamo_pipeline.airflow_versions import AirflowFailException
from airflow_dynamo_pipeline.engine.ranges import RangeWork
from airflow_dynamo_pipeline.errors import Stopped, UnexpectedReply
from airflow_dynamo_pipeline.operators import time_budget
from airflow_dynamo_pipeline.operators.emr import EmrDynamoDBExportOperator, EmrDynamoDBImportOperator
from airflow_dynamo_pipeline.operators.table_export import DynamoDBExportOperator
from airflow_dynamo_pipeline.triggers.emr import EmrJobTrigger
from tests.airflow.conftest import ITEMS, FakeTask, context_of
from tests.airflow.emr_world import (
    CANCELLED,
    PLATFORMS,
    EmrWorld,
    FakeJob,
    Killed,
    entered,
    error,
    exporting,
    s3,
)
from tests.airflow.test_native_export_operator import events_of
from tests.clock import ManualClock
from tests.services import Services, aws_client
from tests.unit.airflow_parts import RecordedLog, deferral_of

if TYPE_CHECKING:  # stubs, which only the checker has
    from mypy_boto3_dynamodb import DynamoDBClient

NewTask = Callable[..., FakeTask]
on_every_platform = pytest.mark.parametrize("where", PLATFORMS.values(), ids=PLATFORMS)


@pytest.fixture
def world(aws_default: None, monkeypatch: pytest.MonkeyPatch) -> EmrWorld:
    return entered(monkeypatch)


@pytest.fixture
def export(table: str, bucket: str) -> Callable[..., EmrDynamoDBExportOperator]:
    """Make the operator anew, as each attempt does."""
    return functools.partial(exporting, table, bucket)


Export = Callable[..., EmrDynamoDBExportOperator]


@pytest.fixture
def backup(table: str, bucket: str, new_task: NewTask) -> str:
    """The manifest of an export of four files."""
    uri = f"s3://{bucket}/in"
    made = DynamoDBExportOperator(task_id="export", table_name=table, s3_uri=uri, ratio=1, segments=4)
    manifest_uri: str = made.execute(context_of(new_task()))["manifest_uri"]
    return manifest_uri


@pytest.fixture
def gateway(services: Services) -> DynamoDBClient:
    """DynamoDB Local with moto's tags."""
    return aws_client("dynamodb", services.gateway_url)


@pytest.fixture
def copied(gateway: DynamoDBClient) -> Iterator[str]:
    """An empty table."""
    name = f"copied-{uuid.uuid4().hex[:8]}"
    gateway.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        ProvisionedThroughput={"ReadCapacityUnits": 1000, "WriteCapacityUnits": 1000},
    )
    yield name
    gateway.delete_table(TableName=name)


def keys(bucket: str, prefix: str) -> list[str]:
    return [one["Key"] for one in s3().list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", ())]


def states(world: EmrWorld) -> list[str]:
    return [job.state for job in world.jobs]


@on_every_platform
def test_the_job_exports_the_table_and_the_task_returns_its_result(
    world: EmrWorld, export: Export, bucket: str, new_task: NewTask, where: dict[str, Any]
) -> None:
    result = export(where=where).execute(context_of(new_task()))

    assert (ITEMS, "new") == (result["item_count"], result["start"])
    assert result == json.loads(json.dumps(result))
    parts = keys(bucket, f"out/AWSDynamoDB/{result['export_id']}/data/")
    assert result["parts"] == len(parts) > 0
    assert [job.success for job in world.jobs] == states(world)


@on_every_platform
def test_the_code_is_on_s3_before_the_job_is_submitted(
    world: EmrWorld, export: Export, bucket: str, new_task: NewTask, where: dict[str, Any]
) -> None:
    there: list[str] = []
    world.after_submit = lambda _: there.extend(keys(bucket, "code/"))
    export(where=where).execute(context_of(new_task()))

    (job,) = world.jobs
    asked = json.dumps(job.asked)
    assert job.document == f"s3://{bucket}/code/jobs/{job.name}.json"
    assert [] == [key for key in there if f"s3://{bucket}/{key}" not in asked]
    assert [".json", ".py", ".zip"] == sorted(f".{key.rpartition('.')[2]}" for key in there)


def test_a_job_of_emr_serverless_has_the_seven_days_that_the_service_lets_one_have(
    world: EmrWorld, export: Export, new_task: NewTask
) -> None:
    export(where=PLATFORMS["serverless"]).execute(context_of(new_task()))

    assert 7 * 24 * 60 == world.jobs[0].asked["executionTimeoutMinutes"]


def test_no_number_of_looks_is_too_many(world: EmrWorld, export: Export, new_task: NewTask) -> None:
    world.at_look = lambda job: world.run(job) if job.looks > 500 else None
    export().execute(context_of(new_task()))

    assert 501 == world.jobs[0].looks


def importing(table: str, backup: str, bucket: str, where: str) -> EmrDynamoDBImportOperator:
    return EmrDynamoDBImportOperator(
        task_id="import",
        table_name=table,
        s3_uri=backup,
        ratio=1,
        ranges=3,
        code_s3_uri=f"s3://{bucket}/code",
        dependencies="none",
        poke_interval=0,
        **PLATFORMS[where],
    )


def test_a_backup_is_imported_and_every_item_accounted_for(
    world: EmrWorld, backup: str, copied: str, gateway: DynamoDBClient, bucket: str, new_task: NewTask
) -> None:
    result = importing(copied, backup, bucket, "serverless").execute(context_of(new_task()))

    assert ITEMS == gateway.scan(TableName=copied, Select="COUNT")["Count"]
    assert (ITEMS, ITEMS, 0) == (result["read"], result["written"], result["rejected"])
    assert 1 == len(world.jobs)


@on_every_platform
def test_a1_a_worker_killed_after_the_submit_adopts_the_job_on_retry(
    world: EmrWorld, export: Export, new_task: NewTask, where: dict[str, Any]
) -> None:
    """Killed with the reply of the service still under way: nothing of the job's id was stored anywhere."""
    task = new_task()

    def kill(_: FakeJob) -> None:
        raise Killed

    world.after_submit = kill
    with pytest.raises(Killed):
        export(where=where).execute(context_of(task))
    assert ["RUNNING"] == states(world)

    assert ITEMS == export(where=where).execute(context_of(task))["item_count"]
    assert 1 == len(world.jobs)


def test_a1_a_retry_after_the_commit_adopts_the_export_and_submits_nothing(
    world: EmrWorld, export: Export, new_task: NewTask
) -> None:
    task = new_task()
    first = export().execute(context_of(task))
    second = export().execute(context_of(task))

    assert (first["export_id"], "adopt") == (second["export_id"], second["start"])
    assert 1 == len(world.jobs)


def test_a1_clear_of_a_task_that_succeeded_makes_a_new_export(
    world: EmrWorld, export: Export, new_task: NewTask
) -> None:
    first = export().execute(context_of(new_task()))
    second = export().execute(context_of(new_task(max_tries=1)))

    assert first["export_id"] != second["export_id"]
    assert 2 == len({job.name for job in world.jobs})


def test_a1_clear_of_a_task_whose_job_still_runs_adopts_that(
    world: EmrWorld, export: Export, new_task: NewTask
) -> None:
    def kill(_: FakeJob) -> None:
        raise Killed

    world.after_submit = kill
    with pytest.raises(Killed):
        export().execute(context_of(new_task()))

    assert ITEMS == export().execute(context_of(new_task(max_tries=1)))["item_count"]
    assert 1 == len(world.jobs)


@on_every_platform
def test_a2_on_kill_cancels_the_job_and_the_retry_goes_on_with_another(
    world: EmrWorld, export: Export, new_task: NewTask, where: dict[str, Any]
) -> None:
    task = new_task()
    operator = export(where=where, poke_interval=600)
    world.after_submit = lambda _: operator.on_kill()
    with pytest.raises(Stopped, match="the job was cancelled"):
        operator.execute(context_of(task))
    assert [CANCELLED] == states(world)

    world.after_submit = lambda _: None
    result = export(where=where).execute(context_of(task))

    assert ITEMS == result["item_count"]
    assert [CANCELLED, world.jobs[1].success] == states(world)


def test_a2_a_kill_that_airflow_raises_in_the_wait_cancels_the_job(
    world: EmrWorld, export: Export, new_task: NewTask
) -> None:
    def kill(_: FakeJob) -> None:
        raise Killed

    world.at_look = kill
    with pytest.raises(Killed):
        export().execute(context_of(new_task()))

    assert [CANCELLED] == states(world)


@on_every_platform
def test_a_job_that_failed_is_followed_by_another_which_goes_on_from_the_checkpoints(
    world: EmrWorld, export: Export, bucket: str, new_task: NewTask, where: dict[str, Any]
) -> None:
    task = new_task()

    def fail(job: FakeJob) -> None:
        world.drive(job, ranges=1)
        job.fail("no space left on device.")

    world.at_look = fail
    with pytest.raises(EmrJobFailed) as caught:
        export(where=where).execute(context_of(task))
    said = str(caught.value)
    assert "no space left on device; 1 of 2 ranges are not finished: 1" in said
    assert "look at its logs below s3://logs/emr/" in said
    before = set(keys(bucket, "out/AWSDynamoDB/"))

    world.at_look = world.run
    result = export(where=where).execute(context_of(task))

    assert (ITEMS, "resume") == (result["item_count"], result["start"])
    kept = {key for key in keys(bucket, "out/AWSDynamoDB/") if "/data/" in key}
    assert {key for key in before if "/data/" in key} < kept
    assert ["FAILED", world.jobs[1].success] == states(world)


def test_a1_deferred_it_goes_on_with_the_same_job_in_another_process(
    world: EmrWorld, export: Export, new_task: NewTask
) -> None:
    where = PLATFORMS["serverless"]
    task = new_task()
    deferral = deferral_of(export(where=where, deferrable=True), context_of(task))
    restarted = EmrJobTrigger(**json.loads(json.dumps(deferral.trigger.serialize()[1])))

    (event,) = events_of(restarted)
    kept = json.loads(json.dumps(deferral.kwargs))
    result = getattr(export(where=where, deferrable=True), deferral.method_name)(
        context_of(task), event, **kept
    )

    assert ITEMS == result["item_count"]
    assert [job.success for job in world.jobs[:1]] == states(world)


def test_a1_a_triggerer_that_ends_leaves_the_job_alone(
    world: EmrWorld, export: Export, new_task: NewTask
) -> None:
    world.at_look = lambda _: None
    trigger = deferral_of(export(deferrable=True), context_of(new_task())).trigger

    async def end() -> None:
        waiting = asyncio.ensure_future(anext(trigger.run()))
        asleep = asyncio.Event()

        async def nap(_: float) -> None:
            asleep.set()
            await asyncio.Event().wait()

        trigger.sleep = nap
        await asleep.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(end())

    assert ["RUNNING"] == states(world)


def test_a2_a_person_who_ends_the_deferred_task_cancels_the_job(
    world: EmrWorld, export: Export, new_task: NewTask
) -> None:
    trigger = deferral_of(export(deferrable=True), context_of(new_task())).trigger
    asyncio.run(trigger.on_kill())

    assert [CANCELLED] == states(world)


def test_a2_a_kill_between_the_submission_and_the_deferral_cancels_the_job(
    world: EmrWorld, export: Export, new_task: NewTask
) -> None:
    operator = export(deferrable=True)
    world.after_submit = lambda _: operator.on_kill()
    with pytest.raises(Stopped, match="the job was cancelled"):
        operator.execute(context_of(new_task()))

    assert [CANCELLED] == states(world)


def test_a2_a_kill_says_so_where_emr_does_not_cancel_the_step(
    world: EmrWorld, export: Export, new_task: NewTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = RecordedLog()
    monkeypatch.setattr(EmrDynamoDBExportOperator, "log", log)
    operator = export(poke_interval=600)
    world.after_submit = lambda _: operator.on_kill()
    world.at_look, world.keeps = lambda _: None, "said by the test"
    with pytest.raises(Stopped) as caught:
        operator.execute(context_of(new_task()))

    assert "job job0 could not be cancelled and goes on; a retry adopts it" in str(caught.value)
    assert "was cancelled" not in str(caught.value)
    assert "said by the test" in log.text


def test_a_person_who_ends_the_deferred_task_reads_that_emr_does_not_cancel_the_step(
    world: EmrWorld, export: Export, new_task: NewTask
) -> None:
    trigger = deferral_of(export(deferrable=True), context_of(new_task())).trigger
    world.at_look, world.keeps = lambda _: None, "said by the test"
    with pytest.raises(UnexpectedReply, match="CancelSteps on step job0 of cluster j-1: said by the test"):
        asyncio.run(trigger.on_kill())


def test_a3_the_links_are_there_before_the_task_is_deferred(
    world: EmrWorld, export: Export, bucket: str, new_task: NewTask
) -> None:
    for where, link in (
        ("cluster", "emr_logs"),
        ("serverless", "emr_serverless_s3_logs"),
        ("containers", "emr_logs"),
    ):
        task = new_task(run_id=uuid.uuid4().hex)
        deferral_of(export(where=PLATFORMS[where], deferrable=True), context_of(task))

        assert {"dynamo_pipeline_s3_prefix", "dynamo_pipeline_table", link} <= set(task.pushed)
        assert ("emr_cluster" in task.pushed) is (where == "cluster")
        (job, *_) = world.jobs
        assert job.document.startswith(f"s3://{bucket}/")


def test_a3_progress_is_told_from_the_checkpoints_while_the_job_runs(
    world: EmrWorld, export: Export, new_task: NewTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_budget, "SystemClock", ManualClock)
    task = new_task()

    def half_first(job: FakeJob) -> None:
        if job.looks == 2:
            world.drive(job, ranges=1)
        if job.looks == 4:
            world.run(job)

    world.at_look = half_first
    operator = export(poke_interval=60)
    operator.execution_timeout = timedelta(hours=10)  # its clock is the test's
    operator.execute(context_of(task))

    told = task.pushed["progress"]
    assert [0, 1, 1] == [record["ranges_done"] for record in told]
    assert 0 < told[-1]["items"] < ITEMS
    assert "1/2 ranges" in told[-1]["line"]


def test_a_deferred_task_has_its_progress_in_the_triggerer_s_log(
    world: EmrWorld, export: Export, new_task: NewTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = RecordedLog()
    monkeypatch.setattr(EmrJobTrigger, "log", log)

    def half_first(job: FakeJob) -> None:
        if job.looks == 2:
            world.drive(job, ranges=1)
        else:
            world.run(job)

    world.at_look = half_first
    events_of(deferral_of(export(deferrable=True), context_of(new_task())).trigger)

    assert "1/2 ranges; rate asked 1,000.0" in log.text
    assert "is COMPLETED" in log.text


def test_what_is_wrong_is_all_said_at_once_and_before_anything_is_touched(
    world: EmrWorld, export: Export, bucket: str, new_task: NewTask
) -> None:
    wrong = {
        "s3_uri": "backups",
        "ratio": 9,
        "ranges": 1,
        "code_s3_uri": "code",
        "application_id": "app1",
        "spark_conf": {"executor.cores": 1},
    }
    with pytest.raises(AirflowFailException) as caught:
        export(**wrong).execute(context_of(new_task()))

    named = ["s3_uri", "ratio", "ranges", "code_s3_uri", "job_flow_id, application_id", "spark_conf"]
    assert [] == [name for name in named if f"\n{name}: " not in str(caught.value)]
    assert ([], []) == (world.jobs, keys(bucket, ""))


@on_every_platform
def test_a_place_that_is_gone_is_refused_before_the_export_is_planned(
    world: EmrWorld, export: Export, bucket: str, new_task: NewTask, where: dict[str, Any]
) -> None:
    world.cluster_state = "TERMINATED"
    with pytest.raises(AirflowFailException, match="is TERMINATED"):
        export(where=where).execute(context_of(new_task()))

    assert ([], []) == (world.jobs, keys(bucket, ""))


@on_every_platform
def test_a1_a_retry_adopts_what_was_committed_before_the_place_was_gone(
    world: EmrWorld, export: Export, new_task: NewTask, where: dict[str, Any]
) -> None:
    """The worker was lost after the commit, and a cluster that nobody needs ends by itself."""
    task = new_task()
    first = export(where=where).execute(context_of(task))
    world.cluster_state = "TERMINATED"
    second = export(where=where).execute(context_of(task))

    assert (first["export_id"], ITEMS, "adopt") == (
        second["export_id"],
        second["item_count"],
        second["start"],
    )


def test_a1_a_retry_adopts_the_import_that_was_committed_before_the_place_was_gone(
    world: EmrWorld, backup: str, copied: str, bucket: str, new_task: NewTask
) -> None:
    task = new_task()
    importing(copied, backup, bucket, "cluster").execute(context_of(task))
    world.cluster_state = "TERMINATED"
    result = importing(copied, backup, bucket, "cluster").execute(context_of(task))

    assert (ITEMS, "adopt") == (result["written"], result["start"])


def test_a_place_that_is_gone_is_refused_while_something_is_left_to_do(
    world: EmrWorld, export: Export, new_task: NewTask
) -> None:
    task = new_task()
    world.at_look = lambda job: job.fail("no space left on device.")
    with pytest.raises(EmrJobFailed):
        export().execute(context_of(task))
    world.cluster_state = "TERMINATED"

    with pytest.raises(AirflowFailException, match="is TERMINATED"):
        export().execute(context_of(task))
    assert 1 == len(world.jobs)


def test_a_table_that_is_not_there_is_refused_before_any_job(
    world: EmrWorld, export: Export, new_task: NewTask
) -> None:
    with pytest.raises(AirflowFailException, match="no-such-table"):
        export(table_name="no-such-table").execute(context_of(new_task()))

    assert [] == world.jobs


@pytest.mark.parametrize("deferrable", [True, False])
def test_trouble_of_the_moment_costs_a_look_and_not_the_job(
    world: EmrWorld,
    export: Export,
    new_task: NewTask,
    deferrable: bool,
) -> None:
    def refuse(job: FakeJob) -> None:
        world.refuses, world.at_look = "ThrottlingException", world.run
        del job

    world.at_look = refuse
    context, operator = context_of(new_task()), export(deferrable=deferrable)
    if deferrable:
        deferral = deferral_of(operator, context)
        (event,) = events_of(deferral.trigger)
        result = export().execute_complete(context, event, **deferral.kwargs)
    else:
        result = operator.execute(context)

    assert ITEMS == result["item_count"]


def test_a_deferred_task_that_may_not_look_fails_at_once(
    world: EmrWorld, export: Export, new_task: NewTask
) -> None:
    context = context_of(new_task())
    deferral = deferral_of(export(deferrable=True), context)
    world.refuses = "AccessDeniedException"
    (event,) = events_of(deferral.trigger)

    with pytest.raises(AirflowFailException, match="elasticmapreduce:DescribeStep"):
        export().execute_complete(context, event, **deferral.kwargs)


@pytest.mark.parametrize("way", ["deferred", "waiting", "just submitted"])
def test_a_task_that_may_not_look_says_that_its_job_goes_on_and_clear_adopts_it(
    world: EmrWorld, export: Export, new_task: NewTask, way: str
) -> None:
    def refuse(job: FakeJob) -> None:
        if way == "just submitted":
            world.refuses = "AccessDeniedException"
            return
        world.at_look = world.run
        raise error("AccessDeniedException")

    task = new_task()
    context = context_of(task)
    setattr(world, "after_submit" if way == "just submitted" else "at_look", refuse)

    def attempt() -> None:
        if way != "deferred":
            export().execute(context)
        deferral = deferral_of(export(deferrable=True), context)
        (event,) = events_of(deferral.trigger)
        export().execute_complete(context, event, **deferral.kwargs)

    with pytest.raises(AirflowFailException) as caught:
        attempt()

    assert "elasticmapreduce:DescribeStep" in str(caught.value)
    assert "job job0 was not cancelled and goes on; Clear adopts it" in str(caught.value)
    assert ITEMS == export().execute(context)["item_count"]
    assert ["COMPLETED"] == states(world)


def test_every_setting_is_a_templated_parameter() -> None:
    fields = set(EmrDynamoDBExportOperator.template_fields)

    assert {"table_name", "ratio", "ranges", "at_once", "job_flow_id", "spark_conf", "code_s3_uri"} <= fields
    assert fields - {"method", "segments"} - set(DynamoDBExportOperator.template_fields) <= set(
        EmrDynamoDBImportOperator.template_fields
    )


def test_a_job_is_told_which_export_to_go_on_with(world: EmrWorld, export: Export, new_task: NewTask) -> None:
    task = new_task()
    result = export(spark_conf='{"spark.executor.cores": 2}').execute(context_of(task))

    asked = json.loads(world.document(world.jobs[0]))
    work = RangeWork.from_json(asked["work"])
    assert (result["export_id"], 2, "0") == (work.id, work.ranges, work.generation)
    assert "spark.executor.cores=2" in world.jobs[0].asked["Steps"][0]["HadoopJarStep"]["Args"]

"""DynamoDBTableImportOperator through an Airflow connection to the fake: waiting, deferred and adopted."""

from __future__ import annotations

import asyncio
import copy
import importlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_dynamo_pipeline.adapters import native_imports
from airflow_dynamo_pipeline.airflow_versions import AirflowFailException, Asset
from airflow_dynamo_pipeline.engine.native_import import COERCIONS
from airflow_dynamo_pipeline.errors import Stopped
from airflow_dynamo_pipeline.operators.links import NativeImportLogLink
from airflow_dynamo_pipeline.operators.native_import import DynamoDBTableImportOperator
from tests.airflow.conftest import FakeTask, context_of
from tests.faults.attempts import BUCKET, items
from tests.faults.endpoint import Door
from tests.faults.import_backups import Laid, files, native_base
from tests.faults.native_import_world import PARAMETERS, TARGET, NativeWorld
from tests.services.clients import ACCESS_KEY, SECRET_KEY
from tests.unit.airflow_parts import OutletEventAccessors, deferral_of, environment

NewTask = Callable[..., FakeTask]
BOTH_WAYS = pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferrable"])
COUNT = 6
LONG = 1e6  # seconds: an import that does not end while a test runs


class Stage:
    """A fake AWS behind the connection ``aws_fake``, for as long as a test runs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, laid: Laid) -> None:
        self.world = NativeWorld(laid)
        self.world.book.seconds = 0.0
        self._monkeypatch = monkeypatch

    def at(self, door: Door) -> Stage:
        """Let the connection lead to a door."""
        urls = dict.fromkeys(("dynamodb", "s3", "logs", "sts"), door.url)
        self._monkeypatch.setenv(*environment("aws_fake", urls, ACCESS_KEY, SECRET_KEY))
        self.door = door
        return self

    def operator(self, **settings: Any) -> DynamoDBTableImportOperator:
        usual = {
            "task_id": "import",
            "table_name": TARGET,
            "s3_uri": self.world.uri,
            "table_definition": PARAMETERS,
            "aws_conn_id": "aws_fake",
            "poke_interval": 0.0,
        }
        return DynamoDBTableImportOperator(**{**usual, **settings})


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A native export of a few items in the bucket."""
    made = Stage(monkeypatch, native_base(items(COUNT)[:2], items(COUNT)[2:]))
    with made.world.aws.door() as door:
        yield made.at(door)


@pytest.fixture
def bad_stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Files of which the table refuses one item."""
    made = Stage(monkeypatch, files([*items(2), {"pk": {"N": "1"}}]))
    with made.world.aws.door() as door:
        yield made.at(door)


def run(operator: DynamoDBTableImportOperator, task: FakeTask, context: Any = None) -> Any:
    """Execute as Airflow does: if it defers, store the trigger and its arguments as JSON, and resume."""
    context = context or context_of(task)
    if not operator.deferrable:
        return operator.execute(context)
    deferral = deferral_of(operator, context)
    path, arguments = deferral.trigger.serialize()
    module, _, name = path.rpartition(".")
    trigger = getattr(importlib.import_module(module), name)(**json.loads(json.dumps(arguments)))

    async def first() -> Any:
        return (await anext(trigger.run())).payload

    event = json.loads(json.dumps(asyncio.run(first())))
    given = json.loads(json.dumps({**(deferral.kwargs or {}), "event": event}))
    return operator.resume_execution(deferral.method_name, given, context)


def test_every_setting_of_a_native_import_is_a_templated_parameter() -> None:
    assert set(COERCIONS) <= set(DynamoDBTableImportOperator.template_fields)


@BOTH_WAYS
def test_an_export_becomes_a_table_and_its_accounts_are_returned(
    stage: Stage, new_task: NewTask, deferrable: bool
) -> None:
    result = run(stage.operator(deferrable=deferrable), new_task())

    assert result == json.loads(json.dumps(result))
    assert {
        "import_arn": stage.world.book.made[0].arn,
        "table_arn": stage.world.book.made[0].table.arn,
        "table_name": TARGET,
        "status": "COMPLETED",
        "items": COUNT,
        "errors": 0,
        "processed_items": COUNT,
        "processed_bytes": stage.world.book.made[0].size,
        "restored": [],
        "not_restored": [],
    } == result
    assert COUNT == len(stage.world.items)


@BOTH_WAYS
def test_the_log_is_shown_and_the_accounts_are_told(
    stage: Stage, new_task: NewTask, deferrable: bool
) -> None:
    task, made = new_task(), Asset("dynamodb://us-east-1/restored")
    context = {**context_of(task), "outlet_events": OutletEventAccessors()}
    operator = stage.operator(deferrable=deferrable, outlets=[made])

    result = run(operator, task, context)

    (parts,) = task.pushed[NativeImportLogLink.key]
    assert NativeImportLogLink().format_link(**parts).endswith("/log-group/%2Faws-dynamodb%2Fimports")
    source = {"s3_uri": stage.world.uri, "manifest_uri": None}
    assert {**result, **source} == context["outlet_events"][made].extra


@BOTH_WAYS
def test_lineage_leads_from_what_it_began_with_to_the_table_that_it_made(
    stage: Stage, new_task: NewTask, deferrable: bool
) -> None:
    operator = stage.operator(deferrable=deferrable)
    result = run(operator, new_task())
    operator.s3_uri = "s3://elsewhere/rendered-anew"

    told = operator.get_openlineage_facets_on_complete(None)

    ((read,), (made,)) = told.inputs, told.outputs
    assert stage.world.uri.startswith(f"{read.namespace}/{read.name}/AWSDynamoDB/")
    assert result["table_arn"] == f"{made.namespace}:{made.name}"
    assert COUNT == made.outputFacets["outputStatistics"].rowCount


def test_settings_may_be_rendered_text(stage: Stage, new_task: NewTask) -> None:
    rendered = {
        "s3_uri": "None",
        "manifest_uri": stage.world.uri,
        "table_definition": json.dumps(PARAMETERS),
        "definition_s3_uri": "",
        "csv_columns": "None",
        "delete_partial": "False",
        "s3_bucket_owner": "123456789012",
    }

    assert COUNT == run(stage.operator(**rendered), new_task())["items"]
    assert "123456789012" == stage.world.book.made[0].request["S3BucketSource"]["S3BucketOwner"]


def test_every_setting_that_is_wrong_is_named_before_any_call(stage: Stage, new_task: NewTask) -> None:
    wrong = {
        "manifest_uri": f"s3://{BUCKET}/x",
        "table_definition": {"TableName": "other", "Tags": []},
        "file_format": "parquet",
        "delete_partial": "perhaps",
    }
    with pytest.raises(AirflowFailException) as caught:
        run(stage.operator(**wrong), new_task())

    said = str(caught.value)
    for words in ("'parquet'", "'perhaps'", "both are given", "manifest-summary.json", "Tags", "KeySchema"):
        assert words in said
    assert [] == stage.door.calls


@BOTH_WAYS
def test_a_failed_import_fails_the_task_at_once_with_its_log(
    bad_stage: Stage, new_task: NewTask, deferrable: bool
) -> None:
    with pytest.raises(AirflowFailException) as caught:
        run(bad_stage.operator(deferrable=deferrable), new_task())

    said = str(caught.value)
    for words in (
        "ItemValidationError",
        "2 items imported, 1 errors",
        "itemS3Pointer",
        f"table {TARGET} is left",
    ):
        assert words in said


def test_delete_partial_works_after_a_deferral(
    bad_stage: Stage, new_task: NewTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native_imports, "SystemClock", lambda: bad_stage.world.clock)
    with pytest.raises(AirflowFailException, match="was deleted, as delete_partial asks"):
        run(bad_stage.operator(deferrable=True, delete_partial=True), new_task())

    assert [] == bad_stage.world.tables


def test_templates_that_drift_while_a_task_is_deferred_do_not_change_what_it_does(
    stage: Stage, new_task: NewTask
) -> None:
    """Airflow renders templates once more before it resumes a task; this one names the table by a clock."""
    task = new_task()
    deferral = deferral_of(stage.operator(deferrable=True), context_of(task))
    given = json.loads(json.dumps(deferral.kwargs))
    resumed = stage.operator(table_name=f"{TARGET}_later", s3_uri="s3://elsewhere/later", table_definition={})

    event = {"status": "success", "arn": stage.world.book.made[0].arn}
    result = resumed.execute_complete(context_of(task), event, **given)

    assert (TARGET, COUNT) == (result["table_name"], result["items"])
    assert [TARGET] == stage.world.tables


def test_a_task_that_an_older_version_deferred_is_judged_by_its_templates(
    stage: Stage, new_task: NewTask
) -> None:
    task = new_task()
    operator = stage.operator(deferrable=True)
    given = {**deferral_of(operator, context_of(task)).kwargs}
    del given["settings"]

    event = {"status": "success", "arn": stage.world.book.made[0].arn}
    assert COUNT == operator.execute_complete(context_of(task), event, **given)["items"]


def test_counts_are_compared_with_the_manifest_after_a_deferral(stage: Stage, new_task: NewTask) -> None:
    task = new_task()
    stage.world.book.breaks_after = 3
    operator = stage.operator(deferrable=True)
    deferral_of(operator, context_of(task))
    stage.world.book.made[0].status = "COMPLETED"

    with pytest.raises(AirflowFailException, match="processed 3 items; the manifest lists 6"):
        operator.execute_complete(
            context_of(task),
            {"status": "success", "job_status": "COMPLETED", "arn": stage.world.book.made[0].arn},
            expected_items=COUNT,
        )


def test_what_the_trigger_could_not_see_fails_the_task_at_once(stage: Stage, new_task: NewTask) -> None:
    event = {"status": "error", "arn": "arn", "message": "access denied: dynamodb:DescribeImport"}

    with pytest.raises(AirflowFailException, match="access denied: dynamodb:DescribeImport"):
        stage.operator().execute_complete(context_of(new_task()), event)


@BOTH_WAYS
def test_a2_a_retry_adopts_the_import_of_a_worker_that_was_lost(
    stage: Stage, new_task: NewTask, deferrable: bool
) -> None:
    """The first attempt is gone after its deferral; nothing but DynamoDB knows of the import."""
    stage.world.book.seconds = LONG
    deferral_of(stage.operator(deferrable=True), context_of(new_task()))
    stage.world.clock.advance(LONG)

    result = stage.operator(deferrable=deferrable).execute(context_of(new_task()))

    assert (1, COUNT) == (len(stage.world.book.made), result["items"])
    assert stage.world.book.made[0].arn == result["import_arn"]


def test_a2_on_kill_ends_the_waiting_and_leaves_the_import_to_the_retry(
    stage: Stage, new_task: NewTask
) -> None:
    task = new_task()
    stage.world.book.seconds = LONG
    killed = stage.operator(poke_interval=3600.0)
    stage.door.before = lambda call: killed.on_kill() if call.operation == "ImportTable" else None

    with pytest.raises(Stopped, match="a retry adopts it"):
        killed.execute(context_of(task))
    stage.world.clock.advance(LONG)

    assert COUNT == run(stage.operator(), task)["items"]
    assert 1 == len(stage.world.book.made)


def test_a_table_that_exists_fails_the_task_at_once(stage: Stage, new_task: NewTask) -> None:
    stage.world.aws.dynamodb.create_table(TARGET)

    with pytest.raises(AirflowFailException, match="DynamoDBImportOperator writes into one that exists"):
        run(stage.operator(), new_task())
    assert [] == stage.world.book.made


def test_an_operator_can_be_copied_after_it_ran(stage: Stage, new_task: NewTask) -> None:
    operator = stage.operator()
    copy.deepcopy(operator)
    run(operator, new_task())

    assert TARGET == copy.copy(operator).table_name

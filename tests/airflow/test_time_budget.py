"""An ``execution_timeout`` under Airflow's own timer, which must never have to ring (A4)."""

import itertools
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_dynamo_pipeline.adapters.clock import SystemClock
from airflow_dynamo_pipeline.airflow_versions import execution_seconds_left
from airflow_dynamo_pipeline.engine.import_progress import ImportProgress
from airflow_dynamo_pipeline.errors import ServiceTrouble, Stopped
from airflow_dynamo_pipeline.hooks.dynamodb import DynamoDBPipelineHook
from airflow_dynamo_pipeline.operators import time_budget
from airflow_dynamo_pipeline.operators.native import DynamoDBPointInTimeExportOperator
from airflow_dynamo_pipeline.operators.running import failing_at_once
from airflow_dynamo_pipeline.operators.table_export import DynamoDBExportOperator
from airflow_dynamo_pipeline.operators.table_import import DynamoDBImportOperator
from airflow_dynamo_pipeline.operators.time_budget import TimeBudget
from airflow_dynamo_pipeline.operators.verify import DynamoDBVerifyOperator
from tests.airflow.conftest import ITEMS, FakeTask, context_of
from tests.clock import ManualClock
from tests.faults.native_export_world import URI, NativeWorld
from tests.services.clients import ACCESS_KEY, REGION, SECRET_KEY

try:
    from airflow.sdk.execution_time.timeout import timeout
except ImportError:
    from airflow.utils.timeout import timeout  # type: ignore[import-not-found, no-redef]

if TYPE_CHECKING:  # stubs, which only the checker has
    from mypy_boto3_s3 import S3Client

NewTask = Callable[..., FakeTask]
LIMIT = timedelta(minutes=10)  # of real time, on a clock that jumps to its end
SLOW = 2  # units per second


class JumpingClock(SystemClock):
    """The machine's clock, which is ten minutes ahead from a call on that a test chose."""

    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + JumpingClock.ahead


def jumping_at(patch: pytest.MonkeyPatch, operator: Any, operation: str, number: int) -> None:
    """Let the time of an operator's budget be over when it makes its so many-th call of an operation."""
    patch.setattr(time_budget, "SystemClock", JumpingClock)
    patch.setattr(JumpingClock, "ahead", 0.0)
    client, calls = operator.hook.client_for("dynamodb"), itertools.count(1)

    def jump(**_: Any) -> None:
        if next(calls) == number:
            JumpingClock.ahead = LIMIT.total_seconds()

    client.meta.events.register(f"before-call.dynamodb.{operation}", jump)
    original = type(operator.hook).client_for
    patch.setattr(
        type(operator.hook),
        "client_for",
        lambda self, service: client if service == "dynamodb" else original(self, service),
    )


def execute(operator: Any, task: FakeTask) -> Any:
    """Execute as Airflow does: its timer interrupts the main thread when the timeout is over."""
    try:
        with timeout(operator.execution_timeout.total_seconds()):
            return operator.execute(context_of(task))
    finally:
        assert [] == [each.name for each in threading.enumerate() if each.name.startswith("segment-")]


def first_line(caught: pytest.ExceptionInfo[BaseException]) -> str:
    return str(caught.value).splitlines()[0]


def exporting(table: str, bucket: str, **settings: Any) -> DynamoDBExportOperator:
    return DynamoDBExportOperator(
        task_id="export", table_name=table, s3_uri=f"s3://{bucket}/x", segments=2, **settings
    )


@pytest.mark.usefixtures("aws_default")
def test_a2_a4_an_export_ends_before_airflows_timer_rings_and_its_retry_reads_nothing_again(
    table: str, bucket: str, s3: "S3Client", new_task: NewTask
) -> None:
    slow = exporting(table, bucket, units_per_second=SLOW, execution_timeout=LIMIT)
    with pytest.MonkeyPatch.context() as patch:
        jumping_at(patch, slow, "Scan", 3)
        with pytest.raises(Stopped) as caught:
            execute(slow, new_task())

    assert "stopped in time: the execution_timeout of 0:10:00 is nearly over" in first_line(caught)
    assert "items are safe, and a retry goes on from the checkpoint" in first_line(caught)
    assert "to mend it: raise execution_timeout or retries" in first_line(caught)
    lease = [
        entry["Key"]
        for entry in s3.list_objects_v2(Bucket=bucket, Prefix="x/")["Contents"]
        if entry["Key"].endswith("lease.json")
    ]
    assert [True] == [
        json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())["released"] for key in lease
    ]
    result = exporting(table, bucket, ratio=1).execute(context_of(new_task()))
    assert ("resume", ITEMS) == (result["start"], result["item_count"])


@pytest.fixture
def copied(aws_default: None) -> Iterator[str]:
    """An empty table."""
    gateway = DynamoDBPipelineHook(aws_conn_id="aws_default").client_for("dynamodb")
    name = f"copied-{uuid.uuid4().hex[:8]}"
    gateway.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        ProvisionedThroughput={"ReadCapacityUnits": 1000, "WriteCapacityUnits": 1000},
    )
    yield name
    gateway.delete_table(TableName=name)


@pytest.mark.usefixtures("aws_default")
def test_a2_a4_an_import_ends_before_airflows_timer_rings_and_its_retry_writes_the_rest(
    table: str, copied: str, bucket: str, s3: "S3Client", new_task: NewTask
) -> None:
    uri = exporting(table, bucket, ratio=1).execute(context_of(new_task()))["manifest_uri"]

    def importing(**settings: Any) -> DynamoDBImportOperator:
        return DynamoDBImportOperator(task_id="import", table_name=copied, s3_uri=uri, **settings)

    slow = importing(units_per_second=20, execution_timeout=LIMIT)
    with pytest.MonkeyPatch.context() as patch:
        jumping_at(patch, slow, "BatchWriteItem", 2)
        with pytest.raises(Stopped) as caught:
            execute(slow, new_task())

    assert "items are safe, and a retry goes on from the checkpoint" in first_line(caught)
    leases = [
        json.loads(s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read())["released"]
        for entry in s3.list_objects_v2(Bucket=bucket, Prefix="x/")["Contents"]
        if "/_imports/" in entry["Key"] and "lease" in entry["Key"]
    ]
    assert [True] == leases
    result = importing(ratio=1).execute(context_of(new_task()))
    assert ("resume", ITEMS, ITEMS) == (result["start"], result["read"], result["written"])


@pytest.mark.usefixtures("aws_default")
def test_a4_a_comparison_ends_before_airflows_timer_rings_and_says_that_it_begins_anew(
    table: str, bucket: str, new_task: NewTask
) -> None:
    uri = exporting(table, bucket, ratio=1).execute(context_of(new_task()))["manifest_uri"]
    check = DynamoDBVerifyOperator(
        task_id="check", manifest_uri=uri, table_name=table, units_per_second=1, execution_timeout=LIMIT
    )

    with pytest.MonkeyPatch.context() as patch:
        jumping_at(patch, check, "Scan", 2)
        with pytest.raises(Stopped, match="a retry begins anew"):
            execute(check, new_task())


@pytest.mark.usefixtures("aws_default")
def test_a_dry_run_ends_in_time_and_says_that_it_begins_anew(
    table: str, copied: str, bucket: str, new_task: NewTask
) -> None:
    uri = exporting(table, bucket, ratio=1).execute(context_of(new_task()))["manifest_uri"]
    look = DynamoDBImportOperator(
        task_id="look", table_name=copied, s3_uri=uri, ratio=1, dry_run=True, execution_timeout=LIMIT
    )

    with pytest.MonkeyPatch.context() as patch:
        jumping_at(patch, look, "DescribeTable", 1)
        with pytest.raises(Stopped) as caught:
            execute(look, new_task())

    assert "nearly over; a dry run has no checkpoint, so a retry begins anew; " in first_line(caught)
    assert "goes on" not in first_line(caught)


@pytest.mark.usefixtures("aws_default")
def test_a2_on_kill_ends_a_comparison_with_files_alone(
    table: str, bucket: str, new_task: NewTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = exporting(table, bucket, ratio=1).execute(context_of(new_task()))["manifest_uri"]
    check = DynamoDBVerifyOperator(task_id="check", manifest_uri=uri)
    store = type(check.hook).reading_store

    def reading_store(*given: Any, **settings: Any) -> Any:
        settings["stop"].set()  # what on_kill does, at a moment that is known
        return store(*given, **settings)

    monkeypatch.setattr(type(check.hook), "reading_store", reading_store)
    with pytest.raises(Stopped, match="told to stop while reading files"):
        check.execute(context_of(new_task()))


@pytest.mark.usefixtures("aws_default")
def test_an_attempt_that_has_time_enough_is_not_touched(table: str, bucket: str, new_task: NewTask) -> None:
    quick = exporting(table, bucket, ratio=1, execution_timeout=LIMIT)

    assert ITEMS == execute(quick, new_task())["item_count"]


def test_a2_a4_a_native_export_is_left_to_the_retry_which_adopts_it(
    new_task: NewTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = NativeWorld()
    world.exports.looks = 10**6  # it never ends
    monkeypatch.setattr(time_budget, "SystemClock", ManualClock)
    with world.aws.door() as opened:
        extra = {"region_name": REGION, "endpoint_url": opened.url, "config_kwargs": {"proxies": {}}}
        known = {"conn_type": "aws", "login": ACCESS_KEY, "password": SECRET_KEY, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(known))
        export = DynamoDBPointInTimeExportOperator(
            task_id="native", table_name="orders", s3_uri=URI, execution_timeout=timedelta(minutes=10)
        )
        for _ in range(2):
            with pytest.raises(Stopped, match="goes on in DynamoDB, and a retry adopts it"):
                export.execute(context_of(new_task()))

    assert 1 == len(world.exports.made)


def test_only_a_stop_is_told_as_want_of_time() -> None:
    clock, stop = ManualClock(), threading.Event()
    budget = TimeBudget(timedelta(minutes=10), 600, stop, clock=clock)
    clock.advance(600)
    assert budget.clock is not None
    budget.clock.monotonic()

    with pytest.raises(ServiceTrouble, match=r"^503; to mend it"), failing_at_once(budget):
        raise ServiceTrouble("503")
    with pytest.raises(Stopped, match=r"^stopped in time"), failing_at_once(budget):
        raise Stopped("told to stop")


def test_a_stop_by_a_person_is_not_told_as_want_of_time() -> None:
    stop = threading.Event()
    budget = TimeBudget(timedelta(minutes=10), 600, stop, clock=ManualClock())
    stop.set()

    with pytest.raises(Stopped, match=r"^told to stop; to mend it"), failing_at_once(budget):
        raise Stopped("told to stop")


def test_an_import_says_how_many_items_are_accounted_for() -> None:
    budget = TimeBudget(timedelta(hours=1), 3600, threading.Event(), clock=ManualClock())
    figures = dict.fromkeys(ImportProgress.__dataclass_fields__, 0)
    budget.keep(ImportProgress(**{**figures, "items": 1234}))

    assert "1,234 items are safe, and a retry goes on from the checkpoint" in str(budget.error())


def test_where_nothing_is_known_to_be_safe_no_checkpoint_is_promised() -> None:
    budget = TimeBudget(timedelta(hours=1), 3600, threading.Event(), clock=ManualClock())

    assert "nearly over; a retry goes on with what was begun, if anything was" in str(budget.error())


@pytest.mark.parametrize("timeout", [None, timedelta(0)], ids=str)
def test_without_a_timeout_there_is_no_deadline(timeout: timedelta | None) -> None:
    left = execution_seconds_left(timeout, {})
    budget = TimeBudget(timeout, left, threading.Event())

    assert float("inf") == left

    assert budget.clock is None
    assert not budget.is_over


def test_after_a_deferral_airflow_2_counts_from_the_start_of_the_task() -> None:
    began_at = datetime.now(UTC) - timedelta(minutes=4)
    resumed = SimpleNamespace(next_method="execute_complete", start_date=began_at)
    fresh = SimpleNamespace(start_date=began_at)

    assert 360 == pytest.approx(execution_seconds_left(timedelta(minutes=10), {"ti": resumed}), abs=30)  # type: ignore[typeddict-item]
    assert 600 == execution_seconds_left(timedelta(minutes=10), {"ti": fresh})  # type: ignore[typeddict-item]

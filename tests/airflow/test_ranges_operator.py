"""The tasks of shared-out exports and imports against the real services, one attempt after the other."""

import itertools
import json
import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from airflow_dynamo_pipeline.airflow_versions import AirflowFailException, Asset, Stats
from airflow_dynamo_pipeline.errors import InvalidRequest, Stopped
from airflow_dynamo_pipeline.operators.links import DynamoDBTableLink, S3PrefixLink
from airflow_dynamo_pipeline.operators.ranges import (
    DynamoDBExportCommitOperator,
    DynamoDBExportPlanOperator,
    DynamoDBExportRangeOperator,
    DynamoDBImportCommitOperator,
    DynamoDBImportPlanOperator,
    DynamoDBImportRangeOperator,
)
from airflow_dynamo_pipeline.operators.table_export import DynamoDBExportOperator
from airflow_dynamo_pipeline.operators.table_import import DynamoDBImportOperator
from tests.airflow.conftest import ITEMS, FakeTask, context_of
from tests.airflow.test_time_budget import LIMIT, jumping_at
from tests.services import Services, aws_client
from tests.unit.airflow_parts import OutletEventAccessors

if TYPE_CHECKING:  # stubs, which only the checker has
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.usefixtures("aws_default")
NewTask = Callable[..., FakeTask]
Work = dict[str, Any]
RANGES = 3
MADE = Asset("s3://backups/orders")


class Export:
    """The tasks of one export."""

    def __init__(self, table: str, bucket: str, **settings: Any) -> None:
        self.bucket = bucket
        self.settings = {
            "table_name": table,
            "s3_uri": f"s3://{bucket}/exports",
            "segments": 6,
            "ratio": 1,
            **settings,
        }

    def plan(self, task: FakeTask, **settings: Any) -> list[Work]:
        given = {"ranges": RANGES, **self.settings, **settings}
        found: list[Work] = DynamoDBExportPlanOperator(task_id="plan", **given).execute(context_of(task))
        return found

    def range(self, work: Any, **settings: Any) -> DynamoDBExportRangeOperator:
        return DynamoDBExportRangeOperator(task_id="range", work=work, **{**self.settings, **settings})

    def commit(self, works: Any, **settings: Any) -> DynamoDBExportCommitOperator:
        return DynamoDBExportCommitOperator(task_id="commit", work=works, **{**self.settings, **settings})

    def all_of_it(self, task: FakeTask) -> dict[str, Any]:
        """From plan to commit."""
        works = self.plan(task)
        for work in works:
            self.range(work).execute(context_of(task))
        return self.commit(works).execute(context_of(task))


@pytest.fixture
def export(table: str, bucket: str) -> Export:
    return Export(table, bucket)


@pytest.fixture
def copied(services: Services) -> Iterator[str]:
    """An empty table."""
    dynamodb = aws_client("dynamodb", services.gateway_url)
    name = f"copied-{uuid.uuid4().hex[:8]}"
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        ProvisionedThroughput={"ReadCapacityUnits": 1000, "WriteCapacityUnits": 1000},
    )
    yield name
    dynamodb.delete_table(TableName=name)


def items_of(dynamodb: "DynamoDBClient", table: str) -> dict[str, Any]:
    """Every item by its key."""
    pages = dynamodb.get_paginator("scan").paginate(TableName=table)
    return {found["pk"]["S"]: found for page in pages for found in page["Items"]}


def keys_in(s3: "S3Client", bucket: str, prefix: str) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])]


def calling(patch: pytest.MonkeyPatch, operator: Any, operation: str, heard: Callable[[], None]) -> None:
    """Call ``heard`` before each of an operator's calls of an operation of DynamoDB."""
    client, original = operator.hook.client_for("dynamodb"), type(operator.hook).client_for
    client.meta.events.register(f"before-call.dynamodb.{operation}", lambda **_: heard())
    patch.setattr(
        type(operator.hook),
        "client_for",
        lambda self, service: client if service == "dynamodb" else original(self, service),
    )


def killed_at_call(operator: Any, operation: str, number: int, task: FakeTask) -> None:
    """Execute; ``on_kill`` comes with the so many-th call of an operation."""
    calls = itertools.count(1)

    def kill() -> None:
        if next(calls) == number:
            operator.on_kill()
            assert operator._stop.wait(60)

    with pytest.MonkeyPatch.context() as patch:
        calling(patch, operator, operation, kill)
        operator.execute(context_of(task))


def importing(table: str, manifest_uri: str, **settings: Any) -> dict[str, Any]:
    return {"table_name": table, "s3_uri": manifest_uri, "units_per_second": 10_000, **settings}


def test_what_was_exported_by_ranges_and_imported_by_ranges_is_the_same_table(
    export: Export, table: str, copied: str, dynamodb: "DynamoDBClient", new_task: NewTask
) -> None:
    exported = export.all_of_it(new_task())
    settings = importing(copied, exported["manifest_uri"])

    plan = DynamoDBImportPlanOperator(task_id="plan", ranges=RANGES, **settings)
    works = plan.execute(context_of(new_task()))
    each = [
        DynamoDBImportRangeOperator(task_id="range", work=work, **settings).execute(context_of(new_task()))
        for work in works
    ]
    total = DynamoDBImportCommitOperator(task_id="commit", work=works, **settings).execute(
        context_of(new_task())
    )

    assert (ITEMS, 6, 6) == (exported["item_count"], exported["segments"], exported["parts"])
    assert RANGES == len(works)
    assert (ITEMS, ITEMS, 0) == (total["read"], total["written"], total["rejected"])
    assert ITEMS == sum(one["written"] for one in each) > each[0]["written"] > 0
    assert items_of(dynamodb, table) == items_of(dynamodb, copied)
    assert works == json.loads(json.dumps(works))
    assert total == json.loads(json.dumps(total))


def test_each_range_says_what_it_holds(export: Export, new_task: NewTask) -> None:
    works = export.plan(new_task())

    found = [export.range(work).execute(context_of(new_task())) for work in works]

    assert [0, 1, 2] == [one["number"] for one in found]
    assert [0, 1, 2] == [one["first_segment"] for one in found]
    assert ITEMS == sum(one["item_count"] for one in found)
    assert found == json.loads(json.dumps(found))


def test_the_ranges_that_run_at_once_share_the_rate(export: Export, new_task: NewTask) -> None:
    works = export.plan(new_task(), at_once="2", ranges="3")
    found = export.range(works[0]).execute(context_of(new_task()))

    assert [2, 2, 2] == [work["at_once"] for work in works]
    assert 450 < found["units_per_second_asked"] <= 500


def test_a_commit_names_the_range_that_is_not_at_its_end_and_follows_it_then(
    export: Export, s3: "S3Client", new_task: NewTask
) -> None:
    works = export.plan(new_task())
    for number in (0, 2):
        export.range(works[number]).execute(context_of(new_task()))

    with pytest.raises(AirflowFailException, match="range 1: 2 of its 2 segments are not at their end") as no:
        export.commit(works).execute(context_of(new_task()))
    assert "range 0" not in str(no.value)
    assert [] == [key for key in keys_in(s3, export.bucket, "exports/") if "manifest" in key]

    export.range(works[1]).execute(context_of(new_task()))
    assert ITEMS == export.commit(works).execute(context_of(new_task()))["item_count"]


def test_an_imports_commit_names_the_range_that_was_not_finished(
    export: Export, copied: str, new_task: NewTask
) -> None:
    settings = importing(copied, export.all_of_it(new_task())["manifest_uri"])
    plan = DynamoDBImportPlanOperator(task_id="plan", ranges=RANGES, **settings)
    works = plan.execute(context_of(new_task()))
    for number in (0, 1):
        one = DynamoDBImportRangeOperator(task_id="range", work=works[number], **settings)
        one.execute(context_of(new_task()))

    with pytest.raises(AirflowFailException, match="range 2: was not finished"):
        DynamoDBImportCommitOperator(task_id="commit", work=works[0], **settings).execute(
            context_of(new_task())
        )


def test_a2_on_kill_stops_a_range_and_its_retry_reads_on(
    export: Export, s3: "S3Client", new_task: NewTask
) -> None:
    settings = {"ratio": None, "units_per_second": 30}
    works = export.plan(new_task(), **settings)
    with pytest.raises(Stopped):
        killed_at_call(export.range(works[1], **settings), "Scan", 3, new_task())
    folder = f"exports/AWSDynamoDB/{works[1]['id']}"
    lease = s3.get_object(Bucket=export.bucket, Key=f"{folder}/_checkpoint/ranges/0001.json")

    again = export.range(works[1]).execute(context_of(new_task()))

    assert json.loads(lease["Body"].read())["released"]
    assert "resume" == again["start"]
    for number in (0, 2):
        assert "new" == export.range(works[number]).execute(context_of(new_task()))["start"]
    record = export.commit(works).execute(context_of(new_task()))
    summary = s3.get_object(Bucket=export.bucket, Key=f"{folder}/manifest-summary.json")
    assert ITEMS == record["item_count"]
    assert ITEMS == json.loads(summary["Body"].read())["airflowDynamoPipeline"]["scannedCount"]


def test_a2_on_kill_stops_a_range_of_an_import_and_its_retry_writes_on(
    export: Export, copied: str, new_task: NewTask
) -> None:
    settings = importing(copied, export.all_of_it(new_task())["manifest_uri"], segments=1)
    plan = DynamoDBImportPlanOperator(task_id="plan", ranges=2, **settings)
    first, _ = plan.execute(context_of(new_task()))
    ranged = DynamoDBImportRangeOperator(task_id="range", work=first, **settings)
    with pytest.raises(Stopped):
        killed_at_call(ranged, "BatchWriteItem", 2, new_task())

    again = DynamoDBImportRangeOperator(task_id="range", work=first, **settings)

    assert "resume" == again.execute(context_of(new_task()))["start"]


def test_a1_clear_of_one_range_reads_nothing_that_is_there_before_and_after_the_commit(
    export: Export, new_task: NewTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    works = export.plan(new_task())
    for work in works:
        export.range(work).execute(context_of(new_task()))
    cleared = export.range(works[1])
    scans: list[int] = []
    calling(monkeypatch, cleared, "Scan", lambda: scans.append(1))

    before = cleared.execute(context_of(new_task(max_tries=1)))
    export.commit(works).execute(context_of(new_task()))
    after = cleared.execute(context_of(new_task(max_tries=2)))

    assert [] == scans
    assert ("resume", "adopt") == (before["start"], after["start"])
    assert before["item_count"] > 0
    assert "adopt" == export.commit(works).execute(context_of(new_task(max_tries=1)))["start"]


def test_a1_a_plan_that_is_retried_or_cleared_goes_on_until_its_export_is_complete(
    export: Export, new_task: NewTask
) -> None:
    first = export.plan(new_task())
    retried = export.plan(new_task())
    cleared = export.plan(new_task(max_tries=1), ranges=2)
    for work in cleared:
        export.range(work).execute(context_of(new_task()))
    export.commit(cleared).execute(context_of(new_task()))
    adopted = export.plan(new_task(max_tries=1))
    another = export.plan(new_task(max_tries=2))

    assert first == retried
    assert [work["id"] for work in first] == [work["id"] for work in cleared]
    assert [(first[0]["id"], True)] == [(work["id"], work["finished"]) for work in adopted]
    assert "adopt" == export.range(adopted[0]).execute(context_of(new_task()))["start"]
    assert first[0]["id"] != another[0]["id"]


def test_a4_a_range_ends_before_its_execution_timeout(
    export: Export, new_task: NewTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = {"ratio": None, "units_per_second": 10}
    works = export.plan(new_task(), **slow)
    ranged = export.range(works[0], execution_timeout=LIMIT, **slow)
    jumping_at(monkeypatch, ranged, "Scan", 3)

    with pytest.raises(Stopped, match="stopped in time: the execution_timeout of 0:10:00 is nearly over"):
        ranged.execute(context_of(new_task()))


def test_progress_metrics_and_links_are_of_the_range(
    export: Export, table: str, new_task: NewTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags: dict[str, dict[str, str]] = {}
    monkeypatch.setattr(Stats, "gauge", lambda name, _, **more: tags.update({name: more["tags"]}))
    works, task = export.plan(new_task()), new_task()

    record = export.range(works[2]).execute(context_of(task))

    assert record["item_count"] == task.pushed["progress"][-1]["items"] < ITEMS
    assert {"table": table, "range": "2"} == tags["dynamo_pipeline.export.items"]
    assert f"exports/AWSDynamoDB/{works[2]['id']}/" == task.pushed[S3PrefixLink.key][-1]["prefix"]
    assert table == task.pushed[DynamoDBTableLink.key][-1]["table_name"]


def tells_nothing(operator: Any) -> bool:
    """Whether OpenLineage hears of no dataset when a task begins, and none when it is done."""
    told = [
        operator.get_openlineage_facets_on_start(),
        operator.get_openlineage_facets_on_complete(FakeTask("run")),
    ]
    return not any(each.inputs or each.outputs for each in told)


def test_the_plans_tell_no_lineage() -> None:
    given: dict[str, Any] = {"task_id": "t", "table_name": "orders", "s3_uri": "s3://b/orders", "ranges": 2}

    assert tells_nothing(DynamoDBExportPlanOperator(**given))
    assert tells_nothing(DynamoDBImportPlanOperator(**given))


def test_the_commit_alone_tells_assets_and_lineage(export: Export, table: str, new_task: NewTask) -> None:
    task = new_task()
    works = export.plan(task)
    ranges = [export.range(work) for work in works]
    for one in ranges:
        one.execute(context_of(task))
    commit = export.commit(works, outlets=[MADE])
    context: Any = {**context_of(task), "outlet_events": OutletEventAccessors()}

    record = commit.execute(context)

    told: Any = commit.get_openlineage_facets_on_complete(task)
    assert {**record, "table_name": table} == context["outlet_events"][MADE].extra
    assert [ITEMS] == [each.outputFacets["outputStatistics"].rowCount for each in told.outputs]
    assert f"exports/AWSDynamoDB/{works[0]['id']}/" == task.pushed[S3PrefixLink.key][-1]["prefix"]
    for one in ranges:
        assert tells_nothing(one)


def test_an_imports_commit_tells_assets_and_lineage(export: Export, copied: str, new_task: NewTask) -> None:
    settings = importing(copied, export.all_of_it(new_task())["manifest_uri"])
    plan = DynamoDBImportPlanOperator(task_id="plan", ranges=2, **settings)
    works = plan.execute(context_of(new_task()))
    for work in works:
        one = DynamoDBImportRangeOperator(task_id="range", work=work, **settings)
        one.execute(context_of(new_task()))
        assert tells_nothing(one)
    commit = DynamoDBImportCommitOperator(task_id="commit", work=works, outlets=[MADE], **settings)
    context: Any = {**context_of(new_task()), "outlet_events": OutletEventAccessors()}

    record = commit.execute(context)

    told: Any = commit.get_openlineage_facets_on_complete(new_task())
    assert {**record, "s3_uri": [settings["s3_uri"]]} == context["outlet_events"][MADE].extra
    assert [ITEMS] == [each.outputFacets["outputStatistics"].rowCount for each in told.outputs]


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (
            lambda: DynamoDBExportPlanOperator(
                task_id="t", table_name="orders", s3_uri="orders", ratio=2, ranges="many", at_once=0
            ),
            ["s3_uri: 'orders'", "ratio: 2", "ranges: 'many' is not a number"],
        ),
        (
            lambda: DynamoDBImportPlanOperator(
                task_id="t", table_name="orders", s3_uri="s3://b", segments=99, ranges=1025, at_once=2000
            ),
            ["segments: 99", "ranges: 1,025 is not 2 to 1,024", "at_once: 2,000 is not 1 to 1,025"],
        ),
        (
            lambda: DynamoDBExportPlanOperator(task_id="t", table_name="orders", s3_uri="s3://b", ranges=""),
            ["ranges: is required"],
        ),
        (
            lambda: DynamoDBExportRangeOperator(
                task_id="t", table_name="orders", s3_uri="s3://b", ratio=2, work="None"
            ),
            ["ratio: 2", "work: 'None' is no range"],
        ),
        (
            lambda: DynamoDBImportCommitOperator(task_id="t", table_name="", s3_uri="s3://b", work=[]),
            ["table_name: is required", "work: None is no range"],
        ),
    ],
    ids=["export plan", "import plan", "nothing", "range", "commit"],
)
def test_all_that_is_wrong_is_said_at_once(
    made: Callable[[], Any], words: list[str], new_task: NewTask
) -> None:
    with pytest.raises(AirflowFailException) as caught:
        made().execute(context_of(new_task()))

    assert [] == [each for each in words if each not in str(caught.value)]


@pytest.mark.parametrize("name", ["method", "finish_within_seconds"])
def test_a_setting_that_an_export_by_ranges_does_not_have_is_refused_when_the_task_is_made(name: str) -> None:
    with pytest.raises(InvalidRequest, match=f"{name}: is"):
        DynamoDBExportPlanOperator(
            task_id="t", table_name="orders", s3_uri="s3://b", ranges=2, **{name: "auto"}
        )


def test_a_rehearsal_by_ranges_is_refused_when_the_task_is_made() -> None:
    with pytest.raises(InvalidRequest, match="dry_run: is for one task"):
        DynamoDBImportPlanOperator(task_id="t", table_name="o", s3_uri="s3://b", ranges=2, dry_run=True)


@pytest.mark.parametrize("kind", [DynamoDBExportRangeOperator, DynamoDBExportCommitOperator])
def test_work_may_be_json_text(kind: type[Any], export: Export, new_task: NewTask) -> None:
    works = export.plan(new_task())
    for work in works:
        export.range(json.dumps(work)).execute(context_of(new_task()))
    text = json.dumps(works if kind is DynamoDBExportCommitOperator else works[0])

    found = kind(task_id="t", work=text, **export.settings).execute(context_of(new_task()))

    assert works[0]["id"] == found["export_id"]


@pytest.mark.parametrize(
    ("of_one_task", "tasks"),
    [
        (
            DynamoDBExportOperator,
            (DynamoDBExportPlanOperator, DynamoDBExportRangeOperator, DynamoDBExportCommitOperator),
        ),
        (
            DynamoDBImportOperator,
            (DynamoDBImportPlanOperator, DynamoDBImportRangeOperator, DynamoDBImportCommitOperator),
        ),
    ],
)
def test_every_setting_of_one_task_is_a_templated_parameter_of_each(
    of_one_task: type[Any], tasks: tuple[type[Any], ...]
) -> None:
    without = {"method", "finish_within_seconds", "is_dry_run"}
    own = [{"ranges", "at_once"}, {"work"}, {"work"}]

    for task, more in zip(tasks, own, strict=True):
        assert (set(of_one_task.template_fields) - without) | more == set(task.template_fields)
        assert {"S3 prefix", "DynamoDB table"} == {link.name for link in task.operator_extra_links}

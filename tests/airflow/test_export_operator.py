"""DynamoDBExportOperator against the real services, one attempt after the other."""

import copy
import gzip
import itertools
import json
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from airflow_dynamo_pipeline.airflow_versions import AirflowFailException, Stats
from airflow_dynamo_pipeline.engine.requests import COERCIONS
from airflow_dynamo_pipeline.errors import Stopped
from airflow_dynamo_pipeline.operators.table_export import DynamoDBExportOperator
from airflow_dynamo_pipeline.operators.verify import DynamoDBVerifyOperator
from tests.airflow.conftest import ITEMS, FakeTask, context_of

if TYPE_CHECKING:  # stubs, which only the checker has
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.usefixtures("aws_default")
NewTask = Callable[..., FakeTask]


def operator(table: str, bucket: str, **settings: Any) -> DynamoDBExportOperator:
    return DynamoDBExportOperator(
        task_id="export", table_name=table, s3_uri=f"s3://{bucket}/exports", **{"ratio": 1, **settings}
    )


def keys_in(s3: "S3Client", bucket: str, prefix: str) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])]


def exported_keys(s3: "S3Client", bucket: str, export_id: str) -> Counter[str]:
    """How often each primary key stands in an export's files."""
    return Counter(
        json.loads(line)["Item"]["pk"]["S"]
        for key in keys_in(s3, bucket, f"exports/AWSDynamoDB/{export_id}/data/")
        for line in gzip.decompress(s3.get_object(Bucket=bucket, Key=key)["Body"].read()).splitlines()
    )


def each_once() -> Counter[str]:
    return Counter(f"k{number}" for number in range(ITEMS))


def test_every_setting_of_an_export_is_a_templated_parameter() -> None:
    assert set(COERCIONS) <= set(DynamoDBExportOperator.template_fields)


def test_templated_text_is_coerced_in_execute(
    table: str, bucket: str, s3: "S3Client", new_task: NewTask
) -> None:
    export = operator(
        table,
        bucket,
        ratio="1",
        units_per_second="None",
        segments="2",
        consistent_read="False",
        part_bytes="1048576",
        index_name="",
        keep_checkpoint="true",
    )

    result = export.execute(context_of(new_task()))

    assert ITEMS == result["item_count"]
    assert 2 == result["segments"]
    assert keys_in(s3, bucket, f"exports/AWSDynamoDB/{result['export_id']}/_checkpoint/")


def test_the_xcom_result_is_json_and_leads_to_every_item_once(
    table: str, bucket: str, s3: "S3Client", new_task: NewTask
) -> None:
    result = operator(table, bucket).execute(context_of(new_task()))

    assert result == json.loads(json.dumps(result))
    assert each_once() == exported_keys(s3, bucket, result["export_id"])
    assert (
        f"s3://{bucket}/exports/AWSDynamoDB/{result['export_id']}/manifest-summary.json"
        == result["manifest_uri"]
    )
    assert result["units_per_second_held"] <= result["units_per_second_asked"] == 1000
    plan = result["plan"]
    assert ("us-east-1", 1000, True) == (
        plan["region"],
        plan["units_per_second"],
        plan["dollars"] is not None,
    )
    assert result["consumed_units"] > 0
    assert "2026-03-04-05-06-07-" == result["export_id"][:20]


def test_progress_is_pushed_and_metrics_are_sent(
    table: str, bucket: str, new_task: NewTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    gauges: dict[str, float] = {}
    monkeypatch.setattr(Stats, "gauge", lambda name, value, **_: gauges.update({name: value}))
    task = new_task()

    operator(table, bucket).execute(context_of(task))

    assert ITEMS == task.pushed["progress"][-1]["items"]
    assert 1.0 == task.pushed["progress"][-1]["share_done"]
    assert ITEMS == gauges["dynamo_pipeline.export.items"]


def test_a_retry_after_the_commit_adopts_the_export(table: str, bucket: str, new_task: NewTask) -> None:
    first = operator(table, bucket).execute(context_of(new_task()))

    again = operator(table, bucket).execute(context_of(new_task()))

    assert "adopt" == again["start"]
    assert {**first, "start": "adopt"} == again


def test_clear_of_a_succeeded_task_makes_a_second_export_and_leaves_the_first(
    table: str, bucket: str, s3: "S3Client", new_task: NewTask
) -> None:
    first = operator(table, bucket).execute(context_of(new_task(max_tries=0)))
    before = keys_in(s3, bucket, f"exports/AWSDynamoDB/{first['export_id']}/")

    second = operator(table, bucket).execute(context_of(new_task(max_tries=1)))

    assert "new" == second["start"]
    assert first["export_id"] != second["export_id"]
    assert before == keys_in(s3, bucket, f"exports/AWSDynamoDB/{first['export_id']}/")


@pytest.mark.parametrize("max_tries", [0, 3], ids=["retry", "Clear"])
def test_a_stopped_export_is_resumed_without_reading_anything_twice(
    table: str, bucket: str, s3: "S3Client", new_task: NewTask, max_tries: int
) -> None:
    with pytest.raises(Stopped):
        stopped_after_pages(3, operator(table, bucket, units_per_second=20, ratio=None), new_task())

    result = operator(table, bucket).execute(context_of(new_task(max_tries=max_tries)))

    assert "resume" == result["start"]
    assert each_once() == exported_keys(s3, bucket, result["export_id"])
    summary = json.loads(
        s3.get_object(Bucket=bucket, Key=result["manifest_uri"].removeprefix(f"s3://{bucket}/"))[
            "Body"
        ].read()
    )
    assert ITEMS == summary["airflowDynamoPipeline"]["scannedCount"]


def test_a_stopped_export_leaves_a_checkpoint_and_no_unfinished_upload(
    table: str, bucket: str, s3: "S3Client", new_task: NewTask
) -> None:
    with pytest.raises(Stopped):
        stopped_after_pages(2, operator(table, bucket, units_per_second=20, ratio=None), new_task())

    keys = keys_in(s3, bucket, "exports/")
    assert [key for key in keys if "/_checkpoint/0000.json" in key]
    assert not [key for key in keys if "manifest" in key]
    assert [] == s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])


def stopped_after_pages(pages: int, export: DynamoDBExportOperator, task: FakeTask) -> None:
    """Run an export; ``on_kill`` comes with the so many-th page that is asked for."""
    asked = itertools.count(1)
    client = export.hook.client_for("dynamodb")

    def kill(**_: object) -> None:
        if next(asked) == pages:
            export.on_kill()
            assert export._stop is not None
            assert export._stop.wait(60)

    client.meta.events.register("before-call.dynamodb.Scan", kill)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(type(export.hook), "client_for", _clients_with(export.hook, client))
        export.execute(context_of(task))


def _clients_with(hook: Any, dynamodb: Any) -> Any:
    original = type(hook).client_for

    def client_for(self: Any, service: str) -> Any:
        return dynamodb if service == "dynamodb" else original(self, service)

    return client_for


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"ratio": 0}, "ratio: 0 is not above 0"),
        ({"ratio": 1.6}, "ratio: 1.6 is not above 0 and at most 1.5"),
        ({"ratio": "abc"}, "ratio: 'abc' is not a number"),
        ({"units_per_second": 5}, "ratio, units_per_second: both are given"),
        ({"segments": 0}, "segments: 0 is not 1 to 1,000,000"),
        ({"segments": 2_000_000}, "segments: 2,000,000 is not 1 to 1,000,000"),
        ({"s3_uri": "s3:///prefix"}, "s3_uri: 's3:///prefix' is not s3://bucket/prefix"),
    ],
)
def test_settings_that_cannot_work_fail_at_once(
    table: str, bucket: str, new_task: NewTask, settings: dict[str, Any], words: str
) -> None:
    export = operator(table, bucket)
    for name, value in settings.items():
        setattr(export, name, value)

    with pytest.raises(AirflowFailException, match=words.replace("(", r"\(")):
        export.execute(context_of(new_task()))


def test_a_missing_table_and_a_missing_bucket_fail_at_once_and_together(new_task: NewTask) -> None:
    with pytest.raises(AirflowFailException) as caught:
        operator("no-such-table", "no-such-bucket").execute(context_of(new_task()))

    assert "no such table: no-such-table" in str(caught.value)
    assert "no such bucket: no-such-bucket" in str(caught.value)


def test_an_operator_can_be_copied_before_and_after_it_ran(
    table: str, bucket: str, new_task: NewTask
) -> None:
    export = operator(table, bucket)
    copy.deepcopy(export)

    export.execute(context_of(new_task()))

    assert copy.copy(export).table_name == table


def test_the_check_passes_for_a_whole_export_and_names_what_is_missing(
    table: str, bucket: str, s3: "S3Client", new_task: NewTask
) -> None:
    result = operator(table, bucket).execute(context_of(new_task()))
    check = DynamoDBVerifyOperator(task_id="check", manifest_uri=result["manifest_uri"])
    assert ITEMS == check.execute({})["item_count"]

    part, *_ = keys_in(s3, bucket, f"exports/AWSDynamoDB/{result['export_id']}/data/")
    s3.delete_object(Bucket=bucket, Key=part)

    with pytest.raises(AirflowFailException, match=f"{part}: is in the manifest but not in the bucket"):
        check.execute({})

"""The example DAG that filters files of events by a lookup table, in a real Airflow."""

import gzip
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_dynamo_pipeline.hooks.dynamodb import DynamoDBPipelineHook
from tests.airflow.test_example_dags import dag_bag
from tests.demo.airflow_env import airflow_environment
from tests.demo.runs import AirflowFailed, migrate, run_dag
from tests.services import Services, aws_client, running_services
from tests.services.process import free_port

DAG_ID = "filter_events_by_lookup"
TABLE = "product_lookup"
BUCKET = "shop"
CONF = {"table_name": TABLE, "inputs_uri": f"s3://{BUCKET}/events", "s3_uri": f"s3://{BUCKET}/kept"}
Home = tuple[Services, dict[str, str], Path]


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    """A lookup table of every third product, an empty bucket, and an Airflow of its own."""
    with running_services() as services, tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        env = airflow_environment(path, services, free_port())
        migrate(env)
        prepare(services)
        yield services, env, path


def prepare(services: Services) -> None:
    dynamodb = aws_client("dynamodb", services.gateway_url)
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "product_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "product_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for number in range(0, 300, 3):
        dynamodb.put_item(TableName=TABLE, Item={"product_id": {"S": f"P{number}"}})
    aws_client("s3", services.moto_url).create_bucket(Bucket=BUCKET)


def line(number: int) -> bytes:
    """An event as others wrote it: with blanks and an order of names of their own."""
    return b'{"n": %d,  "product_id" : "P%d"}\n' % (number, number % 300)


def test_events_of_the_lookup_table_are_kept_and_a_repeated_run_writes_the_same(home: Home) -> None:
    services, env, path = home
    s3 = aws_client("s3", services.moto_url)
    lines = [line(number) for number in range(2500)]
    files = {
        "events/": b"",
        "events/a.jsonl.gz": gzip.compress(b"".join(lines)) + gzip.compress(line(3) + b"\n" + b'{"n": 0}\n'),
        "events/day/b.jsonl": b"".join([line(1), line(6)]).removesuffix(b"\n"),
        "events-of-others/c.jsonl": line(3),
    }
    for key, body in files.items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    kept = {
        "kept/a.jsonl.gz": [one for number, one in enumerate(lines) if number % 300 % 3 == 0] + [line(3)],
        "kept/day/b.jsonl": [line(6).removesuffix(b"\n")],
    }

    written = []
    for attempt in ("first", "second"):
        run_dag(DAG_ID, CONF, env, path / f"{attempt}.log")
        written.append(objects(s3, "kept/"))

    assert kept.keys() == written[0].keys()
    assert b"".join(kept["kept/a.jsonl.gz"]) == gzip.decompress(written[0]["kept/a.jsonl.gz"])
    assert b"".join(kept["kept/day/b.jsonl"]) == written[0]["kept/day/b.jsonl"]
    assert written[0] == written[1]
    log = (path / "second.log").read_text()
    assert f"a.jsonl.gz: {len(kept['kept/a.jsonl.gz'])} lines kept" in log
    assert "LookupStats(hits=" in log
    assert "misses=300, calls=" in log  # each product once, however many events it has


def objects(s3: Any, prefix: str) -> dict[str, bytes]:
    found = s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
    return {one["Key"]: s3.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read() for one in found}


def test_an_id_of_another_type_than_the_key_fails_the_run_and_writes_nothing(home: Home) -> None:
    services, env, path = home
    s3 = aws_client("s3", services.moto_url)
    s3.put_object(Bucket=BUCKET, Key="wrong/a.jsonl", Body=b'{"product_id": 5}\n')
    conf = {**CONF, "inputs_uri": f"s3://{BUCKET}/wrong", "s3_uri": f"s3://{BUCKET}/nothing"}

    with pytest.raises(AirflowFailed):
        run_dag(DAG_ID, conf, env, path / "fail.log")

    assert "product_id is 5; expected text" in (path / "fail.log").read_text()
    assert {} == objects(s3, "nothing/")


@pytest.mark.parametrize("results", ["s3://shop/events", "s3://shop/events/kept/"])
def test_results_are_not_written_among_the_events(results: str) -> None:
    filter_events = dag_bag().dags[DAG_ID].get_task("filter_events").python_callable

    with pytest.raises(ValueError, match="give another folder"):
        filter_events(TABLE, "s3://shop/events/", results, "1")


def test_a_lookup_of_a_hook_has_the_hooks_client_and_its_log(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, env, _ = home
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", env["AIRFLOW_CONN_AWS_DEFAULT"])

    lookup = DynamoDBPipelineHook().lookup(TABLE, ttl_seconds="5")

    assert {"P3": True, "P4": False} == lookup.contains(["P3", "P4"])

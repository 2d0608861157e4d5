"""The hook's clients: the connection's settings hold, the engine's retries win."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from airflow_dynamo_pipeline.engine.import_request import ImportRequest
from airflow_dynamo_pipeline.engine.prices import GB, prices_for
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.errors import InvalidRequest
from airflow_dynamo_pipeline.hooks.dynamodb import DynamoDBPipelineHook


@pytest.fixture(autouse=True)
def _connection(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {
        "region_name": "eu-central-1",
        "config_kwargs": {"connect_timeout": 7, "retries": {"mode": "legacy", "max_attempts": 9}},
        "service_config": {"s3": {"endpoint_url": "http://127.0.0.1:9"}},
    }
    connection = {"conn_type": "aws", "login": "a", "password": "b", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))


def config_of(client: Any) -> Any:
    return client.meta.config


def test_a_connections_settings_hold_and_the_engine_does_the_retries() -> None:
    config = config_of(DynamoDBPipelineHook().client_for("dynamodb"))

    assert 7 == config.connect_timeout
    assert {"mode": "standard", "total_max_attempts": 1} == config.retries


def test_an_operators_settings_hold() -> None:
    config = config_of(DynamoDBPipelineHook(config={"read_timeout": 5}).client_for("s3"))

    assert 5 == config.read_timeout
    assert 1 == config.retries["total_max_attempts"]


def test_each_service_has_its_own_endpoint_and_all_the_connections_region() -> None:
    hook = DynamoDBPipelineHook()

    assert "http://127.0.0.1:9" == hook.client_for("s3").meta.endpoint_url
    assert "eu-central-1" in hook.client_for("dynamodb").meta.endpoint_url
    assert "eu-central-1" == hook.dynamodb_client().meta.region_name


def test_the_region_of_an_operator_wins() -> None:
    assert "us-west-2" == DynamoDBPipelineHook(region_name="us-west-2").client_for("s3").meta.region_name


def test_ports_are_made_without_a_call() -> None:
    request = ExportRequest(table_name="orders", s3_uri="s3://backups/x")
    stop = threading.Event()

    ports = DynamoDBPipelineHook().export_ports(request, stop=stop, say=print, warn=print)

    assert ports.stop is stop


# --- prices ---------------------------------------------------------------------------------------

PRICES_FILE = "AIRFLOW__DYNAMO_PIPELINE__PRICES_FILE"


def price_of_an_import() -> float | None:
    """By the prices that the hook's ports for an import have."""
    asked = ImportRequest(table_name="orders", s3_uri=("s3://backups/x",))
    ports = DynamoDBPipelineHook().import_ports(asked, stop=threading.Event(), say=print, warn=print)
    return ports.prices("eu-central-1").native_import(GB)


def test_a_dag_is_planned_with_list_prices() -> None:
    assert prices_for("eu-central-1").native_import(GB) == price_of_an_import()


def test_a_dag_is_planned_with_the_prices_of_the_configuration(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ours = tmp_path / "ours.json"
    ours.write_text('{"import_gb": 7, "export_gb": 8}', "utf-8")
    monkeypatch.setenv(PRICES_FILE, str(ours))
    request = ExportRequest(table_name="orders", s3_uri="s3://backups/x")

    ports = DynamoDBPipelineHook().export_ports(request, stop=threading.Event(), say=print, warn=print)

    assert 7.0 == price_of_an_import()
    assert 8.0 == ports.prices("eu-central-1").native_export(GB)


def test_a_file_of_the_configuration_that_cannot_be_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PRICES_FILE, "/no/such/file.json")

    with pytest.raises(InvalidRequest, match="/no/such/file"):
        price_of_an_import()

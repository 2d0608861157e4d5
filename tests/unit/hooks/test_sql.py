"""Connections of Airflow that run SQL: where a login by IAM comes from, and what lineage calls a database."""

from __future__ import annotations

import json

import pytest

from airflow_dynamo_pipeline.errors import InvalidRequest
from airflow_dynamo_pipeline.hooks.sql import SqlConnection, redshift_connection

pytest.importorskip("airflow.providers.amazon.aws.hooks.redshift_sql", exc_type=ImportError)
HOST = "shop.abc.eu-west-1.redshift.amazonaws.com"


@pytest.fixture
def warehouse(monkeypatch: pytest.MonkeyPatch) -> SqlConnection:
    """A connection to Redshift by IAM; nothing but the AWS connection could name a region."""
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    extra = {"iam": True, "cluster_identifier": "shop"}
    made = {"conn_type": "redshift", "host": HOST, "login": "loader", "schema": "dev", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(made))
    monkeypatch.setenv("AIRFLOW_CONN_NIGHT", json.dumps(aws_connection({})))
    return redshift_connection("warehouse", "night")


def aws_connection(extra: dict[str, str]) -> dict[str, object]:
    return {"conn_type": "aws", "login": "testing", "password": "testing", "extra": extra}


def test_a_login_without_a_region_names_the_connection_that_has_to_have_one(warehouse: SqlConnection) -> None:
    with pytest.raises(InvalidRequest, match="region_name: ") as caught:
        warehouse.connect()

    (problem,) = caught.value.problems
    assert "give the AWS connection night a region_name, or set AWS_DEFAULT_REGION" == problem.hint


def test_lineage_knows_a_warehouse_by_its_cluster_and_region(
    warehouse: SqlConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("airflow.providers.openlineage.sqlparser")
    assert warehouse.dataset() is None

    monkeypatch.setenv("AIRFLOW_CONN_NIGHT", json.dumps(aws_connection({"region_name": "eu-west-1"})))
    assert ("redshift://shop.eu-west-1:5439", "dev") == redshift_connection("warehouse", "night").dataset()

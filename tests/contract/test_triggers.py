"""Every trigger of the package comes back from the database as it went in."""

import asyncio
import importlib
import inspect
import json
import pkgutil
from typing import Any

import pytest

from airflow_dynamo_pipeline import triggers
from airflow_dynamo_pipeline.airflow_versions import BaseTrigger
from airflow_dynamo_pipeline.triggers.dynamodb import DynamoDBConditionTrigger
from airflow_dynamo_pipeline.triggers.emr import EmrJobTrigger
from airflow_dynamo_pipeline.triggers.native import NativeJobTrigger
from tests.unit.scripted_aws import backups, table
from tests.unit.scripted_conditions import scripted

WATCH = {
    "kind": "export",
    "bucket": "backups",
    "prefix": "daily",
    "id": "2026-03-01-00-00-00-0a1b2c3d",
    "ranges": 8,
    "item_count": 1000,
    "units_per_second": 100.0,
}
EXAMPLES: dict[type[BaseTrigger], list[dict[str, Any]]] = {
    DynamoDBConditionTrigger: [
        {"condition": "provisioned_mode", "arguments": {"table_name": "orders"}, "poke_interval": 60.0},
        {
            "condition": "point_in_time_recovery",
            "arguments": {"table_name": "orders", "wanted_at": "2026-03-01T12:00:00+00:00"},
            "poke_interval": 0.5,
            "aws_conn_id": None,
            "region_name": "eu-west-1",
            "verify": "/etc/ssl/ca.pem",
            "botocore_config": {"read_timeout": 5},
        },
        {
            "condition": "units_available",
            "arguments": {"table_name": "orders", "ratio": 0.5, "index_name": None},
            "poke_interval": 60.0,
        },
        {
            "condition": "keys_exist",
            "arguments": {"uris": ["s3://exports/a", "s3://exports/b"], "match": "name"},
            "poke_interval": 60.0,
        },
    ],
    EmrJobTrigger: [
        {"emr": {"job_flow_id": "j-1"}, "job_id": "s-1", "watch": WATCH, "poke_interval": 30.0},
        {
            "emr": {"application_id": "00f1", "execution_role_arn": "arn:aws:iam::111122223333:role/job"},
            "job_id": "00r1",
            "watch": {**WATCH, "kind": "import"},
            "poke_interval": 0.5,
            "ends_at": "2026-03-01T12:00:00+00:00",
            "aws_conn_id": None,
            "region_name": "eu-west-1",
            "verify": False,
            "botocore_config": {"read_timeout": 5},
        },
    ],
    NativeJobTrigger: [
        {"kind": "export", "arn": "arn:aws:dynamodb:us-east-1:1:table/t/export/e", "poke_interval": 30.0},
        {
            "kind": "import",
            "arn": "arn:aws:dynamodb:us-east-1:1:table/t/import/i",
            "poke_interval": 0.5,
            "aws_conn_id": None,
            "region_name": "eu-west-1",
            "verify": False,
            "botocore_config": {"read_timeout": 5},
        },
    ],
}
CASES = [(kind, arguments) for kind, many in EXAMPLES.items() for arguments in many]


# What released versions stored in Airflow's database: a deferred task survives an upgrade. Never edit a line.
STORED: list[tuple[str, dict[str, Any]]] = [
    (
        "airflow_dynamo_pipeline.triggers.dynamodb.DynamoDBConditionTrigger",
        {
            "condition": condition,
            "arguments": arguments,
            "poke_interval": 60.0,
            "aws_conn_id": "aws_default",
            "region_name": None,
            "verify": None,
            "botocore_config": None,
        },
    )
    for condition, arguments in (
        ("provisioned_mode", {"table_name": "orders"}),
        ("point_in_time_recovery", {"table_name": "orders", "wanted_at": None}),
    )
]


def all_triggers() -> set[type[BaseTrigger]]:
    modules = [
        importlib.import_module(found.name)
        for found in pkgutil.walk_packages(triggers.__path__, f"{triggers.__name__}.")
    ]
    return {
        found
        for module in modules
        for _, found in inspect.getmembers(module, inspect.isclass)
        if issubclass(found, BaseTrigger) and found.__module__ == module.__name__
    }


def through_the_database(trigger: BaseTrigger) -> BaseTrigger:
    return rebuilt_from(*trigger.serialize())


def rebuilt_from(path: str, arguments: dict[str, Any]) -> BaseTrigger:
    module, _, name = path.rpartition(".")
    rebuilt: BaseTrigger = getattr(importlib.import_module(module), name)(**json.loads(json.dumps(arguments)))
    return rebuilt


def test_no_trigger_is_without_examples() -> None:
    assert all_triggers() == EXAMPLES.keys()


@pytest.mark.parametrize(("kind", "arguments"), CASES)
def test_it_comes_back_as_it_was(kind: type[BaseTrigger], arguments: dict[str, Any]) -> None:
    trigger = kind(**arguments)
    rebuilt = through_the_database(trigger)

    assert kind is type(rebuilt)
    assert trigger.serialize() == rebuilt.serialize()
    assert arguments.items() <= rebuilt.serialize()[1].items()


@pytest.mark.parametrize("kind", EXAMPLES)
def test_every_argument_of_its_making_is_kept(kind: type[BaseTrigger]) -> None:
    parameters = set(inspect.signature(kind).parameters)

    assert all(parameters == set(kind(**one).serialize()[1]) for one in EXAMPLES[kind])


@pytest.mark.parametrize(("path", "arguments"), STORED)
def test_what_an_earlier_version_stored_is_waited_for_by_this_one(
    monkeypatch: pytest.MonkeyPatch, path: str, arguments: dict[str, Any]
) -> None:
    recovery = arguments["condition"] == "point_in_time_recovery"
    scripted(monkeypatch, {"dynamodb": backups("ENABLED", 0, 60) if recovery else table()})
    trigger = rebuilt_from(path, arguments)

    async def first() -> Any:
        return await anext(trigger.run())

    assert (path, arguments) == trigger.serialize()
    assert "success" == asyncio.run(first()).payload["status"]

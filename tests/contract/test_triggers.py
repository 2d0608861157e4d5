"""Every trigger of the package comes back from the database as it went in."""

import importlib
import inspect
import json
import pkgutil
from typing import Any

import pytest

from airflow_dynamo_pipeline import triggers
from airflow_dynamo_pipeline.airflow_versions import BaseTrigger
from airflow_dynamo_pipeline.triggers.dynamodb import DynamoDBConditionTrigger

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
    ],
}
CASES = [(kind, arguments) for kind, many in EXAMPLES.items() for arguments in many]


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
    path, arguments = trigger.serialize()
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

"""Changes of a table's capacity mode that are tried under the policy printed for them."""

from __future__ import annotations

import uuid
from typing import Any

from airflow_dynamo_pipeline.operators.capacity import DynamoDBCapacityModeOperator
from tests.airflow.conftest import FakeTask, context_of
from tests.integration.policy_runs import Run
from tests.integration.policy_stage import KEY, Stage

OPERATOR = "DynamoDBCapacityModeOperator"


def _operate(stage: Stage, run_id: str, **settings: Any) -> dict[str, Any]:
    operator = DynamoDBCapacityModeOperator(
        task_id="capacity", table_name=stage.new_table, poll_seconds=0.01, **settings
    )
    return operator.execute(context_of(FakeTask(run_id)))


def _encrypt(stage: Stage) -> None:
    """The bucket encrypts by itself."""
    stage.keys[f"arn:aws:s3:::{stage.bucket}"] = KEY


def _there_and_back(stage: Stage) -> None:
    run_id, record = uuid.uuid4().hex, {"record_s3_uri": f"{stage.uri}/capacity"}
    there = _operate(stage, run_id, mode="provisioned", autoscaling_max_units=50, **record)
    assert "provisioned" == there["mode"]
    back = _operate(stage, run_id, restore=True, **record)
    assert (True, "on_demand") == (back["restored"], back["mode"])


def _there(stage: Stage) -> None:
    result = _operate(stage, uuid.uuid4().hex, mode="provisioned", read_units=7, write_units=8)
    assert (7, 8) == (result["read_units"], result["write_units"])


def _scaled(stage: Stage) -> None:
    _operate(stage, uuid.uuid4().hex, mode="provisioned", autoscaling_max_units=50)
    _operate(stage, uuid.uuid4().hex, mode="provisioned", autoscaling_max_units=60)


THERE_AND_BACK = Run(
    name="capacity, with autoscaling, recorded and put back",
    operator=OPERATOR,
    act=_there_and_back,
    arguments="--table {new_table} --record-s3-uri {uri}/capacity --s3-sse-kms-key-id {key}",
    prepare=_encrypt,
)
GIVEN = Run(
    name="capacity to given units", operator=OPERATOR, act=_there, arguments="--table {new_table} --no-sizing"
)
SCALED = Run(
    name="capacity with autoscaling",
    operator=OPERATOR,
    act=_scaled,
    arguments="--table {new_table} --autoscaling",
)
CAPACITIES = (THERE_AND_BACK, GIVEN, SCALED)

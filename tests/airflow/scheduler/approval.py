"""The story of two imports that wait for a person: one is approved, one is rejected."""

import json
from dataclasses import dataclass

from tests.airflow.scheduler.api import Instance
from tests.airflow.scheduler.exports import BUCKET
from tests.airflow.scheduler.running import wait_until
from tests.airflow.scheduler.world import World
from tests.services import aws_client

EXAMPLE = "import_with_approval"
APPROVED, REJECTED = "import-approved", "import-rejected"
BACKED_UP = 20


@dataclass(frozen=True, slots=True)
class Decided:
    """What a person saw, and what came of it."""

    body: str
    run_state: str
    import_state: str  # of the task ``restore``
    items: int  # in the table in the end


def imports_are_decided(world: World) -> dict[str, Decided]:
    """Two runs, and a person who answers each."""
    lines = "\n".join(json.dumps({"Item": {"pk": {"S": f"{number}"}}}) for number in range(BACKED_UP))
    aws_client("s3", world.services.moto_url).put_object(
        Bucket=BUCKET, Key="decided/part.json", Body=lines.encode()
    )
    for name in (APPROVED, REJECTED):
        aws_client("dynamodb", world.services.gateway_url).create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    world.airflow.wait_until_ready(frozenset({EXAMPLE}))
    begun = {name: _begin(world, name) for name in (APPROVED, REJECTED)}
    answers = {APPROVED: "Approve", REJECTED: "Reject"}
    return {name: _decide(world, name, begun[name], answers[name]) for name in begun}


def _begin(world: World, table_name: str) -> str:
    s3_uri = f"s3://{BUCKET}/decided/part.json"
    return world.airflow.api.trigger(EXAMPLE, table_name=table_name, s3_uri=s3_uri)


def _decide(world: World, table_name: str, run_id: str, answer: str) -> Decided:
    api = world.airflow.api
    approve, restore = (Instance(EXAMPLE, run_id, task) for task in ("approve", "restore"))
    wait_until("a question", lambda: api.look(approve)["state"] == "awaiting_input")
    wait_until("a scheduler that knows of it", lambda: _is_noted(world, approve))
    body = api.question(approve)
    api.answer(approve, answer)
    state = world.airflow.wait_for_end(approve)
    found = aws_client("dynamodb", world.services.gateway_url).scan(TableName=table_name, Select="COUNT")
    return Decided(body, state, api.look(restore)["state"], found["Count"])


def _is_noted(world: World, approve: Instance) -> bool:
    """Whether the scheduler saw that the task began to wait; an answer before that would fail the task."""
    mark = f"Finished: dag_id={EXAMPLE}, task_id={approve.task_id}, run_id={approve.run_id},"
    return any(mark in text for text in world.airflow.logs().values())

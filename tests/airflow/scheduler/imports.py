"""The story of an import whose task is killed between two writes."""

import json
from dataclasses import dataclass
from typing import Any

from tests.airflow.scheduler.api import Instance
from tests.airflow.scheduler.exports import BUCKET
from tests.airflow.scheduler.tap import Call
from tests.airflow.scheduler.world import World, wait_until_gone
from tests.services import aws_client

TABLE = "import-is-killed"
LINES = 300  # of each of two files
PASSING = 8  # batches before the kill


@dataclass(frozen=True, slots=True)
class Imported:
    """What the API and the table said in the end."""

    run_state: str
    attempts: int
    result: dict[str, Any]
    again: str  # the state of a second run
    keys: list[str]


def import_is_killed(world: World) -> Imported:
    """Two files of items; the first attempt is killed between two batches, a second run follows the retry."""
    _make_table(world)
    for part in ("a", "b"):
        _put_file(world, part)
    world.airflow.wait_until_ready()
    hold = world.dynamodb.hold(_is_write, passing=PASSING)
    instance = _begin(world)
    hold.wait_for(1)
    task = world.task(instance)
    task.kill()
    wait_until_gone(task)
    hold.release()
    state = world.airflow.wait_for_end(instance)
    api = world.airflow.api
    again = world.airflow.wait_for_end(_begin(world))
    return Imported(state, api.look(instance)["try_number"], api.result(instance), again, _keys(world))


def _begin(world: World) -> Instance:
    conf = {"table_name": TABLE, "s3_uri": f"s3://{BUCKET}/{TABLE}/"}
    return Instance("scheduler_import", world.airflow.api.trigger("scheduler_import", **conf), "import")


def _is_write(call: Call) -> bool:
    return call.operation == "BatchWriteItem" and TABLE in call.asked["RequestItems"]


def _make_table(world: World) -> None:
    aws_client("dynamodb", world.services.gateway_url).create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        ProvisionedThroughput={"ReadCapacityUnits": 1000, "WriteCapacityUnits": 1000},
    )


def _put_file(world: World, part: str) -> None:
    lines = [json.dumps({"Item": {"pk": {"S": f"{part}{number:04}"}}}) for number in range(LINES)]
    aws_client("s3", world.services.moto_url).put_object(
        Bucket=BUCKET, Key=f"{TABLE}/{part}.json", Body="\n".join(lines).encode()
    )


def _keys(world: World) -> list[str]:
    dynamodb = aws_client("dynamodb", world.services.gateway_url)
    pages = dynamodb.get_paginator("scan").paginate(TableName=TABLE)
    return sorted(str(item["pk"]["S"]) for page in pages for item in page["Items"])

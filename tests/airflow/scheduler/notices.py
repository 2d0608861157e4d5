"""The story of three runs that people are told of: one is done, one fails, one is late."""

import json
from dataclasses import dataclass

from tests.airflow.scheduler.api import Instance
from tests.airflow.scheduler.exports import BUCKET
from tests.airflow.scheduler.running import wait_until
from tests.airflow.scheduler.world import World
from tests.services import aws_client

EXAMPLE, LATE = "export_with_notices", "scheduler_late"
TOPIC, QUEUE = "dynamo-notices", "people"
GO_AHEAD = "late/go-ahead"
MESSAGES = 5  # done and failed, each of the task and of the run; late


@dataclass(frozen=True, slots=True)
class Told:
    """What people received, by subject, and what became of the runs."""

    name: str  # of the table
    messages: dict[str, str]
    states: tuple[str, str, str]  # done, failed, late
    runs: tuple[str, str, str]


def people_are_told(world: World) -> Told:
    """An export that succeeds, one of a table that is not there, a run that waits until it was told of."""
    queue = _listen(world)
    source = world.source("told")
    world.airflow.wait_until_ready(frozenset({EXAMPLE, LATE}))
    conf = {"s3_uri": source.s3_uri, "units_per_second": 1000}
    done = _begin(world, EXAMPLE, "check", table_name=source.name, **conf)
    failed = _begin(world, EXAMPLE, "check", table_name="no-such-table", **conf)
    late = _begin(world, LATE, "wait", ready_uri=f"s3://{BUCKET}/{GO_AHEAD}")
    messages: dict[str, str] = {}
    wait_until("all messages", lambda: len(_receive(world, queue, messages)) >= MESSAGES)
    aws_client("s3", world.services.moto_url).put_object(Bucket=BUCKET, Key=GO_AHEAD, Body=b"")
    first, second, third = (world.airflow.wait_for_end(each) for each in (done, failed, late))
    return Told(source.name, messages, (first, second, third), (done.run_id, failed.run_id, late.run_id))


def _begin(world: World, dag_id: str, task_id: str, **conf: object) -> Instance:
    return Instance(dag_id, world.airflow.api.trigger(dag_id, **conf), task_id)


def _listen(world: World) -> str:
    """Make the topic of the DAGs and a queue that gets what it is sent; returns the queue's URL."""
    sqs = aws_client("sqs", world.services.moto_url)
    sns = aws_client("sns", world.services.moto_url)
    url: str = sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=sns.create_topic(Name=TOPIC)["TopicArn"], Protocol="sqs", Endpoint=arn)
    return url


def _receive(world: World, queue: str, messages: dict[str, str]) -> dict[str, str]:
    sqs = aws_client("sqs", world.services.moto_url)
    for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
        body = json.loads(message["Body"])
        messages[body["Subject"]] = body["Message"]
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return messages

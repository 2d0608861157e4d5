"""Wait for a table, its capacity, an export or objects on S3 without holding a worker's slot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async

from airflow_dynamo_pipeline.adapters.aws_errors import translated
from airflow_dynamo_pipeline.adapters.conditions import check, services_of
from airflow_dynamo_pipeline.adapters.conditions_look import Clients
from airflow_dynamo_pipeline.airflow_versions import BaseTrigger, TriggerEvent
from airflow_dynamo_pipeline.engine.conditions import Verdict
from airflow_dynamo_pipeline.errors import PipelineError, Temporary
from airflow_dynamo_pipeline.hooks.dynamodb import DynamoDBPipelineHook
from airflow_dynamo_pipeline.operators.messages import told

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def client_of(hook: DynamoDBPipelineHook) -> DynamoDBClient:
    """The hook's client; assuming the connection's role, if it has one, is where this can fail."""
    with translated("sts:AssumeRole", f"connection {hook.aws_conn_id}"):
        return hook.dynamodb_client()


def clients_of(hook: DynamoDBPipelineHook, services: Iterable[str]) -> Clients:
    """A client for each service; assuming the connection's role, if it has one, is where this can fail."""
    with translated("sts:AssumeRole", f"connection {hook.aws_conn_id}"):
        return {
            service: hook.dynamodb_client() if service == "dynamodb" else hook.client_for(service)
            for service in services
        }


class DynamoDBConditionTrigger(BaseTrigger):
    """Looks at a condition until it is met.

    Fires ``{"status": "success", "message": what was seen}``, with ``"value"`` if the condition tells what it
    found, or ``{"status": "error", "message": why}`` as soon as it finds that waiting cannot help. Uses boto3
    in threads: no asynchronous AWS library. Which services a condition asks is not stored: what earlier
    versions stored is run by this one.

    :param condition: a key of ``adapters.conditions.CONDITIONS``.
    :param arguments: the condition's arguments, JSON-able.
    :param poke_interval: seconds between two looks.
    :param aws_conn_id: the AWS connection; None: boto3's own credential chain.
    :param region_name: AWS region; None: the connection's.
    :param verify: TLS verification, as boto3 takes it.
    :param botocore_config: settings of botocore's client.
    """

    def __init__(
        self,
        *,
        condition: str,
        arguments: Mapping[str, Any],
        poke_interval: float,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.condition = condition
        self.arguments = dict(arguments)
        self.poke_interval = poke_interval
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config
        self.sleep: Callable[[float], Awaitable[None]] = asyncio.sleep  # tests do not sleep

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and the arguments to make it again."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "condition": self.condition,
                "arguments": self.arguments,
                "poke_interval": self.poke_interval,
                "aws_conn_id": self.aws_conn_id,
                "region_name": self.region_name,
                "verify": self.verify,
                "botocore_config": self.botocore_config,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look, sleep, look again; ends with one event."""
        try:
            verdict = await self._wait()
        except PipelineError as error:
            yield TriggerEvent({"status": "error", "message": told(error)})
        else:
            found = {} if verdict.value is None else {"value": verdict.value}
            yield TriggerEvent({"status": "success", "message": verdict.seen, **found})

    async def _wait(self) -> Verdict:
        clients: Clients | None = None
        while True:
            try:
                # Airflow 3.0 looks connections up over its event loop, which only asgiref's threads can reach
                clients = clients or await sync_to_async(self._clients)()
                verdict = await asyncio.to_thread(check, clients, self.condition, self.arguments)
            except Temporary as error:
                self.log.warning("%s; looking again in %s s", error, self.poke_interval)
            else:
                self.log.info(verdict.seen)
                if verdict.met:
                    return verdict
            await self.sleep(self.poke_interval)

    def _clients(self) -> Clients:
        hook = DynamoDBPipelineHook(
            aws_conn_id=self.aws_conn_id,
            region_name=self.region_name,
            verify=self.verify,
            config=self.botocore_config,
        )
        return clients_of(hook, services_of(self.condition))

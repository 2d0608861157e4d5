"""Wait for a job that DynamoDB runs by itself without holding a worker's slot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async

from airflow_dynamo_pipeline.adapters.native_jobs import look
from airflow_dynamo_pipeline.airflow_versions import BaseTrigger, TriggerEvent
from airflow_dynamo_pipeline.engine.native_jobs import JobState
from airflow_dynamo_pipeline.errors import PipelineError, Temporary
from airflow_dynamo_pipeline.hooks.dynamodb import DynamoDBPipelineHook
from airflow_dynamo_pipeline.operators.messages import told
from airflow_dynamo_pipeline.triggers.dynamodb import client_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class NativeJobTrigger(BaseTrigger):
    """Looks at a native export or import until it has ended, well or not.

    Fires ``{"status": "success", "job_status": ..., "arn": ..., "message": what was seen}`` when the job has
    ended, as COMPLETED, FAILED or CANCELLED: the operator judges it. Fires ``{"status": "error", "arn": ...,
    "message": why}`` as soon as looking cannot help. Ending the trigger leaves the job alone. Uses boto3 in
    threads.

    :param kind: ``export`` or ``import``.
    :param arn: the job's ARN.
    :param poke_interval: seconds between two looks.
    :param aws_conn_id: the AWS connection; None: boto3's own credential chain.
    :param region_name: AWS region; None: the connection's.
    :param verify: TLS verification, as boto3 takes it.
    :param botocore_config: settings of botocore's client.
    """

    def __init__(
        self,
        *,
        kind: str,
        arn: str,
        poke_interval: float,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.kind = kind
        self.arn = arn
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
                "kind": self.kind,
                "arn": self.arn,
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
            state = await self._wait()
        except PipelineError as error:
            yield TriggerEvent({"status": "error", "arn": self.arn, "message": told(error)})
        else:
            yield TriggerEvent(
                {"status": "success", "job_status": state.status, "arn": self.arn, "message": state.seen}
            )

    async def _wait(self) -> JobState:
        client: DynamoDBClient | None = None
        while True:
            try:
                # Airflow 3.0 looks connections up over its event loop, which only asgiref's threads can reach
                client = client or await sync_to_async(self._client)()
                state = await asyncio.to_thread(look, client, self.kind, self.arn)
            except Temporary as error:
                self.log.warning("%s; looking again in %s s", error, self.poke_interval)
            else:
                self.log.info(state.seen)
                if state.ended:
                    return state
            await self.sleep(self.poke_interval)

    def _client(self) -> DynamoDBClient:
        return client_of(
            DynamoDBPipelineHook(
                aws_conn_id=self.aws_conn_id,
                region_name=self.region_name,
                verify=self.verify,
                config=self.botocore_config,
            )
        )

"""Wait for a Spark job on EMR without holding a worker's slot."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from asgiref.sync import sync_to_async

from airflow_dynamo_pipeline.adapters.clock import SystemClock
from airflow_dynamo_pipeline.adapters.emr_jobs import EmrJob, EmrJobs, left_running
from airflow_dynamo_pipeline.adapters.emr_settings import EmrSettings
from airflow_dynamo_pipeline.adapters.emr_watch import Watching, watch_from
from airflow_dynamo_pipeline.airflow_versions import BaseTrigger, TriggerEvent
from airflow_dynamo_pipeline.errors import PipelineError, Temporary
from airflow_dynamo_pipeline.hooks.dynamodb import DynamoDBPipelineHook
from airflow_dynamo_pipeline.operators.emr_hooks import jobs_on
from airflow_dynamo_pipeline.operators.messages import told


class EmrJobTrigger(BaseTrigger):
    """Looks at a job until it has ended, well or not, and logs its progress once a minute.

    Fires ``{"status": "success", "job": record of the job}`` when it has ended: the operator judges it;
    ``{"status": "timeout", "cancelled": whether it is}`` at ``ends_at``, of a job that has not ended then;
    ``{"status": "error", "message": why}`` as soon as looking cannot help, while the job goes on. No number
    of looks is too many. When a person ends the deferred task,
    the job is cancelled (Airflow 3.3 tells triggers so); when the triggerer ends, it is left alone, and the
    trigger goes on elsewhere. Uses boto3 in threads.

    :param emr: where the job runs: ``EmrSettings.to_json()``.
    :param job_id: the job's id.
    :param watch: where its checkpoints are: ``Watch.to_json()``.
    :param poke_interval: seconds between two looks.
    :param ends_at: the instant, by ISO 8601, at which to cancel the job and stop waiting; None: never.
    :param aws_conn_id: the AWS connection; None: boto3's own credential chain.
    :param region_name: AWS region; None: the connection's.
    :param verify: TLS verification, as boto3 takes it.
    :param botocore_config: settings of botocore's client.
    """

    def __init__(
        self,
        *,
        emr: Mapping[str, Any],
        job_id: str,
        watch: Mapping[str, Any],
        poke_interval: float,
        ends_at: str | None = None,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.emr = dict(emr)
        self.job_id = job_id
        self.watch = dict(watch)
        self.poke_interval = poke_interval
        self.ends_at = ends_at
        self.line: dict[str, Any] = {
            "aws_conn_id": aws_conn_id,
            "region_name": region_name,
            "verify": verify,
            "botocore_config": botocore_config,
        }
        self.sleep: Callable[[float], Awaitable[None]] = asyncio.sleep  # tests do not sleep
        self.now: Callable[[], datetime] = SystemClock().now

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and the arguments to make it again."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "emr": self.emr,
                "job_id": self.job_id,
                "watch": self.watch,
                "poke_interval": self.poke_interval,
                "ends_at": self.ends_at,
                **self.line,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look, sleep, look again; ends with one event."""
        try:
            with left_running(self.job_id):
                job = await self._wait()
        except PipelineError as error:
            yield TriggerEvent({"status": "error", "message": told(error)})
        else:
            ended = {"status": "success", "job": job.to_json()} if job else None
            yield TriggerEvent(ended or {"status": "timeout", "cancelled": await self._is_cancelled()})

    async def on_kill(self) -> None:
        """Cancel the job: a person has ended, cleared or marked the deferred task."""
        self.log.warning("the task was ended: cancelling job %s", self.job_id)
        await self._cancel()

    async def _wait(self) -> EmrJob | None:
        """The job after its end; None: it is too late to wait for that."""
        jobs: EmrJobs | None = None
        watching: Watching | None = None
        while True:
            try:
                # Airflow 3.0 looks connections up over its event loop, which only asgiref's threads can reach
                jobs = jobs or await sync_to_async(self._jobs)()
                watching = watching or await sync_to_async(self._watching)()
                job = await asyncio.to_thread(jobs.look, self.job_id)
            except Temporary as error:
                self.log.warning("%s; looking again in %s s", error, self.poke_interval)
            else:
                self.log.info(job.seen)
                if job.ended:
                    return job
                await self._tell(watching)
            if self._seconds_left() <= 0:
                return None
            await self.sleep(min(self.poke_interval, self._seconds_left()))

    async def _tell(self, watching: Watching) -> None:
        if self._seconds_left() <= 0:  # the job has to be cancelled now
            return
        progress = await asyncio.to_thread(watching.progress)
        if progress is not None:
            self.log.info(progress.line())

    async def _is_cancelled(self) -> bool:
        self.log.warning("the execution_timeout is nearly over: cancelling job %s", self.job_id)
        try:
            await self._cancel()
        except PipelineError as error:
            self.log.warning("job %s could not be cancelled: %s", self.job_id, error)
            return False
        return True

    async def _cancel(self) -> None:
        jobs = await sync_to_async(self._jobs)()
        await asyncio.to_thread(jobs.cancel, self.job_id)

    def _seconds_left(self) -> float:
        if self.ends_at is None:
            return math.inf
        return (datetime.fromisoformat(self.ends_at) - self.now()).total_seconds()

    def _jobs(self) -> EmrJobs:
        return jobs_on(EmrSettings.from_settings(self.emr), **self.line)

    def _watching(self) -> Watching:
        line = {**self.line, "config": self.line["botocore_config"]}
        del line["botocore_config"]
        s3 = DynamoDBPipelineHook(**line).client_for("s3")
        return Watching(watch_from(self.watch).look(s3, SystemClock()), SystemClock(), self.log.warning)

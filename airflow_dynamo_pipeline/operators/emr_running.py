"""How a task runs its work as a Spark job on EMR: plan, submit or adopt, wait or defer, take the result."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils import validate_execute_complete_event

from airflow_dynamo_pipeline.adapters.emr_jobs import (
    SUCCEEDED,
    EmrJob,
    EmrJobs,
    SparkSubmit,
    begin,
    check_succeeded,
    job_from,
    start_of,
)
from airflow_dynamo_pipeline.adapters.emr_settings import COERCIONS, EmrSettings
from airflow_dynamo_pipeline.adapters.emr_watch import Watch, Watching
from airflow_dynamo_pipeline.airflow_versions import Context, conf
from airflow_dynamo_pipeline.engine.ranges import RangeWork
from airflow_dynamo_pipeline.errors import PipelineError
from airflow_dynamo_pipeline.hooks.dynamodb import DynamoDBPipelineHook
from airflow_dynamo_pipeline.operators.emr_hooks import jobs_on
from airflow_dynamo_pipeline.operators.emr_links import EMR_LINKS, EmrLinks
from airflow_dynamo_pipeline.operators.emr_place import check_place
from airflow_dynamo_pipeline.operators.emr_waiting import AFTER_CANCELLING, JobWait, ends_at
from airflow_dynamo_pipeline.operators.emr_work import EmrWork, Request, put_code, put_job
from airflow_dynamo_pipeline.operators.links import region_of
from airflow_dynamo_pipeline.operators.range_tasks import both
from airflow_dynamo_pipeline.operators.running import (
    fail_at_once,
    failing_at_once,
    progress_report,
    stop_from_signal,
    work_of,
)
from airflow_dynamo_pipeline.operators.time_budget import TimeBudget
from airflow_dynamo_pipeline.spark.document import settings_of
from airflow_dynamo_pipeline.triggers.emr import EmrJobTrigger

EARLIER = timedelta(days=1)  # clocks differ, and a run may begin before its logical date


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What an attempt works with."""

    context: Context
    request: Request
    emr: EmrSettings
    links: EmrLinks
    work: EmrWork
    jobs: EmrJobs
    wait: JobWait
    budget: TimeBudget


class OnEmr(AwsBaseOperator[DynamoDBPipelineHook]):
    """The part of an operator that is the same for an export and an import."""

    operator_extra_links: Sequence[Any] = EMR_LINKS
    kind = ""
    _stop: threading.Event | None = None

    def __init__(
        self,
        *,
        ranges: int | str,
        code_s3_uri: str,
        at_once: int | str | None = None,
        job_flow_id: str | None = None,
        application_id: str | None = None,
        virtual_cluster_id: str | None = None,
        execution_role_arn: str | None = None,
        release_label: str | None = None,
        log_uri: str | None = None,
        dependencies: str | None = None,
        architecture: str | None = None,
        python_path: str | None = None,
        spark_conf: Mapping[str, Any] | str | None = None,
        poke_interval: float = 30.0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.ranges = ranges
        self.code_s3_uri = code_s3_uri
        self.at_once = at_once
        self.job_flow_id = job_flow_id
        self.application_id = application_id
        self.virtual_cluster_id = virtual_cluster_id
        self.execution_role_arn = execution_role_arn
        self.release_label = release_label
        self.log_uri = log_uri
        self.dependencies = dependencies
        self.architecture = architecture
        self.python_path = python_path
        self.spark_conf = spark_conf
        self.poke_interval = poke_interval
        self.deferrable = deferrable

    def execute(self, context: Context) -> dict[str, Any]:
        """Plan, run the job or adopt the one that runs, and return its result."""
        budget = self._begun(context)
        with failing_at_once(budget):
            request, emr = both(lambda: self._request(self._asked()), self._emr)
            attempt = self._attempt(context, request, emr, budget)
            run = work_of(context, self.retries)
            check_place(attempt.jobs, attempt.work, run)
            part = attempt.work.plan(run, emr.ranges, emr.at_once)
            begun = {} if part.finished else {"start": start_of(self._run(attempt, part))}
            record = {**attempt.work.commit(part), **begun}
        return self._told(context, request, record)

    def execute_complete(
        self,
        context: Context,
        event: dict[str, Any] | None = None,
        *,
        settings: Mapping[str, Any],
        emr: Mapping[str, Any],
        part: Mapping[str, Any],
        job: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Go on after the deferral, with the settings that were rendered before it."""
        found = validate_execute_complete_event(event)
        if found["status"] == "error":
            fail_at_once(found["message"])
        budget = self._begun(context)
        with failing_at_once(budget):
            request, where = self._request(settings), EmrSettings.from_settings(emr)
            attempt = self._attempt(context, request, where, budget)
            ended = job_from(found.get("job") or job)
            attempt.links.job(where, ended)
            if found["status"] == "timeout":
                budget.retry = AFTER_CANCELLING if found.get("cancelled") else attempt.wait.cancel(ended)
                raise budget.error()
            self.log.info(ended.seen)
            whole = RangeWork.from_json(part)
            check_succeeded(ended, self._left(attempt, whole, ended))
            record = {**attempt.work.commit(whole), "start": start_of(ended)}
        return self._told(context, request, record)

    def on_kill(self) -> None:
        """Cancel the job: the wait that this ends does so."""
        if self._stop is not None:
            stop_from_signal(self._stop, self.log.info, "the job is cancelled")

    @abstractmethod
    def _request(self, given: Mapping[str, Any]) -> Request:
        """Read settings; raises InvalidRequest."""

    @abstractmethod
    def _asked(self) -> dict[str, Any]:
        """The settings of the request, by name."""

    @abstractmethod
    def _work(self, request: Any, budget: TimeBudget) -> EmrWork:
        """The request as a job on EMR sees it."""

    @abstractmethod
    def _shown(self, request: Any) -> str:
        """The URI to link to."""

    @abstractmethod
    def _told(self, context: Context, request: Any, record: dict[str, Any]) -> dict[str, Any]:
        """Tell assets and lineage, and return the record."""

    def _begun(self, context: Context) -> TimeBudget:
        self._stop = threading.Event()
        return TimeBudget.of(self, context, self._stop)

    def _emr(self) -> EmrSettings:
        return EmrSettings.from_settings({name: getattr(self, name) for name in COERCIONS})

    def _attempt(self, context: Context, request: Request, emr: EmrSettings, budget: TimeBudget) -> _Attempt:
        links = EmrLinks(self, context)
        links.of(self._shown(request), request.table_name)
        work, jobs = self._work(request, budget), jobs_on(emr, **self._line())
        wait = JobWait(jobs, work.clock, budget, self.poke_interval, self.log)
        return _Attempt(context, request, emr, links, work, jobs, wait, budget)

    def _line(self) -> dict[str, Any]:
        return {
            "aws_conn_id": self.aws_conn_id,
            "region_name": self.region_name,
            "verify": self.verify,
            "botocore_config": self.botocore_config,
        }

    def _run(self, attempt: _Attempt, part: RangeWork) -> EmrJob:
        """The job for the ranges at its end; raises EmrJobFailed, or defers."""
        watch = attempt.work.watch(part)  # what may fail does so before anything is submitted
        watching = self._watching(attempt, watch)
        job = self._begin(attempt, part)
        attempt.links.job(attempt.emr, job)
        if self.deferrable and not (job.ended or (self._stop and self._stop.is_set())):  # the wait cancels it
            self._defer(attempt, part, job, watch)
        ended = attempt.wait.ended(job, self._teller(attempt, watching))
        self.log.info(ended.seen)
        check_succeeded(ended, "" if ended.phase == SUCCEEDED else watching.unfinished())
        return ended

    def _begin(self, attempt: _Attempt, part: RangeWork) -> EmrJob:
        since = min(part.work.began_at, attempt.work.clock.now()) - EARLIER
        make, settled = self._maker(attempt, part), attempt.wait.settled
        return begin(attempt.jobs, self.kind, part, since, make, self.log.info, settled=settled)

    def _maker(self, attempt: _Attempt, part: RangeWork) -> Callable[[str, str], SparkSubmit]:
        """What puts the code and the document of a new job on S3."""
        request, emr = attempt.request, attempt.emr

        def make(name: str, token: str) -> SparkSubmit:
            store = self.hook.reading_store(emr.code, self.log.warning, stop=self._stop)
            code = put_code(store, emr, attempt.work)
            entry_point, document = put_job(store, emr, name, request, part, region_of(self))
            arguments = [document]
            return SparkSubmit(
                name=name, token=token, entry_point=entry_point, arguments=arguments, conf=emr.conf(code)
            )

        return make

    def _teller(self, attempt: _Attempt, watching: Watching) -> Callable[[], None]:
        tags = {"table": attempt.request.table_name}
        report = progress_report(attempt.context, self.log.info, self.kind, tags)

        def tell() -> None:
            progress = watching.progress()
            if progress is not None:
                report(progress)

        return tell

    def _watching(self, attempt: _Attempt, watch: Watch) -> Watching:
        clock, s3 = attempt.work.clock, self.hook.client_for("s3")
        return Watching(watch.look(s3, clock), clock, self.log.warning)

    def _left(self, attempt: _Attempt, part: RangeWork, job: EmrJob) -> str:
        """Which ranges are not finished, of a job that failed; empty where nobody can tell."""
        if job.phase == SUCCEEDED:
            return ""
        try:
            watching = self._watching(attempt, attempt.work.watch(part))
        except PipelineError as error:
            self.log.warning("the checkpoints could not be read: %s", error)
            return ""
        return watching.unfinished()

    def _defer(self, attempt: _Attempt, part: RangeWork, job: EmrJob, watch: Watch) -> None:
        over_at = ends_at(self.execution_timeout, attempt.context)
        self.defer(
            trigger=EmrJobTrigger(
                emr=attempt.emr.to_json(),
                job_id=job.job_id,
                watch=watch.to_json(),
                poke_interval=self.poke_interval,
                ends_at=over_at.isoformat() if over_at else None,
                **self._line(),
            ),
            method_name=self.execute_complete.__name__,
            kwargs={  # templates may render otherwise by then
                "settings": settings_of(attempt.request),
                "emr": attempt.emr.to_json(),
                "part": part.to_json(),
                "job": job.to_json(),
            },
        )

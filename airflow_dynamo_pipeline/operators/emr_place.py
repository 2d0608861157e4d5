"""Whether a job can run where it is asked to: a question only while there is something left to do."""

from __future__ import annotations

from airflow_dynamo_pipeline.adapters.emr_jobs import EmrJobs
from airflow_dynamo_pipeline.engine.existing import Start
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.errors import InvalidRequest, PipelineError
from airflow_dynamo_pipeline.operators.emr_work import EmrWork


def check_place(jobs: EmrJobs, work: EmrWork, run: Work) -> None:
    """Raise why no job can run here now; changes nothing.

    A retry that has only to adopt what an earlier job committed needs no job: its cluster may have ended by
    itself by then.
    """
    try:
        problems = list(jobs.problems())
        if problems:
            raise InvalidRequest(problems)
    except PipelineError:
        if not _is_finished(work, run):
            raise


def _is_finished(work: EmrWork, run: Work) -> bool:
    try:
        return work.start(run) is Start.ADOPT
    except PipelineError:  # what is wrong with the place is said first
        return False

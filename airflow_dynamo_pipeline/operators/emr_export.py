"""Export a table by a Spark job on EMR."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from airflow.providers.amazon.aws.utils.mixins import aws_template_fields

from airflow_dynamo_pipeline.adapters.emr_settings import COERCIONS as EMR_SETTINGS
from airflow_dynamo_pipeline.airflow_versions import Context
from airflow_dynamo_pipeline.engine.requests import COERCIONS, ExportRequest
from airflow_dynamo_pipeline.operators.assets import announce
from airflow_dynamo_pipeline.operators.emr_links import EMR_LINKS
from airflow_dynamo_pipeline.operators.emr_running import OnEmr
from airflow_dynamo_pipeline.operators.emr_work import ExportWork
from airflow_dynamo_pipeline.operators.table_export import DynamoDBExportOperator
from airflow_dynamo_pipeline.operators.time_budget import TimeBudget


class EmrDynamoDBExportOperator(OnEmr, DynamoDBExportOperator):
    """Export a table as ``DynamoDBExportOperator`` does, by a Spark job on EMR on EC2, EMR Serverless or EKS.

    The task decides the export and refuses what cannot work before any job is submitted. Then it puts the
    job's code on S3, submits the job or adopts the one that an earlier attempt submitted, and waits for it,
    however long it takes. The job's executors work on the ranges; its driver commits. Files, manifest and
    record are those of ``DynamoDBExportOperator``.

    A retry adopts a job that runs. After a job that failed it submits another, which goes on from the
    checkpoints; so does Clear. Clear of a task that succeeded makes a second export. A task that is killed,
    or whose ``execution_timeout`` is over, cancels its job; without ``execution_timeout`` no time limit does,
    but that of EMR Serverless: seven days.

    Takes all settings of ``DynamoDBExportOperator`` but ``method`` and ``finish_within_seconds``, exactly one
    of ``job_flow_id``, ``application_id`` and ``virtual_cluster_id``, and:

    :param ranges: how many ranges the job works on, 2 to 1,024.
    :param at_once: how many of them at the same time at most, each at its share of the rate; default: all.
    :param code_s3_uri: where the job's code goes, ``s3://bucket/prefix``: under version and hash.
    :param job_flow_id: a cluster of EMR on EC2, which must be alive.
    :param application_id: a Spark application of EMR Serverless.
    :param virtual_cluster_id: a virtual cluster of EMR on EKS.
    :param execution_role_arn: the role that the job works by; on a cluster optional.
    :param release_label: of EMR on EKS: the release, as ``emr-7.5.0-latest``.
    :param log_uri: where the job's logs go, ``s3://bucket/prefix``; default: where the place puts them.
    :param dependencies: ``fetch`` (default): pip on the worker fetches what the job needs, and it travels
        with the code; ``none``: the machines have it; or the ``s3://`` URI of a zip file with it.
    :param architecture: of the machines, for ``fetch``: ``x86_64`` (default) or ``arm64``.
    :param python_path: of Python 3.11 or newer on the machines, with ``fetch`` of 3.11; default:
        ``/usr/bin/python3.11`` on a cluster, elsewhere the image's own.
    :param spark_conf: Spark's settings, put over this package's own; ``spark.archives`` and
        ``spark.submit.pyFiles`` are added to them.
    :param poke_interval: seconds between two looks at the job; default 30.
    :param deferrable: wait in the triggerer; default: Airflow's ``default_deferrable``.
    """

    template_fields: Sequence[str] = aws_template_fields(*COERCIONS, *EMR_SETTINGS)
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **DynamoDBExportOperator.template_fields_renderers,
        "spark_conf": "json",
    }
    operator_extra_links: Sequence[Any] = EMR_LINKS  # type: ignore[assignment]  # other links than the base's
    kind = "export"

    def _asked(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in COERCIONS}

    def _request(self, given: Mapping[str, Any]) -> ExportRequest:
        return ExportRequest.from_settings(given)

    def _work(self, request: ExportRequest, budget: TimeBudget) -> ExportWork:
        wired: Any = {"say": self.log.info, "warn": self.log.warning, "clock": budget.clock}
        return ExportWork(request, self.hook.export_ports(request, stop=budget.stop, **wired))

    def _shown(self, request: ExportRequest) -> str:
        return request.s3_uri

    def _told(self, context: Context, request: ExportRequest, record: dict[str, Any]) -> dict[str, Any]:
        announce(self, context, record, request.location.uri, table_name=request.table_name)
        return self.finished(record)

"""Import a backup by a Spark job on EMR."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from airflow.providers.amazon.aws.utils.mixins import aws_template_fields

from airflow_dynamo_pipeline.adapters.emr_settings import COERCIONS as EMR_SETTINGS
from airflow_dynamo_pipeline.airflow_versions import Context
from airflow_dynamo_pipeline.engine.import_request import ImportRequest
from airflow_dynamo_pipeline.operators.assets import announce, table_uri
from airflow_dynamo_pipeline.operators.emr_links import EMR_LINKS
from airflow_dynamo_pipeline.operators.emr_running import OnEmr
from airflow_dynamo_pipeline.operators.emr_work import ImportWork
from airflow_dynamo_pipeline.operators.links import folder_of
from airflow_dynamo_pipeline.operators.table_import import ATTRIBUTES, DynamoDBImportOperator
from airflow_dynamo_pipeline.operators.time_budget import TimeBudget


class EmrDynamoDBImportOperator(OnEmr, DynamoDBImportOperator):
    """Import a backup as ``DynamoDBImportOperator`` does, by a Spark job on EMR on EC2, Serverless or EKS.

    The task reads the backup's manifest, decides, and refuses what cannot work before any job is submitted.
    Everything else about the job is as with ``EmrDynamoDBExportOperator``. A backup has at most as many
    ranges as files. The accounts are summed over the ranges and must add up, as those of one worker.

    Takes all settings of ``DynamoDBImportOperator`` but ``dry_run``, and those that
    ``EmrDynamoDBExportOperator`` has for the job: ``ranges``, ``at_once``, ``code_s3_uri``, one of
    ``job_flow_id``, ``application_id`` and ``virtual_cluster_id``, ``execution_role_arn``, ``release_label``,
    ``log_uri``, ``dependencies``, ``architecture``, ``python_path``, ``spark_conf``, ``poke_interval`` and
    ``deferrable``.
    """

    template_fields: Sequence[str] = aws_template_fields(*ATTRIBUTES.values(), *EMR_SETTINGS)
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **DynamoDBImportOperator.template_fields_renderers,
        "spark_conf": "json",
    }
    operator_extra_links: Sequence[Any] = EMR_LINKS  # type: ignore[assignment]  # other links than the base's
    kind = "import"

    def _asked(self) -> dict[str, Any]:
        return {name: getattr(self, field) for name, field in ATTRIBUTES.items()}

    def _request(self, given: Mapping[str, Any]) -> ImportRequest:
        return ImportRequest.from_settings(given)

    def _work(self, request: ImportRequest, budget: TimeBudget) -> ImportWork:
        wired: Any = {"say": self.log.info, "warn": self.log.warning, "clock": budget.clock}
        return ImportWork(request, self.hook.import_ports(request, stop=budget.stop, **wired))

    def _shown(self, request: ImportRequest) -> str:
        return folder_of(request.s3_uri[0])

    def _told(self, context: Context, request: ImportRequest, record: dict[str, Any]) -> dict[str, Any]:
        uris = list(request.s3_uri)
        announce(self, context, record, lambda: table_uri(self, request.table_name), s3_uri=uris)
        return self.finished(record)

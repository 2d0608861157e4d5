"""Check an export against its manifest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields

from airflow_dynamo_pipeline.airflow_versions import Context
from airflow_dynamo_pipeline.engine.verify import layout_of, verify_files
from airflow_dynamo_pipeline.hooks.dynamodb import DynamoDBPipelineHook
from airflow_dynamo_pipeline.operators.running import failing_at_once


class DynamoDBVerifyOperator(AwsBaseOperator[DynamoDBPipelineHook]):
    """Read every file of an export and compare it with the manifest; the table is not touched.

    Finds files that are missing, extra, truncated, swapped or changed, and edited manifests, and names each.
    Reads our own exports and native full exports in DynamoDB JSON.

    Returns (XCom) manifest_uri, item_count, files and stored_bytes. Fails at once with every finding.

    :param manifest_uri: the export's ``manifest-summary.json``, as the export operator returns it.
    """

    aws_hook_class = DynamoDBPipelineHook
    template_fields: Sequence[str] = aws_template_fields("manifest_uri")
    ui_color = "#eaf7ea"

    def __init__(self, *, manifest_uri: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.manifest_uri = manifest_uri

    def execute(self, context: Context) -> dict[str, Any]:
        """Compare and return what was found equal."""
        del context
        with failing_at_once():
            store = self.hook.reading_store(layout_of(self.manifest_uri).location, self.log.warning)
            result = verify_files(self.manifest_uri, store)
        self.log.info(
            "%s items in %s files equal their manifest", f"{result.item_count:,}", f"{result.files:,}"
        )
        return result.to_json()

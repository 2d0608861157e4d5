"""Wait for a DynamoDB table to be as a later task needs it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from airflow.providers.amazon.aws.sensors.base_aws import AwsBaseSensor
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields

from airflow_dynamo_pipeline.airflow_versions import conf
from airflow_dynamo_pipeline.hooks.dynamodb import DynamoDBPipelineHook
from airflow_dynamo_pipeline.sensors.waiting import WaitsForCondition


class _TableSensor(WaitsForCondition, AwsBaseSensor[DynamoDBPipelineHook]):
    """Waits for one table; what differs is in the children."""

    aws_hook_class = DynamoDBPipelineHook
    template_fields: Sequence[str] = aws_template_fields("table_name")

    def __init__(
        self,
        *,
        table_name: str,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.table_name = table_name
        self.deferrable = deferrable

    def _arguments(self) -> dict[str, Any]:
        return {"table_name": self.table_name}


class DynamoDBTableExistsSensor(_TableSensor):
    """Waits until there is a table of this name that is neither being made nor being deleted.

    Needs ``dynamodb:DescribeTable``. Fails at once when access is denied and when the table is archived.
    A wrong name or region is waited for: the log names both.

    :param table_name: the table.
    :param deferrable: wait in the triggerer; default: Airflow's ``operators.default_deferrable``.
    :param aws_conn_id: the AWS connection; None: boto3's own credential chain.
    :param region_name: AWS region; None: the connection's.
    :param verify: TLS verification, as boto3 takes it.
    :param botocore_config: settings of botocore's client.
    """

    condition = "table_exists"


class DynamoDBDataExistsSensor(_TableSensor):
    """Waits until a table has at least one item.

    Looks with a Scan of one item, which costs half a read unit or as many as that item takes; the item
    count that DynamoDB keeps is hours old and is not used. Needs ``dynamodb:Scan``, and
    ``dynamodb:DescribeTable`` to tell a table that is being made from one that is missing. Fails at once
    when the table does not exist or is being deleted, and when access is denied.

    :param table_name: the table.
    :param consistent_read: a strongly consistent look, which also sees what was written a moment ago, at
        twice the cost; may be text.
    :param deferrable: wait in the triggerer; default: Airflow's ``operators.default_deferrable``.
    :param aws_conn_id: the AWS connection; None: boto3's own credential chain.
    :param region_name: AWS region; None: the connection's.
    :param verify: TLS verification, as boto3 takes it.
    :param botocore_config: settings of botocore's client.
    """

    condition = "data_exists"
    template_fields: Sequence[str] = aws_template_fields("table_name", "consistent_read")

    def __init__(self, *, consistent_read: bool | str = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.consistent_read = consistent_read

    def _arguments(self) -> dict[str, Any]:
        return {**super()._arguments(), "consistent_read": self.consistent_read}


class DynamoDBTableActiveSensor(_TableSensor):
    """Waits until a table and all its global indexes are ACTIVE and none of them is still being filled.

    Needs ``dynamodb:DescribeTable``. Fails at once when the table does not exist or is being deleted, and
    when access is denied. Put a ``DynamoDBTableExistsSensor`` before it where the table may not have been
    made yet.

    :param table_name: the table.
    :param deferrable: wait in the triggerer; default: Airflow's ``operators.default_deferrable``.
    :param aws_conn_id: the AWS connection; None: boto3's own credential chain.
    :param region_name: AWS region; None: the connection's.
    :param verify: TLS verification, as boto3 takes it.
    :param botocore_config: settings of botocore's client.
    """

    condition = "table_active"


class DynamoDBProvisionedModeSensor(_TableSensor):
    """Waits until a table's capacity mode is provisioned and the table is ACTIVE.

    After a switch from on-demand, that is when the switch is through. Needs ``dynamodb:DescribeTable``.
    Fails at once when the table does not exist or is being deleted, and when access is denied.

    :param table_name: the table.
    :param deferrable: wait in the triggerer; default: Airflow's ``operators.default_deferrable``.
    :param aws_conn_id: the AWS connection; None: boto3's own credential chain.
    :param region_name: AWS region; None: the connection's.
    :param verify: TLS verification, as boto3 takes it.
    :param botocore_config: settings of botocore's client.
    """

    condition = "provisioned_mode"


class DynamoDBPointInTimeRecoverySensor(_TableSensor):
    """Waits until a table has point-in-time recovery and, if asked, can be restored to an instant.

    The latest instant is usually some five minutes ago, so an export of the table as it was at
    ``wanted_at`` has to wait for it. Needs ``dynamodb:DescribeContinuousBackups``. Fails at once when the
    table does not exist, when access is denied, and when the instant is before the window, which it can
    never enter again.

    :param table_name: the table.
    :param wanted_at: a datetime or ISO 8601 text, UTC unless it says otherwise; default: any window will do.
    :param deferrable: wait in the triggerer; default: Airflow's ``operators.default_deferrable``.
    :param aws_conn_id: the AWS connection; None: boto3's own credential chain.
    :param region_name: AWS region; None: the connection's.
    :param verify: TLS verification, as boto3 takes it.
    :param botocore_config: settings of botocore's client.
    """

    condition = "point_in_time_recovery"
    template_fields: Sequence[str] = aws_template_fields("table_name", "wanted_at")

    def __init__(self, *, wanted_at: datetime | str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.wanted_at = wanted_at

    def _arguments(self) -> dict[str, Any]:
        return {**super()._arguments(), "wanted_at": _json_able(self.wanted_at)}


class DynamoDBStreamEnabledSensor(_TableSensor):
    """Waits until a table has a stream, with the wanted view type if one is named, and is ACTIVE.

    A stream of another view type is waited for like a missing one: it keeps its type, so somebody has to
    switch it off and on again, and the log says so. Needs ``dynamodb:DescribeTable``. Fails at once when the
    table does not exist or is being deleted, when access is denied, and when there is no such view type.

    :param table_name: the table.
    :param view_type: ``KEYS_ONLY``, ``NEW_IMAGE``, ``OLD_IMAGE`` or ``NEW_AND_OLD_IMAGES``; default: any.
        Just this one: a stream of new and old images is not taken for one of new images.
    :param deferrable: wait in the triggerer; default: Airflow's ``operators.default_deferrable``.
    :param aws_conn_id: the AWS connection; None: boto3's own credential chain.
    :param region_name: AWS region; None: the connection's.
    :param verify: TLS verification, as boto3 takes it.
    :param botocore_config: settings of botocore's client.
    """

    condition = "stream_enabled"
    template_fields: Sequence[str] = aws_template_fields("table_name", "view_type")

    def __init__(self, *, view_type: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.view_type = view_type

    def _arguments(self) -> dict[str, Any]:
        return {**super()._arguments(), "view_type": self.view_type}


class DynamoDBUnitsAvailableSensor(_TableSensor):
    """Waits until those who read, or write, a table leave enough of its capacity for a job.

    What they consume is the most that CloudWatch has of any of the last five minutes; its figures are a
    minute or two old. The capacity is what is provisioned; of an on-demand table it is the least of its
    ``OnDemandThroughput``, its ``WarmThroughput`` and the account's quota for one table. Head-room above
    the capacity is waited for: autoscaling or a person may raise it. An absent index fails at once, and so
    do an absent table, one being deleted and denied access.

    Needs ``dynamodb:DescribeTable`` and ``cloudwatch:GetMetricStatistics``, and for on-demand tables
    ``servicequotas:GetServiceQuota``; without the latter the quota is taken to be 40,000 units.

    :param table_name: the table.
    :param units_per_second: the head-room in capacity units per second, above 0.
    :param ratio: instead, the head-room as a share of the capacity, above 0 and at most 1.
    :param operation: ``read`` (default) or ``write``.
    :param index_name: look at this secondary index; a local one uses the table's capacity.
    :param deferrable: wait in the triggerer; default: Airflow's ``operators.default_deferrable``.
    :param aws_conn_id: the AWS connection; None: boto3's own credential chain.
    :param region_name: AWS region; None: the connection's.
    :param verify: TLS verification, as boto3 takes it.
    :param botocore_config: settings of botocore's client.
    """

    condition = "units_available"
    template_fields: Sequence[str] = aws_template_fields(
        "table_name", "units_per_second", "ratio", "operation", "index_name"
    )

    def __init__(
        self,
        *,
        units_per_second: float | str | None = None,
        ratio: float | str | None = None,
        operation: str = "read",
        index_name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units_per_second = units_per_second
        self.ratio = ratio
        self.operation = operation
        self.index_name = index_name

    def _arguments(self) -> dict[str, Any]:
        names = ("units_per_second", "ratio", "operation", "index_name")
        return {**super()._arguments(), **{name: getattr(self, name) for name in names}}


class DynamoDBExportSensor(WaitsForCondition, AwsBaseSensor[DynamoDBPipelineHook]):
    """Waits until an export is complete: one of ours or a native one, by its manifest or by its ARN.

    On S3 an export is complete when its ``manifest-summary.json`` is there with a checksum file that matches
    it; whether the files it lists are whole is what ``DynamoDBVerifyOperator`` finds out. An ``export_arn``
    is complete when DynamoDB says COMPLETED. Name the export in just one way.

    Returns (XCom) manifest_uri and item_count; of an ``export_arn`` also export_arn and billed_bytes.

    Needs ``s3:GetObject`` and ``s3:ListBucket``, or for an ``export_arn`` ``dynamodb:DescribeExport``. Fails
    at once when the native export FAILED, with DynamoDB's reason, when a manifest is damaged or of a
    version this package cannot read, when the bucket or the ARN is unknown, and when access is denied.

    :param manifest_uri: the ``manifest-summary.json`` to wait for.
    :param s3_uri: instead, the export's folder, ``.../AWSDynamoDB/<export-id>``; or a prefix that exports go
        to: then any complete export below it will do, and damaged ones are passed over. Manifests are read
        from the latest name on, so name a folder where hundreds of exports share a prefix.
    :param export_arn: instead, a native export's ARN.
    :param began_after: with a prefix, only an export that began then or later will do: a datetime or ISO
        8601 text, UTC unless it says otherwise.
    :param deferrable: wait in the triggerer; default: Airflow's ``operators.default_deferrable``.
    :param aws_conn_id: the AWS connection; None: boto3's own credential chain.
    :param region_name: AWS region; None: the connection's.
    :param verify: TLS verification, as boto3 takes it.
    :param botocore_config: settings of botocore's client.
    """

    condition = "export_complete"
    aws_hook_class = DynamoDBPipelineHook
    template_fields: Sequence[str] = aws_template_fields(
        "manifest_uri", "s3_uri", "export_arn", "began_after"
    )

    def __init__(
        self,
        *,
        manifest_uri: str | None = None,
        s3_uri: str | None = None,
        export_arn: str | None = None,
        began_after: datetime | str | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.manifest_uri = manifest_uri
        self.s3_uri = s3_uri
        self.export_arn = export_arn
        self.began_after = began_after
        self.deferrable = deferrable

    def _arguments(self) -> dict[str, Any]:
        return {
            "manifest_uri": self.manifest_uri,
            "s3_uri": self.s3_uri,
            "export_arn": self.export_arn,
            "began_after": _json_able(self.began_after),
        }


def _json_able(at: datetime | str | None) -> str | None:
    return at.isoformat() if isinstance(at, datetime) else at

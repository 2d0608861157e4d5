"""Wait for a DynamoDB table to be as a later task needs it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from airflow.providers.amazon.aws.sensors.base_aws import AwsBaseSensor
from airflow.providers.amazon.aws.utils import validate_execute_complete_event
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields

from airflow_dynamo_pipeline.adapters.conditions import check
from airflow_dynamo_pipeline.airflow_versions import AirflowFailException, Context, conf
from airflow_dynamo_pipeline.errors import Temporary
from airflow_dynamo_pipeline.hooks.dynamodb import DynamoDBPipelineHook
from airflow_dynamo_pipeline.operators.running import failing_at_once
from airflow_dynamo_pipeline.sensors.soft_fail import skipping_if_asked
from airflow_dynamo_pipeline.triggers.dynamodb import DynamoDBConditionTrigger, client_of


class _ConditionSensor(AwsBaseSensor[DynamoDBPipelineHook]):
    """Pokes or defers until a condition is met; what differs is in the children.

    Throttling and network trouble are logged and waited out; anything no retry can help fails at once,
    whichever way it waits.
    """

    aws_hook_class = DynamoDBPipelineHook
    condition: ClassVar[str]
    ui_color = "#e8f1fb"

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

    def poke(self, context: Context) -> bool:  # noqa: ARG002  Airflow's signature
        """Look once."""
        with failing_at_once():
            try:
                verdict = check(client_of(self.hook), self.condition, self._arguments())
            except Temporary as error:
                self.log.warning("%s; looking again in %s s", error, self.poke_interval)
                return False
        self.log.info(verdict.seen)
        return verdict.met

    def execute(self, context: Context) -> None:
        """Poke, or look once and defer if it is too early."""
        if not self.deferrable:
            super().execute(context)
            return
        with skipping_if_asked(self):
            met = self.poke(context)
        if not met:
            self.defer(
                trigger=self._trigger(),
                method_name=self.execute_complete.__name__,
                timeout=timedelta(seconds=self.timeout),
            )

    def execute_complete(
        self,
        context: Context,  # noqa: ARG002  Airflow's signature
        event: dict[str, Any] | None = None,
    ) -> None:
        """What the trigger found: met, or never to be."""
        found = validate_execute_complete_event(event)
        if found["status"] != "success":
            raise AirflowFailException(found["message"])
        self.log.info(found["message"])

    def _arguments(self) -> dict[str, Any]:
        """The condition's arguments, JSON-able."""
        return {"table_name": self.table_name}

    def _trigger(self) -> DynamoDBConditionTrigger:
        return DynamoDBConditionTrigger(
            condition=self.condition,
            arguments=self._arguments(),
            poke_interval=self.poke_interval,
            aws_conn_id=self.aws_conn_id,
            region_name=self.region_name,
            verify=self.verify,
            botocore_config=self.botocore_config,
        )


class DynamoDBProvisionedModeSensor(_ConditionSensor):
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
    template_fields: Sequence[str] = aws_template_fields("table_name")


class DynamoDBPointInTimeRecoverySensor(_ConditionSensor):
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
        wanted_at = self.wanted_at.isoformat() if isinstance(self.wanted_at, datetime) else self.wanted_at
        return {**super()._arguments(), "wanted_at": wanted_at}

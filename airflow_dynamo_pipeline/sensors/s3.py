"""Wait for objects on S3."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.amazon.aws.sensors.base_aws import AwsBaseSensor
from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor
from airflow.providers.amazon.aws.utils import validate_execute_complete_event
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields

from airflow_dynamo_pipeline.adapters.aws_errors import translated
from airflow_dynamo_pipeline.adapters.conditions_look import Clients
from airflow_dynamo_pipeline.airflow_versions import AirflowException, Context, conf
from airflow_dynamo_pipeline.engine.conditions_s3 import BY_NAME, BY_REGEX, BY_WILDCARD
from airflow_dynamo_pipeline.errors import InvalidSetting, Temporary
from airflow_dynamo_pipeline.hooks.dynamodb import DynamoDBPipelineHook
from airflow_dynamo_pipeline.operators.running import failing_at_once
from airflow_dynamo_pipeline.sensors.soft_fail import skipping_if_asked
from airflow_dynamo_pipeline.sensors.waiting import WaitsForCondition

ACTIONS = "s3:GetObject and s3:ListBucket"


class S3KeyExistsSensor(WaitsForCondition, S3KeySensor):
    """The amazon provider's ``S3KeySensor``, failing at once where waiting cannot help.

    That is, when access is denied and when the bucket does not exist; ``S3KeySensor`` takes a missing
    bucket for a missing key and waits until its timeout, and has Airflow retry a denied access. All
    parameters are those of ``S3KeySensor``.

    Needs ``s3:GetObject`` on the keys and ``s3:ListBucket`` on the bucket: without the latter S3 answers
    "access denied" for a key that is not there yet. ``deferrable=True`` needs no further library, except
    with a ``check_fn``: that runs on a worker, between waits in the provider's own trigger, which needs the
    extra ``apache-airflow-providers-amazon[aiobotocore]``.
    """

    condition = "keys_exist"

    def poke(self, context: Context) -> bool:
        """Look once."""
        is_there = super().poke(context)
        if not is_there or self.check_fn is None:
            return is_there
        with failing_at_once():
            try:
                with translated(ACTIONS, ", ".join(self._arguments()["uris"])):
                    return bool(S3KeySensor.poke(self, context))
            except Temporary as error:
                self.log.warning("%s; looking again in %s s", error, self.poke_interval)
                return False

    def execute(self, context: Context) -> None:
        """Poke, or look once and defer if it is too early."""
        if self.check_fn is None or not self.deferrable:
            super().execute(context)
            return
        with skipping_if_asked(self):
            S3KeySensor.execute(self, context)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> None:
        """What the trigger found; an error is looked into once more, for the provider's do not say enough."""
        found = validate_execute_complete_event(event)
        if found["status"] == "error" and self.poke(context):
            return
        S3KeySensor.execute_complete(self, context, found)
        if "message" in found:
            self.log.info(found["message"])

    def _arguments(self) -> dict[str, Any]:
        keys = [self.bucket_key] if isinstance(self.bucket_key, str) else self.bucket_key
        match = BY_WILDCARD if self.wildcard_match else BY_REGEX if self.use_regex else BY_NAME
        return {"uris": [self._uri(key) for key in keys], "match": match}

    def _uri(self, key: str) -> str:
        try:
            bucket, name = S3Hook.get_s3_bucket_key(self.bucket_name, key, "bucket_name", "bucket_key")
        except (TypeError, AirflowException) as problem:
            expected = "s3://bucket/key, or a key of bucket_name"
            raise InvalidSetting("bucket_key", key, expected) from problem
        return f"s3://{bucket}/{name}"

    def _clients(self) -> Clients:
        with translated("sts:AssumeRole", f"connection {self.aws_conn_id}"):
            return {"s3": self.hook.get_conn()}


class S3PrefixNotEmptySensor(WaitsForCondition, AwsBaseSensor[DynamoDBPipelineHook]):
    """Waits until there is an object whose key begins with a prefix.

    Empty objects whose key ends in a slash do not count: the S3 console makes them to show folders. One
    listing of one page, as a rule, whatever lies below. Needs ``s3:ListBucket`` on the bucket. Fails at once
    when the bucket does not exist and when access is denied.

    :param s3_uri: ``s3://bucket/prefix``. A prefix is the beginning of a key and not a folder:
        ``s3://b/orders`` also takes ``orders-old/x`` for one of its objects, ``s3://b/orders/`` does not.
    :param deferrable: wait in the triggerer; default: Airflow's ``operators.default_deferrable``.
    :param aws_conn_id: the AWS connection; None: boto3's own credential chain.
    :param region_name: AWS region; None: the connection's.
    :param verify: TLS verification, as boto3 takes it.
    :param botocore_config: settings of botocore's client.
    """

    condition = "prefix_not_empty"
    aws_hook_class = DynamoDBPipelineHook
    template_fields: Sequence[str] = aws_template_fields("s3_uri")

    def __init__(
        self,
        *,
        s3_uri: str,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.s3_uri = s3_uri
        self.deferrable = deferrable

    def _arguments(self) -> dict[str, Any]:
        return {"s3_uri": self.s3_uri}

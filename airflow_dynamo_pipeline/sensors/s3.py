"""Wait for keys on S3."""

from __future__ import annotations

from typing import Any

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor
from botocore.exceptions import ClientError

from airflow_dynamo_pipeline.adapters.aws_errors import translated
from airflow_dynamo_pipeline.airflow_versions import AirflowFailException, Context
from airflow_dynamo_pipeline.errors import AccessDenied, NotFound
from airflow_dynamo_pipeline.sensors.soft_fail import skipping_if_asked

ACTIONS = "s3:GetObject and s3:ListBucket"
MISSING = ("404", "NoSuchBucket")


class S3KeyExistsSensor(S3KeySensor):
    """The amazon provider's ``S3KeySensor``, failing at once where waiting cannot help.

    That is, when access is denied and when the bucket does not exist; ``S3KeySensor`` takes a missing
    bucket for a missing key and waits until its timeout, and has Airflow retry a denied access. All
    parameters are those of ``S3KeySensor``.

    Needs ``s3:GetObject`` on the keys and ``s3:ListBucket`` on the bucket: without the latter S3 answers
    "access denied" for a key that is not there yet. ``deferrable=True`` needs the extra
    ``apache-airflow-providers-amazon[aiobotocore]``, as for ``S3KeySensor``; its trigger does not notice a
    bucket that is deleted while it waits.
    """

    def poke(self, context: Context) -> bool:
        """Look once."""
        try:
            with translated(ACTIONS, ", ".join(f"s3://{bucket}/{key}" for bucket, key in self._places())):
                found = bool(super().poke(context))
            if not found:
                for bucket in sorted({bucket for bucket, _ in self._places()}):
                    self._check_bucket(bucket)
        except (AccessDenied, NotFound) as error:
            raise AirflowFailException(str(error)) from error
        return found

    def execute(self, context: Context) -> None:
        """Poke, or look once and defer if it is too early."""
        if not self.deferrable:
            super().execute(context)
            return
        with skipping_if_asked(self):
            super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> None:
        """What the trigger found; the text of its error does not say enough, so look once more after one."""
        if event["status"] == "error" and self.poke(context):
            return
        super().execute_complete(context, event)

    def _places(self) -> list[tuple[str, str]]:
        """The bucket and key of everything waited for."""
        keys = [self.bucket_key] if isinstance(self.bucket_key, str) else self.bucket_key
        return [S3Hook.get_s3_bucket_key(self.bucket_name, key, "bucket_name", "bucket_key") for key in keys]

    def _check_bucket(self, bucket: str) -> None:
        """Raise NotFound when there is no such bucket; the look at the keys tells whatever else is wrong."""
        client: Any = self.hook.get_conn()
        try:
            client.head_bucket(Bucket=bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] in MISSING:
                raise NotFound("bucket", bucket, "check the name and the region") from error

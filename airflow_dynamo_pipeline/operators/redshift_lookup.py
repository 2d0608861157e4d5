"""Make a DynamoDB table equal the rows of a query of Amazon Redshift."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_dynamo_pipeline.adapters.lookup_settings import both, unload_folder
from airflow_dynamo_pipeline.adapters.redshift_settings import COERCIONS, UNLOAD_ABOVE_ROWS, RedshiftSettings
from airflow_dynamo_pipeline.adapters.redshift_source import redshift_source
from airflow_dynamo_pipeline.hooks.sql import redshift_connection
from airflow_dynamo_pipeline.lookup.ports import LookupPorts
from airflow_dynamo_pipeline.lookup.request import LookupRequest
from airflow_dynamo_pipeline.lookup.source import RowSource
from airflow_dynamo_pipeline.operators.links import region_of
from airflow_dynamo_pipeline.operators.sql_lookup import SourceOf, SqlToDynamoDBOperator

PORT = 5439  # on which Redshift listens, and which its datasets are named with


class RedshiftToDynamoDBOperator(SqlToDynamoDBOperator):
    """Make a table equal the rows of a query of Redshift, which come by cursor, by the Data API or by UNLOAD.

    Everything but where the rows come from is as for ``SqlToDynamoDBOperator``, all of whose settings it
    takes but ``conn_id``. The result of a cursor is held on the leader node, within limits that depend on
    the node type; UNLOAD to Parquet has no such limit, runs on all nodes, and is what ``auto`` takes for a
    large result. What is unloaded goes below ``<s3_uri>/_lookups/<table>/scratch/``, in a folder that no
    other attempt has, and is removed at the end.

    :param redshift_conn_id: connection of type ``redshift`` for cursors, and for UNLOAD without the Data
        API; default ``redshift_default``. One with ``iam`` gets its login by ``aws_conn_id``.
    :param method: ``auto`` (default): UNLOAD above ``unload_above_rows`` if there is an ``iam_role``,
        otherwise the Data API where a cluster or workgroup is named, otherwise a cursor; ``cursor``,
        ``data_api`` or ``unload``.
    :param unload_above_rows: with ``auto``: up to so many rows are not unloaded; default 500,000.
    :param iam_role: the role by which the warehouse writes to S3: an ARN, a chain of them with commas
        between, or ``default``.
    :param kms_key_id: KMS key that encrypts what is unloaded; default: ``s3_sse_kms_key_id``. With neither,
        UNLOAD encrypts with SSE-S3, whatever the bucket's default is.
    :param database: for the Data API: the database.
    :param cluster_identifier: for the Data API: the provisioned cluster.
    :param workgroup_name: for the Data API: the workgroup of Redshift Serverless.
    :param db_user: for the Data API: the database user of a cluster; default: the caller's identity.
    :param secret_arn: for the Data API: a secret of Secrets Manager with user and password.
    """

    template_fields: Sequence[str] = (*SqlToDynamoDBOperator.template_fields, *COERCIONS)

    def __init__(
        self,
        *,
        redshift_conn_id: str = "redshift_default",
        method: str = "auto",
        unload_above_rows: int | str = UNLOAD_ABOVE_ROWS,
        iam_role: str | None = None,
        kms_key_id: str | None = None,
        database: str | None = None,
        cluster_identifier: str | None = None,
        workgroup_name: str | None = None,
        db_user: str | None = None,
        secret_arn: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=redshift_conn_id, **kwargs)
        self.method = method
        self.unload_above_rows = unload_above_rows
        self.iam_role = iam_role
        self.kms_key_id = kms_key_id
        self.database = database
        self.cluster_identifier = cluster_identifier
        self.workgroup_name = workgroup_name
        self.db_user = db_user
        self.secret_arn = secret_arn

    @property
    def redshift_conn_id(self) -> str:
        """The connection, which is templated as ``conn_id``."""
        return self.conn_id

    def _asked(self) -> tuple[LookupRequest, SourceOf]:
        load, settings = both(self._load, self._settings)
        return load, lambda ports: self._source(load, settings, ports)

    def _settings(self) -> RedshiftSettings:
        settings = RedshiftSettings.from_settings({name: getattr(self, name) for name in COERCIONS})
        if not settings.by_data_api:
            self._checked_conn_id()
        return settings

    def _source(self, load: LookupRequest, settings: RedshiftSettings, ports: LookupPorts) -> RowSource:
        shared: dict[str, Any] = {
            "store": ports.store,
            "location": unload_folder(load),
            "region": ports.store.region() if settings.iam_role else None,
            "kms_key_id": load.s3_sse_kms_key_id,
            "clock": ports.clock,
            "stop": ports.stop,
            "warn": ports.warn,
        }
        if settings.by_data_api:
            region = region_of(self)
            place = settings.cluster_identifier or settings.workgroup_name
            self._read_from = (f"redshift://{place}.{region}:{PORT}", settings.database or "")
            return redshift_source(settings, load.sql, client=self.hook.client_for("redshift-data"), **shared)
        connection = redshift_connection(self._checked_conn_id(), self.aws_conn_id)
        self._read_from = connection.dataset()
        return redshift_source(settings, load.sql, connect=connection.connect, name=connection.name, **shared)

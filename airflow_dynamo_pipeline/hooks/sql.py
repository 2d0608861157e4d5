"""Connections of Airflow that run SQL, as sources of rows see them.

The hooks are the providers' own. Airflow 3.0's channel to the supervisor has no lock, so everything here is
called from the main thread, in which a source runs its queries, too.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any, Final

from airflow_dynamo_pipeline.adapters.aws_errors import translated
from airflow_dynamo_pipeline.airflow_versions import AirflowException, AirflowNotFoundException, BaseHook
from airflow_dynamo_pipeline.errors import InvalidRequest, MissingLibrary, NotFound, Problem

DIALECTS: Final = {"postgres": "postgresql", "redshift": "redshift", "mysql": "mysql", "sqlite": "sqlite"}
IS_REDSHIFT: Final = "redshift"  # in a PostgreSQL connection's extra: it leads to Redshift
NO_REGION: Final = ".None:"  # where the amazon provider's hook puts the region of a cluster
REGION: Final = "AWS_DEFAULT_REGION"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SqlConnection:
    """One connection of Airflow, and the hook that opens it."""

    conn_id: str
    hook: Any
    dialect: str | None  # one of a source's DIALECTS; None: to be told by the driver

    @property
    def name(self) -> str:
        """The connection for messages."""
        return f"connection {self.conn_id}"

    def connect(self) -> Any:
        """Open a DB-API connection; raises what the driver raises, and our own tree for calls to AWS."""
        try:
            with translated("redshift:GetClusterCredentials", self.name):  # where it is by IAM
                return self.hook.get_conn()
        except InvalidRequest as refused:
            raise InvalidRequest(self._with_region_hint(problem) for problem in refused.problems) from refused

    def dataset(self) -> tuple[str, str] | None:
        """OpenLineage's namespace of the database, and its name; None where the hook cannot tell."""
        try:
            found = self.hook.get_openlineage_database_info(self.hook.get_connection(self.conn_id))
            authority = (found.authority or "").rpartition("@")[2]
        except Exception as error:  # noqa: BLE001  lineage never fails what it tells of
            log.debug("no lineage is told of %s: %s", self.name, error)
            return None
        if NO_REGION in authority or not (authority and found.database):
            return None
        return f"{found.scheme}://{authority}", found.database

    def _with_region_hint(self, problem: Problem) -> Problem:
        """The hooks hand no region of the task to the client that asks for a login."""
        if problem.where != "region_name":
            return problem
        aws_conn_id = getattr(self.hook, "aws_conn_id", None) or "named by aws_conn_id"
        return replace(problem, hint=f"give the AWS connection {aws_conn_id} a region_name, or set {REGION}")


def sql_connection(conn_id: str) -> SqlConnection:
    """Any connection whose hook is one of DB-API.

    Raises NotFound, InvalidRequest for a connection that runs no SQL, and MissingLibrary.
    """
    try:
        from airflow.providers.common.sql.hooks.sql import DbApiHook
    except ImportError as error:
        raise MissingLibrary("apache-airflow-providers-common-sql", "redshift") from error
    connection = _connection(conn_id)
    try:
        hook = connection.get_hook()
    except AirflowException as error:
        hint = "install the provider of this type of connection"
        raise InvalidRequest([Problem("conn_id", f"connection {conn_id}: {error}", hint)]) from error
    if not isinstance(hook, DbApiHook):
        problem = f"connection {conn_id} is of type {connection.conn_type}, which runs no SQL"
        raise InvalidRequest([Problem("conn_id", problem)])
    is_redshift = bool(connection.extra_dejson.get(IS_REDSHIFT))
    return SqlConnection(conn_id, hook, IS_REDSHIFT if is_redshift else DIALECTS.get(connection.conn_type))


def redshift_connection(conn_id: str, aws_conn_id: str | None) -> SqlConnection:
    """A connection to Redshift; one with ``iam`` gets its login, and the region of it, by ``aws_conn_id``.

    Raises NotFound and MissingLibrary.
    """
    try:
        from airflow.providers.amazon.aws.hooks.redshift_sql import RedshiftSQLHook
    except ImportError as error:
        raise MissingLibrary("redshift-connector", "redshift") from error
    _connection(conn_id)
    return SqlConnection(conn_id, RedshiftSQLHook(conn_id, aws_conn_id=aws_conn_id), "redshift")


def _connection(conn_id: str) -> Any:
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        raise NotFound("connection", conn_id, "make it in Airflow, or mend its name") from error

"""Links into the AWS console: where a run reads and writes, from its first second on.

Airflow 3 writes a link when its task has ended. A person wants it before, so each link is also pushed where
Airflow 3 will look for it. A link that cannot be made, or would lead into another partition's console,
is left out with a warning: it never costs the work.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from airflow.providers.amazon.aws.links.base_aws import BASE_AWS_CONSOLE_LINK, BaseAwsLink
from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from botocore.session import get_session

from airflow_dynamo_pipeline.airflow_versions import Context, push_link

PLACE = re.compile(r"s3[an]?://(?P<bucket>[A-Za-z0-9][A-Za-z0-9._-]+)(/(?P<prefix>.*))?", re.DOTALL)

log = logging.getLogger(__name__)


class ConsoleLink(BaseAwsLink):
    """A link whose parts are encoded, and which is empty where the console's domain is not known."""

    def format_link(self, **parts: Any) -> str:
        """The address, or an empty text."""
        if not parts.get("aws_domain"):
            return ""
        domain = parts.pop("aws_domain")
        encoded = {name: quote(str(part), safe="") for name, part in parts.items()}
        return str(super().format_link(aws_domain=domain, **encoded))


class S3PrefixLink(ConsoleLink):
    """The objects below a prefix: what is exported, imported or checked."""

    name = "S3 prefix"
    key = "dynamo_pipeline_s3_prefix"
    format_str = BASE_AWS_CONSOLE_LINK + "/s3/buckets/{bucket}?region={region_name}&prefix={prefix}"


class DynamoDBTableLink(ConsoleLink):
    """The table that is read, written or changed."""

    name = "DynamoDB table"
    key = "dynamo_pipeline_table"
    format_str = BASE_AWS_CONSOLE_LINK + "/dynamodbv2/home?region={region_name}#table?name={table_name}"


class NativeExportJobLink(ConsoleLink):
    """DynamoDB's list of native exports, where the job is."""

    name = "DynamoDB export job"
    key = "dynamo_pipeline_export_job"
    format_str = BASE_AWS_CONSOLE_LINK + "/dynamodbv2/home?region={region_name}#exports"


class NativeImportLogLink(ConsoleLink):
    """The log group in which DynamoDB writes what a native import rejects."""

    name = "DynamoDB import log"
    key = "dynamo_pipeline_import_log"
    format_str = (
        BASE_AWS_CONSOLE_LINK
        + "/cloudwatch/home?region={region_name}#logsV2:log-groups/log-group/{log_group}"
    )


class ConsoleLinks:
    """The links of one attempt. Call its methods from the main thread only: they push XComs.

    The attempt's operator offers only what was shown: Airflow 3 would store an empty XCom for each other.

    :param operator: whose region the links lead to; nothing is pushed if it pushes no XComs at all.
    """

    def __init__(self, operator: AwsBaseOperator[Any], context: Context) -> None:
        self._operator = operator
        self._context = context
        self._shown: dict[str, str] = {}
        operator.operator_extra_links = ()

    def of(self, uri: str, table_name: str) -> ConsoleLinks:
        """Show what every run has: where its objects are, and its table."""
        self.prefix(uri)
        self.table(table_name)
        return self

    def prefix(self, uri: str) -> None:
        """Show the objects below ``s3://bucket/prefix``."""
        self._show(S3PrefixLink(), lambda: _prefix_parts(uri))

    def table(self, table_name: str) -> None:
        """Show a table by its name or ARN."""
        self._show(DynamoDBTableLink(), lambda: _table_parts(table_name))

    def export_job(self, arn: str) -> None:
        """Show the native export with this ARN."""
        self._show(NativeExportJobLink(), lambda: {"region_name": _region_of(arn)})

    def import_log(self, arn: str, log_group: str) -> None:
        """Show where the native import with this ARN logs."""
        self._show(NativeImportLogLink(), lambda: {"region_name": _region_of(arn), "log_group": log_group})

    def result(self, record: Mapping[str, Any]) -> None:
        """Show what was exported instead of the folder of all exports, and by which job, if by one."""
        if record.get("manifest_uri"):
            self.prefix(folder_of(record["manifest_uri"]))
        if record.get("export_arn"):
            self.export_job(record["export_arn"])

    def _show(self, link: ConsoleLink, find: Callable[[], dict[str, str]]) -> None:
        if not self._operator.do_xcom_push:
            return
        try:
            parts = find()
            region = parts.get("region_name") or region_of(self._operator)
            partition = get_session().get_partition_for_region(region)
            parts |= {"region_name": region, "aws_domain": link.get_aws_domain(partition) or ""}
            url = link.format_link(**parts)
            if not url:
                log.info("no link to the %s: the console of partition %s is not known", link.name, partition)
            elif url != self._shown.get(link.key):
                self._context["ti"].xcom_push(key=link.key, value=parts)  # as BaseAwsLink keeps and reads it
                push_link(self._context, link, url)
                if link.key not in self._shown:
                    self._operator.operator_extra_links = (*self._operator.operator_extra_links, link)
                self._shown[link.key] = url
        except Exception as error:  # noqa: BLE001  a link never costs the work; timeouts and kills pass
            log.warning("no link to the %s: %s", link.name, error)


def region_of(operator: AwsBaseOperator[Any]) -> str:
    """The region of a task's own calls; makes a client only where no setting names it."""
    hook = operator.hook
    return str(hook.region_name or hook.get_conn().meta.region_name)


def folder_of(uri: str) -> str:
    """Where a file lies; what ends in a slash or has no dot in its last name is a folder itself.

    >>> folder_of("s3://backups/orders/AWSDynamoDB/01-cafe/manifest-summary.json")
    's3://backups/orders/AWSDynamoDB/01-cafe'
    """
    parent, _, last = uri.rpartition("/")
    return parent if "." in last and not parent.endswith(":/") else uri


def _prefix_parts(uri: str) -> dict[str, str]:
    found = PLACE.fullmatch(uri)
    if found is None:  # it might carry a secret, and is not repeated
        raise ValueError("what it should lead to is not s3://bucket/prefix")
    prefix = (found["prefix"] or "").strip("/")
    return {"bucket": found["bucket"], "prefix": prefix and f"{prefix}/"}


def _table_parts(table_name: str) -> dict[str, str]:
    if not table_name.startswith("arn:"):
        return {"table_name": table_name}
    name = table_name.partition(":table/")[2].split("/", 1)[0]
    return {"region_name": _region_of(table_name), "table_name": name}


def _region_of(arn: str) -> str:
    fields = arn.split(":", 5)
    if len(fields) != 6 or not fields[3]:  # noqa: PLR2004  arn:partition:service:region:account:resource
        raise ValueError(f"{arn!r} is no ARN with a region")
    return fields[3]

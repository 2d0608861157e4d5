"""How rows come out of Redshift, as a person says it: refused as a whole when it cannot work."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Final

from airflow_dynamo_pipeline.adapters.redshift_statements import Warehouse
from airflow_dynamo_pipeline.engine import settings
from airflow_dynamo_pipeline.errors import InvalidRequest, Problem

METHODS: Final = ("auto", "cursor", "data_api", "unload")
UNLOAD_ABOVE_ROWS: Final = 500_000
OF_A_WAREHOUSE: Final = ("database", "db_user", "secret_arn")
ROLE: Final = re.compile(
    r"default|arn:[\w-]+:iam::\d{12}:role/[\w+=,.@/-]+(,arn:[\w-]+:iam::\d{12}:role/[\w+=,.@/-]+)*"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class RedshiftSettings:
    """By which way rows come, and what each way needs.

    ``auto``: by UNLOAD above ``unload_above_rows`` if there is an ``iam_role``; otherwise by the Data API
    where a cluster or a workgroup is named, and by cursor where not. Build it with ``from_settings`` where
    values come from templates, flags or forms.
    """

    method: str = "auto"
    unload_above_rows: int = UNLOAD_ABOVE_ROWS
    iam_role: str | None = None  # by which the warehouse writes to S3: an ARN, a chain of them, or "default"
    kms_key_id: str | None = None  # encrypts what is unloaded; None: the load's own key
    database: str | None = None  # for the Data API, as all that follows
    cluster_identifier: str | None = None
    workgroup_name: str | None = None
    db_user: str | None = None
    secret_arn: str | None = None

    def __post_init__(self) -> None:
        """Refuse the settings with every problem found."""
        problems = [problem for check in CHECKS for problem in check(self)]
        if problems:
            raise InvalidRequest(problems)

    @classmethod
    def from_settings(cls, given: Mapping[str, object]) -> RedshiftSettings:
        """Coerce values as templates and flags deliver them; raises InvalidRequest with all problems."""
        return settings.build(cls, given, COERCIONS, required={}, what="a load from Redshift")

    @property
    def by_data_api(self) -> bool:
        """Whether statements go by the Data API, and not by a connection."""
        return self.method == "data_api" or (self.method != "cursor" and self.names_a_warehouse)

    @property
    def names_a_warehouse(self) -> bool:
        """Whether a cluster or a workgroup is given."""
        return self.cluster_identifier is not None or self.workgroup_name is not None

    @property
    def warehouse(self) -> Warehouse:
        """Where the Data API runs statements."""
        return Warehouse(
            database=self.database or "",
            cluster_identifier=self.cluster_identifier,
            workgroup_name=self.workgroup_name,
            db_user=self.db_user,
            secret_arn=self.secret_arn,
        )

    def unloads(self, rows: int | None) -> bool:
        """Whether a query of so many rows is unloaded; None: they were not counted."""
        if self.method == "auto":
            return self.iam_role is not None and rows is not None and rows > self.unload_above_rows
        return self.method == "unload"


COERCIONS: Final[Mapping[str, settings.Coercion]] = {
    "method": settings.one_of(*METHODS),
    "unload_above_rows": settings.whole_number,
    "iam_role": settings.text,
    "kms_key_id": settings.text,
    "database": settings.text,
    "cluster_identifier": settings.text,
    "workgroup_name": settings.text,
    "db_user": settings.text,
    "secret_arn": settings.text,
}


def _check_method(given: RedshiftSettings) -> Iterator[Problem]:
    if given.method not in METHODS:
        yield Problem("method", f"{given.method!r} is not one of {', '.join(METHODS)}")
    if given.unload_above_rows < 0:
        yield Problem(
            "unload_above_rows", f"{given.unload_above_rows:,} is negative", "0 unloads whatever there is"
        )


def _check_unload(given: RedshiftSettings) -> Iterator[Problem]:
    if given.method == "unload" and given.iam_role is None:
        hint = "name the role by which the warehouse writes to S3, or 'default'"
        yield Problem("iam_role", "is required with method='unload'", hint)
    if given.iam_role is not None and not ROLE.fullmatch(given.iam_role):
        hint = "as arn:aws:iam::123456789012:role/unload, or 'default'"
        yield Problem("iam_role", f"{given.iam_role!r} is no ARN of a role", hint)
    if given.kms_key_id is not None and given.iam_role is None:
        yield Problem("kms_key_id", "says nothing: without iam_role nothing is unloaded")
    for name in ("iam_role", "kms_key_id"):
        if given.method in ("cursor", "data_api") and getattr(given, name) is not None:
            yield Problem(name, f"says nothing: with method={given.method!r} nothing is unloaded")


def _check_warehouse(given: RedshiftSettings) -> Iterator[Problem]:
    if given.cluster_identifier is not None and given.workgroup_name is not None:
        yield Problem("workgroup_name", "cannot be used with cluster_identifier", "a cluster, or Serverless")
    if given.method == "data_api" and not given.names_a_warehouse:
        hint = "name a cluster_identifier, or the workgroup_name of Serverless"
        yield Problem("cluster_identifier", "is required with method='data_api'", hint)
    if given.by_data_api and given.database is None:
        yield Problem("database", "is required for the Data API")
    if given.db_user is not None and given.secret_arn is not None:
        yield Problem("secret_arn", "cannot be used with db_user", "the secret has the user")
    if given.db_user is not None and given.workgroup_name is not None:
        yield Problem(
            "db_user", "cannot be used with workgroup_name", "Serverless takes the caller's identity"
        )
    yield from _without_data_api(given)


def _without_data_api(given: RedshiftSettings) -> Iterator[Problem]:
    names: tuple[str, ...] = ()
    if given.method == "cursor":
        names = ("cluster_identifier", "workgroup_name", *OF_A_WAREHOUSE)
    elif given.method != "data_api" and not given.names_a_warehouse:
        names = OF_A_WAREHOUSE
    for name in names:
        if getattr(given, name) is not None:
            hint = "name a cluster_identifier or a workgroup_name; a connection says these itself"
            yield Problem(name, "says nothing without the Data API", hint)


CHECKS: Final = (_check_method, _check_unload, _check_warehouse)

assert {item.name for item in fields(RedshiftSettings)} == set(COERCIONS)  # noqa: S101  one table, never half

"""What a table is, apart from its items: read from AWS, kept as JSON, made again.

Under ``table`` stand the members of CreateTable in DynamoDB's own spelling, so that the AWS CLI takes them;
beside them what other calls set. Lists are in order of name, so that equal tables have equal definitions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from airflow_dynamo_pipeline.engine.table_settings import (
    ON_DEMAND,
    STANDARD,
    Aws,
    GlobalIndex,
    TableSettings,
)
from airflow_dynamo_pipeline.errors import UnexpectedReply, UnknownVersion

FILE_NAME = "table-definition.json"  # beside an export's manifest
VERSION = 1
MOST_DAYS = 35  # of point-in-time recovery, and what DynamoDB takes unless told otherwise
ON_DEMAND_BASE = (12_000, 4_000)  # units per second a new on-demand table takes at once
IMPORTABLE = (  # the members of ImportTable's TableCreationParameters
    "TableName",
    "AttributeDefinitions",
    "KeySchema",
    "BillingMode",
    "ProvisionedThroughput",
    "OnDemandThroughput",
    "SSESpecification",
    "GlobalSecondaryIndexes",
)
IMPORTABLE_OF_INDEX = (
    "IndexName",
    "KeySchema",
    "Projection",
    "ProvisionedThroughput",
    "OnDemandThroughput",
)


class TimeToLive(Aws, frozen=True, kw_only=True):
    """Items expire by this attribute."""

    attribute_name: str


class PointInTimeRecovery(Aws, frozen=True, kw_only=True):
    """Point-in-time recovery is on, for so many days; None: as many as DynamoDB gives."""

    recovery_period_in_days: int | None = None


class ScalingPolicy(Aws, frozen=True, kw_only=True):
    """A policy of Application Auto Scaling; the configuration is kept as AWS gives it."""

    policy_name: str
    policy_type: str
    target_tracking_scaling_policy_configuration: dict[str, Any] | None = None
    step_scaling_policy_configuration: dict[str, Any] | None = None


class ScalingTarget(Aws, frozen=True, kw_only=True):
    """Units of the table, or of a global index, that autoscaling sets."""

    scalable_dimension: str
    min_capacity: int
    max_capacity: int
    index_name: str | None = None  # None: of the table
    suspended_state: dict[str, bool] | None = None
    policies: tuple[ScalingPolicy, ...] = ()


class Omission(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Something of the table that the definition does not hold."""

    what: str
    why: str


class TableDefinition(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True
):
    """All that is kept of a table. None and empty mean that the table has no such thing.

    ``not_carried`` names what the table has and a restore does not make; ``not_read`` what could not be
    read: of that, the definition says nothing.
    """

    version: int
    table: TableSettings
    saved_at: datetime | None = None
    package_version: str = ""
    table_arn: str = ""
    table_id: str | None = None
    time_to_live: TimeToLive | None = None
    point_in_time_recovery: PointInTimeRecovery | None = None
    autoscaling: tuple[ScalingTarget, ...] = ()
    not_carried: tuple[Omission, ...] = ()
    not_read: tuple[Omission, ...] = ()

    def to_json(self) -> bytes:
        """The body of the file, for people and programs."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


class _Version(msgspec.Struct):
    version: int


def decode_definition(body: bytes, where: str) -> TableDefinition:
    """Read a definition; ``where`` names it. Raises UnexpectedReply or UnknownVersion."""
    try:
        found = msgspec.json.decode(body, type=_Version).version
        if found > VERSION:
            raise UnknownVersion(where, found, VERSION)
        return msgspec.json.decode(body, type=TableDefinition)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as problem:
        raise UnexpectedReply(f"{where} is not the definition of a table: {problem}") from problem


def creation_parameters(definition: TableDefinition, table_name: str) -> dict[str, Any]:
    """What CreateTable takes, complete, under another or the same name.

    Left out are tags that AWS alone may set, and warm throughput that a new table has anyway: what is
    asked for beyond that is billed once.
    """
    settings = definition.table
    made: dict[str, Any] = _plain(settings) | {"TableName": table_name}
    _drop_base(made, settings)
    for index, entry in zip(
        settings.global_secondary_indexes, made.get("GlobalSecondaryIndexes", ()), strict=True
    ):
        _drop_base(entry, index, billing_mode=settings.billing_mode)
    made.pop("Tags", None)
    return made | ({"Tags": _plain(settings.own_tags)} if settings.own_tags else {})


def import_parameters(definition: TableDefinition, table_name: str) -> dict[str, Any]:
    """What ImportTable takes as TableCreationParameters; ``beyond_import`` names what that leaves out."""
    made = creation_parameters(definition, table_name)
    kept = {name: made[name] for name in IMPORTABLE if name in made}
    if "GlobalSecondaryIndexes" in kept:
        kept["GlobalSecondaryIndexes"] = [
            {name: index[name] for name in IMPORTABLE_OF_INDEX if name in index}
            for index in kept["GlobalSecondaryIndexes"]
        ]
    keyed = [kept["KeySchema"], *(index["KeySchema"] for index in kept.get("GlobalSecondaryIndexes", ()))]
    used = {part["AttributeName"] for schema in keyed for part in schema}
    types = [each for each in kept["AttributeDefinitions"] if each["AttributeName"] in used]
    return kept | {"AttributeDefinitions": types}


def beyond_import(definition: TableDefinition) -> Sequence[str]:
    """What ImportTable cannot make, in words; local indexes can never be added, the rest by a restore."""
    return tuple(_beyond_import(definition))


def _beyond_import(definition: TableDefinition) -> Iterator[str]:
    made = creation_parameters(definition, definition.table.table_name)
    for index in definition.table.local_secondary_indexes:
        yield f"local index {index.index_name}"
    warm = [made, *made.get("GlobalSecondaryIndexes", ())]
    found = {
        "warm throughput": any("WarmThroughput" in each for each in warm),
        "stream": definition.table.stream_specification,
        f"table class {definition.table.table_class}": definition.table.table_class != STANDARD,
        "deletion protection": definition.table.deletion_protection_enabled,
        "tags": definition.table.own_tags,
        "time to live": definition.time_to_live,
        "point-in-time recovery": definition.point_in_time_recovery,
        "autoscaling": definition.autoscaling,
    }
    yield from (what for what, there in found.items() if there)


def _drop_base(
    made: dict[str, Any], settings: TableSettings | GlobalIndex, billing_mode: str | None = None
) -> None:
    """Take warm throughput out where a new table or index has as much without being asked."""
    warm, units = settings.warm_throughput, settings.provisioned_throughput
    mode = settings.billing_mode if isinstance(settings, TableSettings) else billing_mode
    base = (units.read_capacity_units, units.write_capacity_units) if units else (0, 0)
    if mode == ON_DEMAND:
        base = ON_DEMAND_BASE
    if warm and warm.read_units_per_second <= base[0] and warm.write_units_per_second <= base[1]:
        del made["WarmThroughput"]


def _plain(value: object) -> Any:
    """As JSON has it: dicts and lists."""
    return msgspec.json.decode(msgspec.json.encode(value))

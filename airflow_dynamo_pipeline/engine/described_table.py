"""AWS's replies about a table, turned into the parts of its definition.

What DynamoDB says in two ways is written in one: lists in order of name, no units of zero, no maximum of -1,
only the attributes that keys use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from airflow_dynamo_pipeline.engine.table_definition import (
    Omission,
    PointInTimeRecovery,
    ScalingPolicy,
    ScalingTarget,
    TimeToLive,
)
from airflow_dynamo_pipeline.engine.table_settings import (
    PROVISIONED,
    STANDARD,
    AttributeDefinition,
    Encryption,
    GlobalIndex,
    KeyPart,
    LocalIndex,
    OnDemandMaximum,
    Projection,
    ProvisionedUnits,
    Stream,
    TableSettings,
    Tag,
    WarmUnits,
)

Json = Mapping[str, Any]
Shape = TypeVar("Shape", bound=msgspec.Struct)
CARRIED = frozenset(
    {
        "AttributeDefinitions",
        "BillingModeSummary",
        "DeletionProtectionEnabled",
        "GlobalSecondaryIndexes",
        "KeySchema",
        "LocalSecondaryIndexes",
        "OnDemandThroughput",
        "ProvisionedThroughput",
        "SSEDescription",
        "StreamSpecification",
        "TableClassSummary",
        "TableName",
        "WarmThroughput",
    }
)
OF_THE_MOMENT = frozenset(  # what a table is just now, or what tells this one from others
    {
        "ArchivalSummary",
        "CreationDateTime",
        "GlobalTableSettingsReplicationMode",
        "GlobalTableVersion",
        "ItemCount",
        "LatestStreamArn",
        "LatestStreamLabel",
        "RestoreSummary",
        "TableArn",
        "TableId",
        "TableSizeBytes",
        "TableStatus",
    }
)
MEMBERS_NOT_CARRIED = {
    "Replicas": "replicas",
    "GlobalTableWitnesses": "witnesses of a global table",
    "MultiRegionConsistency": "consistency over regions",
    "DisassociationProtectionEnabled": "protection against leaving a global table",
    "VectorIndexes": "vector indexes",
}
INDEX_CARRIED = frozenset({"IndexName", "KeySchema", "Projection"})
INDEX_OF_THE_MOMENT = frozenset({"Backfilling", "IndexArn", "IndexSizeBytes", "IndexStatus", "ItemCount"})
UNITS_CARRIED = frozenset({"OnDemandThroughput", "ProvisionedThroughput", "WarmThroughput"})
WITHIN = {  # what the parts are called that have members of their own, and which of these are known
    "GlobalSecondaryIndexes": ("global index", INDEX_CARRIED | INDEX_OF_THE_MOMENT | UNITS_CARRIED),
    "LocalSecondaryIndexes": ("local index", INDEX_CARRIED | INDEX_OF_THE_MOMENT),
    "StreamSpecification": ("stream", frozenset({"StreamEnabled", "StreamViewType"})),
}
UNKNOWN = "this version of the package does not know it"
ON = frozenset({"ENABLED", "ENABLING"})
DELETING = "DELETING"


def table_settings(table: Json, tags: Sequence[Json] = ()) -> TableSettings:
    """``Table`` of DescribeTable, and ListTagsOfResource's tags, as CreateTable would take them.

    A global index that is being deleted is left out; ``members_not_carried`` names it.
    """
    local = [_local_index(index) for index in table.get("LocalSecondaryIndexes") or ()]
    there = [each for each in table.get("GlobalSecondaryIndexes") or () if not _is_going(each)]
    global_ = [_global_index(index) for index in there]
    schema = _keys(table)
    used = {
        part.attribute_name for keys in (schema, *(i.key_schema for i in (*local, *global_))) for part in keys
    }
    types = [_struct(AttributeDefinition, each) for each in table.get("AttributeDefinitions", ())]
    return TableSettings(
        table_name=table["TableName"],
        attribute_definitions=tuple(
            sorted((one for one in types if one.attribute_name in used), key=lambda one: one.attribute_name)
        ),
        key_schema=schema,
        local_secondary_indexes=tuple(sorted(local, key=lambda index: index.index_name)),
        global_secondary_indexes=tuple(sorted(global_, key=lambda index: index.index_name)),
        billing_mode=(table.get("BillingModeSummary") or {}).get("BillingMode") or PROVISIONED,
        provisioned_throughput=_provisioned(table),
        on_demand_throughput=_maximum(table),
        warm_throughput=_warm(table),
        stream_specification=_stream(table),
        sse_specification=_encryption(table),
        table_class=(table.get("TableClassSummary") or {}).get("TableClass", STANDARD),
        deletion_protection_enabled=bool(table.get("DeletionProtectionEnabled", False)),
        tags=tuple(sorted((_struct(Tag, tag) for tag in tags), key=lambda tag: tag.key)),
    )


def members_not_carried(table: Json) -> Iterator[Omission]:
    """What DescribeTable shows that a restore does not make; what no one here has heard of, too."""
    for name, value in sorted(table.items()):
        if name in WITHIN and value:
            yield from _within(name, value)
        if name in CARRIED or name in OF_THE_MOMENT or not value:
            continue
        if name == "Replicas":
            regions = sorted(replica.get("RegionName", "?") for replica in value)
            yield Omission(what="replicas", why="in " + ", ".join(regions) + "; add them to the new table")
        elif name in MEMBERS_NOT_CARRIED:
            yield Omission(what=MEMBERS_NOT_CARRIED[name], why="set it on the new table")
        else:
            yield Omission(what=name, why=UNKNOWN)


def _within(name: str, value: Any) -> Iterator[Omission]:
    """What is not carried of an index or of the stream."""
    part, known = WITHIN[name]
    for each in value if isinstance(value, list) else [value]:
        of = f"{part} {each['IndexName']}" if "IndexName" in each else part
        if _is_going(each):
            yield Omission(what=of, why="it was being deleted")
            continue
        for member in sorted(member for member, found in each.items() if member not in known and found):
            yield Omission(what=f"{member} of {of}", why=UNKNOWN)


def _is_going(index: Json) -> bool:
    return bool(index.get("IndexStatus") == DELETING)


def time_to_live(description: Json) -> TimeToLive | None:
    """``TimeToLiveDescription``."""
    if description.get("TimeToLiveStatus") not in ON:
        return None
    return TimeToLive(attribute_name=description["AttributeName"])


def point_in_time_recovery(description: Json) -> PointInTimeRecovery | None:
    """``ContinuousBackupsDescription``."""
    found = description.get("PointInTimeRecoveryDescription") or {}
    if found.get("PointInTimeRecoveryStatus") not in ON:
        return None
    return PointInTimeRecovery(recovery_period_in_days=found.get("RecoveryPeriodInDays"))


def scaling_target(target: Json, policies: Sequence[Json]) -> ScalingTarget:
    """A scalable target with the policies of its resource, of which it takes its own."""
    dimension = target["ScalableDimension"]
    own = [_policy(each) for each in policies if each["ScalableDimension"] == dimension]
    suspended = {name: value for name, value in (target.get("SuspendedState") or {}).items() if value}
    return ScalingTarget(
        scalable_dimension=dimension,
        min_capacity=target["MinCapacity"],
        max_capacity=target["MaxCapacity"],
        index_name=index_of_resource(target["ResourceId"]),
        suspended_state=suspended or None,
        policies=tuple(sorted(own, key=lambda policy: policy.policy_name)),
    )


def resource_id(table_name: str, index_name: str | None) -> str:
    """How Application Auto Scaling calls a table or an index of it.

    >>> resource_id("orders", "by-day")
    'table/orders/index/by-day'
    """
    return f"table/{table_name}" + (f"/index/{index_name}" if index_name else "")


def index_of_resource(name: str) -> str | None:
    """The index of a resource's name; None for a table's."""
    return name.partition("/index/")[2] or None


def _policy(policy: Json) -> ScalingPolicy:
    return ScalingPolicy(
        policy_name=policy["PolicyName"],
        policy_type=policy["PolicyType"],
        target_tracking_scaling_policy_configuration=policy.get("TargetTrackingScalingPolicyConfiguration"),
        step_scaling_policy_configuration=policy.get("StepScalingPolicyConfiguration"),
    )


def _local_index(index: Json) -> LocalIndex:
    return LocalIndex(index_name=index["IndexName"], key_schema=_keys(index), projection=_projection(index))


def _global_index(index: Json) -> GlobalIndex:
    return GlobalIndex(
        index_name=index["IndexName"],
        key_schema=_keys(index),
        projection=_projection(index),
        provisioned_throughput=_provisioned(index),
        on_demand_throughput=_maximum(index),
        warm_throughput=_warm(index),
    )


def _keys(described: Json) -> tuple[KeyPart, ...]:
    """HASH before RANGE; several of one kind stay in their order."""
    parts = [_struct(KeyPart, part) for part in described["KeySchema"]]
    return tuple(sorted(parts, key=lambda part: part.key_type))


def _projection(index: Json) -> Projection:
    found = index["Projection"]
    names = tuple(sorted(found.get("NonKeyAttributes") or ())) or None
    return Projection(projection_type=found.get("ProjectionType", "ALL"), non_key_attributes=names)


def _provisioned(described: Json) -> ProvisionedUnits | None:
    found = described.get("ProvisionedThroughput") or {}
    read, write = found.get("ReadCapacityUnits", 0), found.get("WriteCapacityUnits", 0)
    return ProvisionedUnits(read_capacity_units=read, write_capacity_units=write) if read or write else None


def _maximum(described: Json) -> OnDemandMaximum | None:
    found = described.get("OnDemandThroughput") or {}
    read, write = (found.get(f"Max{kind}RequestUnits", -1) for kind in ("Read", "Write"))
    made = OnDemandMaximum(
        max_read_request_units=read if read > 0 else None,
        max_write_request_units=write if write > 0 else None,
    )
    return None if made == OnDemandMaximum() else made


def _warm(described: Json) -> WarmUnits | None:
    found = described.get("WarmThroughput") or {}
    read, write = found.get("ReadUnitsPerSecond"), found.get("WriteUnitsPerSecond")
    if read is None or write is None:
        return None
    return WarmUnits(read_units_per_second=read, write_units_per_second=write)


def _stream(table: Json) -> Stream | None:
    found = table.get("StreamSpecification") or {}
    if not found.get("StreamEnabled"):
        return None
    return Stream(stream_enabled=True, stream_view_type=found["StreamViewType"])


def _encryption(table: Json) -> Encryption | None:
    found = table.get("SSEDescription") or {}
    if found.get("Status") not in {*ON, "UPDATING"}:
        return None
    return Encryption(
        enabled=True,
        sse_type=found.get("SSEType", "KMS"),
        kms_master_key_id=found.get("KMSMasterKeyArn"),
    )


def _struct(shape: type[Shape], found: Json) -> Shape:
    """The members a structure knows, without what AWS may add some day."""
    known = {field.encode_name for field in msgspec.structs.fields(shape)}
    return msgspec.convert({name: value for name, value in found.items() if name in known}, shape)

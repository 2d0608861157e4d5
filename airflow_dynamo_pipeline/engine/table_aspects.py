"""Two definitions of a table, set side by side: every aspect by its name, and what differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from airflow_dynamo_pipeline.engine.ports import JsonObject
from airflow_dynamo_pipeline.engine.table_definition import MOST_DAYS, ScalingTarget, TableDefinition
from airflow_dynamo_pipeline.engine.table_settings import (
    MARK,
    RESERVED_TAGS,
    Encryption,
    GlobalIndex,
    LocalIndex,
    TableSettings,
    WarmUnits,
)

SHAPE = ("key", "local index ", "global index keys ")  # aspects a table is made with and keeps
NONE = "none"
Dimensions = AbstractSet[tuple[str | None, str]]  # index and what is scaled


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One aspect in which a table is not as its definition says."""

    what: str
    wanted: str
    found: str
    why: str = ""

    def to_json(self) -> JsonObject:
        """The difference as a JSON object."""
        return asdict(self)

    def line(self) -> str:
        """One line for people."""
        return f"{self.what}: {self.wanted} wanted, {self.found} found" + (
            f" ({self.why})" if self.why else ""
        )


def differences(wanted: TableDefinition, found: TableDefinition) -> Sequence[Difference]:
    """Every aspect that is not as wanted, in order of name.

    Warm throughput may be more than wanted, and units that autoscaling sets are left to it. AWS's own tags
    and the mark of a restore belong to their table.
    """
    scaled = _dimensions(wanted) & _dimensions(found)
    one, other = dict(_aspects(wanted, scaled)), dict(_aspects(found, scaled))
    names = [name for name in sorted({*one, *other}) if not _is_satisfied(one.get(name), other.get(name))]
    return [
        Difference(what=name, wanted=_text(one.get(name)), found=_text(other.get(name)))
        for name in names
        if name in one or not name.startswith(f"tag {RESERVED_TAGS}")
    ]


def shape_differences(wanted: TableDefinition, found: TableDefinition) -> Sequence[Difference]:
    """What makes a table another one: its key, its local indexes, the keys of its global ones."""
    return [each for each in differences(wanted, found) if each.what.startswith(SHAPE)]


def _is_satisfied(wanted: object, found: object) -> bool:
    if isinstance(wanted, WarmUnits):
        return (
            isinstance(found, WarmUnits)
            and found.read_units_per_second >= wanted.read_units_per_second
            and found.write_units_per_second >= wanted.write_units_per_second
        )
    if isinstance(found, WarmUnits):
        return wanted is None
    if isinstance(wanted, Encryption) and isinstance(found, Encryption):
        return _is_same_key(wanted.kms_master_key_id, found.kms_master_key_id)
    return wanted == found


def _is_same_key(wanted: str | None, found: str | None) -> bool:
    """A key's ARN and its id name the same key; what an alias means, DynamoDB alone has looked up."""
    if wanted is None or found is None:
        return wanted == found
    return "alias/" in wanted or found == wanted or found.endswith(f"/{wanted}")


def _dimensions(definition: TableDefinition) -> Dimensions:
    return {(target.index_name, target.scalable_dimension) for target in definition.autoscaling}


def _aspects(definition: TableDefinition, scaled: Dimensions) -> Iterator[tuple[str, Any]]:
    table = definition.table
    types = {one.attribute_name: one.attribute_type for one in table.attribute_definitions}
    yield "key", _keys(table, types)
    for local in table.local_secondary_indexes:
        yield f"local index {local.index_name}", f"{_keys(local, types)}; {_projection(local)}"
    for index in table.global_secondary_indexes:
        yield f"global index keys {index.index_name}", f"{_keys(index, types)}; {_projection(index)}"
        yield from _capacity(index, f" of global index {index.index_name}", index.index_name, scaled)
    yield "billing mode", table.billing_mode
    yield from _capacity(table, "", None, scaled)
    yield "stream", table.stream_specification and table.stream_specification.stream_view_type
    yield "encryption", table.sse_specification
    yield "table class", table.table_class
    yield "deletion protection", table.deletion_protection_enabled
    for tag in table.tags:
        if tag.key != MARK:
            yield f"tag {tag.key}", tag.value
    yield "time to live", definition.time_to_live and definition.time_to_live.attribute_name
    recovery = definition.point_in_time_recovery
    yield "point-in-time recovery", recovery and f"{recovery.recovery_period_in_days or MOST_DAYS} days"
    for target in definition.autoscaling:
        yield from _scaling(target)


def _scaling(target: ScalingTarget) -> Iterator[tuple[str, Any]]:
    """The range, and each policy."""
    name = scaling_name(target)
    suspended = f", suspended {sorted(target.suspended_state)}" if target.suspended_state else ""
    yield name, f"{target.min_capacity} to {target.max_capacity}{suspended}"
    for policy in target.policies:
        yield f"{name}, policy {policy.policy_name}", policy


def scaling_name(target: ScalingTarget) -> str:
    """The aspect of a target.

    >>> scaling_name(ScalingTarget(scalable_dimension="dynamodb:table:ReadCapacityUnits", min_capacity=1,
    ...     max_capacity=2))
    'autoscaling of ReadCapacityUnits'
    """
    of_index = f" of global index {target.index_name}" if target.index_name else ""
    return f"autoscaling of {target.scalable_dimension.rpartition(':')[2]}{of_index}"


def _capacity(
    settings: TableSettings | GlobalIndex, of: str, index_name: str | None, scaled: Dimensions
) -> Iterator[tuple[str, Any]]:
    units: Mapping[str, Any] = msgspec.to_builtins(settings.provisioned_throughput) or {}
    kind = "index" if index_name else "table"
    for name, value in units.items():
        if (index_name, f"dynamodb:{kind}:{name}") not in scaled:
            yield f"{name}{of}", value
    maximum: Mapping[str, Any] = msgspec.to_builtins(settings.on_demand_throughput) or {}
    for name, value in maximum.items():
        yield f"{name}{of}", value
    yield f"warm throughput{of}", settings.warm_throughput


def _keys(keyed: TableSettings | LocalIndex, types: Mapping[str, str]) -> str:
    parts = [
        f"{part.attribute_name} {types.get(part.attribute_name, '?')} {part.key_type}"
        for part in keyed.key_schema
    ]
    return ", ".join(parts)


def _projection(index: LocalIndex) -> str:
    names = index.projection.non_key_attributes or ()
    return " ".join([index.projection.projection_type, *names])


def _text(value: Any) -> str:
    if value is None:
        return NONE
    if isinstance(value, msgspec.Struct):
        return msgspec.json.encode(value).decode()
    return str(value)

"""What makes a table as its definition says: calls in their order, decided without making any.

A restore only adds. It switches nothing off, changes neither provisioned units nor encryption of a table that
was there, writes no item and deletes no table. What a table that no restore has made has otherwise, it keeps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from airflow_dynamo_pipeline.engine.described_table import resource_id
from airflow_dynamo_pipeline.engine.table_aspects import (
    differences,
    scaling_name,
    shape_differences,
)
from airflow_dynamo_pipeline.engine.table_definition import (
    MOST_DAYS,
    PointInTimeRecovery,
    ScalingTarget,
    TableDefinition,
    creation_parameters,
)
from airflow_dynamo_pipeline.engine.table_settings import MARK, STANDARD, Encryption
from airflow_dynamo_pipeline.errors import Problem, Refused

MOST_TAGS = 50  # of a resource of AWS
OWN_KEY = "alias/aws/dynamodb"  # the account's own key for DynamoDB
SCALING = "application-autoscaling"
UPDATE = "UpdateTable"
KEPT = "the table was there with another, which a restore leaves"
UNSEEN = "what the table has could not be read, and a restore leaves it"
UNREAD = {  # what was not read, and how the aspects begin that nothing is known of for that
    "autoscaling": "autoscaling of ",
    "point-in-time recovery": "point-in-time recovery",
    "tags": "tag ",
    "time to live": "time to live",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class RestoreRequest:
    """What to restore, under which name. ``kms_key_id`` takes the place of the definition's key."""

    definition: TableDefinition
    table_name: str
    kms_key_id: str | None = None
    onto_existing: bool = False  # a table that no restore has made may get what it has not, too

    @property
    def wanted(self) -> TableDefinition:
        """The definition with the key that was asked for."""
        if self.kms_key_id is None:
            return self.definition
        key = None if self.kms_key_id == OWN_KEY else self.kms_key_id
        table = msgspec.structs.replace(
            self.definition.table, sse_specification=Encryption(enabled=True, kms_master_key_id=key)
        )
        return msgspec.structs.replace(self.definition, table=table)

    @property
    def key_arn(self) -> str | None:
        """The ARN of the definition's KMS key, where the table is to have just that."""
        encryption = self.definition.table.sse_specification
        return encryption.kms_master_key_id if encryption and self.kms_key_id is None else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One call; ``what`` is the aspect it settles."""

    what: str
    operation: str
    request: Mapping[str, Any]
    service: str = "dynamodb"


def creation(request: RestoreRequest, *, is_foreign_key: bool) -> Step:
    """The call that makes the table, marked as unfinished; protection against deletion comes last.

    ``is_foreign_key``: the definition's KMS key is of no use here, so the table is made without it.
    """
    made = creation_parameters(request.wanted, request.table_name)
    made.pop("DeletionProtectionEnabled", None)
    if is_foreign_key:
        del made["SSESpecification"]
    tags = made.get("Tags", [])
    if len(tags) < MOST_TAGS:
        made["Tags"] = [*tags, {"Key": MARK, "Value": "unfinished"}]
    return Step(what="table", operation="CreateTable", request=made)


def is_foreign(key_arn: str | None, region: str, account: str) -> bool:
    """Whether a KMS key is another region's or another account's: whether it fits, only a person knows."""
    if key_arn is None or not key_arn.startswith("arn:"):
        return False
    return key_arn.split(":")[3:5] != [region, account]


def is_unfinished(found: TableDefinition) -> bool:
    """Whether a restore made this table and did not come to its end."""
    return any(tag.key == MARK for tag in found.table.tags)


def check_same(request: RestoreRequest, found: TableDefinition, *, is_ours: bool = False) -> None:
    """Raise Refused, with all differences, unless the table that is there may be gone on with.

    ``is_ours``: this restore has made it, whether or not its mark can be seen already.
    """
    where = f"table {request.table_name}"
    differing = differences(request.wanted, found)
    hint: str | None = None
    if not shape_differences(request.wanted, found):
        if is_ours or is_unfinished(found) or request.onto_existing or not differing:
            return
        hint = "give another name with --table-name, or --onto-existing to add what this table has not"
    else:
        hint = "it is another table; give another name with --table-name"
    *first, last = differing
    problems = [Problem(where, f"exists, and differs in {each.line()}") for each in first]
    raise Refused([*problems, Problem(where, f"exists, and differs in {last.line()}", hint)])


def settling(request: RestoreRequest, found: TableDefinition) -> Sequence[Step]:
    """The calls that are left to do for a table that is there; none where nothing is."""
    wanted = request.wanted
    steps = [
        *_table_steps(wanted, found),
        *_backup_steps(wanted, found),
        *_tag_steps(wanted, found),
        *_scaling_steps(wanted, found),
        *_protection_steps(wanted, found),
    ]
    return [replace(step, request={**step.request, **_named(step, found)}) for step in steps]


def left_alone(steps: Sequence[Step], found: TableDefinition) -> Mapping[str, str]:
    """What a table that no restore has made keeps: the aspects of steps to leave out, and the reasons."""
    there = set(_set_already(found))
    unread = tuple(UNREAD[each.what] for each in found.not_read if each.what in UNREAD)
    unseen = {step.what: UNSEEN for step in steps if step.what.startswith(unread)}
    return unseen | {step.what: KEPT for step in steps if step.what in there}


def _set_already(found: TableDefinition) -> Iterator[str]:
    if found.table.table_class != STANDARD:
        yield "table class"
    if found.point_in_time_recovery:
        yield "point-in-time recovery"
    yield from (f"tag {tag.key}" for tag in found.table.tags)
    for target in found.autoscaling:
        name = scaling_name(target)
        yield name
        yield from (f"{name}, policy {policy.policy_name}" for policy in target.policies)


def unmarking(found: TableDefinition) -> Step:
    """The very last call: the table is finished."""
    return Step(
        what=f"tag {MARK}",
        operation="UntagResource",
        request={"ResourceArn": found.table_arn, "TagKeys": [MARK]},
    )


def _named(step: Step, found: TableDefinition) -> Mapping[str, Any]:
    if step.service == SCALING:
        return {"ServiceNamespace": "dynamodb"}
    if step.operation == "TagResource":
        return {"ResourceArn": found.table_arn}
    return {"TableName": found.table.table_name}


def _table_steps(wanted: TableDefinition, found: TableDefinition) -> Iterator[Step]:
    """What CreateTable sets, where ImportTable or a person made the table without."""
    stream = wanted.table.stream_specification
    if stream and not found.table.stream_specification:
        yield Step(
            what="stream", operation=UPDATE, request={"StreamSpecification": msgspec.to_builtins(stream)}
        )
    if wanted.table.table_class != found.table.table_class:
        yield Step(what="table class", operation=UPDATE, request={"TableClass": wanted.table.table_class})
    differing = {each.what for each in differences(wanted, found)}
    made = creation_parameters(wanted, found.table.table_name)
    if "WarmThroughput" in made and "warm throughput" in differing:
        yield Step(
            what="warm throughput", operation=UPDATE, request={"WarmThroughput": made["WarmThroughput"]}
        )
    for index in made.get("GlobalSecondaryIndexes", ()):
        what = f"warm throughput of global index {index['IndexName']}"
        if "WarmThroughput" in index and what in differing:
            update = {"IndexName": index["IndexName"], "WarmThroughput": index["WarmThroughput"]}
            yield Step(
                what=what, operation=UPDATE, request={"GlobalSecondaryIndexUpdates": [{"Update": update}]}
            )


def _backup_steps(wanted: TableDefinition, found: TableDefinition) -> Iterator[Step]:
    expiry = wanted.time_to_live
    if expiry and not found.time_to_live:
        specification = {"Enabled": True, "AttributeName": expiry.attribute_name}
        yield Step(
            what="time to live",
            operation="UpdateTimeToLive",
            request={"TimeToLiveSpecification": specification},
        )
    recovery = wanted.point_in_time_recovery
    if recovery and _days(recovery) > _days(found.point_in_time_recovery):
        days = recovery.recovery_period_in_days
        enabled = {"PointInTimeRecoveryEnabled": True} | ({"RecoveryPeriodInDays": days} if days else {})
        yield Step(
            what="point-in-time recovery",
            operation="UpdateContinuousBackups",
            request={"PointInTimeRecoverySpecification": enabled},
        )


def _days(recovery: PointInTimeRecovery | None) -> int:
    return (recovery.recovery_period_in_days or MOST_DAYS) if recovery else 0


def _tag_steps(wanted: TableDefinition, found: TableDefinition) -> Iterator[Step]:
    there = {tag.key: tag.value for tag in found.table.tags}
    for tag in wanted.table.own_tags:
        if there.get(tag.key) != tag.value:
            tags = [{"Key": tag.key, "Value": tag.value}]
            yield Step(what=f"tag {tag.key}", operation="TagResource", request={"Tags": tags})


def _scaling_steps(wanted: TableDefinition, found: TableDefinition) -> Iterator[Step]:
    differing = {each.what for each in differences(wanted, found)}
    for target in wanted.autoscaling:
        name = scaling_name(target)
        where = {
            "ResourceId": resource_id(found.table.table_name, target.index_name),
            "ScalableDimension": target.scalable_dimension,
        }
        if name in differing:
            yield Step(
                what=name,
                operation="RegisterScalableTarget",
                request={**where, **_range(target)},
                service=SCALING,
            )
        for policy in target.policies:
            what = f"{name}, policy {policy.policy_name}"
            if what in differing:
                settings = msgspec.to_builtins(policy)
                yield Step(
                    what=what, operation="PutScalingPolicy", request={**where, **settings}, service=SCALING
                )


def _range(target: ScalingTarget) -> Mapping[str, Any]:
    found: dict[str, Any] = {"MinCapacity": target.min_capacity, "MaxCapacity": target.max_capacity}
    return found | ({"SuspendedState": target.suspended_state} if target.suspended_state else {})


def _protection_steps(wanted: TableDefinition, found: TableDefinition) -> Iterator[Step]:
    if wanted.table.deletion_protection_enabled and not found.table.deletion_protection_enabled:
        yield Step(what="deletion protection", operation=UPDATE, request={"DeletionProtectionEnabled": True})

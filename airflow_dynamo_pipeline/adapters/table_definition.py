"""The definition of a table, read from AWS: DynamoDB, Application Auto Scaling, and KMS for a key's owner."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from airflow_dynamo_pipeline import __version__
from airflow_dynamo_pipeline.adapters.aws_calls import AwsCalls
from airflow_dynamo_pipeline.adapters.dynamodb import resource_text
from airflow_dynamo_pipeline.engine import described_table as described
from airflow_dynamo_pipeline.engine.table_definition import (
    VERSION,
    Omission,
    PointInTimeRecovery,
    ScalingTarget,
    TableDefinition,
    TimeToLive,
)
from airflow_dynamo_pipeline.engine.table_settings import Encryption, TableSettings
from airflow_dynamo_pipeline.errors import AccessDenied, Problem, Refused, UnexpectedReply

Json = Mapping[str, Any]
Result = TypeVar("Result")
SCALING = "application-autoscaling"


def read_complete(calls: AwsCalls, table_name: str) -> TableDefinition:
    """All of it; raises Refused with everything that could not be read, and NotFound."""
    found = read_definition(calls, table_name)
    if found.not_read:
        raise Refused(
            Problem(f"table {found.table.table_name}", f"{each.what} could not be read: {each.why}")
            for each in found.not_read
        )
    return found


def read_definition(calls: AwsCalls, table_name: str, *, is_all: bool = True) -> TableDefinition:
    """What may be read; ``not_read`` names the rest. Raises NotFound, and AccessDenied for the table.

    ``is_all`` False: what a definition only names is not looked for.
    """
    reading = _Reading(calls, table_name)
    return reading.definition(reading.not_carried() if is_all else ())


class _Reading:
    """One table, asked for one thing after the other; what may not be read is noted."""

    def __init__(self, calls: AwsCalls, table_name: str) -> None:
        self._calls = calls
        self._resource = resource_text(table_name)
        self._table: Json = calls("dynamodb", "DescribeTable", self._resource, TableName=table_name)["Table"]
        self._table_name = table_name  # or an ARN
        self._name: str = self._table["TableName"]
        self._not_read: list[Omission] = []

    def definition(self, not_carried: Iterable[Omission]) -> TableDefinition:
        tags: Sequence[Json] = self._look("tags", self._tags, ())
        targets: Sequence[ScalingTarget] = self._look("autoscaling", lambda: tuple(self._targets()), ())
        named = tuple(not_carried)
        return TableDefinition(
            version=VERSION,
            table=self._with_key(described.table_settings(self._table, tags)),
            saved_at=self._calls.clock.now(),
            package_version=__version__,
            table_arn=self._table["TableArn"],
            table_id=self._table.get("TableId"),
            time_to_live=self._look("time to live", self._time_to_live, None),
            point_in_time_recovery=self._look("point-in-time recovery", self._recovery, None),
            autoscaling=tuple(targets),
            not_carried=named,
            not_read=tuple(self._not_read),
        )

    def _look(self, what: str, look: Callable[[], Result], otherwise: Result) -> Result:
        try:
            return look()
        except (AccessDenied, UnexpectedReply) as error:
            why = str(error).partition("\n")[0]
            self._not_read.append(Omission(what=what, why=why))
            return otherwise

    def _ask(self, operation: str, **request: Any) -> dict[str, Any]:
        return self._calls("dynamodb", operation, self._resource, **request)

    def _paged(self, service: str, operation: str, member: str, **request: Any) -> Iterator[Json]:
        while True:
            reply = self._calls(service, operation, self._resource, **request)
            yield from reply.get(member) or ()
            token = reply.get("NextToken")
            if not token:
                return
            request["NextToken"] = token

    def _tags(self) -> Sequence[Json]:
        arn = self._table["TableArn"]
        return list(self._paged("dynamodb", "ListTagsOfResource", "Tags", ResourceArn=arn))

    def _time_to_live(self) -> TimeToLive | None:
        reply = self._ask("DescribeTimeToLive", TableName=self._table_name)
        return described.time_to_live(reply["TimeToLiveDescription"])

    def _recovery(self) -> PointInTimeRecovery | None:
        reply = self._ask("DescribeContinuousBackups", TableName=self._table_name)
        return described.point_in_time_recovery(reply["ContinuousBackupsDescription"])

    # --- encryption -------------------------------------------------------------------------------

    def _with_key(self, settings: TableSettings) -> TableSettings:
        """Without the key's name where it is the account's own key for DynamoDB, which needs no name."""
        encryption = settings.sse_specification
        key = encryption.kms_master_key_id if encryption else None
        if key is None or not self._look("owner of the KMS key", lambda: self._is_of_aws(key), False):  # noqa: FBT003
            return settings
        return msgspec.structs.replace(settings, sse_specification=Encryption(enabled=True))

    def _is_of_aws(self, key: str) -> bool:
        reply = self._calls("kms", "DescribeKey", f"key {key}", KeyId=key)
        return bool(reply["KeyMetadata"].get("KeyManager") == "AWS")

    # --- autoscaling ------------------------------------------------------------------------------

    def _targets(self) -> Iterator[ScalingTarget]:
        for resource, targets in self._targets_by_resource.items():
            policies = list(self._scaling("DescribeScalingPolicies", "ScalingPolicies", ResourceId=resource))
            for target in sorted(targets, key=lambda each: str(each["ScalableDimension"])):
                yield described.scaling_target(target, policies)

    @functools.cached_property
    def _targets_by_resource(self) -> Mapping[str, list[Json]]:
        indexes = sorted(index["IndexName"] for index in self._table.get("GlobalSecondaryIndexes") or ())
        resources = [described.resource_id(self._name, index) for index in (None, *indexes)]
        found: dict[str, list[Json]] = {}
        for target in self._scaling("DescribeScalableTargets", "ScalableTargets", ResourceIds=resources):
            found.setdefault(target["ResourceId"], []).append(target)
        return {resource: found[resource] for resource in resources if resource in found}

    def _scaling(self, operation: str, member: str, **request: Any) -> Iterator[Json]:
        return self._paged(SCALING, operation, member, ServiceNamespace="dynamodb", **request)

    # --- what is named and no more ----------------------------------------------------------------

    def not_carried(self) -> Iterator[Omission]:
        region = self._calls.region
        replicas = [one for one in self._table.get("Replicas") or () if one.get("RegionName") != region]
        yield from described.members_not_carried({**self._table, "Replicas": replicas})
        for what, look in (
            ("scheduled actions of autoscaling", self._scheduled),
            ("resource policy", self._policies),
            ("contributor insights", self._insights),
            ("Kinesis data stream", self._kinesis),
        ):
            names: Sequence[str] = self._look(what, look, ())
            if names:
                yield Omission(what=what, why=f"{', '.join(names)}; set it on the new table")

    def _scheduled(self) -> Sequence[str]:
        found = [
            action["ScheduledActionName"]
            for resource in self._targets_by_resource
            for action in self._scaling("DescribeScheduledActions", "ScheduledActions", ResourceId=resource)
        ]
        return sorted(found)

    def _policies(self) -> Sequence[str]:
        arn = self._table["TableArn"]
        found = self._ask("GetResourcePolicy", answer="PolicyNotFoundException", ResourceArn=arn)
        return ("of the table",) if found.get("Policy") else ()

    def _insights(self) -> Sequence[str]:
        found = self._paged(
            "dynamodb", "ListContributorInsights", "ContributorInsightsSummaries", TableName=self._table_name
        )
        return [
            f"of index {each['IndexName']}" if each.get("IndexName") else "of the table"
            for each in found
            if each.get("ContributorInsightsStatus") in described.ON
        ]

    def _kinesis(self) -> Sequence[str]:
        reply = self._ask("DescribeKinesisStreamingDestination", TableName=self._table_name)
        found = reply.get("KinesisDataStreamDestinations") or ()
        return [
            each["StreamArn"] for each in found if each.get("DestinationStatus") in {"ACTIVE", "ENABLING"}
        ]

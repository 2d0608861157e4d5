"""A fake AWS that knows all that belongs to a table, and processes that save and restore definitions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from airflow_dynamo_pipeline.adapters.aws_calls import AwsCalls
from airflow_dynamo_pipeline.adapters.table_definition import read_complete, read_definition
from airflow_dynamo_pipeline.adapters.table_restore import restore_table
from airflow_dynamo_pipeline.engine.table_definition import TableDefinition
from airflow_dynamo_pipeline.engine.table_restore import RestoreRequest
from airflow_dynamo_pipeline.engine.table_restored import RestoreResult
from airflow_dynamo_pipeline.errors import PipelineError
from tests.clock import ManualClock
from tests.faults.calls import Call, Json
from tests.faults.dynamodb.database import ACCOUNT
from tests.faults.dynamodb.definitions import OWN_KEY, Extras, extras_of
from tests.faults.endpoint import FakeAws, Killed
from tests.faults.json_replies import Handlers, serve
from tests.faults.script import Fault
from tests.faults.wire import Reply

TABLE, COPY = "orders", "orders-again"
SCALING = "application-autoscaling"
SETTLE_SECONDS = 9.0  # how long a table is being made
IDENTITY = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    f"<Account>{ACCOUNT}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
)
LOOKS = ("Describe", "List", "Get")  # how the names of calls begin that change nothing


class TableAws(FakeAws):
    """With KMS, the caller's identity, and the scheduled actions of autoscaling."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(cast("Any", clock))  # one thread: a manual clock is enough
        self.scheduled: list[Json] = []
        self.late: dict[str, tuple[int, Json]] = {}  # operations that answer by something old, so many times

    def answer(self, call: Call) -> Reply:
        """As the services do."""
        times, old = self.late.get(call.operation, (0, {}))
        if times:
            self.late[call.operation] = (times - 1, old)
            return serve(call, {call.operation: lambda _: old}, threading.Lock())
        if call.operation == "GetCallerIdentity":
            return Reply(200, [IDENTITY.encode()], {"Content-Type": "text/xml"})
        handlers: Handlers = {
            "DescribeKey": lambda asked: {
                "KeyMetadata": {"KeyId": asked["KeyId"], "KeyManager": _manager(asked)}
            },
            "DescribeScheduledActions": lambda asked: {
                "ScheduledActions": [
                    one for one in self.scheduled if one["ResourceId"] == asked["ResourceId"]
                ]
            },
        }
        if call.operation in handlers:
            return serve(call, handlers, threading.Lock())
        return super().answer(call)


def _manager(asked: Json) -> str:
    return "AWS" if asked["KeyId"] == OWN_KEY else "CUSTOMER"


@dataclass
class Attempt:
    """One process: its outcome is a result, the error that ended it, or Killed."""

    outcome: RestoreResult | TableDefinition | BaseException
    operations: list[str]
    said: list[str]

    @property
    def result(self) -> RestoreResult:
        """What it returned."""
        assert isinstance(self.outcome, RestoreResult), self.outcome
        return self.outcome

    @property
    def definition(self) -> TableDefinition:
        """What it read."""
        assert isinstance(self.outcome, TableDefinition), self.outcome
        return self.outcome

    @property
    def changes(self) -> list[str]:
        """Its calls but those that only look."""
        return [name for name in self.operations if not name.startswith(LOOKS)]


def restoring(definition: TableDefinition, hear: Callable[[str], None], **settings: Any) -> Any:
    """The work of an attempt that restores; ``hear`` is told what it says, too."""
    request = RestoreRequest(**{"definition": definition, "table_name": COPY, **settings})

    def work(calls: AwsCalls, said: list[str]) -> RestoreResult:
        def say(line: str) -> None:
            said.append(line)
            hear(line)

        return restore_table(request, calls, say)

    return work


@dataclass
class TableWorld:
    """One account in one region."""

    clock: ManualClock = field(default_factory=ManualClock)
    settle_seconds: float = SETTLE_SECONDS

    def __post_init__(self) -> None:
        self.aws = TableAws(self.clock)
        self.aws.dynamodb._database._settle_seconds = self.settle_seconds

    def extras(self, name: str = TABLE) -> Extras:
        """The settings of a table that a test may change."""
        return extras_of(self.aws.dynamodb.table(name))

    @contextmanager
    def person(self) -> Iterator[Any]:
        """A function that makes clients without faults."""
        with self.aws.door() as door:
            yield door.client

    def make(self, request: Json, **settings: Any) -> None:
        """A table as a person makes it, with time_to_live, recovery_days, scaling and policies."""
        with self.person() as client:
            dynamodb = client("dynamodb")
            dynamodb.create_table(**request)
            name = request["TableName"]
            self.clock.advance(SETTLE_SECONDS)
            if settings.get("time_to_live"):
                wanted = {"Enabled": True, "AttributeName": settings["time_to_live"]}
                dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=wanted)
            if settings.get("recovery_days"):
                on = {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": settings["recovery_days"]}
                dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=on)
            for target in settings.get("scaling", ()):
                client(SCALING).register_scalable_target(ServiceNamespace="dynamodb", **target)
            for policy in settings.get("policies", ()):
                client(SCALING).put_scaling_policy(ServiceNamespace="dynamodb", **policy)

    def save(self, *faults: Fault, table_name: str = TABLE, incomplete: bool = False) -> Attempt:
        """Read a definition."""
        read = read_definition if incomplete else read_complete
        return self._attempt(faults, lambda calls, _: read(calls, table_name))

    def restore(self, definition: TableDefinition, *faults: Fault, **settings: Any) -> Attempt:
        """Make a table, by default beside the one that the definition is of."""
        return self._attempt(faults, restoring(definition, lambda _: None, **settings))

    def restore_until(
        self, said: str, definition: TableDefinition, *, stopped: bool = False, **settings: Any
    ) -> Attempt:
        """The same, told to stop when it says something, or before it begins."""

        def hear(line: str) -> None:
            if said in line:
                stop.set()

        stop = threading.Event()
        if stopped:
            stop.set()
        return self._attempt((), restoring(definition, hear, **settings), stop)

    def _attempt(self, faults: tuple[Fault, ...], work: Any, stop: threading.Event | None = None) -> Attempt:
        said: list[str] = []
        with self.aws.door(*faults) as door:
            stop = stop or threading.Event()
            calls = AwsCalls(door.client, clock=self.clock, stop=stop, warn=said.append)
            try:
                outcome = work(calls, said)
            except (PipelineError, Killed) as error:
                outcome = error
            return Attempt(outcome, door.operations(), said)

    def replies(self, name: str) -> Json:
        """What AWS itself says of a table, without what tells one table from another."""
        with self.person() as client:
            dynamodb, scaling = client("dynamodb"), client(SCALING)
            table = dynamodb.describe_table(TableName=name)["Table"]
            backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
            found = {
                "table": table,
                "tags": sorted(
                    dynamodb.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"], key=str
                ),
                "time to live": dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"],
                "recovery": backups["PointInTimeRecoveryDescription"],
                "targets": _of(scaling, "describe_scalable_targets", "ScalableTargets", name),
                "policies": _of(scaling, "describe_scaling_policies", "ScalingPolicies", name),
            }
        cleaned: Json = _clean(found, name)
        return cleaned


OWN = frozenset(
    {
        "Alarms",
        "CreationDateTime",
        "CreationTime",
        "EarliestRestorableDateTime",
        "LastUpdateToPayPerRequestDateTime",
        "LatestRestorableDateTime",
        "LatestStreamLabel",
        "PolicyARN",
        "TableId",
    }
)


def _of(scaling: Any, operation: str, member: str, name: str) -> list[Json]:
    pages = scaling.get_paginator(operation).paginate(ServiceNamespace="dynamodb")
    found = [each for page in pages for each in page[member]]
    return sorted((each for each in found if each["ResourceId"].split("/")[1] == name), key=str)


def _clean(found: Any, name: str) -> Any:
    """Without ids and times, and under one name for all tables; lists in one order."""
    if isinstance(found, dict):
        return {
            key: _clean(value, name) for key, value in found.items() if key not in OWN | {"LatestStreamArn"}
        }
    if isinstance(found, list):
        return sorted((_clean(each, name) for each in found), key=str)
    if isinstance(found, str):
        parts = found.split("/")
        return "/".join("TABLE" if part == name else part for part in parts)
    return found

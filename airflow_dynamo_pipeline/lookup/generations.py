"""Blue/green: a generation of rows loaded beside the one that is read, and the flip from one to the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from airflow_dynamo_pipeline.engine.backoff import retrying
from airflow_dynamo_pipeline.engine.ports import ConditionFailed
from airflow_dynamo_pipeline.engine.throttle import Throttle
from airflow_dynamo_pipeline.errors import (
    ImportFailed,
    LookupRefused,
    PipelineError,
    Problem,
    StaleAttempt,
    with_hint,
)
from airflow_dynamo_pipeline.lookup.mapping import RowMapping
from airflow_dynamo_pipeline.lookup.plan import LookupPlan
from airflow_dynamo_pipeline.lookup.pointer import GENERATION, SEPARATOR, Pointer, pointer_key
from airflow_dynamo_pipeline.lookup.ports import LookupPorts
from airflow_dynamo_pipeline.lookup.records import ChangeSet
from airflow_dynamo_pipeline.lookup.sampling import ReadBack

DAY_SECONDS = 86_400
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, kw_only=True, slots=True)
class Generation:
    """A generation that is to be loaded. Its name is of one attempt: nothing of another can be in it."""

    name: str
    expires_at: int  # epoch seconds
    ttl_attribute: str
    rows_before: int  # of the generation that counts now

    @classmethod
    def begun(cls, plan: LookupPlan, ports: LookupPorts, attempt: str) -> Generation | None:
        """The generation this attempt loads; None where rows are kept in place."""
        days, ttl = plan.load.generation_days, plan.load.ttl_attribute
        if days is None or ttl is None:
            _refuse_generations(plan, ports)
            return None
        now = ports.clock.now()
        before = current_pointer(plan, ports)
        return cls(
            name=f"{now.astimezone(UTC):%Y%m%dT%H%M%S}-{attempt}",
            expires_at=int(now.timestamp() + days * DAY_SECONDS),
            ttl_attribute=ttl,
            rows_before=before.rows if before else 0,
        )

    @property
    def prefix(self) -> str:
        """What stands before every partition key."""
        return self.name + SEPARATOR

    def mapped(self, mapping: RowMapping) -> RowMapping:
        """The same, and every item expires with the generation."""
        constants: Mapping[str, Any] = {self.ttl_attribute: {"N": str(self.expires_at)}}
        return replace(mapping, constants={**mapping.constants, **constants})


def current_pointer(plan: LookupPlan, ports: LookupPorts) -> Pointer | None:
    """The pointer item, read consistently; None before the first generation."""
    reading = ReadBack(
        ports.getter,
        plan.load.table_name,
        plan.key,
        throttle=Throttle(plan.rate.units_per_second, ports.clock, ports.stop),
        clock=ports.clock,
        stop=ports.stop,
        warn=ports.warn,
    )
    found = reading.items([_encode(pointer_key(plan.key))])
    return Pointer.from_item(msgspec.json.decode(found[0])) if found else None


def flip(
    plan: LookupPlan, ports: LookupPorts, change_set: ChangeSet, rows: int, check: Callable[[], None]
) -> None:
    """Let a loaded generation count; raises StaleAttempt when another one was flipped to meanwhile.

    An attempt that is repeated after its reply was lost finds its own generation, and that is success.
    ``check`` raises when the lease was lost: called after the pointer was read, so that the pointer which
    the put is conditional on is one that this attempt's holder of the lease found.
    """
    if change_set.generation is None or change_set.expires_at is None:
        return
    before = current_pointer(plan, ports)
    if before is not None and before.generation == change_set.generation:
        return
    pointer = Pointer(
        generation=change_set.generation,
        rows=rows,
        loaded_at=ports.clock.now(),
        expires_at=datetime.fromtimestamp(change_set.expires_at, UTC),
        earlier=before.generation if before else None,
    )
    if pointer.loaded_at >= pointer.expires_at:
        expired = f"generation {pointer.generation} expired before it was loaded: it does not count"
        raise ImportFailed(with_hint(expired, "raise generation_days, or the rate"))
    check()
    _put(plan, ports, pointer)
    ports.say(f"generation {pointer.generation} counts now; before: {pointer.earlier or 'none'}")


def _put(plan: LookupPlan, ports: LookupPorts, pointer: Pointer) -> None:
    """Put the pointer on condition that it is as it was read."""
    body = _encode(_conditional(plan, pointer))

    def put() -> None:
        ports.writing.table.write("PutItem", body)

    def note(error: PipelineError) -> None:
        ports.warn(f"{error}; trying again")

    try:
        retrying(ports.clock, ports.stop, before_pause=note)(put)
    except ConditionFailed:
        _refuse_another(plan, ports, pointer.generation)


def _refuse_generations(plan: LookupPlan, ports: LookupPorts) -> None:
    """Rows in place beside generations: a mirror would delete what is being read, and the pointer to it."""
    if not plan.load.deletes or plan.key[0].tag != "S":
        return
    found = current_pointer(plan, ports)
    if found is not None:
        problem = Problem(
            "generation_days",
            f"table {plan.load.table_name} has generations, and {found.generation} counts",
            "set generation_days; or delete the pointer item #current if rows shall be in place from now on",
        )
        raise LookupRefused([problem])


def _refuse_another(plan: LookupPlan, ports: LookupPorts, ours: str) -> None:
    """The pointer is not as it was read: by our own put, whose reply was lost, or by another's."""
    now = current_pointer(plan, ports)
    if now is None or now.generation != ours:
        raise StaleAttempt(
            f"another run flipped table {plan.load.table_name} to generation "
            f"{now.generation if now else 'none'} meanwhile; {ours} does not count"
        )


def _conditional(plan: LookupPlan, pointer: Pointer) -> dict[str, Any]:
    body: dict[str, Any] = {"TableName": plan.load.table_name, "Item": pointer.to_item(plan.key)}
    if pointer.earlier is None:
        body |= {
            "ConditionExpression": "attribute_not_exists(#k)",
            "ExpressionAttributeNames": {"#k": plan.key[0].name},
        }
    else:
        body |= {
            "ConditionExpression": "#g = :g",
            "ExpressionAttributeNames": {"#g": GENERATION},
            "ExpressionAttributeValues": {":g": {"S": pointer.earlier}},
        }
    return body

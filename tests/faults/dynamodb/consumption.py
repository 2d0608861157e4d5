"""``ConsumedCapacity`` of a reply."""

from __future__ import annotations

from typing import Any

from tests.faults.dynamodb.errors import invalid

Json = dict[str, Any]
Units = dict[str, float]  # by name of index

TOTAL = "TOTAL"
INDEXES = "INDEXES"


def consumed(
    request: Json, table_name: str, *, table: float, local: Units | None = None, global_: Units | None = None
) -> Json | None:
    """What a call on one table used, in as much detail as it asked for; None: it did not ask."""
    mode = request.get("ReturnConsumedCapacity", "NONE")
    if mode not in (TOTAL, INDEXES):
        return None
    local, global_ = local or {}, global_ or {}
    reply: Json = {
        "TableName": table_name,
        "CapacityUnits": table + sum(local.values()) + sum(global_.values()),
    }
    if mode == INDEXES:
        reply["Table"] = {"CapacityUnits": table}
        for name, units in (("LocalSecondaryIndexes", local), ("GlobalSecondaryIndexes", global_)):
            if units:
                reply[name] = {index: {"CapacityUnits": each} for index, each in units.items()}
    return reply


def check_mode(request: Json) -> None:
    """Refuse a ReturnConsumedCapacity that is none."""
    mode = request.get("ReturnConsumedCapacity", "NONE")
    if mode not in ("NONE", TOTAL, INDEXES):
        raise invalid(
            f"1 validation error detected: Value '{mode}' at 'returnConsumedCapacity' failed to satisfy "
            "constraint: Member must satisfy enum value set: [INDEXES, TOTAL, NONE]"
        )

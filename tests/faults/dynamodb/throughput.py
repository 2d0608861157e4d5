"""What a table or an index is set to: provisioned units, on-demand maxima, warm throughput."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Json = dict[str, Any]
Kind = Literal["read", "write"]

NEW_TABLE_READS = 12_000.0  # units per second that a new on-demand table takes at once
NEW_TABLE_WRITES = 4_000.0


@dataclass(slots=True)
class Throughput:
    """Units per second. ``max_*``: None for no maximum; ``warm_*``: None for what the billing mode gives."""

    read: float = 0.0
    write: float = 0.0
    max_read: float | None = None
    max_write: float | None = None
    warm_read: float | None = None
    warm_write: float | None = None

    @classmethod
    def of(cls, request: Json) -> Throughput:
        """Read a request that creates a table or an index."""
        throughput = cls()
        throughput.update(request)
        return throughput

    def update(self, request: Json) -> None:
        """Take over whatever a request says."""
        provisioned = request.get("ProvisionedThroughput")
        if provisioned:
            self.read = float(provisioned["ReadCapacityUnits"])
            self.write = float(provisioned["WriteCapacityUnits"])
        on_demand = request.get("OnDemandThroughput") or {}
        if "MaxReadRequestUnits" in on_demand:
            self.max_read = _maximum(on_demand["MaxReadRequestUnits"])
        if "MaxWriteRequestUnits" in on_demand:
            self.max_write = _maximum(on_demand["MaxWriteRequestUnits"])
        warm = request.get("WarmThroughput") or {}
        if "ReadUnitsPerSecond" in warm:
            self.warm_read = float(warm["ReadUnitsPerSecond"])
        if "WriteUnitsPerSecond" in warm:
            self.warm_write = float(warm["WriteUnitsPerSecond"])

    def provisioned(self, kind: Kind) -> float:
        """Provisioned units per second."""
        return self.read if kind == "read" else self.write

    def maximum(self, kind: Kind) -> float | None:
        """The on-demand maximum in units per second; None: none set."""
        return self.max_read if kind == "read" else self.max_write

    def warm(self, kind: Kind, *, on_demand: bool) -> float:
        """What is taken at once, in units per second."""
        if kind == "read":
            least = NEW_TABLE_READS if on_demand else self.read
            return max(least, self.warm_read or 0.0)
        least = NEW_TABLE_WRITES if on_demand else self.write
        return max(least, self.warm_write or 0.0)

    def describe(self, *, on_demand: bool) -> Json:
        """The members of DescribeTable."""
        described: Json = {
            "ProvisionedThroughput": {
                "NumberOfDecreasesToday": 0,
                "ReadCapacityUnits": 0 if on_demand else int(self.read),
                "WriteCapacityUnits": 0 if on_demand else int(self.write),
            },
            "WarmThroughput": {
                "ReadUnitsPerSecond": int(self.warm("read", on_demand=on_demand)),
                "WriteUnitsPerSecond": int(self.warm("write", on_demand=on_demand)),
                "Status": "ACTIVE",
            },
        }
        if on_demand and (self.max_read is not None or self.max_write is not None):
            described["OnDemandThroughput"] = {
                "MaxReadRequestUnits": _or_none_set(self.max_read),
                "MaxWriteRequestUnits": _or_none_set(self.max_write),
            }
        return described


def _maximum(units: float) -> float | None:
    return None if units < 0 else float(units)


def _or_none_set(units: float | None) -> int:
    return -1 if units is None else int(units)

"""What goes wrong, and at which call: faults by the number of the call, before or after its effect."""

from __future__ import annotations

import enum
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tests.faults.calls import Call

READS = frozenset({"Scan", "Query", "GetItem", "BatchGetItem"})
WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"})

KEY_USERS = frozenset({"PutObject", "GetObject", "CreateMultipartUpload", "UploadPart"})


class Kind(enum.Enum):
    """One way for a call to go wrong."""

    REFUSE = "the connection is closed without a word"
    TIME_OUT = "no reply, and the connection stays open until the client gives up"
    CUT = "the connection breaks in the middle of the reply's body"
    WRONG_CRC = "the reply's checksum is not that of its body"
    SERVER_ERROR = "500: the service failed"
    UNAVAILABLE = "503: the service asks for fewer calls"
    DENY = "403: the role may not do this"
    DENY_KEY = "403: the role may not use the bucket's KMS key"
    EXPIRED = "the credentials have expired"
    CONFLICT = "409: S3 was busy with another conditional write to the key"
    THROTTLE = "ProvisionedThroughputExceededException with ThrottlingReasons"
    THROTTLE_ON_DEMAND = "ThrottlingException with throttlingReasons"
    UNPROCESSED = "BatchWriteItem writes its first half and hands the rest back"
    SLOW = "the reply comes late"
    FREEZE = "the process sleeps until the test wakes it"
    KILL = "the process is gone"


REFUSALS = frozenset({Kind.DENY, Kind.DENY_KEY, Kind.EXPIRED})  # for good: no attempt survives them
BEFORE_ONLY = frozenset({*REFUSALS, Kind.CONFLICT, Kind.THROTTLE, Kind.THROTTLE_ON_DEMAND, Kind.UNPROCESSED})
AFTER_ONLY = frozenset({Kind.CUT, Kind.WRONG_CRC})  # they harm a reply
NO_DETAIL: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Fault:
    """Strikes the ``at``-th call (from 1) of all calls, or of those of one operation, and the next ones.

    ``path``: of these, only calls whose path ends so; who beats, and how often, does not change their number.
    ``after``: the call takes effect, and its answer is lost or late; else it has no effect.
    ``reason`` belongs to throttles, as TableReadKeyRangeThroughputExceeded; ``seconds`` to slow replies.
    """

    kind: Kind
    at: int = 1
    on: str | None = None
    after: bool = False
    times: int = 1
    reason: str | None = None
    seconds: float = 5.0
    path: str = ""

    @property
    def selects(self) -> tuple[str | None, str]:
        """Which calls are counted."""
        return self.on, self.path

    def strikes(self, number: int) -> bool:
        """Whether the call of this number is struck."""
        return self.at <= number < self.at + self.times

    def __str__(self) -> str:
        """Say what happens where, as one argument of a replay."""
        where = f"{self.on or 'call'} {self.at}" + (f" x{self.times}" if self.times > 1 else "")
        where += f" of {self.path}" if self.path else ""
        return f"{self.kind.name} {'after' if self.after else 'before'} {where}"


def applies(kind: Kind, call: Call, *, after: bool) -> bool:
    """Whether this can happen to this call in life."""
    if kind in (AFTER_ONLY if not after else BEFORE_ONLY):
        return False
    return kind not in WHERE or WHERE[kind](call)


def _is_read_or_write(call: Call) -> bool:
    return call.service == "dynamodb" and call.operation in READS | WRITES


def _is_conditional(call: Call) -> bool:
    headers = call.request.headers
    return call.service == "s3" and ("if-match" in headers or "if-none-match" in headers)


# Kinds that not every call can meet. A throttle of the kind without a table's reason, any but S3's can.
WHERE: Mapping[Kind, Callable[[Call], bool]] = {
    Kind.THROTTLE: _is_read_or_write,
    Kind.THROTTLE_ON_DEMAND: lambda call: call.service != "s3",
    Kind.CONFLICT: _is_conditional,
    Kind.DENY_KEY: lambda call: call.service == "s3" and call.operation in KEY_USERS,
    Kind.UNPROCESSED: lambda call: call.operation == "BatchWriteItem",
    Kind.WRONG_CRC: lambda call: call.service.startswith("dynamodb"),
}


class Script:
    """The faults of one attempt. Counts every call once, whichever thread makes it."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._faults = tuple(faults)
        self._selections = {fault.selects for fault in self._faults}
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str | None, str]] = Counter()
        self.struck: list[Fault] = []

    def take(self, call: Call) -> Fault | None:
        """Count a call; the first fault that strikes it, if any."""
        with self._lock:
            selecting = {selects for selects in self._selections if _is_of(call, *selects)}
            self._counts.update(selecting)
            for fault in self._faults:
                if fault.selects in selecting and fault.strikes(self._counts[fault.selects]):
                    if not applies(fault.kind, call, after=fault.after):
                        return None
                    self.struck.append(fault)
                    return fault
        return None


def _is_of(call: Call, operation: str | None, path: str) -> bool:
    return operation in (None, call.operation) and call.request.path.endswith(path)

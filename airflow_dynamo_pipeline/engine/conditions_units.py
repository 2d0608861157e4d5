"""Whether a table's readers, or writers, leave enough of its capacity for somebody else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from airflow_dynamo_pipeline.engine import settings
from airflow_dynamo_pipeline.engine.conditions import GONE, Verdict
from airflow_dynamo_pipeline.engine.ports import TableDescription, Throughput
from airflow_dynamo_pipeline.errors import InvalidRequest, NotFound, Problem, TableChanged

OPERATIONS = ("read", "write")
READABLE = ("ACTIVE", "UPDATING")
LOOK_BACK_MINUTES = 5  # CloudWatch has a minute's figure a minute or two after it


@dataclass(frozen=True, kw_only=True, slots=True)
class UnitsWanted:
    """How much of a table's, or an index's, capacity must be left.

    Build it with ``from_settings`` where values come from templates.
    """

    table_name: str
    operation: str = "read"
    index_name: str | None = None
    units_per_second: float | None = None  # head-room in units, or ...
    ratio: float | None = None  # ... as a share of the capacity

    def __post_init__(self) -> None:
        """Refuse the request with every problem found."""
        problems = list(_problems_of(self))
        if problems:
            raise InvalidRequest(problems)

    @classmethod
    def from_settings(cls, given: Mapping[str, object]) -> UnitsWanted:
        """Coerce values as templates deliver them; raises InvalidRequest with all problems."""
        return settings.build(cls, given, COERCIONS, required=REQUIRED, what="a look at the units")

    def of(self, capacity: float) -> float:
        """The head-room in units per second."""
        return self.units_per_second if self.units_per_second is not None else (self.ratio or 0.0) * capacity

    def __str__(self) -> str:
        """What is looked at, as logs name it."""
        return f"table {self.table_name}" + (f" index {self.index_name}" if self.index_name else "")


REQUIRED = {"table_name": "unknown"}
COERCIONS: Mapping[str, settings.Coercion] = {
    "table_name": settings.text,
    "operation": settings.one_of(*OPERATIONS),
    "index_name": settings.text,
    "units_per_second": settings.number,
    "ratio": settings.number,
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where capacity is used: what bounds it, and the index whose metric counts (None: the table's)."""

    throughput: Throughput
    metric_index: str | None


def place_of(wanted: UnitsWanted, table: TableDescription) -> Place | None:
    """Where to look; None while the table cannot be read yet.

    A local index uses the table's capacity and has no metric of its own. Raises NotFound when there is no
    such index, TableChanged when the table is being deleted or archived.
    """
    if table.status in GONE:
        raise TableChanged(f"table {table.name} is {table.status}; its units will not become available")
    if table.status not in READABLE:
        return None
    if wanted.index_name is not None:
        index = table.indexes.get(wanted.index_name)
        if index is None:
            known = ", ".join(table.indexes) or "none"
            raise NotFound("index", f"{wanted.index_name} of table {table.name}", f"its indexes: {known}")
        if index.is_global:
            throughput = index.throughput if wanted.operation == "read" else index.write_throughput
            return Place(throughput, index.name)
    return Place(table.throughput if wanted.operation == "read" else table.write_throughput, None)


def units_available(wanted: UnitsWanted, *, capacity: float, bound: str, consumed: float) -> Verdict:
    """Whether the units consumed per second leave the head-room. ``bound`` says what the capacity is."""
    left = max(0.0, capacity - consumed)
    asked = wanted.of(capacity)
    seen = (
        f"{wanted} consumes {consumed:.1f} of {capacity:g} {wanted.operation} units per second ({bound}), "
        f"the most of any of the last {LOOK_BACK_MINUTES} minutes, which leaves {left:.1f}"
    )
    if left >= asked:
        return Verdict(met=True, seen=f"{seen}; {asked:g} were asked for")
    never = ", more than there is at all: the capacity must grow" if asked > capacity else ""
    return Verdict(met=False, seen=f"{seen}; waiting for {asked:g}{never}")


def not_readable_yet(wanted: UnitsWanted, table: TableDescription) -> Verdict:
    """While the table is being made."""
    return Verdict(met=False, seen=f"table {table.name} is {table.status}; waiting for units of {wanted}")


def _problems_of(wanted: UnitsWanted) -> Iterator[Problem]:
    units, ratio = wanted.units_per_second, wanted.ratio
    if (units is None) == (ratio is None):
        yield Problem("units_per_second", "either it or ratio is required, and not both")
    if units is not None and units <= 0:
        yield Problem("units_per_second", f"{units:g} is not above 0")
    if ratio is not None and not 0 < ratio <= 1:
        yield Problem("ratio", f"{ratio:g} is not above 0 and at most 1")


assert {item.name for item in fields(UnitsWanted)} == set(COERCIONS)  # noqa: S101  one table, never half

"""What sensors wait for of a table: that it is there, ready, streamed, not empty.

Where a table or stream is missing, somebody may still make it, so it is waited for; what does not come
back by itself is raised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_dynamo_pipeline.engine import settings
from airflow_dynamo_pipeline.engine.conditions import GONE, Verdict
from airflow_dynamo_pipeline.errors import TableChanged

NOT_YET = ("CREATING", "DELETING")  # states in which a table cannot be used, and another is to come
VIEW_TYPES = ("KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES")

view_type = settings.one_of(*VIEW_TYPES)


@dataclass(frozen=True, slots=True)
class IndexState:
    """A global index, and whether DynamoDB still fills it."""

    name: str
    status: str
    is_backfilling: bool = False

    def __str__(self) -> str:
        """As logs name it."""
        return f"index {self.name} is {self.status}{', backfilling' if self.is_backfilling else ''}"


@dataclass(frozen=True, kw_only=True, slots=True)
class TableState:
    """The part of DescribeTable's reply that says whether a table can be used."""

    name: str
    status: str
    indexes: Sequence[IndexState] = ()  # global ones; local ones live with the table
    stream_view_type: str | None = None  # None: no stream

    def __str__(self) -> str:
        """As logs name it."""
        return f"table {self.name} is {self.status}"


def table_exists(name: str, region: str, table: TableState | None) -> Verdict:
    """Whether there is a table of this name that is neither being made nor being deleted.

    ``table`` None: there is none. Raises TableChanged for an archived one.
    """
    if table is None:
        return Verdict(met=False, seen=f"there is no table {name} in {region}; waiting for it")
    if table.status in NOT_YET:
        return Verdict(met=False, seen=f"{table}; waiting for it to exist")
    _check_not_gone(table, "exist")
    return Verdict(met=True, seen=f"{table}")


def data_exists(table: TableState | None, *, has_item: bool, name: str) -> Verdict:
    """Whether a look into the table met an item.

    ``table`` is given where the look found no table to look into. Raises TableChanged when that table is
    being deleted or archived.
    """
    if has_item:
        return Verdict(met=True, seen=f"table {name} has items")
    if table is None:
        return Verdict(met=False, seen=f"table {name} is empty; waiting for an item")
    _check_not_gone(table, "have items")
    return Verdict(met=False, seen=f"{table} and cannot be read yet; waiting for an item")


def table_active(table: TableState) -> Verdict:
    """Whether table and global indexes are ACTIVE, and no index is still being filled.

    Raises TableChanged when the table is being deleted or archived.
    """
    _check_not_gone(table, "become ACTIVE")
    unready = [str(index) for index in table.indexes if index.status != "ACTIVE" or index.is_backfilling]
    if table.status == "ACTIVE" and not unready:
        count = len(table.indexes)
        also = f", and so are its {count} global indexes" if count else ""
        return Verdict(met=True, seen=f"{table}{also}")
    seen = ", ".join([str(table), *unready])
    return Verdict(met=False, seen=f"{seen}; waiting for all of it to be ACTIVE")


def stream_enabled(table: TableState, wanted: str | None = None) -> Verdict:
    """Whether the table has a stream, with the wanted view type if one is wanted, and is ACTIVE.

    Another view type is waited for like a missing stream: somebody has to switch the stream off and on
    again. Raises TableChanged when the table is being deleted or archived.
    """
    _check_not_gone(table, "have a stream")
    waiting = f"waiting for a stream{f' of {wanted}' if wanted else ''} and ACTIVE"
    found = table.stream_view_type
    if found is None:
        return Verdict(met=False, seen=f"{table} and has no stream; {waiting}")
    seen = f"{table} and has a stream of {found}"
    if wanted is not None and found != wanted:
        why = "a stream keeps its view type, so it must be switched off and on again"
        return Verdict(met=False, seen=f"{seen}; {waiting}: {why}")
    if table.status != "ACTIVE":  # while a stream is being switched on, the table is UPDATING
        return Verdict(met=False, seen=f"{seen}; {waiting}")
    return Verdict(met=True, seen=seen)


def _check_not_gone(table: TableState, wanted: str) -> None:
    if table.status in GONE:
        raise TableChanged(f"{table}; it will not {wanted}")

"""Proof that an export and a table hold the same items, in both directions, under the export's throttle.

A first pass reads every file once, checking it against the manifest, and scans the table; each item becomes
a number in one of a few thousand shares, and memory depends on nothing else. Shares that are equal on both
sides hold equal items. Items of the others are read again, from the table consistently, and compared by
meaning: an order of attributes or a notation of a number is no difference.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from airflow_dynamo_pipeline.engine.housekeeping import Reports
from airflow_dynamo_pipeline.engine.ports import JsonObject
from airflow_dynamo_pipeline.engine.throttle import Throttle
from airflow_dynamo_pipeline.engine.verify import ExportCheck
from airflow_dynamo_pipeline.engine.verify_differences import HELD_BYTES, Differences
from airflow_dynamo_pipeline.engine.verify_pass import Pass
from airflow_dynamo_pipeline.engine.verify_plan import VerifyPlan, VerifyPorts, make_verify_plan
from airflow_dynamo_pipeline.engine.verify_request import VerifyRequest
from airflow_dynamo_pipeline.errors import TableDiffers
from airflow_dynamo_pipeline.items.digest import SHARES, Digest, Sieve
from airflow_dynamo_pipeline.items.typed_text import ItemText


@dataclass(frozen=True, kw_only=True, slots=True)
class TableVerifyResult:
    """What was compared and found equal."""

    manifest_uri: str
    table_name: str
    table_arn: str
    item_count: int  # of the export
    table_item_count: int
    identical: bool  # True: what is not raises TableDiffers
    files: int
    stored_bytes: int
    consumed_units: float

    def to_json(self) -> JsonObject:
        """The result as a JSON object."""
        return asdict(self)


def verify_table(request: VerifyRequest, world: VerifyPorts, reports: Reports) -> TableVerifyResult:
    """Compare an export with its manifest, and its items with those of ``request.table_name``.

    Records of progress are handed over from this thread only; they count the items of both sides. Raises
    NotFound and PreflightFailed before the first Scan, InvalidExport when the files are not what the manifest
    says, TableDiffers with the keys that differ, TableChanged, Stopped, and the errors of the ports.
    """
    ports = world.ports
    plan = make_verify_plan(request, ports)
    ports.say(plan.line())
    export, table = _Side(plan.key), _Side(plan.key)
    throttle = Throttle(plan.rate.units_per_second, ports.clock, ports.stop)
    first = Pass(plan, ports, reports, table=ports.table, check=plan.check, throttle=throttle)
    first.run(export.add, table.add)
    found = plan.check.result()
    exported, stored = export.whole(), table.whole()
    differing = exported.differing(stored)
    if differing:
        _look_again(request, plan, world, reports, throttle, differing)
    return TableVerifyResult(
        manifest_uri=request.manifest_uri,
        table_name=plan.request.table_name,
        table_arn=plan.table.arn,
        item_count=exported.count,
        table_item_count=stored.count,
        identical=True,
        files=found.files,
        stored_bytes=found.stored_bytes,
        consumed_units=throttle.consumed,
    )


def _look_again(
    request: VerifyRequest,
    plan: VerifyPlan,
    world: VerifyPorts,
    reports: Reports,
    throttle: Throttle,
    differing: frozenset[int],
) -> None:
    """Compare the items of some shares by meaning; raises TableDiffers."""
    ports = world.ports
    ports.say(f"{len(differing):,} of {SHARES:,} shares differ: reading their items again")
    check = ExportCheck(request.manifest_uri, ports.store)
    consistent = replace(plan, request=request.consistent_reading)
    second = Pass(consistent, ports, reports, table=world.consistent, check=check, throttle=throttle)
    sieve = Sieve(plan.key, differing)
    differences = Differences(plan.key, limit=request.max_differences, held_bytes=HELD_BYTES)
    second.run(
        lambda items: differences.add_exported(sieve.sift(items)),
        lambda items: differences.add_stored(sieve.sift(items)),
        files_first=True,
    )
    check.result()
    if not differences.finish():
        raise TableDiffers(
            request.manifest_uri,
            plan.request.table_name,
            differences.named,
            counts=differences.counts,
            rest=differences.rest,
        )
    ports.say("they hold the same items: written differently, or changed and changed back while this ran")


class _Side:
    """One side's digest, added to by several threads."""

    def __init__(self, key: Sequence[str]) -> None:
        self._key = key
        self._parts: dict[int, Digest] = {}

    def add(self, items: Sequence[ItemText]) -> None:
        """Count items in the calling thread's own part."""
        me = threading.get_ident()
        part = self._parts.get(me)
        if part is None:
            part = self._parts[me] = Digest(self._key)
        part.add(items)

    def whole(self) -> Digest:
        """All parts together, when the threads have ended."""
        whole = Digest(self._key)
        for part in self._parts.values():
            whole.merge(part)
        return whole

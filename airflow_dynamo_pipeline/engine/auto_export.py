"""``method="auto"``: look, choose, remember by what was begun, and wait for a native export."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime

from airflow_dynamo_pipeline.engine.estimate import estimate_export
from airflow_dynamo_pipeline.engine.existing import Start, choose_target
from airflow_dynamo_pipeline.engine.export_method import (
    FULL,
    INCREMENTAL,
    SCAN,
    Choice,
    Sights,
    choose_method,
    unknown_to_natives,
)
from airflow_dynamo_pipeline.engine.housekeeping import Reports
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.native_export import advance
from airflow_dynamo_pipeline.engine.native_export_chain import Chain, ChainPlace
from airflow_dynamo_pipeline.engine.native_export_ports import NativeExportPorts
from airflow_dynamo_pipeline.engine.native_export_request import NativeExportRequest
from airflow_dynamo_pipeline.engine.native_export_result import Finished, NativeExportResult, Nothing
from airflow_dynamo_pipeline.engine.plan import Ports
from airflow_dynamo_pipeline.engine.ports import CapacitySource, JsonObject, TableDescription
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.engine.table_export import export_table
from airflow_dynamo_pipeline.errors import (
    AccessDenied,
    NotFound,
    PipelineError,
    Stopped,
    Temporary,
)
from airflow_dynamo_pipeline.items.sizes import WRITE_UNIT_BYTES

POKE_SECONDS = 30.0
UNKNOWN_TARGET = "no target is given, so nobody knows what was exported there"


@dataclass(frozen=True, kw_only=True, slots=True)
class AutoPorts:
    """What choosing needs: the ports of both ways. ``knows_target``: False for an estimate without one."""

    scan: Ports
    native: NativeExportPorts
    knows_target: bool = True


def choose(request: ExportRequest, ports: AutoPorts) -> Choice:
    """Look at table, recovery and target, and choose; reads no item and writes nothing.

    Raises NotFound, AccessDenied and the rest of the error tree; without the right to describe recovery a
    native export counts as not possible.
    """
    table = ports.scan.table.describe()
    estimate = estimate_export(request, ports.scan.table, ports.scan.capacity, ports.scan.prices)
    return choose_method(request, estimate, _sights(request, table, ports))


def decide(request: ExportRequest, work: Work, ports: AutoPorts) -> Choice:
    """Choose, unless an earlier attempt of this run has begun: a retry goes on as that did."""
    begun = _begun_natively(request, work, ports)
    if begun is not None:
        return Choice(method=begun, reason="an earlier attempt of this run has asked for it")
    identity = ports.scan.table.describe().identity
    now = ports.scan.clock.now()
    target = choose_target(request, work, ports.scan.store, identity, now, ports.scan.say)
    if target.start is not Start.NEW:
        return Choice(method=SCAN, reason="an earlier attempt of this run has begun one")
    return choose(request, ports)


def _begun_natively(request: ExportRequest, work: Work, ports: AutoPorts) -> str | None:
    """What this run has asked of DynamoDB; what is complete counts for a retry, and not after a Clear."""
    if unknown_to_natives(request):
        return None
    chain, _ = _read_chain(request, ports)
    complete = [each for each in (*chain.windows, *chain.full) if each.generation == work.generation]
    for method in (INCREMENTAL, FULL):
        fingerprint = native_request(request, method).fingerprint()
        if any(each.belongs_to(work.run, fingerprint) for each in (*chain.pending, *complete)):
            return method
    return None


def export_by_choice(request: ExportRequest, work: Work, ports: AutoPorts, reports: Reports) -> JsonObject:
    """Export by the method that is chosen and return its record, the method in it.

    Raises what ``decide``, ``export_table`` and ``export_natively`` raise.
    """
    choice = decide(request, work, ports)
    for line in choice.lines():
        ports.scan.say(line)
    if choice.method == SCAN:
        record = export_table(request, work, ports.scan, reports).to_json()
        return {"method": SCAN, **record, "plan": record["plan"] | choice.to_json()}
    native = native_request(request, choice.method)
    result = export_natively(native, work, ports.native, ports.scan.stop)
    if result is None:  # another run has exported the changes meanwhile, so it is another choice now
        return export_by_choice(request, work, ports, reports)
    return {"method": choice.method, **result.to_json(), "plan": choice.figures() | choice.to_json()}


def native_request(request: ExportRequest, method: str) -> NativeExportRequest:
    """The native export that does what a scan would; where changes cannot follow, it is a full one."""
    key = request.s3_sse_kms_key_id
    return NativeExportRequest(
        table_name=request.table_name,
        s3_uri=request.s3_uri,
        export_type=method,
        on_gap="full" if method == INCREMENTAL else "fail",
        s3_sse_algorithm="KMS" if key else None,
        s3_sse_kms_key_id=key,
    )


def export_natively(
    request: NativeExportRequest, work: Work, ports: NativeExportPorts, stop: threading.Event
) -> NativeExportResult | None:
    """Make a native export and wait for it; None when no changes are left to export.

    Raises Stopped, and what ``advance`` raises. What is under way when it is stopped stays, and the next
    attempt goes on with it.
    """
    while not isinstance(step := advance(request, work, ports), Finished):
        if isinstance(step, Nothing):
            ports.say(step.why)
            return None
        if ports.clock.wait(stop, POKE_SECONDS):
            raise Stopped("told to stop while waiting for a native export; it stays, and a retry adopts it")
    return step.result


def _sights(request: ExportRequest, table: TableDescription, ports: AutoPorts) -> Sights:
    try:
        recovery = ports.native.service.recovery()
    except Temporary:
        raise
    except PipelineError as error:  # denied, or a server that knows no recovery
        unknown = str(error).partition("\n")[0]
        return Sights(recovery_unknown=unknown)
    if not ports.knows_target:
        return Sights(recovery=recovery, chain_unknown=UNKNOWN_TARGET)
    chain, unreadable = _read_chain(request, ports)
    end = _end_of(chain, table)
    if end is None:
        return Sights(recovery=recovery, target_unreadable=unreadable)
    return Sights(
        recovery=recovery,
        chain_end=end,
        written_bytes=_written_bytes(request, ports.scan.capacity, end),
    )


def _read_chain(request: ExportRequest, ports: AutoPorts) -> tuple[Chain, str]:
    """What was exported natively below the target, or nothing and why that cannot be seen."""
    try:
        return ChainPlace(ports.native.store, request.location, request.table_name).read().chain, ""
    except (AccessDenied, NotFound) as error:
        return Chain(), str(error).partition("\n")[0]


def _end_of(chain: Chain, table: TableDescription) -> datetime | None:
    """Up to when all changes of this very table are exported."""
    if chain.base is None or (chain.base.table_id and table.table_id not in (None, chain.base.table_id)):
        return None
    return chain.end


def _written_bytes(request: ExportRequest, capacity: CapacitySource, begin: datetime) -> float | None:
    """The size of what was written since an instant, items that were written twice twice."""
    try:
        return capacity.write_units_since(request.table_name, begin) * WRITE_UNIT_BYTES
    except Stopped:
        raise
    except PipelineError:  # denied, or CloudWatch is out of order: then nobody knows
        return None

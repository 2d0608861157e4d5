"""What a native export asks for next: a full export, or the windows of changes that the chain lacks."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.native_export_chain import Chain, ChainPlace, Kept, NativeExport
from airflow_dynamo_pipeline.engine.native_export_ports import NativeExportPorts
from airflow_dynamo_pipeline.engine.native_export_request import NativeExportRequest
from airflow_dynamo_pipeline.engine.native_export_result import Early, Nothing
from airflow_dynamo_pipeline.engine.native_windows import (
    MEND_GAP,
    SHORTEST,
    Recovery,
    Window,
    check_instant,
    check_reaches_back,
    recoverable_from_to,
    said,
    windows_between,
)
from airflow_dynamo_pipeline.engine.ports import TableDescription
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.errors import RecoveryUnavailable

MENDS_CHAIN = frozenset({"no base", "gap", "reset", "lost"})  # what a new full export mends


@dataclass(frozen=True, slots=True)
class Planner:
    """Records what will be asked for, before anybody asks."""

    request: NativeExportRequest
    work: Work
    ports: NativeExportPorts
    place: ChainPlace
    table: TableDescription

    def plan(self, kept: Kept) -> Early | Nothing | None:
        """Record what comes next; None when something is recorded.

        Raises RecoveryUnavailable, and VersionConflict when another run was faster.
        """
        return self._plan_full(kept) if self.request.export_type == "full" else self._plan_windows(kept)

    def broken(self, chain: Chain, recovery: Recovery) -> RecoveryUnavailable | None:
        """Why changes cannot follow on the chain; None where they can."""
        try:
            self._check_chain(chain)
            if chain.end is not None:
                check_reaches_back(chain.end, recovery)
        except RecoveryUnavailable as broken:
            return broken
        return None

    def _plan_full(self, kept: Kept) -> Early | Nothing | None:
        recovery = self.ports.service.recovery()
        wanted = self.request.export_time
        if wanted is None:
            recoverable_from_to(recovery)
        elif not check_instant(wanted, recovery, self.ports.clock.now()):
            return Early(wanted)
        self.place.write(kept, kept.chain.asked(self._asked(None)))
        return None

    def _plan_windows(self, kept: Kept) -> Early | Nothing | None:
        recovery = self.ports.service.recovery()
        wanted = self.request.export_time
        if wanted is not None and not check_instant(wanted, recovery, self.ports.clock.now()):
            return Early(wanted)
        _, latest = recoverable_from_to(recovery)
        broken = self.broken(kept.chain, recovery)
        if broken is not None:
            if broken.reason not in MENDS_CHAIN or self.request.on_gap != "full":
                raise broken
            self.ports.warn(f"{broken}\nmaking a new full export, as on_gap says")
            return self._plan_full(kept)
        begin = kept.chain.end or latest
        windows = windows_between(begin, wanted or latest)
        if not windows:
            return Nothing(
                f"all changes of table {self.table.name} until {said(begin)} are exported, and those until "
                f"{said(wanted or latest)} are less than {SHORTEST.seconds // 60} minutes of them"
            )
        self.place.write(kept, kept.chain.asked(*map(self._asked, windows)))
        return None

    def _check_chain(self, chain: Chain) -> None:
        """Raise RecoveryUnavailable when there is nothing of this table that changes can follow on."""
        if chain.base is None or chain.end is None:
            reason = f"there is no full export of table {self.table.name} that changes can follow on"
            raise RecoveryUnavailable("no base", f"{reason}, by {self.place.uri}", MEND_GAP)
        ids = chain.base.table_id, self.table.table_id
        if all(ids) and ids[0] != ids[1]:
            reason = f"table {self.table.name} was made anew since {chain.base.manifest_uri}"
            raise RecoveryUnavailable("reset", f"{reason}: its id is {ids[1]}, and was {ids[0]}", MEND_GAP)
        for uri in {chain.manifest_uris[0], chain.manifest_uris[-1]}:
            if self.ports.store.get(S3Location.parse(uri).prefix) is None:
                raise RecoveryUnavailable("lost", f"{uri} is not there any more", MEND_GAP)

    def _asked(self, window: Window | None) -> NativeExport:
        """What will be asked for, and by which token."""
        work, request = self.work, self.request
        fingerprint = request.fingerprint()
        token = _token(work.run or "", work.generation, fingerprint, *map(said, window or ()))
        start, end = window or (None, None)
        return NativeExport(
            token=token,
            run=work.run or "",
            generation=work.generation,
            fingerprint=fingerprint,
            asked_at=self.ports.clock.now(),
            window_start=start,
            window_end=end,
            starts_chain=request.export_type == "incremental" and window is None,
            parameters={
                **request.parameters(self.table.arn),
                **_times(request, window),
                "ClientToken": token,
            },
        )


def _times(request: NativeExportRequest, window: Window | None) -> dict[str, object]:
    """The members of the call that name instants, as seconds since 1970."""
    if window is None:
        at = request.export_time
        return {"ExportType": "FULL_EXPORT"} | ({"ExportTime": int(at.timestamp())} if at else {})
    return {
        "ExportType": "INCREMENTAL_EXPORT",
        "IncrementalExportSpecification": {
            "ExportFromTime": int(window[0].timestamp()),
            "ExportToTime": int(window[1].timestamp()),
            "ExportViewType": request.view_type,
        },
    }


def _token(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]

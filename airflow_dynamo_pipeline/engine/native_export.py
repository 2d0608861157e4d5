"""Native exports, one step at a time: what is asked for is recorded first, so that nobody asks twice.

Before DynamoDB is called, the chain on S3 names what will be asked and by which token. Whoever comes next,
a retry, a person's Clear or the next run, finds it there and goes on with it: the same token within eight
hours means the same export, and later it is looked up among the exports of the table.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from airflow_dynamo_pipeline.engine.finding_search import utc
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.manifest import Summary, decode_summary
from airflow_dynamo_pipeline.engine.native_export_chain import Chain, ChainPlace, Kept, NativeExport
from airflow_dynamo_pipeline.engine.native_export_ports import ExportState, NativeExportPorts
from airflow_dynamo_pipeline.engine.native_export_request import NativeExportRequest
from airflow_dynamo_pipeline.engine.native_export_result import (
    Early,
    Finished,
    NativeExportResult,
    Nothing,
    Step,
    Waiting,
)
from airflow_dynamo_pipeline.engine.native_jobs import COMPLETED, check_succeeded
from airflow_dynamo_pipeline.engine.native_windows import (
    MEND_GAP,
    SHORTEST,
    Window,
    check_instant,
    check_reaches_back,
    floor,
    recoverable_from_to,
    said,
    windows_between,
)
from airflow_dynamo_pipeline.engine.ports import TableDescription, VersionConflict
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.errors import NotFound, RecoveryUnavailable, UnexpectedReply, with_hint

TOKEN_HOLDS = timedelta(hours=8) - timedelta(minutes=10)  # DynamoDB remembers a token for eight hours
FORGOTTEN = timedelta(days=90)  # after which DynamoDB lists an export no more
MENDS_CHAIN = frozenset({"no base", "gap", "reset", "lost"})  # what a new full export mends
MEND_FAILED = "mend what the code names, then clear the task: a new export is started"


def advance(request: NativeExportRequest, work: Work, ports: NativeExportPorts) -> Step:
    """Go on with what this run asks for until there is something to wait for, or all is complete.

    Call it again when what it waits for has come. Everything it knows is on S3 and at DynamoDB, so it may be
    called by another process.

    Raises NativeJobFailed, RecoveryUnavailable and the rest of the error tree.
    """
    table = ports.service.table()
    place = ChainPlace(ports.store, request.location, table.name)
    exporter = _Exporter(request, work, ports, place, table)
    while True:
        try:
            step = exporter.step()
        except VersionConflict:
            ports.say(f"another run has changed {place.uri}; reading it again")
            continue
        if step is not None:
            return step


@dataclass(frozen=True, slots=True)
class _Exporter:
    request: NativeExportRequest
    work: Work
    ports: NativeExportPorts
    place: ChainPlace
    table: TableDescription

    def step(self) -> Step | None:
        """Do one thing; None when there is more to do at once."""
        kept = self.place.read()
        pending = next(filter(self._is_relevant, kept.chain.pending), None)
        if pending is not None:
            return self._go_on(kept, pending)
        done = [each for each in (*kept.chain.full, *kept.chain.windows) if self._is_of_this_attempt(each)]
        if done:
            return Finished(NativeExportResult.of(self.request, done, self.place.uri))
        if self.request.export_type == "full":
            return self._plan_full(kept)
        return self._plan_windows(kept)

    def _is_mine(self, export: NativeExport) -> bool:
        return export.belongs_to(self.work.run, self.request.fingerprint())

    def _is_of_this_attempt(self, export: NativeExport) -> bool:
        """Whether a retry of the same attempt at it finds its own."""
        return self._is_mine(export) and export.generation == self.work.generation

    def _is_relevant(self, export: NativeExport) -> bool:
        """Windows are the chain's, whoever asked for them, and so is a full export that is under way."""
        extends = self.request.export_type == "incremental"
        return self._is_mine(export) or (extends and export.is_for_all)

    # --- what was asked for -----------------------------------------------------------------------

    def _go_on(self, kept: Kept, export: NativeExport) -> Step | None:
        if export.window and export.window_start != kept.chain.end:
            self.ports.warn(f"{_what(export)} follow on nothing since a newer base; they are passed over")
            self.place.write(kept, kept.chain.without(export))
            return None
        if export.export_arn is None:
            self._ask(kept, export)
            return None
        state = self._looked_at(kept, export, export.export_arn)
        if state is None:
            return None
        if not state.job.ended:
            return self._adopt(kept, export, export.export_arn)
        if state.job.status != COMPLETED:
            self._failed(kept, export, state)
            return None
        complete = self._complete(export, state)
        self.place.write(kept, kept.chain.completed(complete))
        self.ports.say(
            f"{_what(complete)}: {complete.item_count:,} items, {complete.billed_bytes:,} bytes billed, "
            f"in {complete.manifest_uri}"
        )
        return None

    def _looked_at(self, kept: Kept, export: NativeExport, arn: str) -> ExportState | None:
        """What DescribeExport says; None when DynamoDB has forgotten it, and it is dropped."""
        try:
            state = self.ports.service.describe(arn)
        except NotFound as gone:
            if self.ports.clock.now() - export.asked_at < FORGOTTEN:
                raise
            self.ports.warn(f"{gone}; what it was asked for is asked for anew")
            self.place.write(kept, kept.chain.without(export))
            return None
        self.ports.say(state.job.seen)
        return state

    def _ask(self, kept: Kept, export: NativeExport) -> None:
        """Start it, or find the one that was started; then record its ARN."""
        now = self.ports.clock.now()
        arn = None
        if now - export.asked_at > TOKEN_HOLDS:
            arn = self.ports.service.find(self.table.arn, export.token)
            export = msgspec.structs.replace(export, asked_at=now)
            kept = self.place.write(kept, kept.chain.renewed(export))  # first: its token holds from now on
        if arn is None:
            arn = self.ports.service.start(export.parameters)
        self.ports.say(f"{_what(export)}: {arn}")
        self.place.write(kept, kept.chain.renewed(msgspec.structs.replace(export, export_arn=arn)))

    def _adopt(self, kept: Kept, export: NativeExport, arn: str) -> Waiting:
        """Wait for it. After a Clear it is the new attempt's: if it fails, that fails."""
        if self._is_mine(export) and export.generation != self.work.generation:
            self.ports.say(
                f"{arn} was asked for before the task was cleared, and is still under way: adopted"
            )
            mine = msgspec.structs.replace(export, generation=self.work.generation)
            self.place.write(kept, kept.chain.renewed(mine))
        return Waiting(arn)

    def _failed(self, kept: Kept, export: NativeExport, state: ExportState) -> None:
        self.place.write(kept, kept.chain.without(export))
        if self._is_of_this_attempt(export):
            check_succeeded(state.job, MEND_FAILED)
        self.ports.warn(f"{state.job.seen}; it was asked for by an earlier attempt, and is asked for anew")

    def _complete(self, export: NativeExport, state: ExportState) -> NativeExport:
        """What its manifest says; nothing counts as complete without one."""
        arn = state.job.arn
        if state.manifest_key is None:
            raise UnexpectedReply(f"{arn} is COMPLETED and names no manifest")
        uri = S3Location(self.request.location.bucket, "").uri(state.manifest_key)
        stored = self.ports.store.get(state.manifest_key)
        if stored is None:
            raise UnexpectedReply(f"{arn} is COMPLETED, and its manifest {uri} is not there")
        summary = decode_summary(stored.body, uri)
        if export.window and _told_window(summary) != export.window:
            problem = f"{uri} is of another window than was asked, {_what(export)}"
            raise UnexpectedReply(with_hint(problem, "make a new full export; the chain goes on from it"))
        return msgspec.structs.replace(
            export,
            generation=self.work.generation if self._is_mine(export) else export.generation,
            parameters={},
            manifest_uri=uri,
            export_time=None if export.window else summary.export_time or state.export_time,
            item_count=summary.item_count,
            billed_bytes=state.billed_bytes,
            table_id=state.table_id or summary.table_id,
        )

    # --- what to ask for --------------------------------------------------------------------------

    def _plan_full(self, kept: Kept) -> Step | None:
        recovery = self.ports.service.recovery()
        wanted = self.request.export_time
        if wanted is None:
            recoverable_from_to(recovery)
        elif not check_instant(wanted, recovery, self.ports.clock.now()):
            return Early(wanted)
        self.place.write(kept, kept.chain.asked(self._asked(None)))
        return None

    def _plan_windows(self, kept: Kept) -> Step | None:
        recovery = self.ports.service.recovery()
        wanted = self.request.export_time
        if wanted is not None and not check_instant(wanted, recovery, self.ports.clock.now()):
            return Early(wanted)
        _, latest = recoverable_from_to(recovery)
        try:
            self._check_chain(kept.chain)
            begin = kept.chain.end or latest
            check_reaches_back(begin, recovery)
        except RecoveryUnavailable as broken:
            if broken.reason not in MENDS_CHAIN or self.request.on_gap != "full":
                raise
            self.ports.warn(f"{broken}\nmaking a new full export, as on_gap says")
            return self._plan_full(kept)
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


def _told_window(summary: Summary) -> Window | None:
    begin, end = summary.export_from_time, summary.export_to_time
    return (floor(utc(begin)), floor(utc(end))) if begin and end else None


def _token(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _what(export: NativeExport) -> str:
    if export.window is None:
        return "the full export"
    return f"the changes from {said(export.window[0])} to {said(export.window[1])}"

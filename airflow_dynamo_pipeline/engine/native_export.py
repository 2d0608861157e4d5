"""Native exports, one step at a time: what is asked for is recorded first, so that nobody asks twice.

Before DynamoDB is called, the chain on S3 names what will be asked and by which token. Whoever comes next,
a retry, a person's Clear or the next run, finds it there and goes on with it: the same token within eight
hours means the same export, and later it is looked up among the exports of the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import msgspec

from airflow_dynamo_pipeline.engine.finding_search import utc
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.manifest import Summary, decode_summary
from airflow_dynamo_pipeline.engine.native_export_chain import Chain, ChainPlace, Kept, NativeExport
from airflow_dynamo_pipeline.engine.native_export_plan import Planner
from airflow_dynamo_pipeline.engine.native_export_ports import ExportState, NativeExportPorts
from airflow_dynamo_pipeline.engine.native_export_request import NativeExportRequest
from airflow_dynamo_pipeline.engine.native_export_result import (
    Finished,
    NativeExportResult,
    Nothing,
    Step,
    Waiting,
)
from airflow_dynamo_pipeline.engine.native_jobs import COMPLETED, JobState
from airflow_dynamo_pipeline.engine.native_windows import Window, floor, said
from airflow_dynamo_pipeline.engine.plan_cost import money
from airflow_dynamo_pipeline.engine.ports import TableDescription, VersionConflict
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.errors import (
    NativeJobConflict,
    NativeJobFailed,
    NotFound,
    PipelineError,
    RecoveryUnavailable,
    UnexpectedReply,
    with_hint,
)

TOKEN_HOLDS = timedelta(hours=8) - timedelta(minutes=10)  # DynamoDB remembers a token for eight hours
FORGOTTEN = timedelta(days=90)  # after which DynamoDB lists an export no more
MEND_UNUSABLE = "clear the task: a new export is started"
ANEW = "it was asked for by an earlier attempt, and is asked for anew"
MEND_FAILED = "mend what the code names, then clear the task: a new export is started"


def advance(request: NativeExportRequest, work: Work, ports: NativeExportPorts) -> Step:
    """Go on with what this run asks for until there is something to wait for, or all is complete.

    Call it again when what it waits for has come. Everything it knows is on S3 and at DynamoDB, so it may be
    called by another process.

    Raises NativeJobFailed, RecoveryUnavailable and the rest of the error tree.
    """
    table = ports.service.table()
    place = ChainPlace(ports.store, request.location, table.name)
    exporter = _Exporter(request, work, ports, place, table, Planner(request, work, ports, place, table))
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
    planner: Planner

    def step(self) -> Step | None:
        """Do one thing; None when there is more to do at once."""
        kept = self.place.read()
        self._check_not_failed(kept.chain)
        pending = next(filter(self._is_relevant, kept.chain.pending), None)
        if pending is not None:
            return self._go_on(*self._taken_over(kept, pending))
        done = self._done(kept.chain)
        if not any(map(self._is_of_this_attempt, done)):
            step = self.planner.plan(kept)
            if not (done and isinstance(step, Nothing)):
                return step
        return Finished(NativeExportResult.of(self.request, done, self.place.uri))

    def _is_of_this_attempt(self, export: NativeExport) -> bool:
        """Whether a retry of the same attempt finds its own: with whatever settings, it asks only once."""
        return (export.run, export.generation) == (self.work.run or "", self.work.generation)

    def _is_mine(self, export: NativeExport) -> bool:
        fingerprint = self.request.fingerprint()
        return export.belongs_to(self.work.run, fingerprint) or self._is_of_this_attempt(export)

    def _done(self, chain: Chain) -> list[NativeExport]:
        """What is complete of this attempt, and all in the chain that its run asked for or took over."""
        runs_in_chain = {
            each.token for each in (chain.base, *chain.windows) if each and self._is_of_this_run(each)
        }
        return [
            each
            for each in (*chain.full, *chain.windows)
            if each.token in runs_in_chain or self._is_of_this_attempt(each)
        ]

    def _is_of_this_run(self, export: NativeExport) -> bool:
        run = self.work.run
        extends = self.request.export_type == "incremental" and export.extends_chain
        return extends and run is not None and run in (export.run, export.taken_by)

    def _check_not_failed(self, chain: Chain) -> None:
        """A retry of an attempt that failed fails, whoever saw it fail."""
        for export in filter(self._is_of_this_attempt, chain.failed):
            if (job := export.failure) is not None:
                raise NativeJobFailed(job.arn, job.status, job.code, job.message, MEND_FAILED)

    def _taken_over(self, kept: Kept, export: NativeExport) -> tuple[Kept, NativeExport]:
        """What this attempt asked for, also where its settings are rendered otherwise by now."""
        fingerprint = self.request.fingerprint()
        if not self._is_of_this_attempt(export) or export.fingerprint == fingerprint:
            return kept, export
        self.ports.warn(
            f"this run has asked for {_what(export)} with other settings than are rendered now: "
            "going on with what was asked for"
        )
        export = msgspec.structs.replace(export, fingerprint=fingerprint)
        return self.place.write(kept, kept.chain.renewed(export)), export

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
            return self._ask(kept, export)
        state = self._looked_at(kept, export, export.export_arn)
        if state is None:
            return None
        if not state.job.ended:
            return self._adopt(kept, export, export.export_arn)
        self._ended(kept, export, state)
        return None

    def _ended(self, kept: Kept, export: NativeExport, state: ExportState) -> None:
        if state.job.status != COMPLETED:
            self._failed(kept, export, state)
            return
        try:
            complete = self._complete(export, state)
        except NoManifest as problem:
            self._pass_over(kept, export, problem)
            return
        self.place.write(kept, kept.chain.completed(complete))
        self.ports.say(
            f"{_what(complete)}: {complete.item_count:,} items, {complete.billed_bytes:,} bytes billed, "
            f"{self._price(complete.billed_bytes)}, in {complete.manifest_uri}"
        )

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

    def _ask(self, kept: Kept, export: NativeExport) -> Step | None:
        """Start it, or find the one that was started; then record its ARN.

        Windows that were never started, and can be no more, give way to what is planned instead.
        """
        now = self.ports.clock.now()
        is_old = now - export.asked_at > TOKEN_HOLDS
        is_broken = export.window and self.planner.broken(kept.chain, self.ports.service.recovery())
        arn = self.ports.service.find(self.table.arn, export.token) if is_old or is_broken else None
        if is_broken and arn is None:
            self.ports.warn(f"{_what(export)} were asked for, never started, and cannot be any more")
            return self.planner.plan(Kept(kept.chain.without(export), kept.version))
        if is_old:
            export = msgspec.structs.replace(export, asked_at=now)
            kept = self.place.write(kept, kept.chain.renewed(export))  # first: its token holds from now on
        try:
            arn = arn or self.ports.service.start(export.parameters)
        except (NativeJobConflict, RecoveryUnavailable) as refused:
            self._pass_over(kept, export, refused)
            return None
        self.ports.say(f"{_what(export)}: {arn}{self._plan(export)}")
        self.place.write(kept, kept.chain.renewed(msgspec.structs.replace(export, export_arn=arn)))
        return None

    def _plan(self, export: NativeExport) -> str:
        """What a full export takes; what changes take is known when they are exported."""
        if export.window is not None:
            return ""
        items, size = self.table.item_count, self.table.size_bytes
        if not (items or size):
            return ", an unknown price, for DynamoDB has not counted the table yet, no time is promised"
        return f", about {items:,} items and {size:,} bytes, {self._price(size)}, no time is promised"

    def _price(self, size_bytes: int) -> str:
        prices = self.ports.prices(self.table.region)
        return f"{money(prices.native_export(size_bytes))} ({prices.source})"

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
        self.place.write(kept, kept.chain.failing(export, state.job))
        if not self._is_of_this_attempt(export):  # else the next step raises it
            self.ports.warn(f"{state.job.seen}; {ANEW}")

    def _pass_over(self, kept: Kept, export: NativeExport, problem: PipelineError) -> None:
        """Drop what another attempt asked for and cannot be had; an attempt's own problem is raised."""
        is_off = isinstance(problem, RecoveryUnavailable) and problem.reason == "off"
        if is_off or self._is_of_this_attempt(export):
            raise problem
        line = str(problem).partition("\n")[0]
        job = JobState(
            arn=export.export_arn or _what(export),
            status="PASSED_OVER",
            code=type(problem).__name__,
            message=line,
        )
        self.place.write(kept, kept.chain.failing(export, job))
        self.ports.warn(f"{line}; {ANEW}")

    def _complete(self, export: NativeExport, state: ExportState) -> NativeExport:
        """What its manifest says; nothing counts as complete without one."""
        arn = state.job.arn
        if state.manifest_key is None:
            raise NoManifest(with_hint(f"{arn} is COMPLETED and names no manifest", MEND_UNUSABLE))
        uri = S3Location(self.request.location.bucket, "").uri(state.manifest_key)
        stored = self.ports.store.get(state.manifest_key)
        if stored is None:
            problem = f"{arn} is COMPLETED, and its manifest {uri} is not there"
            raise NoManifest(with_hint(problem, MEND_UNUSABLE))
        summary = decode_summary(stored.body, uri)
        if export.window and _told_window(summary) != export.window:
            problem = f"{uri} is of another window than was asked, {_what(export)}"
            raise UnexpectedReply(with_hint(problem, "make a new full export; the chain goes on from it"))
        is_mine = self._is_mine(export)
        told_at = None if summary.export_time is None else utc(summary.export_time)
        return msgspec.structs.replace(
            export,
            generation=self.work.generation if is_mine else export.generation,
            taken_by="" if is_mine else self.work.run or "",
            parameters={},
            manifest_uri=uri,
            export_time=None if export.window else told_at or state.export_time,
            item_count=summary.item_count,
            billed_bytes=state.billed_bytes,
            table_id=state.table_id or summary.table_id,
        )


class NoManifest(UnexpectedReply):
    """An export that is complete as DynamoDB says, and has no manifest."""


def _told_window(summary: Summary) -> Window | None:
    begin, end = summary.export_from_time, summary.export_to_time
    return (floor(utc(begin)), floor(utc(end))) if begin and end else None


def _what(export: NativeExport) -> str:
    if export.window is None:
        return "the full export"
    return f"the changes from {said(export.window[0])} to {said(export.window[1])}"

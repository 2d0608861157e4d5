"""Turns finished segments into an export: clean ``data/``, then write the manifest, last of all."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from airflow_dynamo_pipeline import __version__
from airflow_dynamo_pipeline.engine.checkpoint import Checkpoint
from airflow_dynamo_pipeline.engine.lease import Lease
from airflow_dynamo_pipeline.engine.manifest import (
    NATIVE_VERSION,
    OurPart,
    Summary,
    checksum,
    connector_manifest,
    encode_files,
    in_order,
    read_summary,
)
from airflow_dynamo_pipeline.engine.plan import Plan, Ports
from airflow_dynamo_pipeline.engine.ports import ABSENT, VersionConflict
from airflow_dynamo_pipeline.engine.records import Part, SegmentState
from airflow_dynamo_pipeline.errors import PipelineError, StaleAttempt
from airflow_dynamo_pipeline.formats import FORMATS

KMS = "KMS"  # as the export API spells it, not as S3's headers do


class Commit:
    """The last step of an export. Any number of attempts may take it, at once or one after the other."""

    def __init__(
        self, plan: Plan, ports: Ports, checkpoint: Checkpoint, lease: Lease, *, held: float
    ) -> None:
        """``held`` is the rate this attempt held, in units per second; 0 if it had nothing left to scan."""
        self._held = held
        self._plan = plan
        self._layout = plan.target.layout
        self._ports = ports
        self._store = ports.store
        self._checkpoint = checkpoint
        self._lease = lease

    def run(self, states: Sequence[SegmentState] | None = None) -> Summary:
        """Write the manifest and return it; when another attempt was faster, return that one's.

        ``states`` are those of all segments, for who has read them; what is done is never changed.
        Raises StaleAttempt when the lease was lost.
        """
        if states is None:
            states = list(self._checkpoint.read_all(self._lease.beat))
        unfinished = [state.segment for state in states if not state.done]
        if unfinished:
            raise StaleAttempt(
                f"segments {unfinished} were set back by another attempt; nothing was committed"
            )
        self._lease.check()
        theirs = read_summary(self._store, self._layout)
        if theirs is not None:
            return theirs
        parts = list(in_order(part for state in states for part in state.parts))
        self._remove_unnamed(parts)
        body = self._agreed(self._summary(states, parts).to_json())
        # Who committed has removed commit.json with the checkpoint, and we may have put ours in its place.
        theirs = read_summary(self._store, self._layout)
        if theirs is not None:
            return theirs
        self._write(parts, body)
        summary = read_summary(self._store, self._layout)
        if summary is None:
            raise StaleAttempt(f"{self._layout.summary_key} was removed while it was being committed")
        return summary

    def _remove_unnamed(self, parts: Sequence[Part]) -> None:
        """Remove what killed or superseded attempts left, so that data/ holds what the manifest lists."""
        self._store.abort_uploads(self._layout.data_prefix)
        named = {part.key for part in parts}
        self._store.delete([key for key in self._store.keys(self._layout.data_prefix) if key not in named])

    def _agreed(self, body: bytes) -> bytes:
        """The summary all attempts write: that of the first to come here.

        Segments that are done never change, so attempts agree on the parts; this makes them agree on
        the rest, and a summary and its checksum always match whoever wrote which.
        """
        key = self._layout.commit_key
        try:
            self._store.put(key, body, expect=ABSENT)
        except VersionConflict:
            found = self._store.get(key)
            if found is None:
                raise StaleAttempt(f"{key} is gone: another attempt has committed this export") from None
            return found.body
        return body

    def _write(self, parts: Sequence[Part], body: bytes) -> None:
        layout, put = self._layout, self._store.put
        files = encode_files(parts)
        put(layout.files_key, files)
        put(layout.files_checksum_key, checksum(files))
        if self._plan.request.file_format == "data_pipeline":
            listed = connector_manifest(layout.location.bucket, (part.key for part in parts))
            put(layout.data_pipeline_manifest_key, listed)
        if self._plan.definition is not None:
            with contextlib.suppress(VersionConflict):  # an attempt that was faster wrote its own
                put(layout.definition_key, self._plan.definition.to_json(), expect=ABSENT)
        put(layout.summary_checksum_key, checksum(body))
        with contextlib.suppress(VersionConflict):  # another attempt wrote the same bytes a moment ago
            put(layout.summary_key, body, expect=ABSENT)

    def _summary(self, states: Sequence[SegmentState], parts: Sequence[Part]) -> Summary:
        plan, request = self._plan, self._plan.request
        ours = self._ours(states, parts)
        started = (
            plan.target.plan.started_at if plan.target.plan else ours.first_page_at or self._ports.clock.now()
        )
        return Summary(
            version=NATIVE_VERSION,
            start_time=started,
            end_time=self._ports.clock.now(),
            table_arn=plan.table.arn,
            table_id=plan.table.table_id,
            export_time=ours.first_page_at or started,
            s3_bucket=request.location.bucket,
            s3_prefix=request.location.prefix,
            s3_sse_algorithm=KMS if request.s3_sse_kms_key_id else None,
            s3_sse_kms_key_id=request.s3_sse_kms_key_id,
            manifest_files_s3_key=plan.target.layout.files_key,
            item_count=sum(part.item_count for part in parts),
            output_format=FORMATS[request.file_format].output_format,
            ours=ours,
        )

    def _ours(self, states: Sequence[SegmentState], parts: Sequence[Part]) -> OurPart:
        plan, request = self._plan, self._plan.request
        first = min((state.first_page_at for state in states if state.first_page_at), default=None)
        last = max((state.last_page_at for state in states if state.last_page_at), default=None)
        return OurPart(
            package_version=__version__,
            generation=plan.work.generation,
            file_format=request.file_format,
            compression=request.compression,
            lossless=FORMATS[request.file_format].lossless,
            index_name=request.index_name,
            filtered=bool(request.filter_expression or request.projection_expression),
            segments=plan.segments,
            parts=len(parts),
            bytes=sum(part.bytes for part in parts),
            stored_bytes=sum(part.stored_bytes for part in parts),
            scanned_count=sum(state.scanned_count for state in states),
            consumed_units=sum(state.units for state in states),
            units_per_second_asked=plan.rate.units_per_second,
            units_per_second_held=round(self._held, 2),
            first_page_at=first,
            last_page_at=last,
        )


def remove_checkpoint(plan: Plan, ports: Ports) -> None:
    """Remove plan, lease and checkpoints, the manifest has taken their place; unless they are to be kept.

    The export is complete by now: whatever goes wrong here costs a warning, not the run.
    """
    if plan.request.keep_checkpoint:
        return
    prefix = plan.target.layout.checkpoint_prefix
    try:
        ports.store.delete(list(ports.store.keys(prefix)))
    except PipelineError as error:
        ports.warn(f"the export is complete, but {prefix} could not be removed: {error}")

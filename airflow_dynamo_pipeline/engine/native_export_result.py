"""How far a native export has come: what to wait for, or what there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from airflow_dynamo_pipeline.engine.native_export_chain import NativeExport
from airflow_dynamo_pipeline.engine.native_export_request import NativeExportRequest
from airflow_dynamo_pipeline.engine.native_jobs import COMPLETED
from airflow_dynamo_pipeline.engine.native_windows import said
from airflow_dynamo_pipeline.engine.ports import JsonObject


@dataclass(frozen=True, slots=True)
class Waiting:
    """An export is under way: go on when it has ended."""

    export_arn: str


@dataclass(frozen=True, slots=True)
class Early:
    """The instant that is wanted is not recoverable yet: go on when it is."""

    wanted_at: datetime


@dataclass(frozen=True, slots=True)
class Nothing:
    """There is nothing to export yet."""

    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NativeExportResult:
    """What was exported. Of several windows, ARN and manifest are the last one's; counts are sums."""

    table_name: str
    export_type: str  # full, also where an incremental export was asked and a new base made; incremental
    export_arn: str
    manifest_uri: str
    manifest_uris: Sequence[str]  # of all that this run exported or took over, in their order
    item_count: int
    billed_bytes: int
    export_time: str | None  # ISO 8601, of a full export
    window_start: str | None  # ISO 8601, of incremental exports
    window_end: str | None
    chain_uri: str
    status: str = COMPLETED

    @classmethod
    def of(
        cls, request: NativeExportRequest, exports: Sequence[NativeExport], chain_uri: str
    ) -> NativeExportResult:
        """The result of one or several complete exports."""
        last = exports[-1]
        begun = next((each.window_start for each in exports if each.window_start), None)
        return cls(
            table_name=request.table_name,
            export_type="incremental" if last.window else "full",
            export_arn=last.export_arn or "",
            manifest_uri=last.manifest_uri or "",
            manifest_uris=[each.manifest_uri or "" for each in exports],
            item_count=sum(each.item_count for each in exports),
            billed_bytes=sum(each.billed_bytes for each in exports),
            export_time=said(last.export_time) if last.export_time else None,
            window_start=said(begun) if begun else None,
            window_end=said(last.window_end) if last.window_end else None,
            chain_uri=chain_uri,
        )

    def to_json(self) -> JsonObject:
        """A small JSON object."""
        return asdict(self) | {"manifest_uris": list(self.manifest_uris)}


@dataclass(frozen=True, slots=True)
class Finished:
    """All that was asked is complete."""

    result: NativeExportResult


Step = Waiting | Early | Nothing | Finished

"""The chain of native exports of one table below one prefix, kept on S3 beside what it names.

One small object: the full export at its base, the windows of changes that follow on it, what was asked for
and has not ended yet, and the full exports that ended last. It is replaced only in the version that was read,
so that two runs cannot both extend it. Airflow's database is not needed to go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from airflow_dynamo_pipeline.engine.native_jobs import JobState
from airflow_dynamo_pipeline.engine.native_windows import Window, floor
from airflow_dynamo_pipeline.engine.ports import ABSENT, Absent, ObjectStore
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.errors import UnexpectedReply, UnknownVersion

VERSION = 1
FOLDER = "_dynamo-pipeline"
KEPT_FULL = 100  # full exports remembered, so that a retry finds its own
KEPT_FAILED = 100  # failed ones


class NativeExport(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One native export: asked for, or complete once it has a manifest.

    ``run`` and ``generation`` say who asked (``engine.identity.Work``). ``parameters`` are those of
    ExportTableToPointInTime, to ask again with the same; they are dropped when it is complete.
    """

    token: str
    run: str
    generation: str
    fingerprint: str  # of the request
    asked_at: datetime
    window_start: datetime | None = None  # None: a full export
    window_end: datetime | None = None
    starts_chain: bool = False  # a full export that an incremental one asked for
    parameters: dict[str, Any] = {}
    export_arn: str | None = None
    manifest_uri: str | None = None
    export_time: datetime | None = None  # of a full export: the instant it shows
    item_count: int = 0
    billed_bytes: int = 0
    table_id: str | None = None
    taken_by: str = ""  # the other run that went on with it until it was complete
    failure: JobState | None = None  # what was seen of it, once it has failed

    @property
    def window(self) -> Window | None:
        """From when, and until before when; None of a full export."""
        if self.window_start is None or self.window_end is None:
            return None
        return self.window_start, self.window_end

    @property
    def end(self) -> datetime | None:
        """The instant up to which nothing is missing once it is complete."""
        at = self.window_end or self.export_time
        return None if at is None else floor(at)

    @property
    def is_for_all(self) -> bool:
        """Whether any run that extends the chain goes on with it: all but fulls that nobody started yet."""
        return self.extends_chain or self.export_arn is not None

    @property
    def extends_chain(self) -> bool:
        """Whether an incremental export was asked for."""
        return self.window is not None or self.starts_chain

    def belongs_to(self, run: str | None, fingerprint: str) -> bool:
        """Whether this logical run asked for it, with these settings, in whichever generation."""
        return (self.run, self.fingerprint) == (run or "", fingerprint)


class Chain(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What is known of a table's native exports below a prefix."""

    version: int = VERSION
    base: NativeExport | None = None
    windows: tuple[NativeExport, ...] = ()
    pending: tuple[NativeExport, ...] = ()
    full: tuple[NativeExport, ...] = ()  # complete ones, the newest last
    failed: tuple[NativeExport, ...] = ()  # so that a retry of who asked for one does not succeed

    @property
    def end(self) -> datetime | None:
        """The instant up to which base and windows have all changes; None without a base."""
        last = self.windows[-1] if self.windows else self.base
        return None if last is None else last.end

    @property
    def manifest_uris(self) -> Sequence[str]:
        """Base and windows in their order, as an import takes them."""
        exports = [self.base, *self.windows] if self.base else []
        return [each.manifest_uri for each in exports if each.manifest_uri]

    def asked(self, *exports: NativeExport) -> Chain:
        """The chain with more that is asked for."""
        return msgspec.structs.replace(self, pending=(*self.pending, *exports))

    def renewed(self, export: NativeExport) -> Chain:
        """The chain with what is known by now of something pending."""
        pending = tuple(export if each.token == export.token else each for each in self.pending)
        return msgspec.structs.replace(self, pending=pending)

    def without(self, export: NativeExport) -> Chain:
        """The chain without something pending; the windows that should have followed on a window go, too."""
        gone = [
            each for each in self.pending if each.token == export.token or (export.window and each.window)
        ]
        return msgspec.structs.replace(self, pending=tuple(each for each in self.pending if each not in gone))

    def failing(self, export: NativeExport, seen: JobState) -> Chain:
        """The chain without something pending that has failed, which is remembered."""
        failed = msgspec.structs.replace(export, parameters={}, failure=seen)
        return msgspec.structs.replace(self.without(export), failed=(*self.failed, failed)[-KEPT_FAILED:])

    def completed(self, export: NativeExport) -> Chain:
        """The chain with a pending export that is complete now.

        A window extends the chain. A full export begins it anew, unless it is of an earlier instant than the
        chain has reached.
        """
        pending = tuple(each for each in self.pending if each.token != export.token)
        rest = msgspec.structs.replace(self, pending=pending)
        if export.window:
            return msgspec.structs.replace(rest, windows=(*self.windows, export))
        rest = msgspec.structs.replace(rest, full=(*self.full, export)[-KEPT_FULL:])
        if self.base and self.base.table_id == export.table_id and _is_before(export.end, self.end):
            return rest
        return msgspec.structs.replace(rest, base=export, windows=())


def _is_before(one: datetime | None, other: datetime | None) -> bool:
    return one is not None and other is not None and one < other


@dataclass(frozen=True, slots=True)
class Kept:
    """A chain and the version of its object; ABSENT before there is one."""

    chain: Chain
    version: str | Absent


@dataclass(frozen=True, slots=True)
class ChainPlace:
    """Where the chain of a table is kept."""

    store: ObjectStore
    location: S3Location
    table_name: str

    @property
    def key(self) -> str:
        """The key of the object."""
        return self.location.key(FOLDER, f"{self.table_name}.json")

    @property
    def uri(self) -> str:
        """Its URI."""
        return f"s3://{self.location.bucket}/{self.key}"

    def read(self) -> Kept:
        """The chain as it is; raises UnexpectedReply or UnknownVersion."""
        stored = self.store.get(self.key)
        if stored is None:
            return Kept(Chain(), ABSENT)
        return Kept(_decoded(stored.body, self.uri), stored.version)

    def write(self, kept: Kept, chain: Chain) -> Kept:
        """Replace the chain that was read; raises VersionConflict when another run was faster.

        A base that is replaced is kept with its windows under its own name.
        """
        before = kept.chain
        if before.base and (chain.base is None or chain.base.token != before.base.token):
            name = f"{self.table_name}-{before.base.token}.json"
            self.store.put(self.location.key(FOLDER, name), _encoded(before))
        return Kept(chain, self.store.put(self.key, _encoded(chain), expect=kept.version))


def _encoded(chain: Chain) -> bytes:
    return msgspec.json.format(msgspec.json.encode(chain), indent=1)


def _decoded(body: bytes, uri: str) -> Chain:
    try:
        found = msgspec.json.decode(body, type=Mapping[str, Any]).get("version")
        if isinstance(found, int) and found > VERSION:
            raise UnknownVersion(uri, found, VERSION)
        return msgspec.json.decode(body, type=Chain)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as problem:
        raise UnexpectedReply(f"{uri} is not a chain of native exports: {problem}") from problem

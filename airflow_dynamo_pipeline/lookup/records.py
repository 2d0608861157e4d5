"""The JSON records a lookup load leaves on S3, and where they lie."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from airflow_dynamo_pipeline.engine.identity import STAMP, Work
from airflow_dynamo_pipeline.engine.records import VERSION
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.lookup.request import LookupRequest

ROOT = "_lookups"  # a name that no reader of backups takes for a data file


class ChangeFile(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One file of a change set."""

    key: str
    lines: int
    md5: str  # base64, of the stored bytes


class Counts(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a comparison found. ``rows`` is the sum of unchanged, inserted, updated, skipped and rejected.

    ``skipped`` are rows that the mode does not write: those whose key is there (insert_only), or is not
    (update_existing).
    """

    rows: int = 0
    unchanged: int = 0
    inserted: int = 0
    updated: int = 0
    skipped: int = 0
    rejected: int = 0
    deleted: int = 0
    table_items: int = 0  # before anything was written
    write_units: int = 0  # the least that the changes cost, of the table without its indexes

    @property
    def changes(self) -> int:
        """How many items are to be written or deleted."""
        return self.inserted + self.updated + self.deleted

    @property
    def balanced(self) -> bool:
        """Whether every row has become something."""
        return self.rows == self.unchanged + self.inserted + self.updated + self.skipped + self.rejected


class DigestFile(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Keys and digests of all items of a table, in buckets: (offset, length) of each in one object."""

    key: str
    items: int
    buckets: tuple[tuple[int, int], ...]


class ChangeSet(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is to be done to the table: decided as a whole before the first write."""

    counts: Counts
    puts: tuple[ChangeFile, ...] = ()
    deletes: tuple[ChangeFile, ...] = ()
    rejects: tuple[str, ...] = ()
    table_identity: str
    compared_with: str  # "table", "keys", "digests" or "nothing"
    digests: DigestFile | None = None  # of the table once this is done
    full_compared_at: datetime | None = None
    generation: str | None = None
    expires_at: int | None = None  # of the generation: epoch seconds


class RunRecord(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One run: what it decided and on what, and its result once it is done."""

    version: int = VERSION
    fingerprint: str
    run: str | None
    generation: str
    planned_at: datetime
    after_state: str | None  # the version of the table's state that this was decided on; None: there was none
    change_set: ChangeSet
    result: msgspec.Raw = msgspec.Raw(b"null")

    @property
    def is_done(self) -> bool:
        """Whether the change set is in the table."""
        return bytes(self.result) != b"null"


class TableState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which run wrote to the table last, and what the table holds if it came to its end."""

    version: int = VERSION
    run_id: str
    table_identity: str
    shape: str  # of the rows: LookupRequest.shape
    is_applied: bool  # False: the run writes, or was killed while it wrote
    changed_at: datetime
    digests: DigestFile | None = None
    full_compared_at: datetime | None = None


def table_folder(table_name: str) -> str:
    """What all loads of a table share lies below it, whether it is asked for by name or by ARN.

    >>> table_folder("arn:aws:dynamodb:eu-west-1:111122223333:table/products")
    '_lookups/products'
    """
    return f"{ROOT}/{table_name.rpartition('/')[2]}"


def scratch_folder(load: LookupRequest) -> str:
    """Below it lies what is spilled or unloaded, by the holder of the lease or by dry runs."""
    return load.location.key(table_folder(load.table_name), "dry" if load.dry_run else "scratch")


@dataclass(frozen=True, slots=True)
class LookupPlace:
    """Keys of one run's objects, and of those that all runs for the table share."""

    location: S3Location
    table_name: str
    run_id: str

    @classmethod
    def of(cls, request: LookupRequest, work: Work) -> LookupPlace:
        """The place of a work: the same for every attempt, another after Clear."""
        what = f"{work.run or ''}\n{work.generation}\n{request.fingerprint()}"
        stamp = work.began_at.astimezone(UTC).strftime(STAMP)
        run_id = f"{stamp}-{hashlib.sha256(what.encode()).hexdigest()[:8]}"
        return cls(request.location, request.table_name, run_id)

    def shared(self, *names: str) -> str:
        """The key of an object that all runs for the table share."""
        return self.location.key(table_folder(self.table_name), *names)

    def key(self, *names: str) -> str:
        """The key of an object of this run."""
        return self.shared("runs", self.run_id, *names)

    @property
    def state_key(self) -> str:
        """What is known of the table."""
        return self.shared("state.json")

    @property
    def lease_key(self) -> str:
        """Who loads into the table now."""
        return self.shared("lease.json")

    @property
    def record_key(self) -> str:
        """What this run does; it stays."""
        return self.key("run.json")

    @property
    def folder_uri(self) -> str:
        """The folder of this run."""
        return f"s3://{self.location.bucket}/{self.key()}/"

    @property
    def changes_uri(self) -> str:
        """Below it lie the files of the change set."""
        return f"{self.folder_uri}changes/"

    @property
    def rejects_uri(self) -> str:
        """Below it lie files of rejected rows."""
        return f"{self.folder_uri}rejects/"

"""The JSON records an import leaves on S3: what it is, how far it has come, what came of it."""

from __future__ import annotations

from datetime import datetime

import msgspec

from airflow_dynamo_pipeline.engine.records import VERSION


class Accounts(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of the items read. ``read`` is what the others must add up to.

    ``written`` includes ``deleted``, the deletions of incremental exports. ``expired`` are items whose
    time to live was over: they are among the written, or the skipped.
    """

    read: int = 0
    written: int = 0
    deleted: int = 0
    skipped: int = 0
    conflicted: int = 0
    rejected: int = 0
    expired: int = 0

    @property
    def balanced(self) -> bool:
        """Whether every item read has become something."""
        return self.read == self.written + self.skipped + self.conflicted + self.rejected

    def __add__(self, other: Accounts) -> Accounts:
        """The sums."""
        return Accounts(
            **{
                name: getattr(self, name) + getattr(other, name)  # fields are all counts
                for name in self.__struct_fields__
            }
        )


class FileState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How far one file has come: everything up to and with ``lines`` is accounted for."""

    key: str
    lines: int = 0
    done: bool = False
    accounts: Accounts = Accounts()


class ImportState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The checkpoint: files that were begun, and the objects with the items rejected so far."""

    version: int = VERSION
    attempt: str
    files: tuple[FileState, ...] = ()
    rejects: tuple[str, ...] = ()
    units: float = 0.0
    duplicates: int = 0


class ImportRecord(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Who imported what into which table; ``finished_at`` is there once it is whole."""

    version: int = VERSION
    fingerprint: str
    run: str | None
    generation: str
    backup_identity: str
    backup_uri: str
    table_identity: str
    started_at: datetime
    finished_at: datetime | None = None
    ranges: int = 0  # that are worked on by different workers; 0: one worker does all of it
    at_once: int = 1  # of them
    slack: float = 0.0  # share of the rate that none of them uses
    units_per_second: float = 0.0  # of all of them together, as planned; 0: for one worker
    rejects: tuple[str, ...] = ()  # once it is whole: the objects with the items rejected
    result: msgspec.Raw = msgspec.Raw(b"null")

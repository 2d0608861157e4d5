"""Which files a backup consists of, whoever wrote it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class BackupFile:
    """One file to read; count and checksum where a manifest has them."""

    key: str
    item_count: int | None = None
    md5: str | None = None  # base64, of the stored bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """Files that may be read in any order, before those of the next stage."""

    uri: str  # of the manifest, or of the folder where there is none
    reader: str  # a name in READERS
    files: tuple[BackupFile, ...]
    window: tuple[datetime, datetime] | None = None  # of an incremental export: from (inclusive), to (not)
    item_bytes: int | None = None  # of a full native export: what DynamoDB counted of the table
    content_bytes: int | None = None  # of an export by this package: of all files, uncompressed


@dataclass(frozen=True, kw_only=True, slots=True)
class Backup:
    """A backup as an import sees it: a base, or files, and perhaps windows of changes after it."""

    identity: str  # the same for the same backup at the same place, another for another
    kind: str  # "export" (ours), "native export", "data pipeline backup" or "files"
    stages: tuple[Stage, ...]
    table_arn: str | None = None  # of the table it was made of, where a manifest says so

    @property
    def files(self) -> int:
        """How many files there are."""
        return sum(len(stage.files) for stage in self.stages)

    @property
    def item_count(self) -> int | None:
        """How many lines the manifests say there are; None where one does not."""
        counts = [file.item_count for stage in self.stages for file in stage.files]
        return None if None in counts else sum(count or 0 for count in counts)

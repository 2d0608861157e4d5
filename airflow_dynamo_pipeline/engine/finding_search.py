"""What the search for a backup has at hand: the bucket, its listings, and the problems found so far."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from airflow_dynamo_pipeline.engine.ports import ObjectStore
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.engine.sources import Stage
from airflow_dynamo_pipeline.errors import PipelineError, Problem

AUTO = "auto"
WHERE = "s3_uri"


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """What one location turned out to hold."""

    stage: Stage
    kind: str  # as in Backup
    fingerprint: str  # of the manifest, or of the files where there is none
    at: datetime | None = None  # the instant a full export shows; of ours, its first page
    until: datetime | None = None  # of ours: its last page; later changes of items may be in it
    is_partial: bool = False  # a filter, a projection or an index left something out
    table_arn: str | None = None
    table_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """One bucket being searched. Every folder is listed once; every problem is kept, none is raised."""

    bucket: str
    store: ObjectStore
    file_format: str  # the name of a reader, or AUTO
    sniff: Callable[[str], str | None]
    say: Callable[[str], None]
    warn: Callable[[str], None]
    problems: list[Problem] = field(default_factory=list)
    _listed: dict[str, frozenset[str]] = field(default_factory=dict)

    def refuse(self, message: str, hint: str | None = None) -> None:
        """Keep a problem."""
        self.problems.append(Problem(WHERE, message, hint))

    def refuse_error(self, error: PipelineError) -> None:
        """Keep an error as a problem."""
        message, _, hint = str(error).partition("\nHINT: ")
        self.refuse(message, hint or None)

    def check_format(self, reader: str, uri: str) -> None:
        """Refuse a file_format that contradicts a manifest."""
        if self.file_format not in (AUTO, reader):
            self.refuse(
                f"file_format is {self.file_format!r}, but the manifest {uri} is of {reader!r}",
                f"leave file_format at {AUTO!r}: the manifest knows",
            )

    def uri(self, key: str) -> str:
        """The URI of a key, or of a folder that ends in a slash."""
        return f"s3://{self.bucket}/{key}"

    def get(self, key: str) -> bytes | None:
        """A small object's bytes, None when it is not there."""
        found = self.store.get(key)
        return None if found is None else found.body

    def keys(self, folder: str) -> frozenset[str]:
        """All keys below a folder."""
        if folder not in self._listed:
            self._listed[folder] = frozenset(self.store.keys(inside(folder)))
        return self._listed[folder]

    def has(self, key: str) -> bool:
        """Whether there is such an object, by the listing of its folder."""
        folder, _ = split(key)
        if not folder:  # beside it lies all of the bucket
            return next(iter(self.store.keys(key)), None) == key
        return key in self.keys(folder)


def joined(folder: str, *names: str) -> str:
    """The key of something below a folder, which may be the bucket itself.

    >>> joined("", "manifest"), joined("a/b", "data", "0001")
    ('manifest', 'a/b/data/0001')
    """
    return S3Location("", folder).key(*names)


def inside(folder: str) -> str:
    """The prefix of what lies in a folder."""
    return f"{folder}/" if folder else ""


def split(key: str) -> tuple[str, str]:
    """The folder and the name of a key.

    >>> split("a/b/c"), split("c")
    (('a/b', 'c'), ('', 'c'))
    """
    folder, _, name = key.rpartition("/")
    return folder, name


def is_hidden(name: str) -> bool:
    """What Hadoop passes over, the markers it leaves for folders, and the one a folder itself may have."""
    return not name or name.startswith(("_", ".")) or name.endswith("_$folder$")


def fingerprint(parts: Iterable[bytes]) -> str:
    """A hash of some texts in their order, each with its length."""
    found = hashlib.sha256()
    for part in parts:
        found.update(len(part).to_bytes(8))
        found.update(part)
    return found.hexdigest()


def utc(instant: datetime) -> datetime:
    """An instant in UTC, which is meant where no zone is named."""
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)

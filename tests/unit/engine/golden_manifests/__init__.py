"""Manifests written by hand, and a bucket to put them into.

The checksum files beside them were made with openssl; no code of the package made anything here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest

from airflow_dynamo_pipeline.adapters.memory import MemoryStore
from airflow_dynamo_pipeline.engine.finding import find_backup
from airflow_dynamo_pipeline.engine.sources import Backup
from airflow_dynamo_pipeline.errors import PreflightFailed

GOLDEN = Path(__file__).parent
ROOT = "nightly/AWSDynamoDB"
FULL = "01693685827463-2d8752fd"  # shows 2023-09-03T00:00:00.028Z
ION = "01693690000000-10nf0rm4"
OURS = "2023-09-03-00-00-00-0a1b2c3d"  # read from 00:00:00.25 to 02:00 of that day
FIRST_DAY = "01693785600000-ac809da5"  # changes from 2023-09-03 to 2023-09-04
SECOND_DAY = "01693872000000-d6299cbd"  # changes from 2023-09-04 to 2023-09-05


def summary_uri(export_id: str, root: str = ROOT) -> str:
    """Where an export's summary is."""
    return f"s3://backups/{root}/{export_id}/manifest-summary.json"


class Bucket:
    """The bucket ``backups`` with what a test puts there, and all that was said while it was searched."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.formats: dict[str, str] = {}  # by a file's key
        self.sniffed: list[str] = []
        self.said: list[str] = []
        self.warned: list[str] = []

    def put(self, *keys: str, body: bytes = b"data") -> None:
        for key in keys:
            self.store.put(key, body)

    def export(self, export_id: str, **edited: object) -> str:
        """Put an export with its files there; ``edited`` keys of the summary cost it its checksum."""
        folder = f"{ROOT}/{export_id}"
        for path in (GOLDEN / "AWSDynamoDB" / export_id).iterdir():
            self.put(f"{folder}/{path.name}", body=path.read_bytes())
        for line in self.body(f"{folder}/manifest-files.json").splitlines():
            self.put(json.loads(line)["dataFileS3Key"])
        if edited:
            self.edit_summary(folder, **edited)
        return summary_uri(export_id)

    def edit_summary(self, folder: str, **edited: object) -> None:
        summary = json.loads(self.body(f"{folder}/manifest-summary.json")) | edited
        self.put(f"{folder}/manifest-summary.json", body=json.dumps(summary).encode())
        self.store.delete([f"{folder}/manifest-summary.md5", f"{folder}/manifest-summary.checksum"])

    def body(self, key: str) -> bytes:
        return self.store.objects[key].body

    def move(self, old: str, new: str) -> None:
        """Move all keys from one prefix to another."""
        for key in list(self.store.keys(old)):
            self.put(new + key.removeprefix(old), body=self.body(key))
            self.store.delete([key])

    def find(self, *uris: str, file_format: str = "auto", changes_from: datetime | None = None) -> Backup:
        before = dict(self.store.objects)
        try:
            return find_backup(
                uris,
                file_format,
                self.store,
                changes_from=changes_from,
                sniff=self._sniff,
                say=self.said.append,
                warn=self.warned.append,
            )
        finally:
            assert before == self.store.objects  # nothing is written, whatever comes out

    def problems(
        self, *uris: str, file_format: str = "auto", changes_from: datetime | None = None
    ) -> Sequence[str]:
        """What the search refuses these locations for; all of it is said of s3_uri."""
        with pytest.raises(PreflightFailed) as caught:
            self.find(*uris, file_format=file_format, changes_from=changes_from)
        assert {"s3_uri"} == {problem.where for problem in caught.value.problems}
        return [f"{problem.message} | {problem.hint or ''}" for problem in caught.value.problems]

    def _sniff(self, key: str) -> str | None:
        self.sniffed.append(key)
        return self.formats.get(key)


def keys_of(backup: Backup) -> list[str]:
    """The keys of all files in the order of the stages."""
    return [file.key for stage in backup.stages for file in stage.files]

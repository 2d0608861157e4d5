"""How far an import has come, written so that a retry neither loses nor doubles an account."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from airflow_dynamo_pipeline.engine import records
from airflow_dynamo_pipeline.engine.import_place import ImportPlace
from airflow_dynamo_pipeline.engine.import_records import ImportRecord, ImportState
from airflow_dynamo_pipeline.engine.ledger import Ledger, Reject
from airflow_dynamo_pipeline.engine.ports import ABSENT, Absent, ObjectStore, VersionConflict
from airflow_dynamo_pipeline.errors import StaleAttempt
from airflow_dynamo_pipeline.formats.rejects import encode_rejects

OUR_NAME = re.compile(r"[0-9]{5}-[0-9a-f]{8}\.jsonl")


class ImportCheckpoint:
    """The checkpoint of one import as one attempt sees it."""

    def __init__(self, store: ObjectStore, place: ImportPlace, attempt: str) -> None:
        """Read what is there."""
        self._store = store
        self._place = place
        self._attempt = attempt
        found = store.get(place.state_key)
        self._version: str | Absent = found.version if found else ABSENT
        self.state = (
            records.decode(found.body, ImportState, place.state_key)
            if found
            else ImportState(attempt=attempt)
        )
        self.earlier = self.state
        self._rejects: list[Reject] = []  # counted by the ledger, and not yet by a checkpoint

    def claim(self) -> None:
        """Make the checkpoint ours: from now on another attempt's write to it fails."""
        self._put(msgspec.structs.replace(self.state, attempt=self._attempt))

    def write(self, ledger: Ledger, readers: dict[str, str], *, units: float, duplicates: int) -> None:
        """Put the rejected items where they stay, then say how far the import has come.

        ``readers`` names the reader of each file. Raises StaleAttempt when another attempt has taken over.
        """
        files, rejects = ledger.take()
        self._rejects += rejects
        named = self.state.rejects
        if self._rejects:
            named = (*named, self._put_rejects(self._rejects, readers, len(named)))
        state = msgspec.structs.replace(
            self.state,
            files=files,
            rejects=named,
            units=self.earlier.units + units,
            duplicates=max(self.earlier.duplicates, duplicates),
        )
        try:
            self._put(state)
        except StaleAttempt:
            self._take_back(set(named) - set(self.state.rejects))
            raise
        self._rejects = []

    def remove_unnamed_rejects(self) -> None:
        """Remove what a killed attempt wrote and no checkpoint came to name; other people's files stay."""
        prefix = self._place.rejects_prefix
        ours = {key for key in self._store.keys(prefix) if OUR_NAME.fullmatch(key.removeprefix(prefix))}
        self._store.delete(sorted(ours - set(self.state.rejects)))

    def _take_back(self, keys: Iterable[str]) -> None:
        """Remove what was written in vain: another attempt has the same rejects, and names its own files.

        It names ours if our checkpoint was written after all, and only the reply was lost.
        """
        state, record = self._store.get(self._place.state_key), self._store.get(self._place.record_key)
        named: tuple[str, ...] | None = None
        if state is not None:
            named = records.decode(state.body, ImportState, self._place.state_key).rejects
        elif record is not None:
            named = records.decode(record.body, ImportRecord, self._place.record_key).rejects
        if named is not None:
            self._store.delete(sorted(set(keys) - set(named)))

    def _put_rejects(self, rejects: list[Reject], readers: dict[str, str], number: int) -> str:
        key = f"{self._place.rejects_prefix}{number:05}-{self._attempt}.jsonl"
        lines = [
            (one.file, one.line, one.reason, one.reader or readers.get(one.file, ""), one.text)
            for one in rejects
        ]
        self._store.put(key, encode_rejects(lines))
        return key

    def _put(self, state: ImportState) -> None:
        try:
            self._version = self._store.put(
                self._place.state_key, records.encode(state), expect=self._version
            )
        except VersionConflict:
            raise StaleAttempt(
                f"another attempt has taken over this import ({self._place.state_key}); "
                f"attempt {self._attempt} stops"
            ) from None
        self.state = state

"""Accounts of an import: every item read becomes exactly one of written, skipped, conflicted, rejected.

Items of several files are under way at once. A file's accounts grow block by block in the file's own
order: a block counts once all its items are resolved and all blocks before it have counted. So a
checkpoint can say of each file that everything up to one line is done, and nothing after it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from operator import attrgetter
from typing import Any

import msgspec

from airflow_dynamo_pipeline.engine.import_records import Accounts, FileState
from airflow_dynamo_pipeline.items.keys import Key
from airflow_dynamo_pipeline.items.typed_text import ItemText


class Outcome(Enum):
    """What became of an item."""

    WRITTEN = "written"
    SKIPPED = "skipped"
    CONFLICTED = "conflicted"


@dataclass(frozen=True, slots=True)
class Reject:
    """An item, or a line that is none, that was not imported."""

    file: str
    line: int
    reason: str
    text: bytes
    reader: str = ""  # how the text is read; empty: as its file


def rejected_delete(file: str, line: int, reason: str, key: ItemText) -> Reject:
    """The reject of a deletion: mended and imported again it must not become an item."""
    text = b'{"Metadata":{"WriteTimestampMicros":{"N":"0"}},"Keys":' + bytes(key) + b"}"
    return Reject(file, line, reason, text, "incremental")


def rejected_item(file: str, line: int, reason: str, item: ItemText) -> Reject:
    """The reject of an item that could be read."""
    return Reject(file, line, reason, b'{"Item":' + bytes(item) + b"}", "dynamodb_json")


@dataclass(slots=True, eq=False)
class BlockAccount:  # compared, and hashed, by identity
    """One block of a file while its items are under way."""

    file: FileAccount
    lines: int  # the last line it has used up
    waiting: int
    read: int = 0
    written: int = 0
    deleted: int = 0
    skipped: int = 0
    conflicted: int = 0
    expired: int = 0
    rejects: list[Reject] = field(default_factory=list)

    def accounts(self) -> Accounts:
        """The accounts of a block that is resolved."""
        return Accounts(
            read=self.read,
            written=self.written,
            deleted=self.deleted,
            skipped=self.skipped,
            conflicted=self.conflicted,
            rejected=len(self.rejects),
            expired=self.expired,
        )


class Entry(msgspec.Struct, gc=False):
    """One item on its way, or the key of one to delete."""

    item: ItemText
    key: Key
    line: int
    block: Any  # a BlockAccount, which msgspec need not know
    is_delete: bool = False


_block = attrgetter("block")
_is_delete = attrgetter("is_delete")


class FileAccount:
    """One file while it is read and written."""

    def __init__(self, state: FileState) -> None:
        self.key = state.key
        self.state = state
        self.blocks: deque[BlockAccount] = deque()
        self.is_read = False  # to its end


def _held_by(reject: Reject) -> int:
    """About how much memory a rejected item takes."""
    return len(reject.text) + 500


class Ledger:
    """All accounts of one attempt, kept by all threads."""

    def __init__(self, states: Iterable[FileState]) -> None:
        """``states``: what earlier attempts have accounted for."""
        self._lock = threading.Lock()
        self._files = {state.key: FileAccount(state) for state in states}
        self._rejects: list[Reject] = []
        self.reject_bytes = 0  # of rejected items in memory, those of blocks that do not count yet included
        self.first_reject: Reject | None = None  # of this attempt, for a message
        self.has_deletes = False  # whether any entry is, or was, one: set before it is resolved
        self.under_way = 0
        self.rejected = sum(file.state.accounts.rejected for file in self._files.values())
        self.resolved = sum(file.state.accounts.read for file in self._files.values())

    def file(self, key: str) -> FileAccount:
        """The account of a file, begun if it is not there."""
        with self._lock:
            if key not in self._files:
                self._files[key] = FileAccount(FileState(key=key))
            return self._files[key]

    def open_block(self, block: BlockAccount) -> None:
        """Account for a block: ``waiting`` items will be resolved, all else about it is known."""
        with self._lock:
            block.file.blocks.append(block)
            self.under_way += block.waiting
            self.rejected += len(block.rejects)
            self.reject_bytes += sum(map(_held_by, block.rejects))
            self.resolved += block.read - block.waiting
            self._fold(block.file)

    def end_file(self, file: FileAccount) -> None:
        """All blocks of the file were opened."""
        with self._lock:
            file.is_read = True
            self._fold(file)

    def resolve(self, entries: Sequence[Entry], outcome: Outcome) -> None:
        """Items became what they became."""
        name = outcome.value
        shares: dict[BlockAccount, int] = {}
        for entry in entries:
            shares[entry.block] = shares.get(entry.block, 0) + 1
        deletes = map(_block, filter(_is_delete, entries)) if self.has_deletes else ()
        with self._lock:
            for block in deletes:
                block.deleted += 1
            for block, count in shares.items():
                setattr(block, name, getattr(block, name) + count)
                block.waiting -= count
                if not block.waiting:
                    self._fold(block.file)
            self.under_way -= len(entries)
            self.resolved += len(entries)

    def reject(self, entry: Entry, reason: str) -> None:
        """An item cannot be imported."""
        block: BlockAccount = entry.block
        with self._lock:
            make = rejected_delete if entry.is_delete else rejected_item
            block.rejects.append(make(block.file.key, entry.line, reason, entry.item))
            self.reject_bytes += _held_by(block.rejects[-1])
            block.waiting -= 1
            self.under_way -= 1
            self.rejected += 1
            self.resolved += 1
            self._fold(block.file)

    def _fold(self, file: FileAccount) -> None:
        """Let the front of a file's blocks count."""
        accounts, lines = file.state.accounts, file.state.lines
        blocks = file.blocks
        while blocks and not blocks[0].waiting:
            block = blocks.popleft()
            accounts, lines = accounts + block.accounts(), block.lines
            self._rejects += block.rejects
            if self.first_reject is None and block.rejects:
                self.first_reject = block.rejects[0]
        done = file.is_read and not blocks
        file.state = FileState(key=file.key, lines=lines, done=done, accounts=accounts)

    def take(self) -> tuple[tuple[FileState, ...], list[Reject]]:
        """What a checkpoint may say now, and the rejected items that it counts for the first time."""
        with self._lock:
            rejects, self._rejects = self._rejects, []
            self.reject_bytes -= sum(map(_held_by, rejects))
            states = [file.state for file in self._files.values()]
        return tuple(state for state in states if state.lines or state.done), rejects

    @property
    def has_rejects(self) -> bool:
        """Whether rejected items wait for the next checkpoint."""
        return bool(self._rejects)

    @property
    def files_done(self) -> int:
        """How many files are accounted for whole."""
        with self._lock:
            return sum(file.state.done for file in self._files.values())

    @property
    def accounts(self) -> Accounts:
        """The sums of what counts so far."""
        with self._lock:
            return sum((file.state.accounts for file in self._files.values()), Accounts())

"""The items of a backup, several files at a time, in batches that mix them."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import msgspec

from airflow_dynamo_pipeline.engine.duplicates import SeenKeys, meanings_of
from airflow_dynamo_pipeline.engine.import_request import ImportRequest
from airflow_dynamo_pipeline.engine.ledger import (
    BlockAccount,
    Entry,
    FileAccount,
    Ledger,
    Reject,
    rejected_item,
)
from airflow_dynamo_pipeline.engine.ports import ObjectStore
from airflow_dynamo_pipeline.engine.sources import BackupFile, Stage
from airflow_dynamo_pipeline.errors import InvalidExport, Problem, Stopped, UnexpectedReply
from airflow_dynamo_pipeline.formats.contents import StoredContent
from airflow_dynamo_pipeline.formats.readers import READERS
from airflow_dynamo_pipeline.formats.reading import Block
from airflow_dynamo_pipeline.items.keys import Key, KeyAttribute, KeyReader
from airflow_dynamo_pipeline.items.typed_text import ItemText

OPEN_FILES = 4  # each holds a piece of a download, of its content and a block of lines
WINDOW_BYTES = 512 * 1024
MOST_NAMED = 10


@dataclass(kw_only=True)
class Reading:
    """Reads a backup for one attempt, from one thread."""

    request: ImportRequest
    key: Sequence[KeyAttribute]
    ttl_attribute: str | None
    store: ObjectStore
    ledger: Ledger
    now: datetime
    stop: threading.Event
    seed: str = ""
    seen: SeenKeys = field(default_factory=SeenKeys)
    named: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._keys = KeyReader(self.key, self.ttl_attribute)
        self._meanings = meanings_of([attribute.tag for attribute in self.key])
        self._settings = replace(self.request.reading, keys=self._keys)

    def windows(self, stage: Stage) -> Iterator[list[Entry]]:
        """Items of a few files at a time; raises InvalidExport when a file is not what its manifest says.

        A window may be empty, so that whoever takes it sees soon how many items were rejected.
        """
        self.seen.begin_stage()
        waiting = [file for file in stage.files if not self.ledger.file(file.key).state.done]
        random.Random(f"{self.seed}/{stage.uri}").shuffle(waiting)  # noqa: S311  an order, not a secret
        open_files: list[Iterator[list[Entry]]] = []
        while waiting or open_files:
            while waiting and len(open_files) < OPEN_FILES:
                open_files.append(self._entries(stage, waiting.pop()))
            window: list[Entry] = []
            size = 0
            for file in list(open_files):
                entries = next(file, None)
                if entries is None:
                    open_files.remove(file)
                    continue
                window += entries
                size += sum([len(entry.item) for entry in entries])
                if size >= WINDOW_BYTES:
                    yield window
                    window, size = [], 0
            yield window

    def _entries(self, stage: Stage, file: BackupFile) -> Iterator[list[Entry]]:
        """One file, block by block; blocks that an earlier attempt has accounted for are passed over."""
        account = self.ledger.file(file.key)
        done_lines = account.state.lines
        content = stored_content(self.store, file.key)
        count = 0
        with naming(stage, file):
            for block in READERS[stage.reader].blocks(content, self._settings):
                count += len(block.items) + len(block.bad)
                if block.lines_read > done_lines:
                    yield self._account_for(account, _after(block, done_lines))
                if self.stop.is_set():
                    raise Stopped("told to stop while reading the backup")
            check(stage, file, count, content)
        self.ledger.end_file(account)

    def _account_for(self, file: FileAccount, block: Block) -> list[Entry]:
        account = BlockAccount(file, block.lines_read, 0, read=len(block.items) + len(block.bad))
        account.rejects = [Reject(file.key, one.line, one.reason, one.text) for one in block.bad]
        entries = self._keyed(account, block)
        for index in block.deletes:
            entries[index].is_delete = self.ledger.has_deletes = True
        entries = [entry for entry in entries if entry.key] if account.rejects else entries
        if self.ttl_attribute is not None:
            entries = self._without_expired(account, entries)
        account.waiting = len(entries)
        self._note_duplicates(entries)
        self.ledger.open_block(account)
        return entries

    def _keyed(self, account: BlockAccount, block: Block) -> list[Entry]:
        """An entry for each item; those without a key are rejected, and have an empty one."""
        try:
            keys = block.keys or self._keys.of_all(block.items)
        except UnexpectedReply:
            keys = [self._key_or_reject(account, *one) for one in zip(block.items, block.lines, strict=True)]
        return list(map(Entry, block.items, keys, block.lines, itertools.repeat(account)))

    def _key_or_reject(self, account: BlockAccount, item: ItemText, line: int) -> Key:
        try:
            return self._keys.of(item)
        except UnexpectedReply as problem:
            account.rejects.append(rejected_item(account.file.key, line, str(problem), item))
            return ()

    def _without_expired(self, account: BlockAccount, entries: list[Entry]) -> list[Entry]:
        """Count items whose time to live is over, and drop them if that was asked."""
        limit = self.now.timestamp()
        kept: list[Entry] = []
        for entry in entries:
            if entry.is_delete or not _is_over(self._keys.also_of(entry.item), limit):
                kept.append(entry)
                continue
            account.expired += 1
            if self.request.expired_items == "drop":
                account.skipped += 1
            else:
                kept.append(entry)
        return kept

    def _note_duplicates(self, entries: list[Entry]) -> None:
        keys = self._meanings([entry.key for entry in entries])
        if not self.seen.add(keys) or len(self.named) >= MOST_NAMED:
            return
        first: dict[Key, Entry] = {}
        for key, entry in zip(keys, entries, strict=True):
            before = first.setdefault(key, entry)
            if before is not entry and len(self.named) < MOST_NAMED:
                place = f"{entry.block.file.key} lines {before.line} and {entry.line}"
                self.named.append(f"{place}: key {', '.join(entry.key)}")


def stored_content(store: ObjectStore, key: str) -> StoredContent:
    """A file of the backup as readers take it."""
    return StoredContent(
        key,
        read=lambda: store.read(key),
        stored_size=lambda: store.size(key),
        stored_range=lambda start, length: store.read_range(key, start, length),
    )


class naming:  # noqa: N801  a context manager
    """What a reader cannot read is named by its file."""

    def __init__(self, stage: Stage, file: BackupFile) -> None:
        self._stage = stage
        self._file = file

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Name the file; raises InvalidExport for ValueError."""
        if isinstance(error, ValueError):
            raise InvalidExport(self._stage.uri, [Problem(self._file.key, str(error))]) from error


def check(stage: Stage, file: BackupFile, count: int, content: StoredContent) -> None:
    """Compare a file that was read to its end with its manifest; raises InvalidExport."""
    problems = []
    if file.md5 is not None and content.md5 != file.md5:
        problems.append(Problem(file.key, f"its MD5 is {content.md5}, the manifest says {file.md5}"))
    if file.item_count is not None and count != file.item_count:
        problems.append(Problem(file.key, f"it holds {count} items, the manifest says {file.item_count}"))
    if problems:
        raise InvalidExport(stage.uri, problems)


def _after(block: Block, lines: int) -> Block:
    """The part of a block after a line."""
    if not block.lines or block.lines[0] > lines:
        first = 0
    else:
        first = sum(1 for line in block.lines if line <= lines)
    return Block(
        items=block.items[first:],
        lines=block.lines[first:],
        lines_read=block.lines_read,
        bad=[one for one in block.bad if one.line > lines],
        deletes=[index - first for index in block.deletes if index >= first],
        keys=block.keys and block.keys[first:],
    )


class _Number(msgspec.Struct):
    N: str


_number = msgspec.json.Decoder(_Number).decode
OLDEST_YEARS = 5 * 365 * 86400  # a moment further back than five years expires nothing


def _is_over(value: msgspec.Raw, limit: float) -> bool:
    """Whether a time to live, epoch seconds of type N, is over, as DynamoDB sees it."""
    try:
        seconds = float(_number(value).N) if bytes(value) else None
    except (msgspec.DecodeError, ValueError):
        return False
    return seconds is not None and limit - OLDEST_YEARS <= seconds < limit

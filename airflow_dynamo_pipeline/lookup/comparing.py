"""What differs between a query's rows and a table's items, bucket by bucket."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from airflow_dynamo_pipeline.engine.ports import KeyAttribute
from airflow_dynamo_pipeline.formats.changes import delete_line, put_line
from airflow_dynamo_pipeline.items.sizes import WRITE_UNIT_BYTES, item_bytes, write_units
from airflow_dynamo_pipeline.lookup.change_files import ChangeFiles, shown_key, typed_key
from airflow_dynamo_pipeline.lookup.digest_files import DigestWriter
from airflow_dynamo_pipeline.lookup.partition import Partition, Piece, digest_of, key_of, may_repeat, repeated
from airflow_dynamo_pipeline.lookup.records import Counts
from airflow_dynamo_pipeline.lookup.request import LookupRequest

MOST_REPEATED = 5  # keys named


class Prints(Protocol):
    """The other side: prints of a bucket."""

    @property
    def count(self) -> int:
        """How many there are in all buckets."""
        ...

    def prints(self, bucket: int) -> list[bytes]:
        """Those of one bucket."""
        ...


@dataclass(slots=True)
class Found:
    """What a comparison found, besides the change set's files."""

    tally: Counter[str] = field(default_factory=Counter)
    repeated_keys: int = 0
    repeated: list[str] = field(default_factory=list)  # the first few
    named: list[str] = field(default_factory=list)  # the first changes, for a person

    def counts(self, *, rows: int, rejected: int, table_items: int) -> Counts:
        """All of it as the record has it."""
        return Counts(rows=rows, rejected=rejected, table_items=table_items, **self.tally)


@dataclass(kw_only=True)
class Comparison:
    """Compares all buckets, writes the change set, and the digests of what the table will hold then."""

    load: LookupRequest
    key: Sequence[KeyAttribute]
    rows: Partition
    table: Prints
    kept: frozenset[bytes]  # keys of rejected rows: their items stay as they are
    puts: ChangeFiles
    deletes: ChangeFiles
    digests: DigestWriter | None

    def run(self, is_stopped: Callable[[], None]) -> Found:
        """Compare; ``is_stopped`` is called before each bucket and raises what ends the work."""
        found = Found()
        for bucket in range(self.rows.buckets):
            is_stopped()
            self._bucket(bucket, found)
        for files in (self.puts, self.deletes):
            files.close()
        return found

    def _bucket(self, bucket: int, found: Found) -> None:
        pieces = list(self.rows.pieces(bucket))
        mine = list(itertools.chain.from_iterable(piece.prints for piece in pieces))
        theirs = frozenset(self.table.prints(bucket))
        ours = frozenset(mine)
        new, gone = ours - theirs, theirs - ours
        if may_repeat(mine, ours, new):
            self._note_repeated(mine, found)
        old = {key_of(line): digest_of(line) for line in gone}
        chosen = frozenset(self._chosen(new, old, found))
        found.tally["unchanged"] += len(ours) - len(new)
        for piece in pieces:
            self._put(piece, chosen, old, found)
        new_keys = frozenset(map(key_of, new))
        left = [line for line in gone if key_of(line) not in new_keys]
        vanished = self._delete(left, found) if self.load.deletes else frozenset()
        if self.digests is not None:
            self.digests.bucket([*ours, *(line for line in left if line not in vanished)])

    def _note_repeated(self, mine: list[bytes], found: Found) -> None:
        for key in repeated(mine):
            found.repeated_keys += 1
            if len(found.repeated) < MOST_REPEATED:
                found.repeated.append(shown_key(key))

    def _chosen(self, new: frozenset[bytes], old: dict[bytes, str], found: Found) -> Iterator[bytes]:
        """The prints of rows that are to be written, as the mode says."""
        for line in new:
            is_there = key_of(line) in old
            if self.load.mode == ("insert_only" if is_there else "update_existing"):
                found.tally["skipped"] += 1
                continue
            found.tally["updated" if is_there else "inserted"] += 1
            yield line

    def _put(self, piece: Piece, chosen: frozenset[bytes], old: dict[bytes, str], found: Found) -> None:
        wanted = list(itertools.compress(itertools.count(), map(chosen.__contains__, piece.prints)))
        if not wanted:
            return
        items = piece.items()
        lines = []
        for number in wanted:
            print_ = piece.prints[number]
            key = key_of(print_)
            lines.append(put_line(key, old.get(key), digest_of(print_), items[number]))
            found.tally["write_units"] += _units(items[number])
            self._name(found, "update" if key in old else "insert", key)
        self.puts.write(lines)

    def _delete(self, left: list[bytes], found: Found) -> frozenset[bytes]:
        vanished = [line for line in left if key_of(line) not in self.kept]
        lines = []
        for line in vanished:
            key = key_of(line)
            lines.append(delete_line(key, digest_of(line), typed_key(key, self.key)))
            self._name(found, "delete", key)
        self.deletes.write(lines)
        found.tally["deleted"] += len(vanished)
        found.tally["write_units"] += len(vanished)
        return frozenset(vanished)

    def _name(self, found: Found, what: str, key: bytes) -> None:
        if len(found.named) < self.load.max_differences:
            found.named.append(f"{what} {shown_key(key)}")


def _units(item: bytes) -> int:
    """Write units of an item: JSON text is never shorter than the item it spells."""
    return 1 if len(item) <= WRITE_UNIT_BYTES else write_units(item_bytes(item))

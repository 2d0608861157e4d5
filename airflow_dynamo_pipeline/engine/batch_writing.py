"""Items written by BatchWriteItem: what comes back unprocessed is sent again until it is written."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field

from airflow_dynamo_pipeline.engine.backoff import FIRST_PAUSE_SECONDS, worth_retrying
from airflow_dynamo_pipeline.engine.batches import (
    MOST_BYTES,
    MOST_ITEMS,
    BatchBody,
    BatchReply,
    batch_reply,
    first_that_fit,
    item_reply,
    units_of,
)
from airflow_dynamo_pipeline.engine.ledger import Entry, Ledger, Outcome
from airflow_dynamo_pipeline.engine.paying import WriteCalls
from airflow_dynamo_pipeline.engine.single_writes import SingleBody
from airflow_dynamo_pipeline.errors import ItemRefused, PipelineError, Stopped, UnexpectedReply
from airflow_dynamo_pipeline.items.check import problems_of
from airflow_dynamo_pipeline.items.keys import KeyAttribute, KeyReader

LONGEST_PAUSE_SECONDS = 5.0
ROUNDS_BEFORE_ASKING = 3  # a reply does not say why items were not processed; a single write does


@dataclass(kw_only=True)
class BatchWriting:
    """Writes batches for one thread; what was not processed goes with the next one."""

    calls: WriteCalls
    ledger: Ledger
    body: BatchBody
    single: SingleBody
    key: Sequence[KeyAttribute]
    keys: KeyReader
    left: list[Entry] = field(default_factory=list)
    _rounds: int = 0  # replies in a row that left more than half of their items

    def write(self, batch: Sequence[Entry]) -> None:
        """Write a batch; a few of its items may be left for the next one."""
        self.left += batch
        while len(self.left) >= MOST_ITEMS or self._is_heavy():
            self._send_some()

    def finish(self) -> None:
        """Write what is left."""
        while self.left:
            self._send_some()

    def _is_heavy(self) -> bool:
        """Whether a few large items are enough for a request."""
        return bool(self.left) and sum([len(entry.item) for entry in self.left]) >= MOST_BYTES

    def _send_some(self) -> None:
        count, units = first_that_fit(self.left, self.calls.most_units)
        entries, self.left = self.left[:count], self.left[count:]
        try:
            back = self._send(entries, units)
        except ItemRefused:
            self._one_by_one(entries)
            return
        except BaseException:
            self.left = entries + self.left
            raise
        self.left = back + self.left
        self._pause(len(back), count)

    def _send(self, entries: list[Entry], units: int) -> list[Entry]:
        """Write items; returns those that DynamoDB did not process."""
        body = self.body.of(entries)
        reply = self.calls.insist(lambda: self.calls.call("BatchWriteItem", body, units, batch_reply))
        if not reply.UnprocessedItems:
            self.ledger.resolve(entries, Outcome.WRITTEN)
            return []
        written, back = self._apart(entries, reply)
        self.ledger.resolve(written, Outcome.WRITTEN)
        return back

    def _apart(self, entries: list[Entry], reply: BatchReply) -> tuple[list[Entry], list[Entry]]:
        """What was written, and our own entries for what came back.

        If one of those cannot be told, all have come back: no harm is done.
        """
        written, back = entries.copy(), []
        keys = [entry.key for entry in entries]
        try:
            for request in reply.unprocessed:
                at = keys.index(self.keys.of(request.item))
                del keys[at]
                back.append(written.pop(at))
        except (ValueError, UnexpectedReply):
            return [], entries
        return written, back

    def _pause(self, back: int, sent: int) -> None:
        """Back off while most of what is sent comes back; ask for the reason after a while."""
        if 2 * back < sent or not back:
            self._rounds = 0
            return
        self._rounds += 1
        self.calls.throttle.slow_down()
        if self._rounds >= ROUNDS_BEFORE_ASKING:
            self._ask_for_the_reason()
        seconds = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(self._rounds, 10))
        if self.calls.clock.wait(self.calls.stop, seconds):
            raise Stopped("told to stop while waiting to send unprocessed items again")

    def _ask_for_the_reason(self) -> None:
        """Write one item by itself: its refusal names what is too small."""
        entry = self.left[0]
        try:
            self._send_one(entry)
        except ItemRefused as refused:
            self.ledger.reject(entry, str(refused))
        except PipelineError as error:
            if not worth_retrying(error):
                raise
            self.calls.before_retry(error)
            return
        else:
            self.ledger.resolve([entry], Outcome.WRITTEN)
        self.left = self.left[1:]

    def _one_by_one(self, entries: list[Entry]) -> None:
        """DynamoDB refused a whole batch: find those it means, and write the others."""
        found = [(entry, None if entry.is_delete else problems_of(entry.item, self.key)) for entry in entries]
        for entry, problem in found:
            if problem is not None:
                self.ledger.reject(entry, problem)
        good = [entry for entry, problem in found if problem is None]
        if len(good) < len(entries):
            self.left = good + self.left
            return
        for count, entry in enumerate(good):
            try:
                self.calls.insist(functools.partial(self._send_one, entry))
            except ItemRefused as problem:
                self.ledger.reject(entry, str(problem))
            except BaseException:
                self.left = good[count:] + self.left
                raise
            else:
                self.ledger.resolve([entry], Outcome.WRITTEN)

    def _send_one(self, entry: Entry) -> None:
        operation = "DeleteItem" if entry.is_delete else "PutItem"
        self.calls.call(operation, self.single.of(entry), units_of([entry]), item_reply)

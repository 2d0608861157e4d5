"""Items written one by one under a condition: what to do about those that are there already.

A condition that fails may have met our own item: a reply was lost, or an earlier attempt was killed
before its checkpoint. DynamoDB sends the item it found along, so the two can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from airflow_dynamo_pipeline.engine.batches import item_reply, units_of
from airflow_dynamo_pipeline.engine.import_request import ImportRequest
from airflow_dynamo_pipeline.engine.ledger import Entry, Ledger, Outcome
from airflow_dynamo_pipeline.engine.paying import WriteCalls
from airflow_dynamo_pipeline.engine.ports import ConditionFailed, KeyAttribute
from airflow_dynamo_pipeline.engine.single_writes import SingleBody
from airflow_dynamo_pipeline.errors import ImportFailed, ItemRefused, with_hint
from airflow_dynamo_pipeline.items.canonical import canonical
from airflow_dynamo_pipeline.items.check import problems_of
from airflow_dynamo_pipeline.items.keys import NO_VALUE
from airflow_dynamo_pipeline.items.typed_text import ItemText
from airflow_dynamo_pipeline.items.values import UNREADABLE

IS_NEW = "attribute_not_exists(#k)"
IS_NEWER = "attribute_not_exists(#k) OR attribute_not_exists(#v) OR #v < :v"
COMPARABLE = ("S", "N", "B")
_attributes = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_typed = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def body_for(request: ImportRequest, key: Sequence[KeyAttribute], *, by_index: bool) -> SingleBody:
    """The requests that a word of on_conflict means."""
    condition, names = IS_NEW, {"#k": key[0].name}
    if request.on_conflict == "newer":
        condition, names["#v"] = IS_NEWER, request.version_attribute or ""
    if request.on_conflict == "condition":
        condition, names = request.condition_expression or "", dict(request.expression_attribute_names)
    return SingleBody(
        request.table_name,
        by_index=by_index,
        condition=condition,
        names=names,
        values=request.expression_attribute_values,
    )


@dataclass(kw_only=True)
class ConditionalWriting:
    """Writes items one by one for one thread."""

    calls: WriteCalls
    ledger: Ledger
    body: SingleBody
    request: ImportRequest
    key: Sequence[KeyAttribute]
    may_be_ours: bool  # an earlier attempt may have written items that no checkpoint counts

    def write(self, batch: Sequence[Entry]) -> None:
        """Write a batch, item by item; raises ImportFailed at the first conflict when that was asked."""
        for entry in batch:
            self._write(entry)

    def finish(self) -> None:
        """Nothing is ever left."""

    def _write(self, entry: Entry) -> None:
        if entry.is_delete:
            self.ledger.reject(
                entry, f"a deletion cannot be made with on_conflict={self.request.on_conflict!r}"
            )
            return
        values = {}
        if self.request.on_conflict == "newer":
            version = _version_of(entry.item, self.request.version_attribute or "")
            if version is None:
                self.ledger.reject(
                    entry, f"it has no {self.request.version_attribute} of type S, N or B to compare"
                )
                return
            values = {":v": version}
        try:
            self._put(entry, self.body.of(entry, values))
        except ItemRefused as refused:
            self.ledger.reject(entry, problems_of(entry.item, self.key) or str(refused))

    def _put(self, entry: Entry, body: bytes) -> None:
        tries = 0

        def put() -> None:
            nonlocal tries
            tries += 1
            self.calls.call("PutItem", body, units_of([entry]), item_reply)

        try:
            self.calls.insist(put)
        except ConditionFailed as met:
            self._met(entry, met, ours=self.may_be_ours or tries > 1)
        else:
            self.ledger.resolve([entry], Outcome.WRITTEN)

    def _met(self, entry: Entry, met: ConditionFailed, *, ours: bool) -> None:
        if ours and met.item is not None and canonical(met.item) == canonical(entry.item):
            self.ledger.resolve([entry], Outcome.WRITTEN)
            return
        if self.request.on_conflict != "fail":
            self.ledger.resolve([entry], Outcome.SKIPPED)
            return
        raise ImportFailed(  # the item stays unresolved, so that a retry meets it again
            with_hint(
                f"{entry.block.file.key} line {entry.line}: table {self.request.table_name} already has an "
                f"item with the key {', '.join(entry.key)}, or the backup has it twice",
                "use on_conflict='skip' or 'overwrite', or another table",
            )
        )


def _version_of(item: ItemText, attribute: str) -> bytes | None:
    """The version's JSON text, None where there is none that can be compared."""
    try:
        found = _attributes(item).get(attribute, NO_VALUE)
        tags = _typed(found)
    except UNREADABLE:
        return None
    return bytes(found) if len(tags) == 1 and next(iter(tags)) in COMPARABLE else None

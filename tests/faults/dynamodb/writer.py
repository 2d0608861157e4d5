"""Somebody who changes a table while it is read, and the memory of every version there ever was."""

from __future__ import annotations

import base64
import json
import random
from dataclasses import dataclass, replace
from datetime import datetime

from tests.faults.dynamodb.keys import Attribute
from tests.faults.dynamodb.rows import item_of
from tests.faults.dynamodb.service import DynamoDB
from tests.faults.dynamodb.streams import Change
from tests.faults.dynamodb.values import Item, Value, clean_item

PADDING = 40  # bytes at most in what the writer writes


@dataclass(frozen=True, slots=True)
class Version:
    """What a key held from one effect to the next. ``item`` None: nothing; ``end`` None: still."""

    item: Item | None
    start: int
    end: int | None
    since: datetime

    def overlaps(self, start: int, end: int) -> bool:
        """Whether it was there at any time from after ``start`` effects to after ``end``."""
        return self.start <= end and (self.end is None or self.end > start)


class History:
    """Every version of every key of one table, from when it is made on.

    Points in time are ticks of the fake: how many effects there had been. A virtual clock may stand
    still through many of them.
    """

    def __init__(self, dynamodb: DynamoDB, table_name: str) -> None:
        self._table_name = table_name
        self._names = dynamodb.table(table_name).schema.names
        self._versions: dict[str, list[Version]] = {}
        with dynamodb.lock:
            self._since = dynamodb.tick
            self._began_at = dynamodb.clock.now()
            for item in dynamodb.items(table_name):
                self._versions[self._text(item)] = [Version(item, self._since, None, self._began_at)]
            dynamodb.watch(self._note)

    def _note(self, change: Change) -> None:
        if change.table_name != self._table_name:
            return
        versions = self._versions.setdefault(
            self._text(change.key), [Version(None, self._since, None, self._began_at)]
        )
        versions[-1] = replace(versions[-1], end=change.tick)
        versions.append(Version(change.new, change.tick, None, change.at))

    def every_key(self) -> list[Item]:
        """Every key there ever was."""
        return [json.loads(text) for text in list(self._versions)]

    def versions_between(self, key: Item, start: int, end: int) -> list[Item | None]:
        """What a key held at any time between two ticks, both included; None for nothing."""
        versions = self._versions.get(self._text(key), [Version(None, self._since, None, self._began_at)])
        return [version.item for version in versions if version.overlaps(start, end)]

    def untouched(self, start: int, end: int) -> list[Item]:
        """The items that were there at ``start`` and saw no effect until ``end``."""
        found = []
        for versions in list(self._versions.values()):
            held = [version.item for version in versions if version.overlaps(start, end)]
            if len(held) == 1 and held[0] is not None:
                found.append(held[0])
        return found

    def _text(self, item: Item) -> str:
        return json.dumps({name: clean_item({name: item[name]})[name] for name in self._names})


class Writer:
    """Puts, changes and deletes items, one at each step, the same for the same seed and table.

    ``inserts``, ``updates`` and ``deletes`` weigh what a step does; where there is nothing to change
    or delete it inserts.
    """

    def __init__(
        self,
        dynamodb: DynamoDB,
        table_name: str,
        seed: int,
        *,
        inserts: int = 1,
        updates: int = 2,
        deletes: int = 1,
    ) -> None:
        self.history = History(dynamodb, table_name)
        self.steps = 0
        self._dynamodb = dynamodb
        self._table_name = table_name
        self._random = random.Random(seed)
        self._actions = (self._insert, self._update, self._delete)
        self._weights = (inserts, updates, deletes)

    def step(self) -> None:
        """Change one item. Made for ``DynamoDB.before_call("Scan", writer.step)``."""
        with self._dynamodb.lock:
            self.steps += 1
            (action,) = self._random.choices(self._actions, self._weights)
            action(self._pick())

    def _insert(self, _: Item | None) -> None:
        schema = self._dynamodb.table(self._table_name).schema
        self._put({attribute.name: self._key_value(attribute) for attribute in schema.attributes})

    def _update(self, item: Item | None) -> None:
        if item is None:
            self._insert(None)
        else:
            self._put(item)

    def _delete(self, item: Item | None) -> None:
        if item is None:
            self._insert(None)
        else:
            key = self._dynamodb.table(self._table_name).schema.cut(item)
            self._dynamodb.delete_item(self._table_name, key)

    def _put(self, item: Item) -> None:
        written: Item = {
            "version": {"N": str(self.steps)},
            "text": {"S": "é" * self._random.randrange(PADDING)},
        }
        self._dynamodb.put_items(self._table_name, [{**item, **written}])

    def _pick(self) -> Item | None:
        """Any item there is."""
        rows = self._dynamodb.table(self._table_name).rows
        if not rows:
            return None
        return item_of(rows.get(rows.positions[self._random.randrange(len(rows))]))

    def _key_value(self, attribute: Attribute) -> Value:
        number = self._random.randrange(10**12)
        if attribute.kind == "N":
            return {"N": str(number)}
        text = f"w{number:012}"
        return {"S": text} if attribute.kind == "S" else {"B": base64.b64encode(text.encode()).decode()}

"""Some of a table's items read back, to see whether a digest file still tells the truth."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import msgspec

from airflow_dynamo_pipeline.engine.backoff import retrying
from airflow_dynamo_pipeline.engine.ports import Clock, KeyAttribute
from airflow_dynamo_pipeline.engine.throttle import Throttle
from airflow_dynamo_pipeline.errors import PipelineError, Throttled, UnexpectedReply
from airflow_dynamo_pipeline.items.canonical_texts import canonical_texts
from airflow_dynamo_pipeline.items.key_texts import key_texts
from airflow_dynamo_pipeline.items.keys import KeyReader
from airflow_dynamo_pipeline.items.typed_text import ItemText
from airflow_dynamo_pipeline.items.values import UNREADABLE
from airflow_dynamo_pipeline.lookup.change_files import typed_key
from airflow_dynamo_pipeline.lookup.partition import digests_of, key_of
from airflow_dynamo_pipeline.lookup.ports import ItemGetter

MOST_KEYS = 100  # of a BatchGetItem call


class _Keys(msgspec.Struct):
    Keys: list[msgspec.Raw] = []


class _Capacity(msgspec.Struct):
    CapacityUnits: float = 0.0


class _Reply(msgspec.Struct):
    Responses: dict[str, list[msgspec.Raw]] = {}
    UnprocessedKeys: dict[str, _Keys] = {}
    ConsumedCapacity: list[_Capacity] = []


_reply = msgspec.json.Decoder(_Reply).decode
_encode = msgspec.json.Encoder().encode


def prints_of(items: Sequence[ItemText], key: Sequence[KeyAttribute]) -> list[bytes]:
    """The print of each item, in order; raises UnexpectedReply for what has not this key."""
    texts = key_texts(KeyReader(key).of_all(items), [attribute.tag for attribute in key])
    return [b"%b\t%b" % pair for pair in zip(texts, digests_of(canonical_texts(items)), strict=True)]


class ReadBack:
    """Reads single items of one table, consistently and under a throttle."""

    def __init__(
        self,
        getter: ItemGetter,
        table_name: str,
        key: Sequence[KeyAttribute],
        *,
        units_per_key: float = 1.0,
        throttle: Throttle,
        clock: Clock,
        stop: threading.Event,
        warn: Callable[[str], None],
    ) -> None:
        """``units_per_key`` is what an item is likely to cost; the reply corrects it."""
        self._getter = getter
        self._table_name = table_name
        self._key = key
        self._units_per_key = units_per_key
        self._throttle = throttle
        self._clock = clock
        self._stop = stop
        self._warn = warn

    def differing(self, prints: Sequence[bytes]) -> int:
        """How many of these items are not in the table as they were printed."""
        count = 0
        for start in range(0, len(prints), MOST_KEYS):
            some = prints[start : start + MOST_KEYS]
            items = self.items([typed_key(key_of(line), self._key) for line in some])
            found = set(prints_of(items, self._key))
            count += sum(1 for line in some if line not in found)
        return count

    def items(self, keys: Sequence[bytes]) -> list[msgspec.Raw]:
        """The items of up to 100 typed keys; those that are not there are left out."""
        found: list[msgspec.Raw] = []
        left: list[bytes] = list(keys)

        def ask() -> None:
            nonlocal left
            reply = self._call(left)
            found.extend(item for some in reply.Responses.values() for item in some)  # by name, or by ARN
            left = [bytes(key) for some in reply.UnprocessedKeys.values() for key in some.Keys]
            if left:
                raise Throttled(f"{len(left)} keys of {self._table_name} were not processed")

        retrying(self._clock, self._stop, before_pause=self._note)(ask)
        return found

    def _note(self, error: PipelineError) -> None:
        self._warn(f"{error}; trying again")

    def _call(self, keys: Sequence[bytes]) -> _Reply:
        asked = {"Keys": list(map(msgspec.Raw, keys)), "ConsistentRead": True}
        body = _encode({"RequestItems": {self._table_name: asked}, "ReturnConsumedCapacity": "TOTAL"})
        booking = self._throttle.reserve(self._units_per_key * len(keys))
        try:
            reply = _reply(self._getter.get(body))
        except Throttled:
            self._throttle.refused(booking)
            raise
        except UNREADABLE as problem:
            self._throttle.give_up(booking)
            raise UnexpectedReply(f"a reply to BatchGetItem cannot be read: {problem}") from problem
        except BaseException:
            self._throttle.give_up(booking)
            raise
        units = sum(one.CapacityUnits for one in reply.ConsumedCapacity)
        self._throttle.settle(booking, units if reply.ConsumedCapacity else None)
        return reply

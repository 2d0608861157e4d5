"""Is this id in the lookup table? Asked millions of times, answered from a cache and by 100 keys a call."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from airflow_dynamo_pipeline.engine.ports import Clock, KeyAttribute
from airflow_dynamo_pipeline.errors import InvalidSetting, with_hint
from airflow_dynamo_pipeline.lookup.current_generation import CurrentGeneration
from airflow_dynamo_pipeline.lookup.plain_values import plain_item
from airflow_dynamo_pipeline.lookup.pointer import POINTER, POINTER_SORT_KEYS, SEPARATOR, Pointer, pointer_key
from airflow_dynamo_pipeline.lookup.reader_cache import ABSENT, PRESENT, Answer, AnswerCache
from airflow_dynamo_pipeline.lookup.reader_calls import MOST_KEYS, Ask, ItemGetter, Means, TableCalls, batches
from airflow_dynamo_pipeline.lookup.reader_keys import LookupKeys, SentKey
from airflow_dynamo_pipeline.lookup.reader_settings import LookupSettings

KEEP: Final = ("present", "absent")

Event = TypeVar("Event")


@dataclass(frozen=True, kw_only=True, slots=True)
class LookupStats:
    """What a lookup did so far. A key that no item can have counts as neither hit nor miss."""

    hits: int  # keys answered from the cache; a key that stands twice in one question counts once
    misses: int  # keys that the table was asked for
    calls: int  # of BatchGetItem, also those that failed and those that read the pointer
    units: float  # read capacity units that replies have reported


class Lookup:
    """Answers from one table whether keys are in it, and with which items. Threads may share it.

    A key is text, an ``int`` or ``Decimal``, or ``bytes``, as the table's key type says; of a table with a
    sort key it is a tuple of two. None, an empty key and one that is longer or larger than DynamoDB allows
    are absent, and are never sent. A key of another type raises InvalidSetting; so does a float, which is
    never exact.

    Answers are kept for ``ttl_seconds``, also that a key is absent (``negative_ttl_seconds``). With
    ``generations`` the partition key in the table is ``<generation>#<key>``, and the pointer item says which
    generation counts: one question is answered from one generation.

    Every call raises AccessDenied, NotFound and Temporary errors of the table, the last after
    ``patience_seconds`` of trying; with ``generations`` also GenerationExpired, from which nothing can be
    concluded about any key.
    """

    def __init__(
        self,
        table_name: str,
        *,
        key: Sequence[KeyAttribute],
        getter: ItemGetter,
        clock: Clock,
        settings: LookupSettings | None = None,
        stop: threading.Event | None = None,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Make no call. ``key``: the partition key, then the sort key if there is one."""
        asked = settings or LookupSettings()
        means = Means(getter=getter, clock=clock, stop=stop or threading.Event(), warn=warn)
        self._table_name = table_name
        self._schema = tuple(key)
        self._clock = clock
        self._consistent = asked.consistent_read
        self._keys = LookupKeys(key)
        self._calls = TableCalls(table_name, self._keys, means, asked)
        self._cache = AnswerCache(
            clock,
            max_entries=asked.max_entries,
            ttl_seconds=asked.ttl_seconds,
            negative_ttl_seconds=asked.negative_ttl_seconds,
        )
        self._generation = self._generations(asked) if asked.generations else None
        self._counting = threading.Lock()
        self._hits = self._misses = 0

    def contains(self, keys: Iterable[Any]) -> dict[Any, bool]:
        """Say of each key whether it is in the table: ``{"P1": True, "P2": False}``.

        Keys stand in the order in which they were given, each once; lists as tuples, bytearrays as bytes.
        """
        return {name: answer is not ABSENT for name, answer in self._answers(keys, whole=False).items()}

    def __contains__(self, key: Any) -> bool:
        """Whether one key is in the table: ``"P1" in lookup``. Ask for many at once where you can."""
        return any(self.contains([key]).values())

    def get(self, keys: Iterable[Any]) -> dict[Any, dict[str, Any] | None]:
        """The item of each key, or None: ``{"P1": {"product_id": "P1", "price": Decimal("1.50")}}``.

        Numbers are Decimal, binaries bytes, sets sets. With ``generations`` the partition key is the one that
        was asked for. Each item is a copy of its own.
        """
        return {name: self._plain(answer) for name, answer in self._answers(keys, whole=True).items()}

    def filter(
        self,
        events: Iterable[Event],
        *,
        key: str | Sequence[str] | Callable[[Event], Any],
        keep: str = "present",
        batch: int = MOST_KEYS,
    ) -> Iterator[Event]:
        """Pass on the events whose key is in the table, or with ``keep="absent"`` is not; lazily, in order.

        ``key`` is the name under which events, as mappings, hold it, two names where the table has a sort
        key, or a function of an event. An event without that name raises InvalidSetting; a function may
        return None for an event that has no key, which counts as absent. Never more than ``batch`` events
        are read ahead of the one that is passed on, and no more are held.
        """
        if keep not in KEEP:
            raise InvalidSetting("keep", keep, f"one of {', '.join(KEEP)}")
        if batch < 1:
            raise InvalidSetting("batch", batch, "1 or more")
        key_of = key if callable(key) else _named_key(key)
        return self._filtered(events, key_of, wanted=keep == "present", batch=batch)

    @property
    def stats(self) -> LookupStats:
        """What this lookup did so far."""
        with self._counting:
            hits, misses = self._hits, self._misses
        return LookupStats(hits=hits, misses=misses, calls=self._calls.calls, units=self._calls.units)

    def _filtered(
        self, events: Iterable[Event], key_of: Callable[[Event], Any], *, wanted: bool, batch: int
    ) -> Iterator[Event]:
        every = iter(events)
        while some := list(itertools.islice(every, batch)):
            keys = [key_of(event) for event in some]
            found = self.contains(keys)
            names = map(self._keys.named, keys)
            yield from (event for event, name in zip(some, names, strict=True) if found[name] is wanted)

    def _answers(self, keys: Iterable[Any], *, whole: bool) -> dict[Hashable, Answer]:
        """What is known of each key, from the cache or the table."""
        if isinstance(keys, str | bytes | bytearray):
            raise InvalidSetting("keys", keys, "several keys, as a list; of one key ask: key in lookup")
        pointer = None if self._generation is None else self._generation.pointer()
        asked: dict[Hashable, SentKey | None] = {}
        for given in keys:
            sent = self._keys.sent(given, pointer)  # before it is hashed: it may be of a wrong type
            asked[self._keys.named(given)] = sent
        wanted = dict.fromkeys(key for key in asked.values() if key is not None)
        known = self._cache.get(wanted, whole=whole)
        missing = [key for key in wanted if key not in known]
        with self._counting:
            self._hits += len(known)
            self._misses += len(missing)
        for some in batches(missing):
            known |= self._read(some, pointer, whole=whole)
        return {name: ABSENT if key is None else known[key] for name, key in asked.items()}

    def _read(
        self, keys: Sequence[SentKey], pointer: Pointer | None, *, whole: bool
    ) -> dict[SentKey, Answer]:
        """Ask the table for up to 100 keys, and keep what it says."""
        asked_at = self._clock.monotonic()
        items = self._calls.items(keys, Ask(whole, self._consistent))
        if pointer is not None:  # what was absent may have expired while it was asked for
            pointer.refuse_if_expired(self._clock.now(), self._table_name)
        answers: dict[SentKey, Answer] = dict.fromkeys(keys, ABSENT)
        answers |= items if whole else dict.fromkeys(items, PRESENT)
        self._cache.put(answers, asked_at)
        return answers

    def _plain(self, answer: Answer) -> dict[str, Any] | None:
        if not isinstance(answer, Mapping):
            return None
        item = plain_item(answer)
        if self._generation is not None:
            partition_key = self._schema[0].name
            item[partition_key] = item[partition_key].partition(SEPARATOR)[2]
        return item

    def _generations(self, asked: LookupSettings) -> CurrentGeneration:
        pointer_key(self._schema)  # refuses a partition key of another type than S
        return CurrentGeneration(
            self._table_name,
            self._read_pointer,
            clock=self._clock,
            believed_seconds=asked.pointer_ttl_seconds,
            changed=self._cache.clear,
        )

    def _read_pointer(self) -> Pointer | None:
        key = (POINTER, *(POINTER_SORT_KEYS[attribute.tag] for attribute in self._schema[1:]))
        item = self._calls.items([key], Ask(whole=True, consistent=True)).get(key)
        return None if item is None else Pointer.from_item(item)


def _named_key(names: str | Sequence[str]) -> Callable[[Any], Any]:
    """A function that takes a key out of an event that is a mapping."""

    def held(event: Any, name: str) -> Any:
        try:
            return event[name]
        except KeyError:
            hint = f"for events without it give a function as key: lambda event: event.get({name!r})"
            raise InvalidSetting("key", name, with_hint("a name that every event has", hint)) from None

    if isinstance(names, str):
        return lambda event: held(event, names)
    return lambda event: tuple(held(event, name) for name in names)

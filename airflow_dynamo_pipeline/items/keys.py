"""Primary keys out of items, at C speed: the rest of an item is passed over."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Annotated, Any, Protocol

import msgspec

from airflow_dynamo_pipeline.errors import UnexpectedReply
from airflow_dynamo_pipeline.items.typed_text import ItemText
from airflow_dynamo_pipeline.items.values import UNREADABLE

_CANNOT_BE_RENAMED_TO = re.compile(r'["\\\x00-\x1f]').search  # by msgspec; DynamoDB allows any name
NO_VALUE = msgspec.Raw(b"")
NotEmpty = Annotated[str, msgspec.Meta(min_length=1)]


class KeyAttribute(Protocol):
    """An attribute of a key; ``tag`` is S, N or B."""

    @property
    def name(self) -> str:
        """The attribute's name."""
        ...

    @property
    def tag(self) -> str:
        """Its type."""
        ...


Key = tuple[str, ...]
"""What the key attributes hold, in the order of the schema: texts, numbers as written, binaries in base64."""


class KeyReader:
    """Reads the key, and perhaps the text of one more attribute, of items of one table."""

    def __init__(self, schema: Sequence[KeyAttribute], also: str | None = None) -> None:
        """``schema``: the partition key, then the sort key if there is one. ``also``: such as the TTL's."""
        fields: list[Any] = [(f"k{n}", _value_of(attribute.tag)) for n, attribute in enumerate(schema)]
        names = {f"k{n}": attribute.name for n, attribute in enumerate(schema)}
        self._also_field = "also"
        if also is not None and also in names.values():
            self._also_field = next(field for field, name in names.items() if name == also)
        elif also is not None:
            fields.append(("also", msgspec.Raw, NO_VALUE))
            names["also"] = also
        self._decode = _decoder(fields, names)
        self._values = attrgetter(*[f"k{n}.v" for n in range(len(schema))])
        self._is_single = len(schema) == 1

    def of(self, item: ItemText) -> Key:
        r"""The key of an item; raises UnexpectedReply saying what is wrong with it.

        >>> from airflow_dynamo_pipeline.engine.ports import KeyAttribute
        >>> KeyReader([KeyAttribute("id", "N")]).of(b'{"a":{"S":"x"},"id":{"N":"1"}}')
        ('1',)
        """
        try:
            held = self._values(self._decode(item))
        except UNREADABLE as problem:
            raise UnexpectedReply(f"the key is missing, empty or of another type: {problem}") from problem
        return (held,) if self._is_single else held

    def of_all(self, items: Iterable[ItemText]) -> list[Key]:
        """The keys of items, in order; raises UnexpectedReply if any has none, without saying which.

        It proves that each item is one JSON object with nothing before or after it, as ``of`` does.
        """
        try:
            held: Iterable[Any] = map(self._values, map(self._decode, items))
            return list(zip(held, strict=True) if self._is_single else held)
        except UNREADABLE as problem:
            raise UnexpectedReply(f"a key is missing, empty or of another type: {problem}") from problem

    def also_of(self, item: ItemText) -> msgspec.Raw:
        """The text of the other attribute's typed value, empty where an item has none."""
        found = getattr(self._decode(item), self._also_field)
        return found if isinstance(found, msgspec.Raw) else msgspec.Raw(msgspec.json.encode(found))


def _decoder(fields: list[Any], names: dict[str, str]) -> Callable[[ItemText], Any]:
    """What reads ``fields``, which items hold under ``names``."""
    if not any(map(_CANNOT_BE_RENAMED_TO, names.values())):
        return msgspec.json.Decoder(msgspec.defstruct("_Keyed", fields, rename=names, gc=False)).decode
    decode = msgspec.json.Decoder(msgspec.defstruct("_Keyed", fields, gc=False)).decode
    attributes = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

    def decode_by_way_of_text(item: ItemText) -> Any:
        found = attributes(item)
        held = {field: found[name] for field, name in names.items() if name in found}
        return decode(msgspec.json.encode(held))

    return decode_by_way_of_text


def _value_of(tag: str) -> type[msgspec.Struct]:
    """A typed value that holds something: ``{"S":"x"}``."""
    held = [("v", NotEmpty)]
    return msgspec.defstruct(f"_{tag}", held, rename={"v": tag}, forbid_unknown_fields=True, gc=False)

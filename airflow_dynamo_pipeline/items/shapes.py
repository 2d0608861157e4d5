"""Items as sorted text, faster for the shapes that have been seen before.

An item becomes its attributes in the order of their names, each value with the text it came with. The general
way goes through a dictionary. Once their names are known, items are read into records with one field for each
name, which costs a third less and gives the same text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any

import msgspec

MOST_NAMES = 48  # of a record: a wider one costs more than a dictionary
MOST_TRIES = 8  # how often a record is made anew for names not seen before
NO_VALUE = msgspec.Raw(b"")

attributes = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
"""An item as a dictionary of its attributes' texts."""

_encode = msgspec.json.Encoder(order="sorted").encode
_encode_record = msgspec.json.Encoder().encode  # its fields are in order


class Shapes:
    """Hashes items; learns the names of their attributes as they come. For one thread at a time."""

    __slots__ = ("_decode", "_joined", "_key", "_key_of", "_names", "_tries")

    def __init__(self, key: Sequence[str]) -> None:
        """``key``: the names of the key attributes."""
        self._key = tuple(key)
        self._names: set[str] = set(key)
        self._decode: Callable[[msgspec.Raw | bytes], Any] | None = None
        fields = [f"k{n}" for n in range(len(self._key))]
        self._key_of: Callable[[Any], Any] = attrgetter(*fields)  # of two, a tuple of both
        self._joined: Callable[[Any], bytes] = bytes if len(fields) == 1 else b"".join
        self._tries = MOST_TRIES

    def hashed(self, items: Sequence[msgspec.Raw | bytes]) -> Iterable[tuple[int, int]]:
        """For each item a hash of its key's text and one of all its text, in order.

        Raises msgspec's errors for what is not an object.
        """
        if self._decode is not None:
            try:
                records = list(map(self._decode, items))
            except msgspec.ValidationError:  # a name not seen before, or no key
                pass
            else:
                keys = map(self._joined, map(self._key_of, records))
                return zip(map(hash, keys), map(hash, map(_encode_record, records)), strict=True)
        found = list(map(attributes, items))
        if found and self._tries:
            self._learn(found)
        return zip([key_hash(one, self._key) for one in found], map(hash, map(_encode, found)), strict=True)

    def _learn(self, found: Iterable[dict[str, msgspec.Raw]]) -> None:
        """Make a record for all names seen so far, if that is likely to help."""
        self._names.update(chain.from_iterable(found))
        self._tries -= 1
        if self._tries < 0 or len(self._names) > MOST_NAMES or not all(map(_is_plain, self._names)):
            self._tries, self._decode, self._names = 0, None, set()
        else:
            self._decode = _decoder(sorted(self._names), self._key)


def key_hash(found: dict[str, msgspec.Raw], key: tuple[str, ...]) -> int:
    """A hash of the text of the key's values; an item that lacks one of them has a hash, too."""
    return hash(b"".join([found.get(name, NO_VALUE) for name in key]))


def _decoder(names: Sequence[str], key: tuple[str, ...]) -> Callable[[msgspec.Raw | bytes], Any]:
    """Reads an item that has the key and no other names; fields ``k0`` and ``k1`` are the key's values."""
    fields = {name: f"f{n}" for n, name in enumerate(names)} | {name: f"k{n}" for n, name in enumerate(key)}
    record = msgspec.defstruct(
        "Record",
        [
            (fields[name], msgspec.Raw) if name in key else (fields[name], msgspec.Raw, msgspec.UNSET)
            for name in names
        ],
        rename={field: name for name, field in fields.items()},
        forbid_unknown_fields=True,
        kw_only=True,
        gc=False,
    )
    return msgspec.json.Decoder(record).decode


def _is_plain(name: str) -> bool:
    r"""Whether a field can have this name: one that JSON need not escape."""
    return name.isprintable() and '"' not in name and "\\" not in name

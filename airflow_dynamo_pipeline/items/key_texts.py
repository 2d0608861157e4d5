"""Keys as lines of JSON: one text for each key, however its numbers were written."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from airflow_dynamo_pipeline.items.canonical import canonical_number
from airflow_dynamo_pipeline.items.keys import Key

MOST_PLAIN = 38  # digits of a whole number that is surely in range

_encoder = msgspec.json.Encoder()


def key_texts(keys: Sequence[Key], tags: Sequence[str]) -> list[bytes]:
    """Write each key as a JSON array of its texts, in order; ``tags`` are the types of its attributes.

    Equal keys have equal texts: numbers are spelled in full. Raises UnexpectedReply for a number that is
    none, and UnicodeEncodeError for a lone surrogate.

    >>> key_texts([("P1", "12.50"), ("P2", "1E1")], ["S", "N"])
    [b'["P1","12.5"]', b'["P2","10"]']
    """
    if "N" in tags:
        columns = zip(*keys, strict=True)
        spelled = [
            map(_number, column) if tag == "N" else column for tag, column in zip(tags, columns, strict=False)
        ]
        keys = list(zip(*spelled, strict=True))
    return _encoder.encode_lines(keys).split(b"\n")[:-1]  # no text holds a raw newline


def _number(text: str) -> str:
    plain = text.isascii() and text.isdecimal() and text[0] != "0" and len(text) <= MOST_PLAIN
    return _whole(text) if plain else canonical_number(text)


def _whole(text: str) -> str:
    return text

"""DynamoDB JSON: ``{"Item":{...}}`` a line, as native exports write it. The default."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

_OPEN = b'{"Item":'
_CLOSE = b"}\n"
_BETWEEN = _CLOSE + _OPEN


class DynamoDBJson:
    """Items as DynamoDB sent them, character for character; nothing is parsed."""

    __slots__ = ()

    name = "dynamodb_json"
    suffix = ".json"
    lossless = True
    output_format = "DYNAMODB_JSON"
    lossy_in = ""

    def encode(self, items: Sequence[msgspec.Raw]) -> Iterator[bytes]:
        r"""Join the items into lines.

        >>> b"".join(DynamoDBJson().encode([msgspec.Raw(b'{"id":{"N":"1"}}')]))
        b'{"Item":{"id":{"N":"1"}}}\n'
        """
        if not items:
            return
        yield _OPEN
        yield _BETWEEN.join(items)
        yield _CLOSE

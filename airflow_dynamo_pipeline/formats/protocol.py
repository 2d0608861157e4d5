"""What a file format is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec


class Format(Protocol):
    """One way of writing items to a file, a line for each."""

    name: str  # as settings and command line spell it: "dynamodb_json"
    suffix: str  # of a file's name, before that of the compression: ".json"
    lossless: bool  # an item read back is the item written
    output_format: str  # outputFormat in manifest-summary.json: "DYNAMODB_JSON"
    lossy_in: str  # one sentence on what is lost; "" when nothing is

    def encode(self, items: Sequence[msgspec.Raw]) -> Iterable[bytes]:
        r"""Write raw items, each the text DynamoDB sent, on one line (``cut_page`` sees to that).

        The chunks make up one line for each item, ended by ``\n``.
        Chunks need no more memory than the lines of these items. No items give no chunks.
        Raises UnexpectedReply when a format has to look into an item and finds something else.
        """
        ...

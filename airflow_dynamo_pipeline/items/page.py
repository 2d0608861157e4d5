"""One reply to Scan, cut into items without parsing them."""

from __future__ import annotations

import msgspec

from airflow_dynamo_pipeline.errors import CorruptReply
from airflow_dynamo_pipeline.items.values import one_line

NO_KEY = (b"", b"null", b"{}")  # taking one of the last two for a key would start the segment anew, for ever

ReplyText = bytes | bytearray
"""The JSON text of a reply; a large one is not copied after it was received."""


class ConsumedCapacity(msgspec.Struct, frozen=True):
    """What a call cost, as DynamoDB reports it; fields keep DynamoDB's names."""

    CapacityUnits: float | None = None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A Scan reply whose items are still the JSON text that came; fields keep DynamoDB's names.

    The items are views into the reply's body, which lives as long as any of them.
    """

    Items: list[msgspec.Raw] = []
    Count: int  # no default: an object without it is not a page, and must not pass for the last one
    ScannedCount: int = 0
    LastEvaluatedKey: msgspec.Raw = msgspec.Raw(b"")  # Raw | None would accept null only
    ConsumedCapacity: ConsumedCapacity | None = None

    @property
    def last_key(self) -> bytes | None:
        """The raw JSON that continues the scan as its ExclusiveStartKey; None after the last page."""
        key = bytes(self.LastEvaluatedKey)
        return None if key in NO_KEY else key

    @property
    def units(self) -> float | None:
        """Read units the call consumed; None when the reply does not say."""
        return None if self.ConsumedCapacity is None else self.ConsumedCapacity.CapacityUnits


def _on_one_line(body: ReplyText) -> ReplyText:
    """Drop the white space between tokens, so that every item is one line; what is no JSON stays as it is."""
    try:
        return one_line(bytes(body))
    except msgspec.DecodeError:
        return body


_DECODER = msgspec.json.Decoder(Page)


def cut_page(body: ReplyText) -> Page:
    """Cut a Scan reply into raw items; raises CorruptReply for what is not a whole page.

    >>> page = cut_page(b'{"Items":[{"id":{"N":"1"}},{"id":{"N":"2.50"}}],"Count":2,"ScannedCount":9}')
    >>> [bytes(item) for item in page.Items]
    [b'{"id":{"N":"1"}}', b'{"id":{"N":"2.50"}}']
    """
    if b"\n" in body:  # white space of a server that indents; a JSON string holds no raw newline
        body = _on_one_line(body)
    try:
        page = _DECODER.decode(body)
    except msgspec.DecodeError as exc:
        raise CorruptReply(f"a Scan reply of {len(body)} bytes is not a page: {exc}") from exc
    if len(page.Items) != page.Count:
        raise CorruptReply(f"a Scan reply says Count {page.Count} but holds {len(page.Items)} items")
    return page

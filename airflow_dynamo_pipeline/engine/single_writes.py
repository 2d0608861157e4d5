"""PutItem's and DeleteItem's requests, with or without a condition."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow_dynamo_pipeline.engine.ledger import Entry


class SingleBody:
    """Writes requests for one table."""

    def __init__(
        self,
        table_name: str,
        *,
        by_index: bool,
        condition: str | None = None,
        names: Mapping[str, str] | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> None:
        """``by_index``: let the reply tell what each index consumed. ``values`` are typed."""
        fields: dict[str, Any] = {
            "TableName": table_name,
            "ReturnConsumedCapacity": "INDEXES" if by_index else "TOTAL",
        }
        if condition is not None:
            fields["ConditionExpression"] = condition
            fields["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        if names:
            fields["ExpressionAttributeNames"] = dict(names)
        self._values = {
            name: json.dumps(value, default=_base64).encode() for name, value in (values or {}).items()
        }
        self._head = json.dumps(fields).encode()[:-1]

    def of(self, entry: Entry, values: Mapping[str, bytes] | None = None) -> bytes:
        """The request for one item; ``values`` are the JSON texts of more expression attribute values."""
        name = b',"Key":' if entry.is_delete else b',"Item":'
        texts = {**self._values, **(values or {})}
        middle = b",".join(json.dumps(name).encode() + b":" + text for name, text in texts.items())
        after = b',"ExpressionAttributeValues":{' + middle + b"}}" if texts else b"}"
        return b"".join((self._head, name, bytes(entry.item), after))


def _base64(value: object) -> str:
    import base64

    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    raise TypeError(f"{type(value).__name__} is not part of a typed value")

"""The lines and the manifest of AWS Data Pipeline's DynamoDB backups."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from airflow_dynamo_pipeline.items.values import convert_item, json_line

SPELLINGS: Final[Mapping[str, str]] = {
    "S": "s",
    "N": "n",
    "B": "b",
    "SS": "sS",
    "NS": "nS",
    "BS": "bS",
    "M": "m",
    "L": "l",
    "BOOL": "bOOL",
    "NULL": "nULL",
}


class DataPipelineJson:
    """Items as AWS Data Pipeline and the EMR DynamoDB connector write them: no wrapper, tags spelled ``sS``.

    Why these spellings: connectors up to 4.x write Java field names of the SDK's AttributeValue and read
    them case-sensitively; connectors 5.x and later write the first letter small and the rest large, and
    read any case. Both agree on all tags but NULL. ``nULL`` is what 5.x writes and reads and what the
    SDK of Data Pipeline's own 2.1.0 jar called the field; ``nULLValue`` is known to 4.x alone.

    What AWS's own readers lose, and this package's do not: connectors 5.x and later read an empty list,
    map or set as a value without a type, 4.x does so with ``nULL``, and an item with such a value is
    refused when it is written.
    """

    __slots__ = ()

    name = "data_pipeline"
    suffix = ".json"
    lossless = True
    output_format = "DATA_PIPELINE_JSON"
    lossy_in = ""

    def encode(self, items: Sequence[msgspec.Raw]) -> Iterator[bytes]:
        r"""Rewrite the tags of all values; attributes that are named like a tag keep their names.

        >>> item = msgspec.Raw(b'{"SS":{"SS":["x","y"]},"gone":{"NULL":true}}')
        >>> b"".join(DataPipelineJson().encode([item]))
        b'{"SS":{"sS":["x","y"]},"gone":{"nULL":true}}\n'
        """
        if items:
            yield b"".join(json_line(convert_item(item, _respell)) for item in items)


def _respell(tag: str, held: Any) -> dict[str, Any]:
    return {SPELLINGS[tag]: held}


def manifest_v3(urls: Sequence[str]) -> bytes:
    """Write the file ``manifest`` that the EMR DynamoDB connector reads beside the data files.

    URLs are absolute and start with ``s3://``.

    >>> print(manifest_v3(["s3://bucket/backup/0000", "s3://bucket/backup/0001"]).decode())
    {"name":"DynamoDB-export","version":3,
    "entries": [
    {"url":"s3://bucket/backup/0000","mandatory":true},
    {"url":"s3://bucket/backup/0001","mandatory":true}
    ]}
    """
    entries = [f'{{"url":{json.dumps(url, ensure_ascii=False)},"mandatory":true}}' for url in urls]
    return ('{"name":"DynamoDB-export","version":3,\n"entries": [\n' + ",\n".join(entries) + "\n]}").encode()

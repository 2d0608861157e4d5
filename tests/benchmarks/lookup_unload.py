"""What UNLOAD leaves in the bucket: Parquet files of today's products, and a verbose manifest."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

from tests.benchmarks.lookup_items import COLUMNS, KEY, side
from tests.benchmarks.worker import BUCKET

BLOCKS_PER_FILE = 160  # a million rows
GROUP_ROWS = 250_000
BASES = {"text": "character varying", "number": "numeric", "boolean": "boolean", "timestamp": "timestamp"}


def unloaded(blocks: int, prefix: str) -> Iterator[tuple[str, bytes]]:
    """Every object below ``prefix``, by key; the manifest comes last."""
    entries = []
    for number, first in enumerate(range(0, blocks, BLOCKS_PER_FILE)):
        body, rows = _file(range(first, min(first + BLOCKS_PER_FILE, blocks)))
        key = f"{prefix}{number:04}_part_00.parquet"
        meta = {"content_length": len(body), "record_count": rows}
        entries.append({"url": f"s3://{BUCKET}/{key}", "meta": meta})
        yield key, body
    yield f"{prefix}manifest", json.dumps(_manifest(entries)).encode()


def _file(blocks: range) -> tuple[bytes, int]:
    import pyarrow as pa
    from pyarrow import parquet

    found = side(today=True)
    types = [pa.string(), pa.decimal128(10, 2), pa.bool_(), pa.timestamp("us")]
    others = [pa.array(column, kind) for column, kind in zip(found.columns, types, strict=True)]
    tables = [
        pa.table([pa.array(found.keys(block), pa.string()), *others], names=list(COLUMNS)) for block in blocks
    ]
    table = pa.concat_tables(tables)
    out = io.BytesIO()
    plain = [name for name in COLUMNS if name != KEY]
    parquet.write_table(table, out, row_group_size=GROUP_ROWS, use_dictionary=plain)
    return out.getvalue(), table.num_rows


def _manifest(entries: list[Any]) -> dict[str, Any]:
    sums = {
        name: sum(entry["meta"][name] for entry in entries) for name in ("content_length", "record_count")
    }
    elements = [{"name": name, "type": {"base": BASES[kind]}} for name, kind in COLUMNS.items()]
    author = {"name": "Amazon Redshift", "version": "1.0.0"}
    return {"entries": entries, "schema": {"elements": elements}, "meta": sums, "author": author}

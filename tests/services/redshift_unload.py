"""UNLOAD without Redshift: the query runs on PostgreSQL, its rows go to S3 as Redshift writes them."""

import contextlib
import io
import itertools
import json
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import parquet
from redshift_connector.error import ProgrammingError

from tests.services.postgres import Postgres

if TYPE_CHECKING:  # stubs, which only the checker has
    from mypy_boto3_s3 import S3Client

SLICES = 3
CONSTANT = r"(?:'((?:[^'\\]|''|\\.)*)'|\$\$(.*?)\$\$)"
UNLOAD = re.compile(
    rf"UNLOAD \({CONSTANT}\)\s+TO 's3://([^/']+)/([^']*)'\s+IAM_ROLE (?:default|'arn:[^']+')\s+FORMAT PARQUET"
    r"\s+MANIFEST VERBOSE\s+MAXFILESIZE 256 MB(?:\s+KMS_KEY_ID '([^']+)' ENCRYPTED)?(?:\s+REGION '[\w-]+')?",
    re.DOTALL,
)
TYPES: dict[int, tuple[str, Any]] = {  # PostgreSQL's code: Redshift's name, Arrow's type
    16: ("boolean", pa.bool_()),
    20: ("bigint", pa.int64()),
    21: ("smallint", pa.int16()),
    23: ("integer", pa.int32()),
    700: ("real", pa.float32()),
    701: ("double precision", pa.float64()),
    1082: ("date", pa.date32()),
    1083: ("time without time zone", pa.time64("us")),
    1114: ("timestamp without time zone", pa.timestamp("us")),
    1184: ("timestamp with time zone", pa.timestamp("us")),
    114: ("super", pa.string()),
    3802: ("super", pa.string()),
    1042: ("character", pa.string()),
}
NUMERIC, WITH_ZONE, BYTES = 1700, 1184, 17
FROM_VARBYTE = """
CREATE FUNCTION from_varbyte(bytea, text) RETURNS text LANGUAGE sql AS 'SELECT encode($1, $2)'
"""


class Unloader:
    """Runs UNLOAD statements, and nothing else; ``statements`` are those it was given."""

    def __init__(self, postgres: Postgres, s3: "S3Client") -> None:
        self._postgres = postgres
        self._s3 = s3
        self.statements: list[str] = []

    def run(self, sql: str) -> None:
        """Run an UNLOAD; raises what Redshift's driver raises."""
        self.statements.append(sql)
        found = UNLOAD.fullmatch(sql.strip())
        if found is None:
            raise _error("42601", "syntax error in UNLOAD")
        quoted, plain, bucket, prefix, key_id = found.groups()
        query = plain if quoted is None else re.sub(r"''|\\(.)", _unescaped, quoted, flags=re.DOTALL)
        if self._s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents"):
            raise _error("XX000", "Specified unload destination on S3 is not empty")
        encrypted: dict[str, Any] = {}
        if key_id is not None:
            encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_id}
        self._unload(query, bucket, prefix, encrypted)

    def connecting(self, connect: Callable[[], Any]) -> Callable[[], Any]:
        """What opens connections on which UNLOAD works, too."""
        return lambda: _Connection(connect(), self)

    def _unload(self, query: str, bucket: str, prefix: str, encrypted: dict[str, Any]) -> None:
        with contextlib.closing(self._postgres.psycopg2()) as connection, connection.cursor() as cursor:
            as_text(cursor, (114, 3802))
            cursor.execute(FROM_VARBYTE)  # gone with the transaction
            try:
                cursor.execute(query)
            except Exception as error:
                lost = "08006"  # psycopg2 has no state for a connection that is gone
                raise _error(getattr(error, "pgcode", None) or lost, str(error)) from error
            if any(column.type_code == BYTES for column in cursor.description):
                raise _error("0A000", "UNLOAD to PARQUET does not support columns of type VARBYTE")
            columns = [_typed(column) for column in cursor.description]
            rows = [_utc(row, columns) for row in cursor.fetchall()]
        entries = []
        for number, some in enumerate(_slices(rows)):
            key = f"{prefix}{number:04}_part_00.parquet"
            body = _file(some, columns)
            self._s3.put_object(Bucket=bucket, Key=key, Body=body, **encrypted)
            meta = {"content_length": len(body), "record_count": len(some)}
            entries.append({"url": f"s3://{bucket}/{key}", "meta": meta})
        manifest = json.dumps(_manifest(entries, columns)).encode()
        self._s3.put_object(Bucket=bucket, Key=f"{prefix}manifest", Body=manifest, **encrypted)


class _Connection:
    """A connection whose cursors know UNLOAD."""

    def __init__(self, inner: Any, unloader: Unloader) -> None:
        self.__dict__.update(inner=inner, unloader=unloader)

    def cursor(self) -> Any:
        return _Cursor(self.inner.cursor(), self.unloader)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.inner, name, value)


class _Cursor:
    def __init__(self, inner: Any, unloader: Unloader) -> None:
        self._inner = inner
        self._unloader = unloader

    def execute(self, sql: str) -> None:
        if sql.lstrip().upper().startswith("UNLOAD"):
            self._unloader.run(sql)
        else:
            self._inner.execute(sql)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def as_text(cursor: Any, codes: Sequence[int]) -> None:
    """Have psycopg2 leave the values of some types as the server writes them."""
    import psycopg2.extensions

    kind = psycopg2.extensions.new_type(tuple(codes), "AS_TEXT", lambda value, _: value)
    psycopg2.extensions.register_type(kind, cursor)


def _unescaped(found: re.Match[str]) -> str:
    return found.group(1) or "'"


def _error(state: str, message: str) -> Exception:
    error: Exception = ProgrammingError({"S": "ERROR", "C": state, "M": message})
    return error


def _typed(column: Any) -> tuple[str, int, str, Any]:
    if column.type_code == NUMERIC:
        return column.name, NUMERIC, "numeric", pa.decimal128(column.precision or 38, column.scale or 0)
    name, kind = TYPES.get(column.type_code, ("character varying", pa.string()))
    return column.name, column.type_code, name, kind


def _utc(row: Sequence[Any], columns: Sequence[tuple[str, int, str, Any]]) -> list[Any]:
    """A row with moments in UTC and without a zone, as Redshift unloads them."""
    return [
        value.astimezone(UTC).replace(tzinfo=None) if code == WITH_ZONE and value is not None else value
        for value, (_, code, _, _) in zip(row, columns, strict=True)
    ]


def _slices(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    found = (rows[number::SLICES] for number in range(SLICES))
    return itertools.filterfalse(lambda some: not some, found)


def _file(rows: Sequence[Sequence[Any]], columns: Sequence[tuple[str, int, str, Any]]) -> bytes:
    arrays = [pa.array([row[index] for row in rows], kind) for index, (_, _, _, kind) in enumerate(columns)]
    out = io.BytesIO()
    table = pa.table(arrays, names=[name for name, _, _, _ in columns])
    parquet.write_table(table, out, row_group_size=3000)
    return out.getvalue()


def _manifest(entries: Sequence[Any], columns: Sequence[tuple[str, int, str, Any]]) -> dict[str, Any]:
    sums = {
        name: sum(entry["meta"][name] for entry in entries) for name in ("content_length", "record_count")
    }
    elements = [{"name": name, "type": {"base": base}} for name, _, base, _ in columns]
    author = {"name": "Amazon Redshift", "version": "1.0.0"}
    return {"entries": entries, "schema": {"elements": elements}, "meta": sums, "author": author}

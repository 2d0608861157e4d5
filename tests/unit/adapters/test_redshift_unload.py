"""Files that are not what the manifest says, and the statement itself."""

from __future__ import annotations

import io
import json
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from airflow_dynamo_pipeline.adapters import redshift_unload
from airflow_dynamo_pipeline.adapters.memory import MemoryStore
from airflow_dynamo_pipeline.adapters.redshift_unload import (
    UnloadPlace,
    UnloadSource,
    by_cursor,
    text_constant,
    unload_statement,
)
from airflow_dynamo_pipeline.adapters.sql_values import SourceColumn
from airflow_dynamo_pipeline.errors import (
    ImportRefused,
    InvalidExport,
    MissingLibrary,
    ServiceTrouble,
    Stopped,
    UnexpectedReply,
)
from airflow_dynamo_pipeline.lookup.source import Column, QueryFacts, RowBatch
from tests.unit.adapters.test_sql_source import OperationalError

PLACE = UnloadPlace(bucket="b", prefix="lookups/x")
FOLDER = "lookups/x/unload-r1/"
SQL = "SELECT n, t FROM x"


class Queries:
    """A source that knows columns and facts."""

    description = "a query"

    def __init__(self, *columns: Column, rows: int = 5) -> None:
        self.found = columns or (Column("n", "number"), Column("t", "text"))
        self.rows = rows
        self.types: dict[str, object] = {}  # codes or names, by column
        self.closed = False

    def columns(self) -> Sequence[Column]:
        return self.found

    def source_columns(self) -> Sequence[SourceColumn]:
        return [SourceColumn(one.name, one.kind, self.types.get(one.name)) for one in self.found]

    def facts(self, key_columns: Sequence[str]) -> QueryFacts:
        return QueryFacts(rows=self.rows, repeated_keys=0)

    def batches(self) -> Iterator[RowBatch]:
        raise AssertionError("the rows come from files")

    def close(self) -> None:
        self.closed = True


class Warehouse:
    """Runs an UNLOAD: writes files and manifest, and lets a test spoil them."""

    def __init__(
        self, *tables: Any, spoil: Callable[[MemoryStore, dict[str, Any]], None] | None = None
    ) -> None:
        self.store = MemoryStore()
        self.statements: list[str] = []
        self._tables = tables or (table([1, 2, 3]), table([4, 5]))
        self._spoil = spoil

    def __call__(self, sql: str) -> None:
        self.statements.append(sql)
        manifest = self.written()
        if self._spoil is not None:
            self._spoil(self.store, manifest)
        if manifest:
            self.store.put(FOLDER + "manifest", json.dumps(manifest).encode())

    def written(self) -> dict[str, Any]:
        entries: list[dict[str, Any]] = []
        for number, found in enumerate(self._tables):
            key = f"{FOLDER}{number:04}_part_00.parquet"
            body = file_of(found)
            self.store.put(key, body)
            meta = {"content_length": len(body), "record_count": found.num_rows}
            entries.append({"url": f"s3://b/{key}", "meta": meta})
        sums = {
            name: sum(one["meta"][name] for one in entries) for name in ("content_length", "record_count")
        }
        elements = [{"name": name, "type": {"base": "integer"}} for name in self._tables[0].column_names]
        return {"entries": entries, "schema": {"elements": elements}, "meta": sums}

    def source(self, queries: Queries | None = None) -> UnloadSource:
        return UnloadSource(queries or Queries(), self, self.store, sql=SQL, place=PLACE, run_id="r1")


def table(numbers: Sequence[int]) -> Any:
    return pa.table(
        {"t": [f"x{number}" for number in numbers], "n": numbers}
    )  # another order than the query's


def file_of(found: Any, **settings: Any) -> bytes:
    out = io.BytesIO()
    parquet.write_table(found, out, **settings)
    return out.getvalue()


def rows_of(source: UnloadSource) -> list[tuple[object, ...]]:
    return [row for batch in source.batches() for row in zip(*batch.values, strict=True)]


def test_rows_come_from_every_file_in_the_order_of_the_querys_columns() -> None:
    assert [(number, f"x{number}") for number in range(1, 6)] == rows_of(Warehouse().source())


def first(manifest: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = manifest["entries"][0]
    return found


def key_of(manifest: dict[str, Any]) -> str:
    return str(first(manifest)["url"]).removeprefix("s3://b/")


def a_file_is_gone(store: MemoryStore, manifest: dict[str, Any]) -> None:
    store.delete([key_of(manifest)])


def a_file_is_longer(store: MemoryStore, manifest: dict[str, Any]) -> None:
    store.put(key_of(manifest), store.objects[key_of(manifest)].body + b"x")


def a_file_has_other_rows(store: MemoryStore, manifest: dict[str, Any]) -> None:
    body = file_of(table([1, 2]))
    store.put(key_of(manifest), body)
    manifest["meta"]["content_length"] += len(body) - first(manifest)["meta"]["content_length"]
    first(manifest)["meta"]["content_length"] = len(body)


def a_file_is_damaged(store: MemoryStore, manifest: dict[str, Any]) -> None:
    size = len(store.objects[key_of(manifest)].body)
    store.put(key_of(manifest), b"PAR1" + b"\0" * (size - 4))


def a_file_lacks_a_column(store: MemoryStore, manifest: dict[str, Any]) -> None:
    body = file_of(pa.table({"n": [1, 2, 3]}))
    store.put(key_of(manifest), body)
    manifest["meta"]["content_length"] += len(body) - first(manifest)["meta"]["content_length"]
    first(manifest)["meta"]["content_length"] = len(body)


def the_total_is_another(_store: MemoryStore, manifest: dict[str, Any]) -> None:
    manifest["meta"]["record_count"] += 1


def the_size_is_another(_store: MemoryStore, manifest: dict[str, Any]) -> None:
    manifest["meta"]["content_length"] += 1


def a_file_stands_twice(_store: MemoryStore, manifest: dict[str, Any]) -> None:
    manifest["entries"][1] = first(manifest)
    for name in manifest["meta"]:
        manifest["meta"][name] = 2 * first(manifest)["meta"][name]


def a_file_is_elsewhere(_store: MemoryStore, manifest: dict[str, Any]) -> None:
    first(manifest)["url"] = "s3://b/lookups/x/unload-r2/0000_part_00.parquet"


def a_file_is_in_another_bucket(_store: MemoryStore, manifest: dict[str, Any]) -> None:
    first(manifest)["url"] = f"s3://c/{key_of(manifest)}"


def the_columns_are_others(_store: MemoryStore, manifest: dict[str, Any]) -> None:
    manifest["schema"]["elements"][0]["name"] = "u"


def it_is_not_verbose(_store: MemoryStore, manifest: dict[str, Any]) -> None:
    del manifest["meta"]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (a_file_is_gone, "0000_part_00.parquet: is not there"),
        (a_file_is_longer, "0000_part_00.parquet: has [0-9,]+ bytes; the manifest says"),
        (a_file_has_other_rows, "0000_part_00.parquet: has 2 rows; the manifest says 3"),
        (a_file_is_damaged, "0000_part_00.parquet: cannot be read"),
        (a_file_lacks_a_column, "0000_part_00.parquet: has no column t"),
        (the_total_is_another, "4 rows together, its total is 5"),
        (the_size_is_another, "bytes together, its total is"),
        (a_file_stands_twice, "stands twice"),
        (a_file_is_elsewhere, "unload-r2/0000_part_00.parquet: is not below s3://b/lookups/x/unload-r1/"),
        (a_file_is_in_another_bucket, "s3://c/.*: is not below s3://b/"),
        (the_columns_are_others, "its columns are .*u.*; those of the query are n, t"),
        (it_is_not_verbose, "is not a verbose manifest"),
    ],
)
def test_files_that_are_not_what_the_manifest_says_are_refused(
    spoil: Callable[[MemoryStore, dict[str, Any]], None], said: str
) -> None:
    warehouse = Warehouse(
        pa.table({"n": [1, 2, 3], "t": ["x"] * 3}), pa.table({"n": [4], "t": ["y"]}), spoil=spoil
    )

    with pytest.raises(InvalidExport, match=said) as caught:
        rows_of(warehouse.source())
    assert "s3://b/lookups/x/unload-r1/manifest" == caught.value.manifest


def no_manifest(store: MemoryStore, manifest: dict[str, Any]) -> None:
    manifest.clear()


def nothing_at_all(store: MemoryStore, manifest: dict[str, Any]) -> None:
    store.delete(list(store.keys("")))
    manifest.clear()


@pytest.mark.parametrize(("spoil", "rows"), [(no_manifest, 0), (nothing_at_all, 5)])
def test_an_unload_without_a_manifest_is_an_error(
    spoil: Callable[[MemoryStore, dict[str, Any]], None], rows: int
) -> None:
    source = Warehouse(spoil=spoil).source(Queries(rows=rows))
    source.facts(["n"])

    with pytest.raises(UnexpectedReply, match="there is no s3://b/lookups/x/unload-r1/manifest"):
        rows_of(source)


def test_a_query_without_rows_may_write_nothing() -> None:
    source = Warehouse(spoil=nothing_at_all).source(Queries(rows=0))
    source.facts(["n"])

    assert [] == rows_of(source)


def test_files_are_named_by_the_run_unless_one_is_given() -> None:
    first_one, second = (
        UnloadSource(Queries(), print, MemoryStore(), sql=SQL, place=PLACE).description for _ in range(2)
    )

    assert first_one != second
    assert first_one.startswith("a query; rows by UNLOAD to s3://b/lookups/x/unload-")


def test_closing_removes_its_own_files_also_after_an_error() -> None:
    warehouse = Warehouse(spoil=the_total_is_another)
    warehouse.store.put("lookups/x/unload-r10/manifest", b"another run's")
    queries = Queries()
    source = warehouse.source(queries)
    with pytest.raises(InvalidExport):
        rows_of(source)

    source.close()

    assert ["lookups/x/unload-r10/manifest"] == list(warehouse.store.keys(""))
    assert queries.closed


def test_closing_a_source_that_never_ran_removes_nothing() -> None:
    warehouse = Warehouse()
    warehouse.store.put(FOLDER + "manifest", b"of the attempt before")
    warehouse.source().close()

    assert [FOLDER + "manifest"] == list(warehouse.store.keys(""))


def test_closing_never_raises_and_says_what_it_left() -> None:
    class Broken(MemoryStore):
        def keys(self, prefix: str) -> Iterator[str]:
            raise ServiceTrouble("S3 is away")

    said: list[str] = []
    warehouse = Warehouse()
    source = UnloadSource(Queries(), warehouse, Broken(), sql=SQL, place=PLACE, warn=said.append, run_id="r1")
    with pytest.raises(UnexpectedReply):
        rows_of(source)
    source.close()

    assert ["files below s3://b/lookups/x/unload-r1/ are left: S3 is away"] == said


def test_without_pyarrow_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    warehouse = Warehouse()

    with pytest.raises(MissingLibrary, match="pyarrow"):
        warehouse.source()
    assert [] == warehouse.statements


def test_the_statement_has_all_that_was_asked_and_never_overwrites() -> None:
    place = UnloadPlace(
        bucket="b",
        prefix="p",
        iam_role="arn:aws:iam::123456789012:role/r",
        kms_key_id="1234abcd",
        region="eu-west-1",
    )
    wanted = (
        "UNLOAD ('SELECT ''a''')\nTO 's3://b/p/u/'\nIAM_ROLE 'arn:aws:iam::123456789012:role/r'\n"
        "FORMAT PARQUET\nMANIFEST VERBOSE\nMAXFILESIZE 256 MB\nKMS_KEY_ID '1234abcd' ENCRYPTED\n"
        "REGION 'eu-west-1'"
    )

    assert wanted == unload_statement("SELECT 'a'", "p/u/", place)
    assert "IAM_ROLE default\n" in unload_statement("SELECT 1", "p/u/", PLACE)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a'b", "'a''b'"),
        ("a\\d'", "$$a\\d'$$"),
        ("$$a\\d'$$", "'$$a\\\\d''$$'"),
        ("a\\d$", "'a\\\\d$'"),
    ],
)
def test_a_constant_means_its_text_whatever_is_in_it(text: str, wanted: str) -> None:
    assert wanted == text_constant(text)


def one_column(array: Any, kind: str, **settings: Any) -> list[object]:
    found = pa.table({"c": array})
    warehouse = Warehouse(found)
    if settings:
        body = file_of(found, **settings)

        def rewritten(store: MemoryStore, manifest: dict[str, Any]) -> None:
            store.put(key_of(manifest), body)
            first(manifest)["meta"]["content_length"] = manifest["meta"]["content_length"] = len(body)

        warehouse = Warehouse(found, spoil=rewritten)
    return [row[0] for row in rows_of(warehouse.source(Queries(Column("c", kind))))]


MOMENT = datetime(2026, 7, 2, 3, 4, 5, 123456)  # noqa: DTZ001  without a zone is what it shall be
FAR = datetime(9999, 12, 31, 23, 59, 59, 999999)  # noqa: DTZ001  likewise


@pytest.mark.parametrize("settings", [{}, {"use_deprecated_int96_timestamps": True}])
def test_timestamps_of_either_width_keep_their_microseconds(settings: dict[str, Any]) -> None:
    array = pa.array([MOMENT, None, FAR], pa.timestamp("us"))

    assert [MOMENT, None, FAR] == one_column(array, "timestamp", **settings)
    assert [MOMENT.replace(tzinfo=UTC), None, FAR.replace(tzinfo=UTC)] == one_column(
        array, "timestamptz", **settings
    )


def test_a_moment_that_python_cannot_hold_stays_text() -> None:
    array = pa.array([253402300800000000, 0], pa.timestamp("us"))

    assert ["10000-01-01 00:00:00.000000", datetime(1970, 1, 1)] == one_column(array, "timestamp")  # noqa: DTZ001
    assert [datetime(1970, 1, 1, tzinfo=UTC)] == one_column(array, "timestamptz")[1:]


@pytest.mark.parametrize(
    ("array", "kind", "wanted"),
    [
        (pa.array([Decimal("1.10"), None], pa.decimal128(38, 2)), "number", [Decimal("1.10"), None]),
        (pa.array([0.1, None], pa.float32()), "float", [0.1, None]),
        (pa.array(["00ff", None]), "binary", [b"\x00\xff", None]),
        (pa.array([b"\x00", None]), "binary", [b"\x00", None]),
        (pa.array(['{"a": 1.10}']), "json", ['{"a": 1.10}']),
        (pa.array([date(2024, 2, 29)]), "date", [date(2024, 2, 29)]),
        (pa.array(["2024-02-29"]), "date", [date(2024, 2, 29)]),
    ],
)
def test_values_of_files_are_those_of_a_cursor(array: Any, kind: str, wanted: list[object]) -> None:
    found = one_column(array, kind)

    assert wanted == found
    assert [type(value) for value in wanted] == [type(value) for value in found]


def test_a_connection_for_an_unload_commits_by_itself_and_is_closed() -> None:
    class Connection:
        autocommit = False
        closed = False

        def cursor(self) -> Any:
            return self

        def execute(self, sql: str) -> None:
            assert self.autocommit
            raise OperationalError("server closed the connection")

        def close(self) -> None:
            self.closed = True

    connection = Connection()

    with pytest.raises(ServiceTrouble, match="running UNLOAD"):
        by_cursor(lambda: connection)("UNLOAD")
    assert connection.closed


def test_rows_that_do_not_come_out_of_a_file_are_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redshift_unload, "batches", lambda _file, **_most: iter(()))

    with pytest.raises(InvalidExport, match="gave 0 rows; the manifest says 3"):
        rows_of(Warehouse().source())


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (6551, 'FROM_VARBYTE("t", \'hex\') AS "t"'),
        (17, 'FROM_VARBYTE("t", \'hex\') AS "t"'),
        ("varbyte", 'FROM_VARBYTE("t", \'hex\') AS "t"'),
        ("Binary Varying(20)", 'FROM_VARBYTE("t", \'hex\') AS "t"'),
        (3000, 'ST_AsHexEWKB("t") AS "t"'),
        (3001, 'ST_AsHexEWKB("t") AS "t"'),
        ("geometry", 'ST_AsHexEWKB("t") AS "t"'),
        ("geography", 'ST_AsHexEWKB("t") AS "t"'),
    ],
)
def test_types_that_parquet_cannot_have_are_unloaded_as_hexadecimal_text(kind: object, wanted: str) -> None:
    found = pa.table({"t": ["00ff", None], "n": [1, 2]})
    queries = Queries(Column("n", "number"), Column("t", "binary"))
    queries.types["t"] = kind
    warehouse = Warehouse(found)

    assert [(1, b"\x00\xff"), (2, None)] == rows_of(warehouse.source(queries))
    sql = text_constant(f'SELECT "n", {wanted} FROM (\n{SQL}\n) q')
    assert f"UNLOAD ({sql})" == warehouse.statements[0].split("\nTO ")[0]


def test_a_sketch_is_refused_by_name_before_anything_is_unloaded() -> None:
    queries = Queries()
    queries.types["t"] = "hllsketch"
    warehouse = Warehouse()

    with pytest.raises(ImportRefused, match="'t' is an HLLSKETCH") as caught:
        rows_of(warehouse.source(queries))
    assert "cast it in the query" in str(caught.value.problems[0].hint)
    assert [] == warehouse.statements


class Cancellable:
    """A connection whose statement goes on until it is cancelled; it sets the stop when it begins."""

    autocommit = False
    closed = False

    def __init__(self, stop: threading.Event) -> None:
        self.cancelled = threading.Event()
        self._stop = stop

    def cursor(self) -> Any:
        return self

    def execute(self, sql: str) -> None:
        self._stop.set()
        assert self.cancelled.wait(30)
        raise OperationalError("canceling statement due to user request")

    def cancel(self) -> None:
        self.cancelled.set()

    def close(self) -> None:
        self.closed = True


def test_a_stop_cancels_an_unload() -> None:
    stop = threading.Event()
    connection = Cancellable(stop)
    before = threading.enumerate()

    with pytest.raises(Stopped, match="running UNLOAD"):
        by_cursor(lambda: connection, stop)("UNLOAD")
    assert connection.closed
    assert [] == [thread for thread in threading.enumerate() if thread not in before]


def test_after_a_stop_no_unload_begins() -> None:
    stop = threading.Event()
    stop.set()

    with pytest.raises(Stopped, match="before connecting"):
        by_cursor(lambda: pytest.fail("connected"), stop)("UNLOAD")

from datetime import UTC, datetime, timedelta

import pytest

from airflow_dynamo_pipeline.adapters.memory import MemoryStore
from airflow_dynamo_pipeline.engine.native_export_chain import Chain, ChainPlace, NativeExport
from airflow_dynamo_pipeline.engine.ports import VersionConflict
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.errors import UnexpectedReply, UnknownVersion

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def full(token: str, at: datetime, table_id: str = "1") -> NativeExport:
    return NativeExport(
        token=token,
        run="run",
        generation="0",
        fingerprint="f",
        asked_at=NOON,
        export_time=at,
        manifest_uri=f"s3://b/{token}",
        table_id=table_id,
    )


@pytest.fixture
def place() -> ChainPlace:
    return ChainPlace(MemoryStore(), S3Location("b", "p"), "orders")


def test_a_chain_comes_back_as_it_was_written(place: ChainPlace) -> None:
    chain = Chain(base=full("one", NOON)).asked(full("two", NOON))
    place.write(place.read(), chain)

    assert chain == place.read().chain
    assert "s3://b/p/_dynamo-pipeline/orders.json" == place.uri


def test_of_two_writers_who_read_the_same_version_one_meets_a_conflict(place: ChainPlace) -> None:
    first = second = place.read()
    place.write(first, Chain(base=full("one", NOON)))

    with pytest.raises(VersionConflict):
        place.write(second, Chain(base=full("two", NOON)))


@pytest.mark.parametrize(
    ("body", "error"), [(b'{"version":2}', UnknownVersion), (b"[]", UnexpectedReply), (b"{", UnexpectedReply)]
)
def test_what_is_newer_or_no_chain_is_refused(place: ChainPlace, body: bytes, error: type[Exception]) -> None:
    place.store.put(place.key, body)

    with pytest.raises(error, match=r"orders\.json"):
        place.read()


@pytest.mark.parametrize(
    ("later", "table_id", "replaces"),
    [
        (timedelta(hours=1), "1", True),
        (timedelta(0), "1", True),
        (-timedelta(hours=1), "1", False),
        (-timedelta(hours=1), "another", True),
    ],
)
def test_a_full_export_is_the_new_base_unless_the_chain_is_further(
    later: timedelta, table_id: str, replaces: bool
) -> None:
    new = full("new", NOON + later, table_id)
    chain = Chain(base=full("old", NOON)).asked(new).completed(new)

    assert ("s3://b/new" if replaces else "s3://b/old",) == tuple(chain.manifest_uris)
    assert ((), (new,)) == (chain.pending, chain.full)

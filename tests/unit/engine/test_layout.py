from __future__ import annotations

from airflow_dynamo_pipeline.engine.layout import ExportLayout, part_name
from airflow_dynamo_pipeline.engine.requests import S3Location
from tests.unit.engine.world import layout

BASE = "daily/AWSDynamoDB/2026-01-02-03-04-05-0a1b2c3d/"


def test_objects_lie_where_a_native_export_has_them() -> None:
    place = layout()

    assert BASE + "manifest-summary.json" == place.summary_key
    assert BASE + "manifest-summary.md5" == place.summary_checksum_key
    assert BASE + "manifest-files.json" == place.files_key
    assert BASE + "manifest-files.md5" == place.files_checksum_key
    assert BASE + "_started" == place.started_key
    assert BASE + "data/" == place.data_prefix
    assert BASE + "manifest" == place.data_pipeline_manifest_key
    assert f"s3://backups/{BASE}manifest-summary.json" == place.manifest_uri


def test_checkpoints_lie_apart_from_data() -> None:
    place = layout()

    for key in (place.plan_key, place.lease_key, place.segment_key(3)):
        assert key.startswith(place.checkpoint_prefix)
        assert not key.startswith(place.data_prefix)
    assert BASE + "_checkpoint/0003.json" == place.segment_key(3)


def test_a_part_is_named_by_segment_number_and_attempt() -> None:
    assert BASE + "data/0003-00017-k3x9.json.gz" == layout().part_key(3, 17, "k3x9", ".json.gz")


def test_no_two_attempts_segments_or_numbers_share_a_name() -> None:
    names = {
        part_name(segment, part, attempt, ".json")
        for segment in (0, 1, 9_999, 10_000, 999_999)
        for part in (0, 1, 99_999, 100_000)
        for attempt in ("a", "b")
    }

    assert 40 == len(names)


def test_without_a_prefix_keys_begin_at_the_root() -> None:
    assert "AWSDynamoDB/id/_started" == ExportLayout(S3Location("b", ""), "id").started_key

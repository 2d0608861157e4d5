"""Settings of a change of capacity: what is understood, and what is refused, all at once."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_dynamo_pipeline.engine.capacity_request import CapacityModeRequest
from airflow_dynamo_pipeline.errors import InvalidRequest

RECORD = "s3://backups/capacity"


def made(**given: Any) -> CapacityModeRequest:
    return CapacityModeRequest.from_settings({"table_name": "orders", **given})


def wrong(**given: Any) -> set[str]:
    """The settings that are refused."""
    with pytest.raises(InvalidRequest) as caught:
        made(**given)
    return {problem.where for problem in caught.value.problems}


def test_text_as_templates_render_it_is_understood() -> None:
    request = made(
        mode="provisioned",
        restore="False",
        read_units="50",
        write_units="None",
        index_units='{"by_date": {"read": "7"}}',
        margin="0.5",
        record_s3_uri="s3://backups/capacity/",
    )

    assert (50, None) == (request.table_units("read"), request.table_units("write"))
    assert {"by_date": {"read": 7}} == request.index_units
    assert 0.5 == request.margin
    assert request.location is not None
    assert "capacity" == request.location.prefix


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"mode"}),
        ({"mode": "on_demand", "restore": True}, {"mode", "record_s3_uri"}),
        ({"restore": True}, {"record_s3_uri"}),
        ({"mode": "keep"}, {"record_s3_uri"}),
        ({"mode": "keep", "record_s3_uri": "backups/capacity"}, {"record_s3_uri"}),
        ({"mode": "on_demand", "read_units": 5, "percentile": 50}, {"read_units", "percentile"}),
        ({"restore": True, "record_s3_uri": RECORD, "index_units": {"i": {"read": 1}}}, {"index_units"}),
        ({"mode": "provisioned", "read_units": 0, "write_units": 1.5}, {"read_units", "write_units"}),
        ({"mode": "provisioned", "index_units": {"i": {"reads": 1}}}, {"index_units"}),
        ({"mode": "provisioned", "index_units": {"i": {"read": 0}}}, {"index_units.i.read"}),
        ({"mode": "provisioned", "percentile": 0, "margin": -1}, {"percentile", "margin"}),
        ({"mode": "provisioned", "percentile": 101, "window_hours": 337}, {"percentile", "window_hours"}),
        ({"mode": "provisioned", "autoscaling_min_units": 5}, {"autoscaling_min_units"}),
        (
            {"mode": "provisioned", "autoscaling_max_units": 5, "autoscaling_target_percent": 91},
            {"autoscaling_target_percent"},
        ),
        ({"mode": "provisioned", "autoscaling_max_units": 5, "write_units": 6}, {"write_units"}),
        (
            {
                "mode": "provisioned",
                "autoscaling_max_units": 9,
                "autoscaling_min_units": 5,
                "read_units": 4,
                "index_units": {"i": {"write": 10}},
            },
            {"read_units", "index_units.i.write"},
        ),
        ({"mode": "provisioned", "margins": 1}, {"margins"}),
    ],
)
def test_what_cannot_work_is_named(given: dict[str, Any], expected: set[str]) -> None:
    assert expected == wrong(**given)

import doctest
from datetime import UTC, datetime, timedelta, timezone

import pytest

from airflow_dynamo_pipeline.engine import conditions as module
from airflow_dynamo_pipeline.engine.conditions import (
    Backups,
    Verdict,
    instant,
    point_in_time_recovery,
    provisioned_mode,
)
from airflow_dynamo_pipeline.engine.ports import TableDescription, Throughput
from airflow_dynamo_pipeline.errors import InvalidSetting, TableChanged, Temporary

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def table(*, on_demand: bool = False, status: str = "ACTIVE") -> TableDescription:
    return TableDescription(
        name="orders",
        arn="arn:aws:dynamodb:us-east-1:123456789012:table/orders",
        table_id=None,
        created_at="",
        region="us-east-1",
        status=status,
        on_demand=on_demand,
        size_bytes=0,
        item_count=0,
        throughput=Throughput(),
    )


def backups(
    status: str = "ENABLED", earliest_at: datetime | None = None, latest_at: datetime | None = None
) -> Backups:
    return Backups(table_name="orders", status=status, earliest_at=earliest_at, latest_at=latest_at)


@pytest.mark.parametrize(
    ("on_demand", "status", "expected"),
    [
        (False, "ACTIVE", Verdict(met=True, seen="table orders is provisioned and ACTIVE")),
        (
            True,
            "ACTIVE",
            Verdict(
                met=False, seen="table orders is on-demand and ACTIVE; waiting for provisioned and ACTIVE"
            ),
        ),
        (
            False,
            "UPDATING",
            Verdict(
                met=False, seen="table orders is provisioned and UPDATING; waiting for provisioned and ACTIVE"
            ),
        ),
        (
            False,
            "CREATING",
            Verdict(
                met=False, seen="table orders is provisioned and CREATING; waiting for provisioned and ACTIVE"
            ),
        ),
    ],
)
def test_provisioned_mode_needs_the_mode_and_a_settled_table(
    on_demand: bool, status: str, expected: Verdict
) -> None:
    assert expected == provisioned_mode(table(on_demand=on_demand, status=status))


@pytest.mark.parametrize("status", ["DELETING", "ARCHIVING", "ARCHIVED"])
def test_a_table_on_its_way_out_is_not_waited_for(status: str) -> None:
    with pytest.raises(TableChanged, match=status) as raised:
        provisioned_mode(table(status=status))

    assert not isinstance(raised.value, Temporary)


def test_recovery_without_a_wanted_instant_only_has_to_be_on() -> None:
    assert point_in_time_recovery(backups()).met

    off = point_in_time_recovery(backups("DISABLED"))

    assert not off.met
    assert "point-in-time recovery of table orders is DISABLED; waiting for ENABLED" == off.seen


@pytest.mark.parametrize(
    ("wanted_at", "met"),
    [
        (NOON - HOUR, True),  # both ends belong to the window
        (NOON, True),
        (NOON + timedelta(seconds=1), False),
        (NOON.astimezone(timezone(2 * HOUR)), True),
    ],
)
def test_a_wanted_instant_has_to_be_in_the_window(wanted_at: datetime, met: bool) -> None:
    verdict = point_in_time_recovery(backups(earliest_at=NOON - HOUR, latest_at=NOON), wanted_at)

    assert met == verdict.met
    assert "reaches from 2026-03-01T11:00:00+00:00 to 2026-03-01T12:00:00+00:00" in verdict.seen


@pytest.mark.parametrize("window", [(None, None), (NOON, None), (None, NOON)])
def test_a_window_that_is_not_known_yet_is_waited_for(
    window: tuple[datetime | None, datetime | None],
) -> None:
    verdict = point_in_time_recovery(backups("ENABLED", *window), NOON)

    assert not verdict.met
    assert "no window yet; waiting for 2026-03-01T12:00:00+00:00" in verdict.seen


def test_recovery_that_is_off_is_waited_for_with_the_instant() -> None:
    verdict = point_in_time_recovery(backups("DISABLED"), NOON)

    assert not verdict.met
    assert verdict.seen.endswith("waiting for ENABLED and 2026-03-01T12:00:00+00:00 in its window")


def test_an_instant_before_the_window_can_never_be_met() -> None:
    with pytest.raises(InvalidSetting, match="wanted_at") as raised:
        point_in_time_recovery(backups(earliest_at=NOON, latest_at=NOON + HOUR), NOON - HOUR)

    assert not isinstance(raised.value, Temporary)
    assert "\nHINT: " in str(raised.value)
    assert "2026-03-01T12:00:00+00:00 or later" in str(raised.value)


@pytest.mark.parametrize("nothing", [None, "", "  ", "None"])
def test_nothing_is_no_instant(nothing: str | None) -> None:
    assert instant("wanted_at", nothing) is None


@pytest.mark.parametrize(
    "given",
    [
        NOON,
        NOON.replace(tzinfo=None),
        NOON.astimezone(timezone(2 * HOUR)),
        "2026-03-01T12:00:00+00:00",
        "2026-03-01 12:00:00+00:00",  # how Airflow renders one of its dates
        "2026-03-01T12:00:00Z",
        " 2026-03-01T14:00:00+02:00 ",
        "2026-03-01T12:00:00",
    ],
)
def test_an_instant_is_read_from_what_templates_give(given: datetime | str) -> None:
    found = instant("wanted_at", given)

    assert NOON == found
    assert found is not None
    assert timedelta(0) == found.utcoffset()


@pytest.mark.parametrize("given", ["yesterday", 1772366400, "{{ ts }}"])
def test_what_is_no_instant_is_refused_with_its_name(given: object) -> None:
    with pytest.raises(InvalidSetting, match=r"wanted_at is .*; expected a datetime or ISO 8601"):
        instant("wanted_at", given)


def test_the_examples_run() -> None:
    assert 0 == doctest.testmod(module).failed

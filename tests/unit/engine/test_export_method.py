from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_dynamo_pipeline.engine.estimate import Estimate
from airflow_dynamo_pipeline.engine.export_method import Choice, Sights, beside_a_scan, choose_method
from airflow_dynamo_pipeline.engine.native_windows import Recovery
from airflow_dynamo_pipeline.engine.plan_cost import UNKNOWN, cost_of_reading
from airflow_dynamo_pipeline.engine.prices import Prices, parse_prices, prices_for
from tests.clock import EPOCH
from tests.unit.engine.world import request

GIB = 1024**3
ON = Recovery(table_name="orders", enabled=True, earliest_at=EPOCH - timedelta(days=10), latest_at=EPOCH)


LIST = prices_for("us-east-1")
NOWHERE = prices_for("mars-north-1")


def estimate(*, on_demand: bool = True, prices: Prices = LIST, **changes: Any) -> Estimate:
    """Of a table of 100 GiB that a scan reads in an hour."""
    units = 100 * GIB / 8192
    figures: dict[str, Any] = {
        "table_name": "orders",
        "index_name": None,
        "items": 1_000_000,
        "bytes": 100 * GIB,
        "read_units": units,
        "units_per_second": 3640.0,
        "reason": "",
        "segments": 16,
        "seconds": 3600.0,
        "on_demand": on_demand,
        "cost": cost_of_reading(units, prices, on_demand=on_demand),
        "prices": prices,
    }
    return Estimate(**figures | changes)


def chosen(asked: dict[str, Any] | None = None, found: Estimate | None = None, **seen: Any) -> Choice:
    sights = Sights(**{"recovery": ON, **seen})
    return choose_method(request(method="auto", **(asked or {})), found or estimate(), sights)


def uncounted(**changes: Any) -> Estimate:
    """Of a table that was just restored."""
    nothing: dict[str, Any] = {"items": 0, "bytes": 0, "read_units": None, "seconds": None, "cost": UNKNOWN}
    return estimate(**nothing | changes)


HOUR_AGO = EPOCH - timedelta(hours=1)


def refusals(choice: Choice) -> dict[str, str | None]:
    return {way.method: way.refused for way in choice.ways}


def test_a_scan_of_units_that_are_paid_for_anyway_is_the_cheapest() -> None:
    found = chosen(found=estimate(on_demand=False))

    assert "scan" == found.method
    assert [0.0, 10.0] == [way.dollars for way in found.ways[:2]]
    assert (
        "scan: only provisioned capacity that is paid for anyway, about 0.47 dollars of it; "
        "on-demand about 1.64 dollars, about 60 minutes"
    ) == str(found.ways[0])


def test_a_scan_is_cheaper_than_a_full_native_export_also_on_demand() -> None:
    found = chosen()

    assert "scan" == found.method
    assert [1.64, 10.0] == [round(way.dollars or 0, 2) for way in found.ways[:2]]
    assert f"the cheapest, by {LIST.source}" == found.reason


def test_dear_reads_make_a_native_export_the_cheapest() -> None:
    dear = prices_for("us-east-1", parse_prices('{"read_request_million": 1}', "ours.json"))

    found = chosen(found=estimate(prices=dear))

    assert ("full", "full") == (found.method, found.cheapest)
    assert "the cheapest, by prices of ours.json for us-east-1; the rest list prices" in found.reason


def test_without_a_price_the_scan_is_chosen_and_why_is_said() -> None:
    found = chosen(found=estimate(prices=NOWHERE))

    assert ("scan", None) == (found.method, found.cheapest)
    assert "no price is known for region mars-north-1; give --prices FILE" == found.reason
    assert "scan: an unknown price, about 60 minutes" == str(found.ways[0])


def test_units_that_are_paid_for_anyway_are_the_cheapest_whatever_the_price() -> None:
    found = chosen(found=estimate(prices=NOWHERE, on_demand=False))

    assert ("scan", "scan") == (found.method, found.cheapest)
    assert "the cheapest: its units are paid for anyway" == found.reason


@pytest.mark.parametrize(("seconds", "fastest"), [(3600.0, "scan"), (3600.1, "full")])
def test_a_scan_of_more_than_an_hour_is_taken_for_slower_than_a_native_export(
    seconds: float, fastest: str
) -> None:
    found = chosen(found=estimate(seconds=seconds)).fastest

    assert found is not None
    assert fastest == found[0]
    assert ("promises no time" in found[1]) == (fastest == "full")


def test_changes_are_the_fastest_where_a_scan_is_long_and_a_scan_where_nothing_else_is_possible() -> None:
    long = estimate(seconds=36_000.0)
    seen: dict[str, Any] = {"chain_end": EPOCH - timedelta(hours=1), "written_bytes": 0}

    assert "incremental" == (chosen(found=long, **seen).fastest or [""])[0]
    assert "scan" == (chosen({"index_name": "by-day"}, found=long).fastest or [""])[0]


def test_a_choice_that_nobody_looked_for_names_nothing_as_cheapest_or_fastest() -> None:
    found = Choice(method="full", reason="begun")

    assert (None, None, {}) == (found.cheapest, found.fastest, found.figures())
    assert ["method full: begun"] == list(found.lines())


def test_what_else_there_may_be_is_said_beside_a_scan() -> None:
    assert (
        "a full native export, where point-in-time recovery is on: about 10.00 dollars, no time is promised"
    ) == beside_a_scan(request(), estimate())
    assert "no native export knows index_name" == beside_a_scan(request(index_name="g"), estimate())


@pytest.mark.parametrize(("seconds", "method"), [(3600, "scan"), (3599, "full")])
def test_a_scan_that_would_take_too_long_is_not_chosen(seconds: int, method: str) -> None:
    found = chosen({"finish_within_seconds": seconds})

    assert method == found.method


def test_that_no_time_is_promised_for_a_native_export_is_said() -> None:
    found = chosen({"finish_within_seconds": 60})

    assert "the scan would take 3,600 seconds and not 60" in found.reason
    assert "promises no time" in found.reason


def test_a_scan_is_made_however_long_it_takes_where_nothing_else_is_possible() -> None:
    found = chosen({"finish_within_seconds": 60, "index_name": "by-day"})

    assert ("scan", "nothing else is possible") == (found.method, found.reason)


@pytest.mark.parametrize(
    ("changed", "method"), [(0, "incremental"), (GIB, "incremental"), (90 * GIB, "scan"), (None, "scan")]
)
def test_few_changes_since_the_last_native_export_are_cheaper_than_everything(
    changed: float | None, method: str
) -> None:
    found = chosen(chain_end=EPOCH - timedelta(hours=1), written_bytes=changed)

    assert method == found.method


@pytest.mark.parametrize(
    ("ago", "word"),
    [
        (timedelta(days=11), "are lost"),
        (timedelta(minutes=14), "less than 15 minutes"),
        (timedelta(minutes=15), None),
    ],
)
def test_changes_must_follow_on_what_is_there_and_be_worth_a_window(ago: timedelta, word: str | None) -> None:
    found = refusals(chosen(chain_end=EPOCH - ago, written_bytes=0))["incremental"]

    assert (word is None) == (found is None)
    assert (word or "") in (found or "")


def test_an_incremental_export_is_billed_for_ten_megabytes_at_least_each_day() -> None:
    hour = chosen(chain_end=HOUR_AGO, written_bytes=0.0).ways[2]
    days = chosen(chain_end=EPOCH - timedelta(days=3), written_bytes=0.0).ways[2]

    assert (0.1 * 10 / 1024, 0.1 * 30 / 1024) == (hour.dollars, days.dollars)


def test_what_the_price_of_changes_goes_by_is_said() -> None:
    known = chosen(chain_end=HOUR_AGO, written_bytes=20.0 * GIB).ways[2]
    unknown = chosen(chain_end=HOUR_AGO).ways[2]

    assert (
        "incremental: about 2.00 dollars by the write units since the last native export, no time is promised"
    ) == str(known)
    assert "incremental: an unknown price, no time is promised" == str(unknown)


def test_changes_may_cost_more_than_the_whole_table() -> None:
    found = chosen(chain_end=HOUR_AGO, written_bytes=300.0 * GIB)

    assert [10.0, 30.0] == [way.dollars for way in found.ways[1:]]


def test_a_table_that_was_not_counted_is_never_called_in_time_or_cheap() -> None:
    found = chosen({"finish_within_seconds": 600}, uncounted())

    assert "full" == found.method
    assert (
        "nobody knows how long the scan takes, for DynamoDB has not counted the table yet; " in found.reason
    )
    assert (None, None) == (found.cheapest, found.fastest)
    assert [(None, None)] * 3 == [(way.dollars, way.seconds) for way in found.ways]


def test_a_table_that_was_not_counted_is_scanned_where_nothing_hurries_and_that_is_said() -> None:
    found = chosen(found=uncounted())

    assert [
        "method scan: DynamoDB has not counted the table yet, so no price is known",
        uncounted().uncounted,
        "scan: an unknown price, an unknown time",
        "full: an unknown price, no time is promised",
        "incremental: not possible, there is no full native export of the table below the target",
        "cheapest: not known; fastest: not known",
    ] == list(found.lines())


def test_changes_whose_price_is_known_are_not_called_the_cheapest_of_a_table_that_was_not_counted() -> None:
    found = chosen(found=uncounted(), chain_end=HOUR_AGO, written_bytes=0.0)

    assert ("incremental", None) == (found.method, found.cheapest)
    assert f"so no price is known but its own, by {LIST.source}" in found.reason


def test_a_table_that_was_not_counted_is_scanned_where_nothing_else_is_possible() -> None:
    found = chosen({"finish_within_seconds": 60, "index_name": "g"}, uncounted())

    assert ("scan", "nothing else is possible") == (found.method, found.reason)


def test_beside_a_scan_of_a_table_that_was_not_counted_no_price_is_named() -> None:
    assert "recovery is on: an unknown price, no time is promised" in beside_a_scan(request(), uncounted())


def test_without_a_full_native_export_there_is_nothing_for_changes_to_follow_on() -> None:
    assert "no full native export" in (refusals(chosen())["incremental"] or "")


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ({"index_name": "by-day"}, "index_name"),
        ({"filter_expression": "attribute_exists(a)"}, "filter_expression"),
        ({"projection_expression": "a"}, "projection_expression"),
        ({"consistent_read": True}, "consistent_read"),
        ({"file_format": "plain_json"}, "file_format=plain_json"),
        ({"compression": "none"}, "compression=none"),
        ({"on_existing": "new"}, "on_existing=new"),
        ({"save_table_definition": True}, "save_table_definition"),
    ],
)
def test_what_a_native_export_cannot_do_rules_it_out(asked: dict[str, Any], word: str) -> None:
    found = chosen(asked, chain_end=EPOCH - timedelta(hours=1), written_bytes=0)

    assert "scan" == found.method
    assert [None, f"it knows no {word}", f"it knows no {word}"] == list(refusals(found).values())


@pytest.mark.parametrize(
    ("seen", "word"),
    [
        ({"recovery": Recovery(table_name="orders", enabled=False)}, "is off"),
        ({"recovery": None, "recovery_unknown": "dynamodb:DescribeContinuousBackups: denied"}, "denied"),
    ],
)
def test_without_recovery_there_is_no_native_export(seen: dict[str, Any], word: str) -> None:
    found = chosen({"finish_within_seconds": 60}, **seen)

    assert "scan" == found.method
    assert word in (refusals(found)["full"] or "")


def test_a_choice_is_said_with_all_that_was_looked_at() -> None:
    assert [
        f"method scan: the cheapest, by {LIST.source}",
        "1,000,000 items and 107,374,182,400 bytes, as DynamoDB counted them",
        "scan: about 1.64 dollars, about 60 minutes",
        "full: about 10.00 dollars, no time is promised",
        "incremental: not possible, there is no full native export of the table below the target",
        "cheapest: scan; fastest: scan, the only way whose time can be told",
    ] == list(chosen().lines())


def test_a_choice_is_a_record_of_all_ways() -> None:
    found = chosen().to_json()

    assert ["scan", "full", "incremental"] == [way["method"] for way in found["methods"]]
    assert {"method": "full", "refused": None, "dollars": 10.0, "seconds": None} == found["methods"][1]
    assert ("scan", "scan") == (found["cheapest"], found["fastest"])


def test_the_documentation_shows_what_is_said() -> None:
    page = Path(__file__).parents[3] / "docs" / "how-to" / "choose-a-method.md"

    said = chosen(found=estimate(prices=prices_for("eu-west-1"))).lines()

    assert "```text\n" + "\n".join(said) + "\n```" in page.read_text("utf-8")

from __future__ import annotations

import json
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from airflow_dynamo_pipeline.engine.prices import (
    GB,
    KINDS,
    PriceFile,
    Prices,
    listed_prices,
    parse_prices,
    prices_for,
    prices_from,
)
from airflow_dynamo_pipeline.errors import InvalidRequest

LIST = files("airflow_dynamo_pipeline.engine").joinpath("prices.json")
HOME = "us-east-1"


def file(found: dict[str, Any], name: str = "ours.json") -> PriceFile:
    return parse_prices(json.dumps(found), name)


def refused(text: str) -> dict[str, str]:
    """What is wrong, by where."""
    with pytest.raises(InvalidRequest) as caught:
        parse_prices(text, "ours.json")
    return {
        problem.where: f"{problem.message} {problem.hint or ''}".strip() for problem in caught.value.problems
    }


# --- the list -------------------------------------------------------------------------------------


def test_the_prices_of_the_first_region_are_those_of_the_pricing_page() -> None:
    found = prices_for(HOME)

    assert (0.125, 0.625) == (found.read_requests(1e6), found.write_requests(1e6))
    assert (0.00013, 0.00065) == (found.read_capacity(3600), found.write_capacity(3600))
    assert (0.10, 0.15) == (found.native_export(GB), found.native_import(GB))


@pytest.mark.parametrize("region", sorted(listed_prices().regions))
def test_every_region_has_every_price_and_none_is_far_from_the_others(region: str) -> None:
    home, found = prices_for(HOME).by_kind, prices_for(region).by_kind

    assert set(KINDS) == set(found)
    assert all(0.05 <= found[kind] / home[kind] <= 4 for kind in KINDS), found
    assert 4.9 <= found["write_request_million"] / found["read_request_million"] <= 5.1
    assert 4.9 <= found["write_capacity_hour"] / found["read_capacity_hour"] <= 5.1


def test_the_list_has_a_date_and_its_sources_and_says_what_was_computed() -> None:
    found = json.loads(LIST.read_bytes())

    assert found["as_of"] == str(date.fromisoformat(found["as_of"])) == listed_prices().as_of
    assert all(isinstance(line, str) for line in found["sources"])
    assert "derived" not in found["regions"][HOME]
    assert all(set(KINDS) >= set(prices.get("derived", ())) for prices in found["regions"].values())


def test_words_name_the_region_and_the_date() -> None:
    found = prices_for("eu-west-1")

    assert f"list prices of eu-west-1, {listed_prices().as_of}, partly computed" == found.source
    assert f"list prices of {HOME}, {listed_prices().as_of}" == prices_for(HOME).source
    assert (True, listed_prices().as_of) == (found.known, found.as_of)


def test_of_a_region_that_is_not_listed_no_price_is_known() -> None:
    found = prices_for("mars-north-1")

    assert "no price is known for region mars-north-1; give --prices FILE" == found.source
    assert (False, None, None, None) == (
        found.known,
        found.as_of,
        found.read_requests(1),
        found.native_export(1),
    )


# --- prices of one's own --------------------------------------------------------------------------


def test_what_a_file_says_wins_and_the_list_has_the_rest() -> None:
    ours = file({"as_of": "2026-01-31", "regions": {"eu-west-1": {"export_gb": 0.05}}})

    found = prices_for("eu-west-1", ours)

    assert (0.05, 0.1415) == (found.native_export(GB), found.read_requests(1e6))
    assert (
        "prices of ours.json for eu-west-1, 2026-01-31; "
        f"the rest list prices, {listed_prices().as_of}, partly computed"
    ) == found.source
    assert "2026-01-31" == found.as_of
    assert prices_for(HOME) == prices_for(HOME, ours)


def test_a_region_of_its_own_wins_over_any_region() -> None:
    ours = file({"regions": {"*": {"export_gb": 1, "import_gb": 2}, "eu-west-1": {"export_gb": 3}}})

    assert (3.0, 2.0) == (
        prices_for("eu-west-1", ours).native_export(GB),
        prices_for("eu-west-1", ours).native_import(GB),
    )
    assert 1.0 == prices_for("mars-north-1", ours).native_export(GB)


def test_prices_at_the_top_are_for_any_region() -> None:
    ours = file(dict.fromkeys(KINDS, 7) | {"as_of": "2026-11-01"})

    found = prices_for("mars-north-1", ours)

    assert 7.0 == found.read_requests(1e6)
    assert ("prices of ours.json for mars-north-1, 2026-11-01", "2026-11-01") == (found.source, found.as_of)


def test_a_copy_of_the_list_is_a_file_of_ones_own() -> None:
    ours = parse_prices(LIST.read_text("utf-8"), "copy.json")

    assert listed_prices().regions == ours.regions
    assert (
        "prices of copy.json for eu-west-1, 2026-09-11, partly computed"
        == prices_for("eu-west-1", ours).source
    )


def test_what_was_computed_and_is_replaced_by_ones_own_is_no_longer_called_computed() -> None:
    ours = file({"regions": {"eu-west-1": {"import_gb": 0.1}}})

    assert "computed" not in prices_for("eu-west-1", ours).source


def test_a_price_of_a_region_wins_over_a_computed_one_of_any_region() -> None:
    some: dict[str, Any] = {"*": {"export_gb": 1, "derived": ["export_gb"]}, "eu-west-1": {"export_gb": 2}}
    ours = file({"regions": some})

    assert (set(), {"export_gb"}) == (ours.computed("eu-west-1"), ours.computed("eu-west-2"))


@pytest.mark.parametrize("derived", ["export_gb", ["import_gb"], ["zzz"], [1], None])
def test_computed_prices_are_named_in_a_list_of_those_beside_it(derived: object) -> None:
    text = json.dumps({"regions": {"eu-west-1": {"export_gb": 1, "derived": derived}}})

    assert "and not a list of the prices beside it" in refused(text)["prices: eu-west-1.derived"]


def test_the_table_class_matters_only_where_reads_and_writes_are_at_list_prices() -> None:
    requests = ("read_request_million", "write_request_million", "read_capacity_hour", "write_capacity_hour")
    ours, rare = file(dict.fromkeys(requests, 1)), "STANDARD_INFREQUENT_ACCESS"

    assert prices_for(HOME, ours) == prices_for(HOME, ours).of_class(rare)
    assert prices_for("mars-north-1") == prices_for("mars-north-1").of_class(rare)
    assert prices_for(HOME) == prices_for(HOME).of_class("STANDARD")
    partly = prices_for(HOME, file({"read_request_million": 1})).of_class(rare)
    assert "of the Standard class; the table is of STANDARD_INFREQUENT_ACCESS" in partly.source


def test_a_price_may_be_nothing() -> None:
    assert 0.0 == prices_for(HOME, file({"export_gb": 0})).native_export(GB)


def test_a_partial_file_for_an_unknown_region_leaves_the_other_prices_unknown() -> None:
    found = prices_for("mars-north-1", file({"export_gb": 0.2}))

    assert (0.2, None) == (found.native_export(GB), found.read_requests(1))


def test_every_problem_of_a_file_is_named_at_once() -> None:
    found = refused(
        """{"as_of": "November", "currency": "EUR", "regoins": 1, "regions": {
        "eu-west-1": {"export_gb": -1, "import_gb": "0.1", "read_capacity_hour": true, "export_gbs": 1},
        "eu_west_1": {"export_gb": NaN}, "eu-west-2": 3}}"""
    )

    assert {
        "prices: as_of": "is 'November', and not a date as 2026-09-11",
        "prices: currency": "is 'EUR'; amounts are in USD",
        "prices: regoins": "is unknown beside regions",
        "prices: eu-west-1.export_gb": "is -1, and not a number of dollars",
        "prices: eu-west-1.import_gb": "is '0.1', and not a number",
        "prices: eu-west-1.read_capacity_hour": "is True, and not a number",
        "prices: eu-west-1.export_gbs": "is no kind of price did you mean 'export_gb'?",
        "prices: eu_west_1": "is not a region write it as eu-west-1, or * for any",
        "prices: eu_west_1.export_gb": "is nan, and not a number of dollars",
        "prices: eu-west-2": "is not an object of prices",
    } == found


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "ours.json is not JSON"), ("[]", "ours.json is not a JSON object")],
)
def test_what_is_not_a_json_object_is_refused(text: str, said: str) -> None:
    assert said in refused(text)["prices"]


def test_regions_that_are_no_object_are_refused() -> None:
    assert {"prices: regions": "is not an object by region"} == refused('{"regions": []}')


def test_a_key_that_is_like_no_price_is_refused_with_those_there_are() -> None:
    assert "known are read_request_million, " in refused('{"zzz": 1}')["prices: zzz"]


# --- where they come from -------------------------------------------------------------------------


def test_a_file_is_read_by_its_path(tmp_path: Path) -> None:
    ours = tmp_path / "ours.json"
    ours.write_text('{"export_gb": 0.07}', "utf-8")

    assert 0.07 == prices_from(str(ours))(HOME).native_export(GB)


@pytest.mark.parametrize("path", [None, ""])
def test_without_a_file_prices_are_those_of_the_list(path: str | None) -> None:
    assert prices_for(HOME) == prices_from(path)(HOME)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="cannot be read"):
        prices_from(str(tmp_path / "missing.json"))


def test_prices_are_a_value() -> None:
    assert Prices(region="a", source="b") == Prices(region="a", source="b")


def test_the_example_of_the_documentation_is_a_file_of_ones_own() -> None:
    example = Path(__file__).parents[3] / "docs" / "examples" / "prices.json"

    found = prices_from(str(example))("eu-central-1")

    assert (0.1373, 0.12) == (found.read_requests(1e6), found.native_import(GB))

import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_dynamo_pipeline.airflow_versions import Asset, AssetAlias
from airflow_dynamo_pipeline.operators.assets import announce, announce_nothing, table_uri
from tests.unit.airflow_parts import OutletEventAccessors

EXPORTS = Asset("s3://backups/orders")
RECORD = {"manifest_uri": "s3://backups/orders/m.json", "item_count": 5, "manifest_uris": ["a", "b"]}


def task(*outlets: Any) -> Any:
    hook = SimpleNamespace(region_name="eu-west-1")
    return SimpleNamespace(outlets=list(outlets), hook=hook)


def never() -> str:
    raise AssertionError("nobody asks")


def alias_events(accessor: Any) -> list[tuple[str, dict[str, Any]]]:
    """URI and extra of what an alias announces."""
    if hasattr(accessor, "asset_alias_events"):
        return [(event.dest_asset_key.uri, event.extra) for event in accessor.asset_alias_events]
    return [(event["dest_dataset_uri"], event["extra"]) for event in accessor.dataset_alias_events]


def test_every_asset_among_the_outlets_is_told_the_record_and_more() -> None:
    context: Any = {"outlet_events": OutletEventAccessors()}
    other = Asset("s3://backups/other")

    announce(task(EXPORTS, "a file", other), context, RECORD, never, table_name="orders")

    told = {**RECORD, "table_name": "orders"}
    assert [told, told] == [context["outlet_events"][asset].extra for asset in (EXPORTS, other)]
    assert 2 == len(context["outlet_events"])


def test_what_the_task_is_to_return_comes_back_unchanged() -> None:
    record = {"item_count": 5}

    assert record is announce(task(), {}, record, never, table_name="orders")
    assert {"item_count": 5} == record


def test_what_the_author_put_into_extra_stays() -> None:
    context: Any = {"outlet_events": OutletEventAccessors()}
    context["outlet_events"][EXPORTS].extra = {"owner": "shop", "item_count": -1}

    announce(task(EXPORTS), context, RECORD, never)

    assert {"owner": "shop", **RECORD} == context["outlet_events"][EXPORTS].extra


def test_an_alias_announces_what_was_made() -> None:
    context: Any = {"outlet_events": OutletEventAccessors()}
    alias = AssetAlias("exports")

    announce(task(alias), context, RECORD, lambda: "s3://backups/orders/")

    ((uri, extra),) = alias_events(context["outlet_events"][alias])
    assert "s3://backups/orders" == uri
    assert {**RECORD, "manifest_uris": '["a", "b"]'} == extra


def test_what_an_alias_announces_has_only_values_that_airflow_2_can_compare() -> None:
    context: Any = {"outlet_events": OutletEventAccessors()}
    alias = AssetAlias("exports")

    announce(task(alias), context, {"a": ("x",), "b": {"c": [1]}, "d": None}, lambda: "s3://b/p")

    ((_, extra),) = alias_events(context["outlet_events"][alias])
    assert frozenset(extra.items())
    assert [["x"], {"c": [1]}, None] == [json.loads(extra["a"]), json.loads(extra["b"]), extra["d"]]


def test_events_that_cannot_be_told_cost_a_warning_only(caplog: pytest.LogCaptureFixture) -> None:
    context: Any = {}

    with caplog.at_level(logging.WARNING):
        told = announce(task(EXPORTS), context, RECORD, never)

    assert RECORD == told
    assert ["the asset events say nothing of this run: 'outlet_events'"] == caplog.messages


def test_without_outlets_nobody_is_told_and_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    announce(task(), {}, RECORD, never)

    assert [] == caplog.messages


def test_a_rehearsal_makes_no_event() -> None:
    operator = task(EXPORTS)

    announce_nothing(operator)

    assert [] == operator.outlets


@pytest.mark.parametrize("table", ["orders", "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"])
def test_a_table_is_called_by_region_and_name(table: str) -> None:
    assert "dynamodb://eu-west-1/orders" == table_uri(task(), table)

"""A person who only clicks, in a real browser on the newest Airflow (promise A3)."""

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.airflow.browser.conftest import EXAMPLES, Told
from tests.airflow.browser.journey import DAG_ID, FEWER_ITEMS, LINKS, RATIO, TARGET
from tests.airflow.browser.shots import NAMES
from tests.demo.table import ITEMS, TABLE

pytestmark = [pytest.mark.slow, pytest.mark.browser]


def test_the_list_has_the_dags_of_the_example_folder(told: Told) -> None:
    assert DAG_ID in told.seen.dags
    assert EXAMPLES <= len(told.seen.dags)


def test_the_dags_documentation_can_be_opened(told: Told) -> None:
    assert "Wait until a table is ready, export it under a throttle, check the export." in told.seen.docs


def test_each_field_of_the_form_has_a_description(told: Told) -> None:
    assert 5 == len(told.seen.asked.help)
    assert "" not in told.seen.asked.help.values()
    assert "1.5" in told.seen.asked.help["Share of the read capacity"]


def test_the_formats_are_offered_in_words(told: Told) -> None:
    starts = [offered.partition(":")[0] for offered in told.seen.asked.formats]
    assert ["DynamoDB JSON", "AWS Data Pipeline", "Plain JSON lines"] == starts


def test_a_ratio_out_of_range_is_limited_or_refused_with_the_reason(told: Told) -> None:
    assert "1.5" == told.seen.asked.ratio_of_3
    assert (
        "Invalid input for param ratio: 0 is less than or equal to the minimum of 0"
        in told.seen.asked.why_not_0
    )


def test_the_run_has_what_the_form_said(told: Told) -> None:
    asked = {"table_name": TABLE, "s3_uri": TARGET, "ratio": RATIO, "file_format": "data_pipeline"}
    assert asked.items() <= told.seen.conf.items()


def test_progress_changes_while_the_task_runs(told: Told) -> None:
    first, second = told.seen.progress
    assert 0 < first["items"] < second["items"] < ITEMS
    assert 0 < first["share_done"] < second["share_done"] < 1


def test_the_links_are_there_while_the_task_runs(told: Told) -> None:
    assert set(LINKS) == set(told.seen.links)
    assert f"#table?name={TABLE}" in told.seen.links["DynamoDB table"]


def test_a_link_opens_the_consoles_page_of_the_target(told: Told) -> None:
    opened = urlsplit(told.seen.link_opened)
    asked = parse_qs(opened.query)
    assert "console.aws.amazon.com" == opened.hostname
    assert "/s3/buckets/backups" == opened.path
    assert asked["prefix"][0].startswith("from-the-form/")


def test_the_ui_itself_asks_nobody_but_this_machine(told: Told) -> None:
    assert [told.seen.link_opened.partition("#")[0]] == told.asked_elsewhere


def test_an_export_whose_table_is_removed_fails_at_once_and_says_what_to_do(told: Told) -> None:
    assert (
        f"table {TABLE} was deleted during the export; nothing was committed; to mend it: "
        in told.seen.message
    )
    assert "make or restore it; when the right one is ACTIVE press Clear" in told.seen.message
    assert 1 == told.seen.attempts[0]


def test_clear_names_the_failed_task_and_the_one_that_waits_for_it(told: Told) -> None:
    assert "Affected Tasks: 2" in told.seen.to_be_cleared
    assert "Failed" in told.seen.to_be_cleared


def test_clear_makes_a_whole_new_export_of_the_new_table(told: Told) -> None:
    assert "success" == told.seen.run_state
    assert 2 == told.seen.attempts[1]
    assert ("new", FEWER_ITEMS) == (told.seen.result["start"], told.seen.result["item_count"])


def test_the_link_leads_to_the_export_when_it_is_done(told: Told) -> None:
    (prefix,) = parse_qs(urlsplit(told.seen.links_after["S3 prefix"]).query)["prefix"]
    assert told.seen.result["manifest_uri"].startswith(f"s3://backups/{prefix}")
    assert told.seen.result["export_id"] in prefix


def test_every_screenshot_of_the_documentation_was_taken(told: Told) -> None:
    assert sorted(NAMES) == sorted(told.taken)

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_dynamo_pipeline.airflow_versions import push_link
from airflow_dynamo_pipeline.operators import links
from airflow_dynamo_pipeline.operators.links import (
    ConsoleLink,
    ConsoleLinks,
    DynamoDBTableLink,
    NativeExportJobLink,
    NativeImportLogLink,
    S3PrefixLink,
    folder_of,
)
from airflow_dynamo_pipeline.provider_info import get_provider_info

EVERY = [S3PrefixLink, DynamoDBTableLink, NativeExportJobLink, NativeImportLogLink]
CONSOLES = {
    "eu-west-1": "https://console.aws.amazon.com",
    "cn-north-1": "https://console.amazonaws.cn",
    "us-gov-west-1": "https://console.amazonaws-us-gov.com",
}
WITHOUT_CONSOLE = ["us-iso-east-1", "us-isob-east-1", "moon-base-1"]


class Instance:
    """Keeps what is pushed."""

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}
        self.pushes = 0

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value
        self.pushes += 1


class Refusing:
    """Has no connection and no room for XComs."""

    @property
    def region_name(self) -> str:
        raise RuntimeError("The conn_id `aws_default` isn't defined")

    def xcom_push(self, key: str, value: Any) -> None:
        raise RuntimeError(f"no room for {key} = {value}")


def shown_in(
    region: str | None, *, of_client: str = "", pushes: bool = True
) -> tuple[ConsoleLinks, Instance]:
    """The links of a task whose connection names that region."""
    client = SimpleNamespace(meta=SimpleNamespace(region_name=of_client))
    hook = SimpleNamespace(region_name=region, get_conn=lambda: client)
    operator: Any = SimpleNamespace(do_xcom_push=pushes, hook=hook)
    instance = Instance()
    context: Any = {"ti": instance}
    return ConsoleLinks(operator, context), instance


def url_of(link: type[ConsoleLink], instance: Instance) -> str:
    """What the UI makes of what was pushed."""
    return link().format_link(**instance.pushed[link.key])


@pytest.mark.parametrize(("region", "console"), CONSOLES.items())
def test_links_lead_into_the_console_of_the_regions_partition(region: str, console: str) -> None:
    shown, instance = shown_in(region)

    shown.prefix("s3://backups/orders/")
    shown.table("orders")
    shown.export_job(f"arn:aws:dynamodb:{region}:123456789012:table/orders/export/0163-cafe")
    shown.import_log(
        f"arn:aws:dynamodb:{region}:123456789012:table/orders/import/0163-cafe", "/aws-dynamodb/imports"
    )

    assert {
        S3PrefixLink: f"{console}/s3/buckets/backups?region={region}&prefix=orders%2F",
        DynamoDBTableLink: f"{console}/dynamodbv2/home?region={region}#table?name=orders",
        NativeExportJobLink: f"{console}/dynamodbv2/home?region={region}#exports",
        NativeImportLogLink: f"{console}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/"
        "%2Faws-dynamodb%2Fimports",
    } == {link: url_of(link, instance) for link in EVERY}


@pytest.mark.parametrize("region", WITHOUT_CONSOLE)
def test_where_the_console_is_not_known_there_is_no_link(region: str) -> None:
    shown, instance = shown_in(region)

    shown.prefix("s3://backups/orders")
    shown.table("orders")

    assert {} == instance.pushed


def test_a_link_without_a_domain_is_empty() -> None:
    kept = {"region_name": "us-iso-east-1", "aws_domain": None, "table_name": "orders"}

    assert not DynamoDBTableLink().format_link(**kept)


def test_special_characters_are_encoded() -> None:
    shown, instance = shown_in("eu-west-1")

    shown.prefix("s3://backups/a&b#c/50% é?x=1")

    expected = "/s3/buckets/backups?region=eu-west-1&prefix=a%26b%23c%2F50%25%20%C3%A9%3Fx%3D1%2F"
    assert url_of(S3PrefixLink, instance).endswith(expected)


def test_the_whole_bucket_has_no_prefix() -> None:
    shown, instance = shown_in("eu-west-1")

    shown.prefix("s3://backups")

    assert url_of(S3PrefixLink, instance).endswith("/s3/buckets/backups?region=eu-west-1&prefix=")


def test_a_table_named_by_its_arn_is_shown_in_the_region_of_the_arn() -> None:
    shown, instance = shown_in("eu-west-1")

    shown.table("arn:aws-cn:dynamodb:cn-north-1:123456789012:table/orders/index/by-day")

    expected = "https://console.amazonaws.cn/dynamodbv2/home?region=cn-north-1#table?name=orders"
    assert expected == url_of(DynamoDBTableLink, instance)


def test_where_no_setting_names_the_region_the_client_does() -> None:
    shown, instance = shown_in(None, of_client="ap-south-1")

    shown.table("orders")

    assert "?region=ap-south-1#" in url_of(DynamoDBTableLink, instance)


def test_where_airflow_reads_links_from_xcoms_the_address_is_there_at_once() -> None:
    shown, instance = shown_in("eu-west-1")
    key = getattr(DynamoDBTableLink(), "xcom_key", None)

    shown.table("orders")

    assert {DynamoDBTableLink.key, key} - {None} == set(instance.pushed)
    assert instance.pushed.get(key or "") in (None, url_of(DynamoDBTableLink, instance))


def test_airflow_2_is_told_nothing_that_it_does_not_read() -> None:
    instance = Instance()
    context: Any = {"ti": instance}

    push_link(context, SimpleNamespace(), "https://console.aws.amazon.com")
    push_link(context, SimpleNamespace(xcom_key="_link_Newer"), "https://console.aws.amazon.com")

    assert {"_link_Newer": "https://console.aws.amazon.com"} == instance.pushed


def test_what_is_shown_already_is_not_pushed_again() -> None:
    shown, instance = shown_in("eu-west-1")

    shown.table("orders")
    pushes = instance.pushes
    shown.table("orders")

    assert 0 < pushes == instance.pushes


def test_a_task_that_pushes_no_xcoms_pushes_no_links() -> None:
    shown, instance = shown_in("eu-west-1", pushes=False)

    shown.table("orders")

    assert {} == instance.pushed
    assert () == shown._operator.operator_extra_links


def test_airflow_is_left_only_the_links_that_lead_somewhere() -> None:
    shown, _ = shown_in("eu-west-1")

    shown.prefix("s3://backups/orders")
    shown.table("orders")
    shown.export_job("no ARN")
    shown.prefix("s3://backups/orders/AWSDynamoDB/01-cafe")

    assert ["S3 prefix", "DynamoDB table"] == [link.name for link in shown._operator.operator_extra_links]


@pytest.mark.parametrize("missing", ["hook", "ti"])
def test_a_link_that_cannot_be_made_costs_a_warning_only(
    missing: str, caplog: pytest.LogCaptureFixture
) -> None:
    known = SimpleNamespace(region_name="eu-west-1")
    operator: Any = SimpleNamespace(do_xcom_push=True, hook=Refusing() if missing == "hook" else known)
    context: Any = {"ti": Refusing() if missing == "ti" else Instance()}

    with caplog.at_level(logging.WARNING):
        ConsoleLinks(operator, context).table("orders")

    assert caplog.messages


@pytest.mark.parametrize("arn", ["", "orders", "arn:aws:dynamodb"])
def test_what_is_no_arn_costs_a_warning_only(arn: str, caplog: pytest.LogCaptureFixture) -> None:
    shown, instance = shown_in("eu-west-1")

    shown.export_job(arn)
    shown.import_log(arn, "/aws-dynamodb/imports")

    assert {} == instance.pushed
    assert [
        f"no link to the DynamoDB export job: {arn!r} is no ARN with a region",
        f"no link to the DynamoDB import log: {arn!r} is no ARN with a region",
    ] == caplog.messages


def test_a3_credentials_in_a_uri_are_in_no_link_and_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    shown, instance = shown_in("eu-west-1")

    shown.prefix("s3://AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI@backups/orders")
    shown.prefix("https://AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI@backups/orders")

    assert {} == instance.pushed
    assert 2 == len(caplog.messages)
    assert "wJalrXUtnFEMI" not in caplog.text


@pytest.mark.parametrize(
    ("uri", "folder"),
    [
        ("s3://b/e/AWSDynamoDB/01-cafe/manifest-summary.json", "s3://b/e/AWSDynamoDB/01-cafe"),
        ("s3://b/orders.csv", "s3://b"),
        ("s3://b/exports/", "s3://b/exports/"),
        ("s3://backups/2019.04.23/", "s3://backups/2019.04.23/"),
        ("s3://backups.example.com", "s3://backups.example.com"),
    ],
)
def test_a_file_is_shown_where_it_lies(uri: str, folder: str) -> None:
    assert folder == folder_of(uri)


def test_every_link_is_listed_or_airflow_2_would_not_show_it() -> None:
    assert get_provider_info()["extra-links"] == sorted(f"{links.__name__}.{link.__name__}" for link in EVERY)

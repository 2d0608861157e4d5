import pytest

from airflow_dynamo_pipeline.errors import InvalidSetting
from airflow_dynamo_pipeline.operators.dataset_names import dynamodb_dataset, s3_dataset

TABLE = ("arn:aws-cn:dynamodb:cn-north-1:123456789012", "table/orders")


@pytest.mark.parametrize(
    ("uri", "dataset"),
    [
        ("s3://backups/orders/daily/", ("s3://backups", "orders/daily")),
        ("s3a://backups/orders.csv", ("s3://backups", "orders.csv")),
        ("s3://backups", ("s3://backups", "/")),
        ("s3://backups/", ("s3://backups", "/")),
    ],
)
def test_a_bucket_is_the_namespace_and_a_key_the_name(uri: str, dataset: tuple[str, str]) -> None:
    assert dataset == s3_dataset(uri)


def test_what_is_not_on_s3_has_no_such_name() -> None:
    with pytest.raises(InvalidSetting, match="s3://bucket/prefix"):
        s3_dataset("file:///tmp/orders")


@pytest.mark.parametrize("rest", ["", "/index/by-day", "/export/0163-cafe", "/import/0163-cafe"])
def test_a_table_is_named_by_the_two_halves_of_its_arn(rest: str) -> None:
    assert TABLE == dynamodb_dataset(":".join(TABLE) + rest)


@pytest.mark.parametrize(
    "arn",
    [
        "orders",
        "",
        "arn:aws:dynamodb:eu-west-1::table/orders",
        "arn:aws:dynamodb:eu-west-1:123456789012:table/",
        "arn:aws:glue:eu-west-1:123456789012:table/shop/orders",
        "arn:aws:dynamodb:eu-west-1:123456789012:backup/orders",
    ],
)
def test_a_table_whose_account_is_not_known_has_no_name(arn: str) -> None:
    with pytest.raises(ValueError, match="is not the ARN of a DynamoDB table"):
        dynamodb_dataset(arn)

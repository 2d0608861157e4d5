from __future__ import annotations

import pytest

from airflow_dynamo_pipeline.adapters.arns import Place, bucket_and_key, pattern

HERE = Place(region_name="eu-west-1", account_id="111122223333")
ANYWHERE = Place()
ARN = "arn:aws:dynamodb:us-east-1:999999999999:table/orders"
KMS = "arn:aws:kms:us-east-1:999999999999"


@pytest.mark.parametrize(
    ("place", "name", "expected"),
    [
        (HERE, "orders", "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"),
        (ANYWHERE, "orders", "arn:aws:dynamodb:*:*:table/orders"),
        (Place(partition="aws-cn"), "orders", "arn:aws-cn:dynamodb:*:*:table/orders"),
        (HERE, ARN, ARN),
    ],
)
def test_a_table_is_named_as_narrowly_as_is_known(place: Place, name: str, expected: str) -> None:
    assert expected == place.table(name)
    assert f"{expected}/index/by-shop" == place.index(name, "by-shop")


def test_a_bucket_has_neither_region_nor_account() -> None:
    assert "arn:aws:s3:::backups" == HERE.bucket("backups")
    assert "arn:aws-us-gov:s3:::backups/a/*" == Place(partition="aws-us-gov").objects("backups", "a/*")


@pytest.mark.parametrize(
    ("place", "key", "expected"),
    [
        (HERE, f"{KMS}:key/k", (f"{KMS}:key/k", None)),
        (HERE, "k", ("arn:aws:kms:eu-west-1:111122223333:key/k", None)),
        (ANYWHERE, "mrk-1", ("arn:aws:kms:*:*:key/mrk-1", None)),
        (HERE, f"{KMS}:alias/a/b", (f"{KMS}:key/*", "alias/a/b")),
        (ANYWHERE, "alias/a", ("arn:aws:kms:*:*:key/*", "alias/a")),
    ],
)
def test_a_key_is_named_itself_or_by_the_alias_it_must_have(
    place: Place, key: str, expected: tuple[str, str | None]
) -> None:
    assert expected == place.kms_key(key)


@pytest.mark.parametrize(
    ("key", "expected"),
    [("a/b-c_d.e", "a/b-c_d.e"), ("a/*", "a/*"), ("why?", "why${?}"), ("${aws:x}", "${$}{aws:x}"), ("", "")],
)
def test_only_a_star_means_more_than_itself(key: str, expected: str) -> None:
    assert expected == pattern(key)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("s3://backups/a/b", ("backups", "a/b")),
        ("s3://backups/a/", ("backups", "a/")),
        ("s3://backups//a", ("backups", "a")),
        ("s3://backups", ("backups", "")),
    ],
)
def test_a_uri_has_a_bucket_and_a_key(uri: str, expected: tuple[str, str]) -> None:
    assert expected == bucket_and_key(uri)

import pytest

from airflow_dynamo_pipeline.engine.finding_urls import bucket_and_key


@pytest.mark.parametrize(
    "url",
    [
        "s3://my.bucket/a/b",
        "s3n://my.bucket/a/b",
        "s3a://my.bucket/a/b",
        "S3://my.bucket/a/b",
        "https://my.bucket.s3.amazonaws.com/a/b",
        "https://my.bucket.s3.eu-west-1.amazonaws.com/a/b",
        "https://my.bucket.s3-eu-west-1.amazonaws.com/a/b?versionId=1#x",
        "https://my.bucket.s3.dualstack.eu-west-1.amazonaws.com/a/b",
        "http://my.bucket.s3.cn-north-1.amazonaws.com.cn/a/b",
        "https://s3.amazonaws.com/my.bucket/a/b",
        "https://s3.eu-west-1.amazonaws.com/my.bucket/a/b",
        "https://s3-eu-west-1.amazonaws.com/my.bucket/a/b",
    ],
)
def test_every_way_of_naming_an_object_gives_its_bucket_and_key(url: str) -> None:
    assert ("my.bucket", "a/b") == bucket_and_key(url)


def test_a_bucket_may_be_called_like_the_service() -> None:
    assert ("s3-logs", "a") == bucket_and_key("https://s3-logs.s3.amazonaws.com/a")


def test_only_web_addresses_are_quoted() -> None:
    assert ("b", "a b?c") == bucket_and_key("https://b.s3.amazonaws.com/a%20b%3Fc")
    assert ("b", "a%20b?c#d") == bucket_and_key("s3://b/a%20b?c#d")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a/b",
        "s3://bucket",
        "s3://bucket/",
        "s3:///key",
        "hdfs://bucket/key",
        "https://example.com/bucket/key",
        "https://s3.amazonaws.com.example.com/bucket/key",
        "https://s3.amazonaws.com/bucket",
        "https://" + "s3." * 100_000 + "example.com/key",
    ],
)
def test_what_names_no_object_of_s3_is_refused(url: str) -> None:
    assert bucket_and_key(url) is None

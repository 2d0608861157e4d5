"""boto3 clients for services on this machine."""

from typing import TYPE_CHECKING, Any, Literal, overload

import boto3
from botocore.config import Config

if TYPE_CHECKING:  # stubs, which only the checker has
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

REGION = "us-east-1"
ACCESS_KEY = "testing"
SECRET_KEY = "testing"


@overload
def aws_client(service: Literal["dynamodb"], url: str) -> "DynamoDBClient": ...
@overload
def aws_client(service: Literal["s3"], url: str) -> "S3Client": ...
@overload
def aws_client(service: str, url: str) -> Any: ...
def aws_client(service: str, url: str) -> Any:
    """A boto3 client of one endpoint, with dummy credentials; nothing of the user's AWS set-up is used."""
    session: Any = boto3.Session(
        aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY, region_name=REGION
    )
    return session.client(service, endpoint_url=url, config=Config(proxies={}, max_pool_connections=32))

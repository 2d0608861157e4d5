"""What every test stands on: a clean environment, loopback only, and the services on demand."""

import atexit
import ipaddress
import os
import shutil
import socket
import tempfile
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from tests.quick_clients import share_what_is_known
from tests.services import Services, aws_client, running_services
from tests.services.clients import ACCESS_KEY, REGION, SECRET_KEY

if TYPE_CHECKING:  # stubs, which only the checker has
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

# Airflow reads these when it is first imported, which is before any fixture runs.
_airflow_home = tempfile.mkdtemp(prefix="airflow-home-")
atexit.register(shutil.rmtree, _airflow_home, ignore_errors=True)
os.environ.update(
    AIRFLOW_HOME=_airflow_home,
    AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT="120",
    AIRFLOW__CORE__DAGS_FOLDER=os.path.join(_airflow_home, "dags"),  # noqa: PTH118  a string is wanted
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__OPENLINEAGE__DISABLED="True",
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED="False",
)

# How long an example takes says nothing on a machine that others use, too. The same examples each time, so
# that a change is refused for what it did; pytest --hypothesis-profile=explore looks for new ones.
settings.register_profile(
    "explore", derandomize=False, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("same", settings.get_profile("explore"), derandomize=True)
settings.load_profile("same")

# Two Airflows are not to be at work at once, and what takes long is not left to one worker at the end.
FIRST = ("tests/airflow/scheduler/", "tests/faults/", "tests/airflow/browser/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the folders that are named first; all others stay in their order."""
    items.sort(key=lambda item: [item.nodeid.startswith(folder) for folder in FIRST], reverse=True)


@pytest.fixture(scope="session")
def services() -> Iterator[Services]:
    """DynamoDB Local, moto and the gateway; one set for each pytest worker, started when first asked for."""
    with running_services() as found:
        yield found


@pytest.fixture(scope="session")
def dynamodb(services: Services) -> "DynamoDBClient":
    """A client of DynamoDB Local."""
    return aws_client("dynamodb", services.dynamodb_url)


@pytest.fixture(scope="session")
def s3(services: Services) -> "S3Client":
    """A client of moto's S3."""
    return aws_client("s3", services.moto_url)


@pytest.fixture
def bucket(s3: "S3Client") -> str:
    """The name of a new, empty bucket."""
    name = f"bucket-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture(autouse=True)
def _dummy_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's own credentials, profile or region reach a test."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")


@pytest.fixture(scope="session", autouse=True)
def _quick_clients() -> Iterator[None]:
    """A session of tests reads each of botocore's models once."""
    with pytest.MonkeyPatch.context() as patch:
        share_what_is_known(patch)
        yield


@pytest.fixture(scope="session", autouse=True)
def _loopback_only() -> Iterator[None]:
    """Refuse every connection that would leave this machine."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))
        yield


def _guarded(connect: Any) -> Any:
    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(address[0]):
            pytest.fail(f"a test tried to connect to {address[0]}:{address[1]}; tests talk to loopback only")
        return connect(self, address)

    return guarded


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

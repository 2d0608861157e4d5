"""The environment of an Airflow of its own, whose AWS connection leads to the services of this machine."""

import json
import os
import secrets
import sys
from pathlib import Path

from tests.services import Services
from tests.services.clients import ACCESS_KEY, REGION, SECRET_KEY

EXAMPLE_DAGS = Path(__file__).parents[2] / "example_dags"
USER = "admin"
PASSWORD = "admin"
NOT_INHERITED = ("AIRFLOW", "AWS_", "OPENLINEAGE_")


def airflow_environment(home: Path, services: Services, port: int) -> dict[str, str]:
    """Environment variables for ``airflow`` commands; ``port`` is the API server's."""
    url = f"http://127.0.0.1:{port}"
    passwords = home / "passwords.json"
    passwords.write_text(json.dumps({USER: PASSWORD}))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
    return {
        **inherited,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "120",  # seconds, on a machine with better things to do
        "AIRFLOW__CORE__DAGS_FOLDER": str(EXAMPLE_DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "5",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection(services)),
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def connection(services: Services) -> dict[str, object]:
    """The ``aws_default`` connection: DynamoDB through the gateway, all else at moto."""
    return {
        "conn_type": "aws",
        "login": ACCESS_KEY,
        "password": SECRET_KEY,
        "extra": {
            "region_name": REGION,
            "endpoint_url": services.moto_url,
            "service_config": {"dynamodb": {"endpoint_url": services.gateway_url}},
        },
    }

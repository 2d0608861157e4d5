"""``dynamo-pipeline`` as a child process that talks to the services of this machine."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.services import Services
from tests.services.clients import ACCESS_KEY, REGION, SECRET_KEY

PROGRAM = Path(sys.executable).parent / "dynamo-pipeline"

Figures = dict[str, Any]


class CommandFailed(RuntimeError):
    """``dynamo-pipeline`` failed; the message is what it said."""


def run_command(services: Services, *arguments: str, **variables: str) -> Figures:
    """Run a command to its end; what it says with ``--json``. ``variables`` are of its environment."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    env = {
        **inherited,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": services.moto_url,
        "AWS_ENDPOINT_URL_DYNAMODB": services.gateway_url,
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        **variables,
    }
    done = subprocess.run(
        [str(PROGRAM), *arguments, "--json"], env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CommandFailed(f"dynamo-pipeline {arguments[0]} ended with {done.returncode}\n{done.stderr}")
    found: Figures = json.loads(done.stdout)
    return found

import ast
import importlib
import importlib.util
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

import airflow_dynamo_pipeline
from airflow_dynamo_pipeline.provider_info import get_provider_info

PACKAGE = Path(airflow_dynamo_pipeline.__file__).parent
ROOT = Path(__file__).parents[2]  # of the project: the package may be installed elsewhere
KINDS = {"operators": "Operator", "sensors": "Sensor", "hooks": "Hook", "triggers": "Trigger"}

ASK = """
import sys
from airflow_dynamo_pipeline.provider_info import get_provider_info
get_provider_info()
print([name for name in sys.modules if name.partition(".")[0] in ("airflow", "boto3", "botocore")])
"""


def test_airflows_own_schema_accepts_it() -> None:
    spec = importlib.util.find_spec("airflow")
    assert spec is not None
    assert spec.origin is not None
    schema: dict[str, Any] = json.loads(Path(spec.origin).with_name("provider_info.schema.json").read_bytes())

    jsonschema.validate(get_provider_info(), schema)


def test_asking_imports_nothing_of_airflow() -> None:
    done = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=False)

    assert "[]" == done.stdout.strip(), done.stderr


def test_names_and_version_are_the_distributions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    info = get_provider_info()

    assert project["name"] == info["package-name"]
    assert [airflow_dynamo_pipeline.__version__] == info["versions"]


@pytest.mark.parametrize("kind", KINDS)
def test_it_lists_the_modules_with_public_classes_and_no_others(kind: str) -> None:
    listed = [module for entry in get_provider_info()[kind] for module in entry["python-modules"]]

    assert sorted(listed) == [
        f"airflow_dynamo_pipeline.{kind}.{path.stem}"
        for path in sorted((PACKAGE / kind).glob("*.py"))
        if _defines(path, KINDS[kind])
    ]
    for module in listed:
        importlib.import_module(module)


def test_every_integration_it_names_is_described() -> None:
    info = get_provider_info()
    described = {entry["integration-name"] for entry in info["integrations"]}

    assert described == {entry["integration-name"] for kind in KINDS for entry in info[kind]}


def _defines(path: Path, suffix: str) -> bool:
    """Whether a module has a public class of that kind."""
    return any(
        isinstance(node, ast.ClassDef) and node.name.endswith(suffix) and not node.name.startswith("_")
        for node in ast.parse(path.read_text("utf-8")).body
    )

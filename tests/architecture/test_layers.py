"""Knowledge flows one way: what runs without Airflow, and without boto3, is run without them.

ruff (TID251) sees every written import and import-linter every chain of them; this test sees
what is imported by name while a module loads.
"""

import ast
import subprocess
import sys

import pytest

from tests.architecture.package import PACKAGE, sources

AIRFLOW_FREE = ("errors", "items", "formats", "engine", "lookup", "adapters", "spark", "cli")
AIRFLOW_LAYER = ("hooks", "operators", "sensors", "triggers", "dags", "plugin", "airflow_versions")
ALONE = ("__init__", "provider_info")  # run during provider discovery; import nothing
AWS_FREE = ("errors", "items", "formats", "engine", "lookup")

SCRIPT = """
import importlib, pkgutil, sys
for name in {banned!r}:
    sys.modules[name] = None            # from here on, importing it is an error
for name in {names!r}:
    package = importlib.import_module("airflow_dynamo_pipeline." + name)
    for module in pkgutil.walk_packages(getattr(package, "__path__", ()), package.__name__ + "."):
        importlib.import_module(module.name)
"""


@pytest.mark.parametrize(
    ("banned", "names"),
    [(("airflow",), AIRFLOW_FREE), (("boto3", "botocore"), AWS_FREE)],
    ids=["airflow", "boto3"],
)
def test_these_parts_run_where_it_cannot_be_imported(banned: tuple[str, ...], names: tuple[str, ...]) -> None:
    code = SCRIPT.format(banned=banned, names=names)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stderr


def test_every_part_of_the_package_has_a_layer() -> None:
    """A new folder must be put into a row here, in pyproject.toml and in the docs."""
    parts = {
        path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }

    assert parts <= {*AIRFLOW_FREE, *AIRFLOW_LAYER, *ALONE}


@pytest.mark.parametrize("name", ALONE)
def test_what_runs_first_imports_nothing(name: str) -> None:
    """Spark executors and Airflow's provider discovery run these before anything else is there."""
    tree = next(source.tree for source in sources() if source.path == f"{name}.py")
    imports = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        and ast.unparse(node)
        not in {
            "from __future__ import annotations",
            "from typing import Any",
            "from airflow_dynamo_pipeline import __version__",
        }
    ]

    assert [] == imports

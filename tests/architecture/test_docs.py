"""The reference has a heading for everything a user can name, and every example comes from a file."""

import dataclasses
import importlib
import inspect
import pkgutil
import re
import textwrap
from collections.abc import Iterable

import click
import pytest

from tests.architecture.package import ROOT

DOCS = ROOT / "docs"
HEADING = re.compile(r"^#{1,6} +(.+?)(?: +#+)?(?: +\{.*\})?$", re.MULTILINE)
FENCE = re.compile(r"^([ \t]*)```[ ]?(?:python|py)\b[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
INCLUDE = re.compile(r'^(?:--8<-- "[^"]+"\s*)+$')


def test_every_operator_sensor_and_hook_has_a_heading() -> None:
    names = [*_classes("operators", "Operator"), *_classes("sensors", "Sensor"), *_classes("hooks", "Hook")]

    assert names
    assert [] == _without_heading(names)


def test_every_setting_of_an_export_has_a_heading() -> None:
    requests = importlib.import_module("airflow_dynamo_pipeline.engine.requests")

    assert [] == _without_heading(field.name for field in dataclasses.fields(requests.ExportRequest))


def test_every_setting_of_an_import_has_a_heading() -> None:
    requests = importlib.import_module("airflow_dynamo_pipeline.engine.import_request")

    assert [] == _without_heading(field.name for field in dataclasses.fields(requests.ImportRequest))


@pytest.mark.parametrize(
    ("module", "name"),
    [("lookup.request", "LookupRequest"), ("adapters.redshift_settings", "RedshiftSettings")],
)
def test_every_setting_of_a_lookup_load_has_a_heading_on_its_page(module: str, name: str) -> None:
    made = getattr(importlib.import_module(f"airflow_dynamo_pipeline.{module}"), name)
    page = (DOCS / "reference" / "lookup-settings.md").read_text("utf-8")

    headings = {heading.removesuffix(" of a load") for heading in HEADING.findall(page)}
    assert [] == [field.name for field in dataclasses.fields(made) if field.name not in headings]


@pytest.mark.parametrize(
    ("module", "table"),
    [("formats", "FORMATS"), ("formats.compression", "COMPRESSIONS"), ("formats.readers", "READERS")],
)
def test_every_format_and_compression_has_a_heading(module: str, table: str) -> None:
    known = getattr(importlib.import_module(f"airflow_dynamo_pipeline.{module}"), table)

    assert known
    assert [] == _without_heading(known)


def test_every_error_has_a_heading() -> None:
    errors = importlib.import_module("airflow_dynamo_pipeline.errors")
    names = [
        name
        for name, found in inspect.getmembers(errors, inspect.isclass)
        if issubclass(found, errors.PipelineError) and found.__module__ == errors.__name__
    ]

    assert names
    assert [] == _without_heading(names)


def test_every_command_has_a_heading() -> None:
    """As it is typed: ``dynamo-pipeline export``."""
    module = importlib.import_module("airflow_dynamo_pipeline.cli.main")
    groups = [found for found in vars(module).values() if isinstance(found, click.Group)]
    commands = {name for group in groups for name in group.commands}

    assert commands
    assert [] == _without_heading(f"dynamo-pipeline {name}" for name in sorted(commands))


def test_the_readme_shows_the_example_dag() -> None:
    example = (ROOT / "example_dags" / "export_table.py").read_text("utf-8")
    marked = re.search(r"# \[START readme\]\n(.*?)[ \t]*# \[END readme\]", example, re.DOTALL)
    assert marked is not None, "example_dags/export_table.py has no [START readme] ... [END readme]"

    blocks = _python_blocks((ROOT / "README.md").read_text("utf-8"))

    assert [textwrap.dedent(marked[1]).strip()] == blocks


def test_the_python_of_the_documentation_comes_from_files() -> None:
    """Included with ``--8<--``, or standing word for word in an example or a test that is run."""
    files = [
        path.read_text("utf-8")
        for folder in ("example_dags", "tests")
        for path in (ROOT / folder).rglob("*.py")
    ]
    invented = {
        f"{page.relative_to(ROOT)}: {block.splitlines()[0]}"
        for page in DOCS.rglob("*.md")
        if "decisions" not in page.parts  # there, a rejected shape may be shown
        for block in _python_blocks(page.read_text("utf-8"))
        if not INCLUDE.match(block) and not any(block in text for text in files)
    }

    assert set() == invented


def _classes(folder: str, suffix: str) -> list[str]:
    """The public classes that the modules of a folder define, by the end of their name."""
    package = importlib.import_module(f"airflow_dynamo_pipeline.{folder}")
    modules = [
        importlib.import_module(found.name)
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]
    return [
        name
        for module in modules
        for name, found in inspect.getmembers(module, inspect.isclass)
        if found.__module__ == module.__name__ and name.endswith(suffix) and not name.startswith("_")
    ]


def _without_heading(names: Iterable[str]) -> list[str]:
    pages = [page.read_text("utf-8") for page in (DOCS / "reference").glob("**/*.md")]
    headings = {
        heading.replace("`", "").replace("\\", "").strip()
        for page in pages
        for heading in HEADING.findall(re.sub(r"^```.*?^```", "", page, flags=re.MULTILINE | re.DOTALL))
    }
    return [name for name in names if name not in headings]


def _python_blocks(page: str) -> list[str]:
    return [textwrap.dedent(block).strip() for _, block in FENCE.findall(page)]

"""Names that DAGs written today rely on, and a docstring on everything public."""

import ast
import importlib
import inspect

import pytest

from tests.architecture.package import Documented, Source, definitions, sources

PUBLIC_NAMES = {
    "hooks.dynamodb": ["DynamoDBPipelineHook"],
    "operators.capacity": ["DynamoDBCapacityModeOperator"],
    "operators.lookup": ["RedshiftToDynamoDBOperator", "SqlToDynamoDBOperator"],
    "operators.native": ["DynamoDBPointInTimeExportOperator", "DynamoDBTableImportOperator"],
    "operators.table_export": ["DynamoDBExportOperator"],
    "operators.table_import": ["DynamoDBImportOperator"],
    "operators.verify": ["DynamoDBVerifyOperator"],
    "sensors.dynamodb": [
        "DynamoDBDataExistsSensor",
        "DynamoDBExportSensor",
        "DynamoDBPointInTimeRecoverySensor",
        "DynamoDBProvisionedModeSensor",
        "DynamoDBStreamEnabledSensor",
        "DynamoDBTableActiveSensor",
        "DynamoDBTableExistsSensor",
        "DynamoDBUnitsAvailableSensor",
    ],
    "sensors.s3": ["S3KeyExistsSensor", "S3PrefixNotEmptySensor"],
}


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in PUBLIC_NAMES.items() for name in names]
)
def test_the_name_is_a_class_of_its_module(module: str, name: str) -> None:
    found = getattr(importlib.import_module(f"airflow_dynamo_pipeline.{module}"), name)

    assert inspect.isclass(found)


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.path)
def test_everything_public_has_a_docstring(source: Source) -> None:
    assert [] == [name for name, node in _public(source) if ast.get_docstring(node) is None]


def _public(source: Source) -> list[tuple[str, Documented]]:
    found: list[tuple[str, Documented]] = [("the module itself", source.tree)]
    inside_functions = {
        id(inner)
        for _, node in definitions(source.tree)
        if not isinstance(node, ast.ClassDef)
        for _, inner in definitions(node)
    }
    found += [
        (name, node)
        for name, node in definitions(source.tree)
        if not any(part.startswith("_") for part in name.split("."))
        and id(node) not in inside_functions
        and not _is_exempt(node)
    ]
    return found


def _is_exempt(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """An override promises what the overridden method does; of overloads only the body is documented."""
    decorators = {ast.unparse(decorator).rpartition(".")[2] for decorator in node.decorator_list}
    return bool(decorators & {"overload", "override", "setter"})

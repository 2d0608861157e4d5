"""Small by law. What may be longer is listed here, each with its reason."""

from tests.architecture.package import definitions, lines, sources

MODULE_LINES = 300
FUNCTION_LINES = 30
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}

# "path" for a module, "path:Class.function" for a function. An entry that is no longer needed fails.
ALLOWED_LONGER: dict[str, str] = {
    f"operators/{name}.__init__": (
        "one line for each public parameter and one for its attribute, which Airflow's templating reads"
    )
    for name in (
        "capacity.py:DynamoDBCapacityModeOperator",
        "emr_running.py:OnEmr",
        "native_import.py:DynamoDBTableImportOperator",
        "sql_lookup.py:SqlToDynamoDBOperator",
        "table_export.py:DynamoDBExportOperator",
        "table_import.py:DynamoDBImportOperator",
    )
}


def test_modules_and_functions_are_short() -> None:
    assert {} == {name: size for name, size in _too_long().items() if name not in ALLOWED_LONGER}


def test_no_exception_outlives_its_reason() -> None:
    assert [] == [name for name in ALLOWED_LONGER if name not in _too_long()]


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [] == [source.path for source in sources() if VAGUE_NAMES & set(source.module.split("."))]


def _too_long() -> dict[str, int]:
    modules = {source.path: len(source.text.splitlines()) for source in sources()}
    functions = {
        f"{source.path}:{name}": lines(node)
        for source in sources()
        for name, node in definitions(source.tree)
        if node.__class__.__name__ != "ClassDef"
    }
    return {name: size for name, size in modules.items() if size > MODULE_LINES} | {
        name: size for name, size in functions.items() if size > FUNCTION_LINES
    }

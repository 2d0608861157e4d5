"""For a person who only clicks: every example DAG explains itself; its form refuses what the engine would."""

import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any

import botocore.session
import pytest

from airflow_dynamo_pipeline.dags import params
from airflow_dynamo_pipeline.engine.capacity_request import CapacityModeRequest
from airflow_dynamo_pipeline.engine.conditions_s3 import S3Place
from airflow_dynamo_pipeline.engine.conditions_tables import VIEW_TYPES, view_type
from airflow_dynamo_pipeline.engine.conditions_units import UnitsWanted
from airflow_dynamo_pipeline.engine.import_request import ON_CONFLICT, ImportRequest
from airflow_dynamo_pipeline.engine.native_export_request import ON_GAP, NativeExportRequest
from airflow_dynamo_pipeline.engine.requests import ExportRequest, S3Location
from airflow_dynamo_pipeline.engine.verify import layout_of
from airflow_dynamo_pipeline.formats import FORMATS
from airflow_dynamo_pipeline.formats.compression import COMPRESSIONS
from airflow_dynamo_pipeline.formats.readers import READERS
from airflow_dynamo_pipeline.lookup.request import LookupRequest
from airflow_dynamo_pipeline.operators.capacity import DynamoDBCapacityModeOperator
from airflow_dynamo_pipeline.operators.lookup import RedshiftToDynamoDBOperator, SqlToDynamoDBOperator
from airflow_dynamo_pipeline.operators.native import (
    DynamoDBPointInTimeExportOperator,
    DynamoDBTableImportOperator,
)
from airflow_dynamo_pipeline.operators.table_export import DynamoDBExportOperator
from airflow_dynamo_pipeline.operators.table_import import DynamoDBImportOperator
from airflow_dynamo_pipeline.operators.verify import DynamoDBVerifyOperator
from tests.airflow.test_example_dags import dag_bag
from tests.demo.airflow_env import EXAMPLE_DAGS

Check = Callable[[Any], object]
Bounds = tuple[Sequence[Any], Sequence[Any], Check]  # just within, just beyond, what the engine says

HEADINGS = ("### What it does", "### What it needs", "### Results", "### If it fails")
SHORTEST_DOC = 600
USED = re.compile(r"params(?:\.|\[['\"])(\w+)")
MANIFEST = "AWSDynamoDB/01-abc/manifest-summary.json"


def dynamodb_takes(name: str) -> None:
    """Raise ValueError for a table's name that DynamoDB's own API model refuses."""
    model = botocore.session.get_session().get_service_model("dynamodb").shape_for("TableName").metadata
    if not model["min"] <= len(name) <= model["max"] or not re.fullmatch(model["pattern"], name):
        raise ValueError(name)


def exports(name: str) -> Check:
    return lambda value: ExportRequest.from_settings({"table_name": "tab", "s3_uri": "s3://b", name: value})


def imports(name: str) -> Check:
    return lambda value: ImportRequest.from_settings({"table_name": "tab", "s3_uri": "s3://b", name: value})


def provisions(value: object) -> CapacityModeRequest:
    given = {"table_name": "tab", "mode": "provisioned", "write_units": value}
    return CapacityModeRequest.from_settings(given)


def exports_natively(value: object) -> NativeExportRequest:
    given = {"table_name": "tab", "s3_uri": "s3://b", "export_type": "incremental", "on_gap": value}
    return NativeExportRequest.from_settings(given)


def waits_for_units(value: object) -> UnitsWanted:
    return UnitsWanted.from_settings({"table_name": "tab", "ratio": value})


def finishes_within(value: object) -> ExportRequest:
    given = {"table_name": "tab", "s3_uri": "s3://b", "method": "auto", "finish_within_seconds": value}
    return ExportRequest.from_settings(given)


def loads(name: str) -> Check:
    least = {"sql": "x", "table_name": "tab", "key_columns": "a", "s3_uri": "s3://b"}
    more = {"generation_days": {"ttl_attribute": "t"}}.get(name, {})
    return lambda value: LookupRequest.from_settings({**least, **more, name: value})


def named_by_aws(pattern: str) -> Check:
    """The ids that AWS gives: nothing here judges them."""

    def check(value: object) -> None:
        if not re.fullmatch(pattern, str(value)):
            raise ValueError(value)

    return check


TABLE: Bounds = (
    ["abc", "a" * 255, "A-b_c.9"],
    ["ab", "a" * 256, "or ders", "órdenes"],
    dynamodb_takes,
)
PLACE: Bounds = (
    ["s3://b", "s3://b/", "s3a://b/p", "s3n://b/p/q/"],
    ["", "b/p", "s3://", "s3:///p", "s4://b"],
    S3Location.parse,
)
BOUNDS: dict[str, Bounds] = {
    "table_name": TABLE,
    "copy_table": TABLE,
    "target": TABLE,
    "job_flow_id": (["j-1ABC"], ["", "j-", "1ABC", "j-1abc"], named_by_aws("j-[A-Z0-9]+")),
    "application_id": (["00f1abcd"], ["", "00F1", "a b"], named_by_aws("[0-9a-z]+")),
    "jar": (["s3://b/k.jar"], ["", "s3:///k.jar"], lambda value: S3Place.parse(value, "jar")),
    "s3_uri": PLACE,
    "inputs_uri": PLACE,
    "record_s3_uri": PLACE,
    "ready_uri": (["s3://b/k"], ["", "s3:///k", "s4://b/k"], lambda value: S3Place.parse(value, "ready_uri")),
    "manifest_uri": (
        [f"s3://b/{MANIFEST}", f"s3://b/p/q/{MANIFEST}"],
        ["s3://b/p/manifest-summary.json", f"s3:///{MANIFEST}", f"s3://b/{MANIFEST}.md5"],
        layout_of,
    ),
    "ratio": ([0.0001, 1.5], [0, -0.1, 1.5001, "much"], exports("ratio")),
    "units_per_second": ([1, 40_000.5], [0.999, "fast"], exports("units_per_second")),
    "finish_within_seconds": ([0.001, 3600], [0, -1], finishes_within),
    "write_units": ([1, 40_000], [0, 0.5], provisions),
    "max_rejected": ([0, 10], [-1, 0.5], imports("max_rejected")),
    "max_deletes": ([0, 10], [-1, 0.5], loads("max_deletes")),
    "generation_days": ([1, 10], [0, -1], loads("generation_days")),
    "dry_run": ([True, False], ["perhaps", 2], imports("dry_run")),
    "file_format": ([*FORMATS], ["csv", "auto"], exports("file_format")),
    "compression": ([*COMPRESSIONS], ["lzo"], exports("compression")),
    "on_conflict": (["overwrite", "skip", "fail"], ["never"], imports("on_conflict")),
    "on_gap": ([*ON_GAP], ["skip"], exports_natively),
    "view_type": ([*VIEW_TYPES], ["ALL"], lambda value: view_type("view_type", value)),
}
OTHERWISE: dict[tuple[str, str], Bounds] = {  # where another engine's limit holds
    ("nightly_pipeline", "ratio"): ([0.0001, 1], [0, 1.0001], waits_for_units),
    **{
        (dag_id, "ratio"): ([0.0001, 1.5], [0, 1.5001], imports("ratio"))
        for dag_id in ("after_an_export", "import_data_pipeline_backup", "import_with_approval")
    },
    ("redshift_lookup_table", "ratio"): ([0.0001, 1.5], [0, 1.5001], loads("ratio")),
    ("lookup_generations", "units_per_second"): ([1, 40_000.5], [0.999], loads("units_per_second")),
    ("import_with_approval", "file_format"): (["auto", *READERS], ["xml"], imports("file_format")),
}
OURS = dict(sorted(dag_bag().dags.items()))
MAY_BE_EMPTY = {("after_an_export", "manifest_uri"): [["null", "string"]]}
PARAMS = [(dag_id, name) for dag_id, dag in OURS.items() for name in dag.params]


def templates_of(task: Any) -> str:
    """All that is rendered for a task, and what a decorated function is called with."""
    settings = getattr(task, "partial_kwargs", None) or vars(task)  # a mapped task has the first
    fields = [settings.get(name) for name in task.template_fields]
    notices = [getattr(task, name, None) for name in ("op_args", "op_kwargs")]
    return repr([*fields, *notices])


@pytest.mark.parametrize("dag_id", OURS)
def test_the_documentation_of_a_dag_says_what_it_does_needs_and_leaves_and_names_every_task(
    dag_id: str,
) -> None:
    doc = inspect.cleandoc(OURS[dag_id].doc_md)

    assert [] == [heading for heading in HEADINGS if f"\n{heading}\n" not in doc]
    assert [] == [name for name in OURS[dag_id].task_ids if f"`{name}`" not in doc]
    assert SHORTEST_DOC < len(doc)
    assert doc.splitlines()[0].endswith(".")


@pytest.mark.parametrize(("dag_id", "name"), PARAMS)
def test_a_field_of_a_form_is_named_explained_typed_and_filled(dag_id: str, name: str) -> None:
    param = OURS[dag_id].params.get_param(name)

    assert param.schema["title"]
    assert param.description
    assert param.schema["type"] in (
        "string",
        "number",
        "integer",
        "boolean",
        *MAY_BE_EMPTY.get((dag_id, name), ()),
    )
    assert OURS[dag_id].params[name] == param.resolve()
    assert set(param.schema.get("enum", ())) == set(param.schema.get("values_display", ()))


@pytest.mark.parametrize("dag_id", OURS)
def test_what_a_form_asks_for_is_used_and_what_is_used_is_asked_for(dag_id: str) -> None:
    used = {name for task in OURS[dag_id].tasks for name in USED.findall(templates_of(task))}

    assert set(OURS[dag_id].params) == used


@pytest.mark.parametrize(("dag_id", "name"), PARAMS)
def test_a_form_takes_and_refuses_what_the_engine_takes_and_refuses(dag_id: str, name: str) -> None:
    within, beyond, engine = OTHERWISE.get((dag_id, name)) or BOUNDS[name]
    param = OURS[dag_id].params.get_param(name)

    assert [] == [value for value in within if refuses(param.resolve, value)]
    assert [] == [value for value in within if refuses(engine, value)]
    assert [] == [value for value in beyond if not refuses(param.resolve, value)]
    assert [] == [value for value in beyond if not refuses(engine, value)]


def test_words_that_need_further_settings_are_not_offered() -> None:
    offered = OURS["import_data_pipeline_backup"].params.get_param("on_conflict").schema["enum"]

    assert set(ON_CONFLICT) - {"newer", "condition"} == set(offered)


MAPPINGS = {
    "attributes",
    "columns",
    "constants",
    "expression_attribute_names",
    "expression_attribute_values",
    "index_units",
    "table_definition",
}


@pytest.mark.parametrize(
    "operator",
    [
        DynamoDBCapacityModeOperator,
        DynamoDBExportOperator,
        DynamoDBImportOperator,
        DynamoDBPointInTimeExportOperator,
        DynamoDBTableImportOperator,
        DynamoDBVerifyOperator,
        RedshiftToDynamoDBOperator,
        SqlToDynamoDBOperator,
    ],
)
def test_mappings_are_shown_as_json_and_not_in_one_line(operator: Any) -> None:
    shown = {name for name, form in operator.template_fields_renderers.items() if form == "json"}

    assert MAPPINGS & set(operator.template_fields) == shown


def test_the_reference_names_every_function_that_makes_a_field() -> None:
    page = (EXAMPLE_DAGS.parent / "docs" / "reference" / "params.md").read_text("utf-8")
    made = [
        name
        for name, found in inspect.getmembers(params, inspect.isfunction)
        if found.__module__ == params.__name__
    ]

    assert made
    assert [] == [name for name in made if f"| `{name}` |" not in page]


def refuses(check: Check, value: object) -> bool:
    try:
        check(value)
    except Exception:  # noqa: BLE001  each has an error of its own
        return True
    return False

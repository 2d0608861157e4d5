"""``dynamo-pipeline lookup``: every setting is an option, and what each outcome prints and ends with."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from airflow_dynamo_pipeline.adapters import redshift_settings
from airflow_dynamo_pipeline.adapters.redshift_settings import RedshiftSettings
from airflow_dynamo_pipeline.adapters.source_uri import SourceUri
from airflow_dynamo_pipeline.cli import lookup as module
from airflow_dynamo_pipeline.cli import main as main_module
from airflow_dynamo_pipeline.cli.lookup_help import LOOKUP_HELP, REDSHIFT_HELP
from airflow_dynamo_pipeline.cli.options import FLAGS
from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.prices import GB, PricesOf, prices_for
from airflow_dynamo_pipeline.errors import LeaseHeld, LookupRefused, PipelineError, Problem, Stopped
from airflow_dynamo_pipeline.lookup.mapping import ColumnMapping
from airflow_dynamo_pipeline.lookup.progress import LookupProgress, LookupReports
from airflow_dynamo_pipeline.lookup.request import COERCIONS, REQUIRED, LookupRequest
from airflow_dynamo_pipeline.lookup.result import LookupResult
from tests.unit.cli.world import messages_of

BASE = (
    "lookup",
    "--table",
    "products",
    "--key-columns",
    "id",
    "--s3-uri",
    "s3://backups/l",
    "--sql",
    "select 1",
)
LOOKUP = (*BASE, "--source-uri", "sqlite:///shop.db")
REDSHIFT = (*BASE, "--source-uri", "redshift://loader@cluster/dev")
ROLE = "arn:aws:iam::123456789012:role/unload"
GIVEN: dict[str, tuple[str, Any]] = {
    "mode": ("upsert", "upsert"),
    "ratio": ("0.5", 0.5),
    "units_per_second": ("12.5", 12.5),
    "read_units_per_second": ("7", 7.0),
    "segments": ("7", 7),
    "columns": ('{"price": "N"}', {"price": ColumnMapping(type="N")}),
    "constants": ('{"a": {"S": "x"}}', {"a": {"S": "x"}}),
    "moments": ("epoch_seconds", "epoch_seconds"),
    "nulls": ("null", "null"),
    "not_finite": ("text", "text"),
    "trim_text": ("", True),
    "compare": ("digests", "digests"),
    "sample_items": ("5", 5),
    "full_compare_days": ("1.5", 1.5),
    "consistent_read": ("", True),
    "max_shrink": ("0.7", 0.7),
    "max_deletes": ("9", 9),
    "max_changes": ("8", 8),
    "allow_empty": ("", True),
    "max_rejected": ("3", 3),
    "dry_run": ("", True),
    "max_differences": ("6", 6),
    "allow_protected": ("", True),
    "s3_sse_kms_key_id": ("alias/k", "alias/k"),
}
TOGETHER = {"ttl_attribute", "ttl_column", "generation_days"}  # refused without each other
OF_REDSHIFT: dict[str, tuple[tuple[str, ...], str, Any]] = {  # what goes with it, its text, its value
    "method": ((), "cursor", "cursor"),
    "unload_above_rows": ((), "7", 7),
    "iam_role": ((), ROLE, ROLE),
    "kms_key_id": (("--iam-role", ROLE), "k", "k"),
}
OF_THE_DATA_API: dict[str, tuple[tuple[str, ...], str]] = {
    "cluster_identifier": (("--database", "dev"), "c"),
    "workgroup_name": (("--database", "dev"), "w"),
    "database": (("--workgroup-name", "w"), "dev"),
    "db_user": (("--cluster-identifier", "c", "--database", "dev"), "loader"),
    "secret_arn": (("--cluster-identifier", "c", "--database", "dev"), "arn:x"),
}


def option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


@dataclass(frozen=True)
class Writing:
    """Of the ports for writing, what the command puts in itself."""

    prices: PricesOf = prices_for


@dataclass(frozen=True)
class Ports:
    """Of the ports, what the command looks at."""

    writing: Writing = field(default_factory=Writing)
    store: Any = None
    clock: Any = None
    stop: Any = None
    warn: Any = None


class World:
    """The load behind the command: what it was asked, and what it answers."""

    def __init__(self) -> None:
        self.loads: list[LookupRequest] = []
        self.works: list[Work] = []
        self.settings: list[RedshiftSettings] = []
        self.sources: list[Any] = []
        self.profiles: list[tuple[str | None, str | None]] = []
        self.services: list[str] = []
        self.prices: list[PricesOf] = []
        self.error: PipelineError | None = None
        self.rejected = self.refused = 0
        self.stop = threading.Event()

    def run(self, *arguments: str, **env: str) -> Result:
        return CliRunner().invoke(main_module.main, arguments, prog_name="dynamo-pipeline", env=env)

    def clients(self, profile: str | None, region_name: str | None) -> Callable[[str], Any]:
        self.profiles.append((profile, region_name))
        return self.services.append

    def ports(self, _: object, load: LookupRequest, *, say: Any, warn: Any, **__: Any) -> Ports:
        self.loads.append(load)
        say("new: mirror")
        warn("it has a stream")

        class Store:
            def region(self) -> str:
                return "eu-west-1"

        return Ports(store=Store(), warn=warn, stop=self.stop)

    def redshift_source(self, settings: RedshiftSettings, sql: str, **arguments: Any) -> Any:
        self.settings.append(settings)
        return {"sql": sql, **arguments}

    def run_lookup(
        self, load: LookupRequest, source: Any, work: Work, ports: Any, reports: LookupReports
    ) -> LookupResult:
        self.works.append(work)
        self.sources.append(source)
        self.prices.append(ports.writing.prices)
        if self.error is not None:
            raise self.error
        reports.to(LookupProgress(step="query", rows=5, rejected=0, elapsed_seconds=1.0))
        named = ["insert P1"] if load.dry_run else []
        return replace(
            RESULT, dry_run=load.dry_run, rejected=self.rejected, refused=self.refused, differences=named
        )


RESULT = LookupResult(
    run_id="r",
    table_name="products",
    table_arn="arn",
    mode="mirror",
    start="new",
    dry_run=False,
    rows=5,
    unchanged=4,
    inserted=1,
    updated=0,
    skipped=0,
    rejected=0,
    deleted=0,
    table_items=4,
    written=1,
    conflicted=0,
    refused=0,
    write_units=1,
    read_units=2.0,
    consumed_units=1.0,
    compared_with="table",
    generation=None,
    changes_uri="s3://backups/l/_lookups/products/runs/r/changes/",
    rejects_uri=None,
    refused_uri=None,
    differences=[],
    seconds=1.0,
    plan={},
)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(module, "clients", made.clients)
    monkeypatch.setattr(module, "lookup_ports", made.ports)
    monkeypatch.setattr(module, "run_lookup", made.run_lookup)
    monkeypatch.setattr(module, "redshift_source", made.redshift_source)
    return made


def test_there_is_an_option_a_line_of_help_and_a_case_here_for_every_setting() -> None:
    assert set(COERCIONS) == set(LOOKUP_HELP) == {*GIVEN, *REQUIRED, *TOGETHER}
    assert set(redshift_settings.COERCIONS) == set(REDSHIFT_HELP) == {*OF_REDSHIFT, *OF_THE_DATA_API}


def test_help_names_every_setting_its_default_and_how_it_is_called(world: World) -> None:
    shown = " ".join(world.run("lookup", "--help").stdout.split())

    world.run(*LOOKUP)
    (load,) = world.loads
    names = (*COERCIONS, *redshift_settings.COERCIONS, "source_uri", "sql_file", "profile", "prices")
    assert [] == [name for name in names if option(name) not in shown]
    for default in (
        load.mode,
        load.effective_ratio,
        load.moments,
        load.nulls,
        load.not_finite,
        load.compare,
        load.sample_items,
        f"{load.full_compare_days:g}",
        load.max_shrink,
        load.max_rejected,
        load.max_differences,
        RedshiftSettings().method,
        RedshiftSettings().unload_above_rows,
    ):
        assert f"[default: {default}]" in shown, default
    assert "dynamo-pipeline lookup --sql-file products.sql" in shown


@pytest.mark.parametrize("name", GIVEN)
def test_an_option_reaches_the_request(world: World, name: str) -> None:
    text, value = GIVEN[name]

    world.run(*LOOKUP, option(name), *([] if name in FLAGS else [text]))

    (load,) = world.loads
    assert value == getattr(load, name)
    plain = LookupRequest(sql="select 1", table_name="products", key_columns=("id",), s3_uri="s3://b")
    assert value != getattr(plain, name), "the default shows nothing"


def test_a_generation_goes_with_the_attribute_that_expires_it(world: World) -> None:
    world.run(*LOOKUP, "--generation-days", "2", "--ttl-attribute", "gone_at")

    assert [(2.0, "gone_at")] == [(load.generation_days, load.ttl_attribute) for load in world.loads]


@pytest.mark.parametrize("name", OF_REDSHIFT)
def test_an_option_of_redshift_reaches_its_settings(world: World, name: str) -> None:
    more, text, value = OF_REDSHIFT[name]

    world.run(*REDSHIFT, *more, option(name), text)

    (settings,) = world.settings
    assert value == getattr(settings, name)
    assert value != getattr(RedshiftSettings(), name), "the default shows nothing"


@pytest.mark.parametrize("name", OF_THE_DATA_API)
def test_a_cluster_or_workgroup_stands_for_a_database_uri(world: World, name: str) -> None:
    more, text = OF_THE_DATA_API[name]

    done = world.run(*BASE, *more, option(name), text)

    assert 0 == done.exit_code, done.stderr
    assert text == getattr(world.settings[0], name)
    assert ["redshift-data"] == world.services
    assert world.sources[0]["connect"] is None


def test_what_is_unloaded_goes_beside_the_loads_own_objects(world: World) -> None:
    world.run(*REDSHIFT, "--iam-role", ROLE)

    (source,) = world.sources
    assert "s3://backups/l/_lookups/products/scratch" == source["location"].uri()
    assert ("eu-west-1", "redshift://cluster:5439/dev") == (source["region"], source["name"])


def test_what_is_unloaded_may_have_the_loads_own_key(world: World) -> None:
    world.run(*REDSHIFT, "--iam-role", ROLE, "--s3-sse-kms-key-id", "k")

    assert ["k"] == [source["kms_key_id"] for source in world.sources]


def test_a_query_hears_the_loads_stop(world: World) -> None:
    world.stop.set()
    world.run(*LOOKUP)

    (source,) = world.sources
    with pytest.raises(Stopped):
        source.columns()


def test_the_query_may_stand_in_a_file(world: World, tmp_path: Path) -> None:
    file = tmp_path / "products.sql"
    file.write_text("select id\nfrom products -- all\n", "utf-8")

    world.run(*BASE[:-2], "--source-uri", "sqlite:///shop.db", "--sql-file", str(file))

    assert ["select id\nfrom products -- all"] == [load.sql for load in world.loads]


def test_a_file_that_is_not_there_is_refused_with_everything_else(world: World) -> None:
    done = world.run(*BASE[:-2], "--sql-file", "/no/such.sql", "--source-uri", "oracle://db/x")

    assert 10 == done.exit_code
    assert "sql_file: /no/such.sql cannot be read: No such file or directory" in done.stderr
    assert "source_uri: begins with 'oracle'" in done.stderr


def test_query_and_file_are_not_given_together(world: World) -> None:
    done = world.run(*LOOKUP, "--sql-file", "products.sql")

    assert 10 == done.exit_code
    assert "sql, sql_file: both are given" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (BASE, "source_uri: is required for a lookup load"),
        ((*LOOKUP, "--method", "unload", "--iam-role", ROLE), "iam_role: says nothing with sqlite://"),
        (
            (*REDSHIFT, "--workgroup-name", "w", "--database", "d"),
            "source_uri, workgroup_name: both are given",
        ),
        ((*LOOKUP, "--ratio", "7"), "ratio: 7 is not above 0"),
    ],
)
def test_settings_that_cannot_work_end_with_10(world: World, arguments: tuple[str, ...], words: str) -> None:
    done = world.run(*arguments)

    assert (10, "") == (done.exit_code, done.stdout)
    assert words in done.stderr
    assert [] == world.works


@pytest.mark.parametrize("where", ["flag", "variable", "file"])
def test_a_password_is_refused_wherever_the_uri_is_and_never_repeated(
    world: World, where: str, tmp_path: Path
) -> None:
    uri = "postgresql://loader:s3cret@db/shop"
    file = tmp_path / "settings.toml"
    file.write_text(f'source_uri = "{uri}"\n', "utf-8")
    more = {"flag": ["--source-uri", uri], "variable": [], "file": ["--config", str(file)]}[where]
    env = {"DYNAMO_PIPELINE_SOURCE_URI": uri} if where == "variable" else {}

    done = world.run(*BASE, *more, "--verbose", **env)

    assert 10 == done.exit_code
    assert "source_uri: has a password in it" in done.stderr
    assert "s3cret" not in done.output


def test_the_password_comes_from_a_variable_of_its_own_which_is_no_unknown_setting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str | None] = []

    def connecting(_: SourceUri, password: str | None) -> Callable[[], None]:
        asked.append(password)
        return lambda: None

    monkeypatch.setattr(SourceUri, "connecting", connecting)

    done = world.run(*LOOKUP, DYNAMO_PIPELINE_SOURCE_PASSWORD="s3cret")

    assert (0, ["s3cret"]) == (done.exit_code, asked)
    assert "is a setting of no command" not in done.stderr
    assert "s3cret" not in done.output


def test_table_place_and_method_must_be_named_for_the_command_itself(world: World, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('table_name = "orders"\nmethod = "scan"\n[lookup]\ns3_uri = "s3://own"\n', "utf-8")

    done = world.run(
        *("lookup", "--key-columns", "id", "--sql", "x", "--config", str(file)),
        *("--source-uri", "sqlite:///shop.db"),
    )

    assert 10 == done.exit_code
    assert "table_name: is required" in done.stderr
    assert "DYNAMO_PIPELINE_LOOKUP_TABLE_NAME" in done.stderr
    assert "method: " not in done.stderr


def test_a_table_of_the_file_has_columns_and_constants_as_tables(world: World, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(
        '[lookup]\ntable_name = "products"\ns3_uri = "s3://own"\ntrim_text = true\n'
        'key_columns = ["id", "at"]\n'
        'columns = { price = "N" }\nconstants = { a = { S = "x" } }\nmax_shrink = 0.5\n',
        "utf-8",
    )

    world.run("lookup", "--sql", "x", "--source-uri", "sqlite:///shop.db", "--config", str(file))

    (load,) = world.loads
    assert (("id", "at"), 0.5, True) == (tuple(load.key_columns), load.max_shrink, load.trim_text)
    assert ({"price": ColumnMapping(type="N")}, {"a": {"S": "x"}}) == (load.columns, load.constants)


def test_a_load_says_what_became_of_the_rows(world: World) -> None:
    done = world.run(*LOOKUP)

    assert 0 == done.exit_code
    assert "loaded" in done.stdout
    assert "s3://backups/l/_lookups/products/runs/r/changes/" in done.stdout
    assert "warning: it has a stream" in done.stderr
    assert "query: 5 rows" in done.stderr


def test_json_is_one_object_on_stdout_and_the_rest_goes_to_stderr(world: World) -> None:
    done = world.run(*LOOKUP, "--json", "--dry-run")

    assert {**RESULT.to_json(), "dry_run": True, "differences": ["insert P1"]} == json.loads(done.stdout)
    assert ["message", "warning", "status"] == [each["message_type"] for each in messages_of(done)]


def test_a_dry_run_is_called_one_and_quietly_names_the_differences_on_stdout(world: World) -> None:
    assert "dry run" in world.run(*LOOKUP, "--dry-run").stdout
    assert "insert P1\n" in world.run(*LOOKUP, "--dry-run", "--quiet").stdout


@pytest.mark.parametrize("more", [(), ("--dry-run",), ("--json",)])
@pytest.mark.parametrize(("rejected", "refused", "code"), [(0, 0, 0), (1, 0, 3), (0, 1, 3)])
def test_rows_that_were_or_would_be_rejected_are_in_the_exit_code(
    world: World, rejected: int, refused: int, code: int, more: tuple[str, ...]
) -> None:
    world.rejected, world.refused = rejected, refused

    done = world.run(*LOOKUP, *more)

    assert code == done.exit_code
    assert done.stdout, "the result is printed all the same"


def test_a_command_line_is_a_run_of_its_own_each_time(world: World) -> None:
    world.run(*LOOKUP)
    world.run(*LOOKUP)

    assert [None, None] == [work.run for work in world.works]
    assert 2 == len({work.generation for work in world.works})


def test_prices_profile_and_region_are_handed_on(world: World, tmp_path: Path) -> None:
    ours = tmp_path / "ours.json"
    ours.write_text('{"import_gb": 7}', "utf-8")

    world.run(*LOOKUP, "--prices", str(ours), "--profile", "backup", "--region-name", "eu-west-1")

    assert 7.0 == world.prices[0]("eu-west-1").native_import(GB)
    assert [("backup", "eu-west-1")] == world.profiles


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LookupRefused([Problem("max_deletes", "too many")]), 10),
        (LeaseHeld("another live run loads"), 11),
        (Stopped("told to stop"), 130),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_is_on_stderr_and_in_the_exit_code(world: World, error: PipelineError, code: int) -> None:
    world.error = error

    done = world.run(*LOOKUP)

    assert (code, "") == (done.exit_code, done.stdout)
    assert f"error: {error}\n" in done.stderr

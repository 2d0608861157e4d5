"""``python -m tests.demo`` exports a table; with ``ui`` an Airflow to click in; with ``lookup`` a mirror."""

import contextlib
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.status import Status

from tests.demo import mirror, restore
from tests.demo.airflow_env import PASSWORD, USER, airflow_environment
from tests.demo.result import exported, show
from tests.demo.runs import AirflowFailed, airflow, run_dag
from tests.demo.table import BUCKET, ITEMS, READY_KEY, TABLE, prepare
from tests.services import Services, running_services
from tests.services.postgres import postgres
from tests.services.process import free_port

DAG_ID = "export_table"
RATIO = 0.25
console = Console(highlight=False, soft_wrap=True)


def main() -> None:
    """Run what the first argument says."""
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    try:
        with tempfile.TemporaryDirectory(prefix="dynamo-pipeline-") as home:
            if sys.argv[1:] == ["ui"]:
                ui(Path(home))
            elif sys.argv[1:] == ["lookup"]:
                lookup()
            else:
                demo(Path(home))
    except KeyboardInterrupt:
        console.print("stopped; every service has been ended")
        raise SystemExit(130) from None


def demo(home: Path) -> None:
    """Preconditions -> throttled export -> check, in a real Airflow; then back into a second table."""
    began = time.monotonic()
    with _prepared(home) as (services, env):
        with console.status("running the example DAG: preconditions -> export -> check") as status:
            run_dag(DAG_ID, _conf(), env, home / "dag.log", _Live(status))
        figures = exported(services)
        show(figures)
        with console.status(f"importing the export into table {restore.COPY}, and comparing the two"):
            copied = restore.restored(services, figures["manifest_uri"])
        restore.show(copied)
    console.print(f"{time.monotonic() - began:.0f} s; every service has been ended")


def lookup() -> None:
    """A lookup table mirrored from a query in a real PostgreSQL, twice, by the command line."""
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        with console.status("starting PostgreSQL, DynamoDB Local and moto on loopback"):
            services = stack.enter_context(running_services())
            database = stack.enter_context(postgres())
            mirror.prepare(services, database)
        with console.status(f"first night: loading {mirror.PRODUCTS:,} products into an empty table"):
            first = mirror.mirrored(services, database)
        mirror.show("first night", first)
        mirror.change(database)
        with console.status("second night: one product of a hundred has changed"):
            second = mirror.mirrored(services, database)
        mirror.show("second night", second)
        mirror.check(services, database, second)
    console.print(f"{time.monotonic() - began:.0f} s; every service has been ended")


def ui(home: Path) -> None:
    """Airflow standalone with the example DAGs, until Ctrl-C."""
    with _prepared(home) as (_, env):
        url = env["AIRFLOW__API__BASE_URL"]
        with airflow(["standalone"], env, home / "standalone.log") as child:
            console.print(
                f"Airflow is starting (about a minute): [bold]{url}[/]  "
                f"user [bold]{USER}[/]  password [bold]{PASSWORD}[/]\n"
                f"Open the DAG {DAG_ID}, press Trigger and keep the defaults. Ctrl-C ends everything."
            )
            code = child.wait()
        console.print(
            f"Airflow ended with {code}\n{(home / 'standalone.log').read_text()[-2000:]}", markup=False
        )


def _conf() -> dict[str, object]:
    return {
        "table_name": TABLE,
        "s3_uri": f"s3://{BUCKET}/{TABLE}",
        "ready_uri": f"s3://{BUCKET}/{READY_KEY}",
        "ratio": RATIO,
    }


@contextmanager
def _prepared(home: Path) -> Iterator[tuple[Services, dict[str, str]]]:
    """Services with a filled table, and an Airflow with its database."""
    with contextlib.ExitStack() as stack:
        with console.status("starting DynamoDB Local and moto on loopback"):
            services = stack.enter_context(running_services())
        env = airflow_environment(home, services, free_port())
        with (
            console.status(f"filling table {TABLE} with {ITEMS:,} items; making Airflow's database"),
            airflow(["db", "migrate"], env, home / "migrate.log") as migration,
        ):
            prepare(services)
            migration.wait()
        if migration.returncode:
            raise AirflowFailed((home / "migrate.log").read_text()[-4000:])
        console.print(f"table {TABLE} holds {ITEMS:,} items of all ten types")
        yield services, env


class _Live:
    """The newest progress line, on a terminal in place, in a log one after the other."""

    def __init__(self, status: Status) -> None:
        self._status = status
        self._shown: str | None = None

    def __call__(self, line: str | None) -> None:
        if line is None or line == self._shown:
            return
        self._shown = line
        if console.is_terminal:
            self._status.update(f"exporting, {line}")
        else:
            console.print(line)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    console.print("stopping: ending Airflow and the services")
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()

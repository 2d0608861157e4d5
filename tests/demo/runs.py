"""Airflow commands as child processes that end with us, and what their logs say of progress."""

import contextlib
import functools
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

AIRFLOW = (sys.executable, "-m", "airflow")
PROGRESS = re.compile(r"\d+%: [\d,]+ items.*?ETA [\w, .]+")
STOP_SECONDS = 20.0
DATABASE = "airflow.db"  # in the home of an Airflow that is told of no other


class AirflowFailed(RuntimeError):
    """An ``airflow`` command failed; the message has the end of its log."""


@contextlib.contextmanager
def airflow(arguments: Sequence[str], env: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run an ``airflow`` command with a process group of its own, which is ended on the way out."""
    with log.open("wb") as out:
        child = subprocess.Popen(
            [*AIRFLOW, *arguments],
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield child
        finally:
            _end_group(child)


def _end_group(child: subprocess.Popen[bytes]) -> None:
    """End the command and all it started: ``airflow standalone`` leaves children behind."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(STOP_SECONDS)


def run_airflow(
    arguments: Sequence[str], env: Mapping[str, str], log: Path, each: Callable[[str | None], None]
) -> None:
    """Run a command to its end; ``each`` sees the newest progress line about four times a second.

    Raises AirflowFailed.
    """
    tick = threading.Event()
    with airflow(arguments, env, log) as child:
        while child.poll() is None:
            each(last_progress(log))
            tick.wait(0.25)
    if child.returncode:
        raise AirflowFailed(
            f"airflow {arguments[0]} ended with {child.returncode}\n{log.read_text()[-4000:]}"
        )


def run_dag(
    dag_id: str,
    conf: Mapping[str, Any],
    env: Mapping[str, str],
    log: Path,
    each: Callable[[str | None], None] = lambda _: None,
) -> None:
    """Run a DAG to its end; of the DAGs folder only the file called like it is read. Raises AirflowFailed."""
    file = Path(env["AIRFLOW__CORE__DAGS_FOLDER"]) / f"{dag_id}.py"
    given = ["--conf", json.dumps(conf), "--dagfile-path", str(file)]
    run_airflow(["dags", "test", dag_id, *given], env, log, each)


def migrate(env: Mapping[str, str]) -> None:
    """Give this Airflow an empty database, which is made once in a process. Raises AirflowFailed."""
    (Path(env["AIRFLOW_HOME"]) / DATABASE).write_bytes(_empty_database())


@functools.cache
def _empty_database() -> bytes:
    with tempfile.TemporaryDirectory(prefix="airflow-empty-") as folder:
        home = Path(folder)
        own = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        run_airflow(["db", "migrate"], {**own, "AIRFLOW_HOME": folder}, home / "migrate.log", lambda _: None)
        return (home / DATABASE).read_bytes()


def last_progress(log: Path) -> str | None:
    """The newest progress line of a task's log."""
    found = PROGRESS.findall(log.read_text(errors="replace"))
    return found[-1] if found else None

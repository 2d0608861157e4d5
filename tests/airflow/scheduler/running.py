"""The components of an Airflow, each a process group of its own."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import httpx
import psutil  # type: ignore[import-untyped]  # of Airflow's own requirements

from tests.airflow.scheduler.api import Api, Instance
from tests.demo.airflow_env import EXAMPLE_DAGS, airflow_environment
from tests.demo.runs import airflow, migrate
from tests.services import Services
from tests.services.process import free_port

BUNDLES = {"examples": EXAMPLE_DAGS, "own": Path(__file__).parent / "dags"}
DAGS = frozenset(
    {"export_table", "scheduler_export", "scheduler_import", "scheduler_ranges", "scheduler_wait"}
)
LOCAL_SETTINGS = Path(__file__).parent / "patient_supervisor.py"
PATIENCE_SECONDS = 600.0  # of a machine with better things to do
LOOK_EVERY_SECONDS = 0.1

Found = TypeVar("Found")


def wait_until(what: str, look: Callable[[], Found | None], seconds: float = PATIENCE_SECONDS) -> Found:
    """The first thing that is found and is not false; raises TimeoutError.

    What cannot be asked at the moment counts as not found.
    """
    pause, deadline = threading.Event(), time.monotonic() + seconds
    last: httpx.HTTPError | None = None
    while time.monotonic() < deadline:
        try:
            if found := look():
                return found
        except httpx.HTTPError as error:
            if not _is_in_vain(error):
                raise
            last = error
        pause.wait(LOOK_EVERY_SECONDS)
    raise TimeoutError(f"{what}: not within {seconds:g} s") from last


def _is_in_vain(error: httpx.HTTPError) -> bool:
    """Whether nobody answered, or the server could not, as when its database was locked."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.is_server_error
    return isinstance(error, httpx.TransportError)


def commands(execution_url: str) -> dict[str, list[str]]:
    """The components and how each is started.

    Two API servers: with SQLite, one that serves people and tasks at once can block itself (see ``Api``).
    """
    execution_port = str(urlsplit(execution_url).port)
    return {
        "api-server": ["api-server", "--apps", "core"],
        "execution-api": ["api-server", "--apps", "execution", "--port", execution_port],
        "scheduler": ["scheduler", "--skip-serve-logs"],  # it would take a fixed port
        "dag-processor": ["dag-processor"],
        "triggerer": ["triggerer", "--skip-serve-logs"],
    }


class RunningAirflow:
    """An Airflow that was started, and its API."""

    def __init__(self, home: Path, env: dict[str, str]) -> None:
        self.home = home
        self.base_url = env["AIRFLOW__API__BASE_URL"]
        self.api = Api(self.base_url)
        self._env = env
        self._execution_url = env["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"]
        self._commands = commands(self._execution_url)
        self._stack = contextlib.ExitStack()
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def components(self) -> set[str]:
        """Their names, with which their logs begin."""
        return set(self._commands)

    def start_all(self) -> None:
        """Start every component; they need a while before they are ready."""
        for component in self._commands:
            self.start(component)

    def start(self, component: str) -> None:
        """Start a component; it is ended by ``end``."""
        count = len(list(self.home.glob(f"{component}-*.log")))
        log = self.home / f"{component}-{count + 1}.log"
        child = self._stack.enter_context(airflow(self._commands[component], self._env, log))
        self._children[component] = child

    def kill(self, component: str) -> None:
        """End a component and its children as the kernel does when memory is out."""
        os.killpg(self._children[component].pid, signal.SIGKILL)
        self._children[component].wait()

    def end(self) -> None:
        """Ask all components to end, at once, and wait for each; no child of theirs outlives them."""
        started = [psutil.Process(child.pid) for child in self._children.values() if child.poll() is None]
        offspring = [process for parent in started for process in parent.children(recursive=True)]
        for process in started:
            os.killpg(process.pid, signal.SIGTERM)
        self._stack.close()
        for process in offspring:  # a task has a process group of its own
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.api.close()

    def wait_until_ready(self, dags: frozenset[str] = DAGS) -> None:
        """Every component is healthy and these DAGs can be triggered."""
        wait_until("healthy components", lambda: not self.api.unhealthy())
        wait_until("a server for tasks", lambda: httpx.get(f"{self._execution_url}health").is_success)
        wait_until("DAGs", lambda: self.api.dag_ids() >= dags)

    def wait_for_end(self, instance: Instance) -> str:
        """How the instance's run ended."""
        wait_until(f"end of {instance}", lambda: self._state(instance) in {"success", "failed"})
        return self._state(instance)

    def _state(self, instance: Instance) -> str:
        return self.api.run_state(instance.dag_id, instance.run_id)

    def task_log(self, instance: Instance, attempt: int) -> str:
        """What an attempt has logged so far, as JSON lines."""
        folder = self.home / "logs" / f"dag_id={instance.dag_id}" / f"run_id={instance.run_id}"
        path = folder / f"task_id={instance.task_id}"
        if instance.map_index is not None:
            path /= f"map_index={instance.map_index}"
        path /= f"attempt={attempt}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def logs(self) -> dict[str, str]:
        """All logs by name, of components and of tasks."""
        paths = [*self.home.glob("*.log"), *(self.home / "logs").rglob("*.log")]
        return {str(path.relative_to(self.home)): path.read_text(errors="replace") for path in paths}


@contextlib.contextmanager
def running_airflow(
    home: Path, services: Services, secret_key: str, bundles: Mapping[str, Path] = BUNDLES
) -> Iterator[RunningAirflow]:
    """Start the components against these services, with the DAGs of these folders, and end them."""
    env = environment(home, services, secret_key, bundles)
    (home / "config").mkdir(exist_ok=True)
    shutil.copy(LOCAL_SETTINGS, home / "config" / "airflow_local_settings.py")
    migrate(env)
    found = RunningAirflow(home, env)
    try:
        found.start_all()
        yield found
    finally:
        found.end()


def environment(
    home: Path, services: Services, secret_key: str, bundles: Mapping[str, Path]
) -> dict[str, str]:
    """The demo's environment, with these DAG folders and everything that makes one wait made short."""
    env = airflow_environment(home, services, free_port())
    connection = json.loads(env["AIRFLOW_CONN_AWS_DEFAULT"])
    connection["extra"]["config_kwargs"] = {"read_timeout": PATIENCE_SECONDS}  # of replies that are held
    bundle_list = [
        {
            "name": name,
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {"path": str(path)},
        }
        for name, path in bundles.items()
    ]
    return {
        **env,
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps({**connection, "password": secret_key}),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{free_port()}/execution/",
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
        "AIRFLOW__CORE__PARALLELISM": "8",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundle_list),
        "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": f"{PATIENCE_SECONDS:.0f}",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120",  # the files stay as they are
        "AIRFLOW__DAG_PROCESSOR__STALE_DAG_THRESHOLD": f"{PATIENCE_SECONDS:.0f}",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "40",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
        "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    }

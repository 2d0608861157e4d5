"""Airflow's public REST API, as far as these tests speak to it."""

import contextlib
import threading
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from tests.demo.airflow_env import PASSWORD, USER

REPLY_SECONDS = 120.0
TOKEN_SECONDS = 600.0  # Airflow's own lasts longer


@dataclass(frozen=True, slots=True)
class Instance:
    """The address of a task instance."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int | None = None  # of a mapped one

    @property
    def path(self) -> str:
        """Below ``/api/v2``."""
        path = f"/dags/{self.dag_id}/dagRuns/{quote(self.run_id, safe='')}/taskInstances/{self.task_id}"
        return path if self.map_index is None else f"{path}/{self.map_index}"


class Api:
    """A client of ``/api/v2`` with a token; every method raises ``httpx.HTTPError`` on a refusal.

    One change at a time: of two, one would hold SQLite's only lock while the other blocks the server's event
    loop waiting for it, until SQLite gives up and the server answers with an error.
    """

    def __init__(self, base_url: str) -> None:
        self._client = httpx.Client(base_url=base_url, timeout=REPLY_SECONDS, trust_env=False)
        self._token_until = float("-inf")
        self._changing = threading.Lock()

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def unhealthy(self) -> set[str]:
        """Which of the four components do not report themselves healthy."""
        found = self._call("GET", "/monitor/health")
        wanted = {"metadatabase", "scheduler", "triggerer", "dag_processor"}
        return {name for name in wanted if found.get(name, {}).get("status") != "healthy"}

    def dag_ids(self) -> set[str]:
        """The DAGs that can be triggered."""
        return {dag["dag_id"] for dag in self._call("GET", "/dags")["dags"]}

    def trigger(self, dag_id: str, **conf: Any) -> str:
        """Start a run; returns its id."""
        body = {"logical_date": None, "conf": conf}
        run_id: str = self._call("POST", f"/dags/{dag_id}/dagRuns", body)["dag_run_id"]
        return run_id

    def run_state(self, dag_id: str, run_id: str) -> str:
        """``queued``, ``running``, ``success`` or ``failed``."""
        state: str = self._call("GET", f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}")["state"]
        return state

    def conf(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """The parameters that a run was begun with."""
        run: dict[str, Any] = self._call("GET", f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}")
        conf: dict[str, Any] = run["conf"]
        return conf

    def look(self, instance: Instance) -> dict[str, Any]:
        """The task instance: state, try_number, max_tries, pid and more."""
        found: dict[str, Any] = self._call("GET", instance.path)
        return found

    def progress(self, instance: Instance) -> dict[str, Any] | None:
        """The record ``progress`` in the task state store; None as long as there is none."""
        entries = self._call("GET", f"{instance.path}/state-store")["task_state_store"]
        found: list[dict[str, Any]] = [entry["value"] for entry in entries if entry["key"] == "progress"]
        return found[0] if found else None

    def result(self, instance: Instance) -> dict[str, Any]:
        """What the task returned."""
        path = f"{instance.path}/xcomEntries/return_value"
        found: dict[str, Any] = self._call("GET", path, stringify=False)["value"]
        return found

    def links(self, instance: Instance) -> dict[str, str | None]:
        """The extra links by name, as the UI offers them; None of one that leads nowhere yet."""
        found: dict[str, str | None] = self._call("GET", f"{instance.path}/links")["extra_links"]
        return found

    def run_ids(self, dag_id: str) -> list[str]:
        """The runs of a DAG."""
        return [run["dag_run_id"] for run in self._call("GET", f"/dags/{dag_id}/dagRuns")["dag_runs"]]

    def asset_events(self) -> list[dict[str, Any]]:
        """The newest events of all assets: extra, source_dag_id and more."""
        found: list[dict[str, Any]] = self._call("GET", "/assets/events")["asset_events"]
        return found

    def question(self, instance: Instance) -> str:
        """What a task that waits for a person shows."""
        body: str = self._call("GET", f"{instance.path}/-1/hitlDetails")["body"]
        return body

    def answer(self, instance: Instance, option: str) -> None:
        """As a person does in the UI."""
        self._call("PATCH", f"{instance.path}/-1/hitlDetails", {"chosen_options": [option]})

    def mark_failed(self, instance: Instance) -> None:
        """As a person does in the UI."""
        self._call("PATCH", instance.path, {"new_state": "failed"})

    def clear(self, instance: Instance) -> None:
        """As a person does in the UI: this task and what comes after it, whatever their state."""
        mapped = [instance.task_id, instance.map_index]
        body = {
            "dry_run": False,
            "dag_run_id": instance.run_id,
            "task_ids": [instance.task_id if instance.map_index is None else mapped],
            "only_failed": False,
            "include_downstream": True,
        }
        self._call("POST", f"/dags/{instance.dag_id}/clearTaskInstances", body)

    def _call(self, method: str, path: str, body: object = None, **query: bool) -> Any:
        if time.monotonic() > self._token_until:
            self._log_in()
        with contextlib.nullcontext() if method == "GET" else self._changing:
            reply = self._client.request(method, f"/api/v2{path}", json=body, params=query)
        reply.raise_for_status()
        return reply.json()

    def _log_in(self) -> None:
        reply = self._client.post("/auth/token", json={"username": USER, "password": PASSWORD})
        reply.raise_for_status()
        self._client.headers["Authorization"] = f"Bearer {reply.json()['access_token']}"
        self._token_until = time.monotonic() + TOKEN_SECONDS

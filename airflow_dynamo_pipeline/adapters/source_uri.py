"""A database named by a URI without a password, and opened by its usual driver."""

from __future__ import annotations

import importlib
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from airflow_dynamo_pipeline.errors import InvalidRequest, MissingLibrary, Problem

SETTING: Final = "source_uri"
SHAPE: Final = "as postgresql://user@host:5432/database, redshift://, mysql:// or sqlite:///file"
DIALECTS: Final[Mapping[str, str]] = {
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "redshift": "redshift",
    "mysql": "mysql",
    "sqlite": "sqlite",
}
PORTS: Final = {"postgresql": 5432, "redshift": 5439, "mysql": 3306}
SECRETS: Final = ("password", "passwd", "pwd", "sslpassword", "secret_access_key", "session_token")
WORDS: Final = {"true": True, "false": False}  # of Redshift's driver, which takes no text for them


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceUri:
    """Where a query runs and as whom; ``options`` go to the driver."""

    dialect: str
    host: str = ""
    port: int | None = None
    user: str | None = None
    database: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, uri: str) -> SourceUri:
        """Read a URI; raises InvalidRequest, which never repeats it: it may have a password in it."""
        try:
            parts = urlsplit(uri)
            port, options = parts.port, dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        except ValueError:
            raise _refused("cannot be read", SHAPE) from None
        dialect = DIALECTS.get(parts.scheme)
        if dialect is None:
            raise _refused(f"begins with {parts.scheme or 'no scheme'!r}", SHAPE)
        if parts.password is not None or not {name.lower() for name in options}.isdisjoint(SECRETS):
            hint = "put the password into DYNAMO_PIPELINE_SOURCE_PASSWORD, or where the driver looks for one"
            raise _refused("has a password in it, which others can read on the command line", hint)
        database = unquote(parts.path.removeprefix("/"))
        if not database or (dialect != "sqlite" and not parts.hostname):
            raise _refused("names no database" if parts.hostname else "names no host", SHAPE)
        if dialect == "sqlite" and (parts.netloc or options):
            raise _refused("is not sqlite:///file", "an absolute path has four slashes")
        user = unquote(parts.username) if parts.username else None
        return cls(
            dialect=dialect,
            host=parts.hostname or "",
            port=port,
            user=user,
            database=database,
            options=options,
        )

    @property
    def name(self) -> str:
        """The database for messages."""
        if self.dialect == "sqlite":
            return f"sqlite file {self.database}"
        return f"{self.dialect}://{self.host}:{self.port or PORTS[self.dialect]}/{self.database}"

    def connecting(self, password: str | None) -> Callable[[], Any]:
        """What opens a DB-API connection; raises MissingLibrary. None: the driver's own way to a password."""
        if self.dialect == "sqlite":
            return lambda: sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        given = {"host": self.host, "port": self.port or PORTS[self.dialect], "user": self.user}
        if password:
            given["password"] = password
        module, database = _driver(self.dialect)
        options: Mapping[str, Any] = self.options
        if self.dialect == "redshift":
            options = {name: WORDS.get(text.lower(), text) for name, text in options.items()}
        arguments = {name: value for name, value in given.items() if value is not None}
        return lambda: module.connect(**{**arguments, database: self.database, **options})


DRIVERS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {  # module, and its word for the database
    "postgresql": (("psycopg2", "dbname"), ("psycopg", "dbname")),
    "redshift": (("redshift_connector", "database"),),
    "mysql": (("pymysql", "database"), ("MySQLdb", "database")),
}
EXTRAS: Final = {"postgresql": "postgres", "redshift": "redshift", "mysql": "mysql"}


def _driver(dialect: str) -> tuple[Any, str]:
    for name, database in DRIVERS[dialect]:
        try:
            return importlib.import_module(name), database
        except ImportError:
            continue
    raise MissingLibrary(DRIVERS[dialect][0][0], EXTRAS[dialect])


def _refused(what: str, hint: str) -> InvalidRequest:
    return InvalidRequest([Problem(SETTING, what, hint)])

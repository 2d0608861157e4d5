"""A database named by a URI without a password, and opened by its usual driver."""

from __future__ import annotations

import importlib
import inspect
import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

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
SECRETS: Final = (
    "password",
    "passwd",
    "pwd",
    "sslpassword",
    "ssl_key_password",
    "secret_access_key",
    "session_token",
    "client_secret",
    "token",
    "web_identity_token",
)
WORDS: Final = {"true": True, "false": False}  # of drivers that take no text for them
LIBPQ: Final = ("postgresql",)  # its library reads every option as text
BAD_OPTION: Final = re.compile(r"invalid (connection option|\w+ value)")  # in the words of that library


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
        if parts.fragment:
            raise _refused("has a # in it", "write # as %23, ? as %3F and % as %25")
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
        """What opens a DB-API connection; None for the driver's own way to a password.

        Raises MissingLibrary, and InvalidRequest for options that the driver does not take; so does what is
        returned, which also raises whatever the driver does.
        """
        if self.dialect == "sqlite":
            return self._open_file
        given = {"host": self.host, "port": self.port or PORTS[self.dialect], "user": self.user}
        if password:
            given["password"] = password
        module, database = _driver(self.dialect)
        arguments = {name: value for name, value in given.items() if value is not None}
        arguments |= {database: self.database, **self._typed_options(module.connect)}
        return lambda: self._open(module.connect, arguments)

    def _typed_options(self, connect: Callable[..., Any]) -> Mapping[str, Any]:
        if self.dialect in LIBPQ:
            return self.options
        taken = inspect.signature(connect).parameters
        takes_any = any(one.kind is one.VAR_KEYWORD for one in taken.values())
        unknown = [name for name in self.options if name not in taken]
        if unknown and not takes_any:
            raise _no_option(self.dialect, unknown)
        types = {name: _declared(taken[name]) if name in taken else "" for name in self.options}
        return {name: _typed(name, text, types[name]) for name, text in self.options.items()}

    def _open(self, connect: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
        """Connect; raises InvalidRequest where the driver cannot make anything of the options."""
        try:
            return connect(**arguments)
        except Exception as error:
            said = str(error).strip()
            if self.options and (isinstance(error, (TypeError, ValueError)) or BAD_OPTION.search(said)):
                raise _refused(f"{', '.join(self.options)}: {said}", OPTIONS) from None
            raise

    def _open_file(self) -> sqlite3.Connection:
        if not Path(self.database).is_file():
            raise _refused(f"there is no file {self.database}", "an absolute path has four slashes")
        return sqlite3.connect(f"file:{quote(self.database)}?mode=ro", uri=True)


DRIVERS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {  # module, and its word for the database
    "postgresql": (("psycopg2", "dbname"), ("psycopg", "dbname")),
    "redshift": (("redshift_connector", "database"),),
    "mysql": (("pymysql", "database"), ("MySQLdb", "database")),
}
OPTIONS: Final = "what follows the ? goes to the driver: see which options it has, and what they take"
EXTRAS: Final = {"postgresql": "postgres", "redshift": "redshift", "mysql": "mysql"}


def _driver(dialect: str) -> tuple[Any, str]:
    for name, database in DRIVERS[dialect]:
        try:
            return importlib.import_module(name), database
        except ImportError:
            continue
    raise MissingLibrary(DRIVERS[dialect][0][0], EXTRAS[dialect])


def _declared(parameter: inspect.Parameter) -> str:
    """The type that a driver declares for an option; empty where it declares none."""
    return "" if parameter.annotation is parameter.empty else str(parameter.annotation)


def _typed(name: str, text: str, declared: str) -> Any:
    """An option as its driver wants it."""
    if "bool" in declared and text.lower() not in WORDS:
        raise _refused(f"option {name} is {text!r}", "it is true or false")
    if "int" in declared and not text.isdecimal():
        raise _refused(f"option {name} is {text!r}", "it is a whole number")
    if "str" in declared:
        return text
    return int(text) if text.isdecimal() else WORDS.get(text.lower(), text)


def _no_option(dialect: str, unknown: Sequence[str]) -> InvalidRequest:
    names = ", ".join(map(repr, unknown))
    return _refused(f"the driver of {dialect}:// has no option {names}", OPTIONS)


def _refused(what: str, hint: str) -> InvalidRequest:
    return InvalidRequest([Problem(SETTING, what, hint)])

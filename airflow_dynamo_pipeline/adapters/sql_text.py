"""A person's query, and the queries made of it: its columns, its count, its repeated keys, its rows."""

# ruff: noqa: S608  the query is the person's own, and names of columns are quoted

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from airflow_dynamo_pipeline.errors import ImportRefused, Problem

SHOWN_KEYS: Final = 5  # of those that repeat
AS_TEXT: Final = "CAST({} AS text)"
PLAIN: Final = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """What differs between databases, as far as a lookup load meets it."""

    name: str
    quote: str = '"'
    quotes_all: bool = True  # whether a plain name is quoted, too
    folds: bool = False  # whether texts that differ are equal, as by case: keys are grouped by their bytes
    backslashes: bool = False  # whether one in a text constant escapes what follows
    limit: bool = True  # whether LIMIT is understood
    cursors: bool = False  # whether DECLARE and FETCH FORWARD are
    batch_rows: int = 5000

    def quoted(self, name: str) -> str:
        """A column's name as an identifier.

        >>> DIALECTS["mysql"].quoted("a`b")
        '`a``b`'
        """
        if not self.quotes_all and PLAIN.fullmatch(name):
            return name
        return f"{self.quote}{name.replace(self.quote, self.quote * 2)}{self.quote}"


DIALECTS: Final = {
    dialect.name: dialect
    for dialect in (
        Dialect(name="postgresql", cursors=True),
        # 1,000 is the most that FETCH takes on a cluster of one node
        Dialect(name="redshift", cursors=True, backslashes=True, batch_rows=1000),
        Dialect(name="mysql", quote="`", backslashes=True, folds=True),
        Dialect(name="sqlite"),
        # BigQuery, Spark and Hive take what is between " for a text
        Dialect(name="other", limit=False, quotes_all=False),
    )
}
DRIVERS: Final = {  # by the first part of the module that a connection's class is from
    "psycopg2": "postgresql",
    "psycopg": "postgresql",
    "redshift_connector": "redshift",
    "pymysql": "mysql",
    "MySQLdb": "mysql",
    "mysql": "mysql",
    "sqlite3": "sqlite",
}


def dialect_of(connection: Any) -> Dialect:
    """The dialect of a DB-API connection, told by its driver or a driver that its class is made from."""
    for kind in type(connection).__mro__:
        name = DRIVERS.get(kind.__module__.partition(".")[0])
        if name is not None:
            return DIALECTS[name]
    return DIALECTS["other"]


@dataclass(frozen=True, slots=True)
class QueryText:
    """One SELECT of a person, and what is asked about it; ``of`` takes off what may stand at its end."""

    sql: str
    dialect: Dialect

    @classmethod
    def of(cls, sql: str, dialect: Dialect) -> QueryText:
        """Take the one statement out of a text; raises ImportRefused where there is none, or more."""
        return cls(one_statement(sql, dialect), dialect)

    @property
    def probe(self) -> str:
        """What has the query's columns and no row."""
        return f"SELECT * FROM {self._nested} WHERE 1 = 0"

    @property
    def count(self) -> str:
        """One row, one number: how many rows there are."""
        return f"SELECT count(*) FROM {self._nested}"

    def rows(self, columns: Sequence[str] = (), converted: Mapping[str, str] | None = None) -> str:
        """Its rows; ``converted`` has the expressions, by name, of columns that the database converts."""
        if not converted:
            return f"SELECT * FROM {self._nested}"
        quoted = {name: self.dialect.quoted(name) for name in columns}
        wanted = ", ".join(
            f"{converted[name].format(quoted[name])} AS {quoted[name]}" if name in converted else quoted[name]
            for name in columns
        )
        return f"SELECT {wanted} FROM {self._nested}"

    def repeated_count(self, keys: Sequence[str]) -> str:
        """One row, one number: how many keys several rows have."""
        return f"SELECT count(*) FROM (SELECT 1 AS one {self._repeated(keys)}) r"

    def repeated(self, keys: Sequence[str]) -> str:
        """The first of these keys, each with its rows."""
        names = ", ".join(
            f"min({name})" if self.dialect.folds else name for name in map(self.dialect.quoted, keys)
        )
        most = f" LIMIT {SHOWN_KEYS}" if self.dialect.limit else ""
        return f"SELECT {names}, count(*) {self._repeated(keys)} ORDER BY {names}{most}"

    @property
    def _nested(self) -> str:
        return f"(\n{self.sql}\n) q"  # the line ends close a comment

    def _repeated(self, keys: Sequence[str]) -> str:
        names = [self.dialect.quoted(key) for key in keys]
        given = " AND ".join(f"{name} IS NOT NULL" for name in names)
        if self.dialect.folds:
            names = [f"CAST({name} AS binary)" for name in names]
        return f"FROM {self._nested} WHERE {given} GROUP BY {', '.join(names)} HAVING count(*) > 1"


COMMENT: Final = r"(?P<comment>--[^\n]*|/\*.*?\*/)"
REST: Final = r"\$(?P<tag>\w*)\$.*?\$(?P=tag)\$|[eE]'(?:[^'\\]|''|\\.)*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|\w+|."
TOKENS: Final = {
    False: re.compile(rf"\s+|{COMMENT}|'(?:[^']|'')*'|{REST}", re.DOTALL),
    True: re.compile(rf"\s+|{COMMENT}|'(?:[^'\\]|''|\\.)*'|{REST}", re.DOTALL),
}


def one_statement(sql: str, dialect: Dialect) -> str:
    """The statement without semicolons and comments at its end; raises ImportRefused.

    >>> one_statement("select 1; -- done", DIALECTS["sqlite"])
    'select 1'
    """
    end = 0
    semicolon = False
    for start, stop, word in _words(sql, dialect):
        if word == ";":
            semicolon = end > 0
        elif semicolon:
            hint = "use one SELECT; WITH can go before it"
            raise ImportRefused([Problem("sql", f"is more than one statement: {sql[start:][:40]!r}", hint)])
        else:
            end = stop
    if not end:
        raise ImportRefused([Problem("sql", "is empty")])
    return sql[:end].lstrip("; \t\r\n")


def _words(sql: str, dialect: Dialect) -> Iterator[tuple[int, int, str]]:
    """Where everything begins and ends that is neither a comment nor a space."""
    for found in TOKENS[dialect.backslashes].finditer(sql):
        if not found.group().isspace() and found.group("comment") is None:
            yield found.start(), found.end(), found.group()

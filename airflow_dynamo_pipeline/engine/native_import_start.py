"""The beginning of a native import: everything is looked at, then it is begun, or found begun."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_dynamo_pipeline.engine.identity import Work
from airflow_dynamo_pipeline.engine.native_import import NativeImportRequest, client_token, token_root
from airflow_dynamo_pipeline.engine.native_import_ports import NativeImport, NativeImportPorts
from airflow_dynamo_pipeline.engine.native_import_source import (
    NativeSource,
    find_source,
    manifest_count,
)
from airflow_dynamo_pipeline.engine.plan import finding
from airflow_dynamo_pipeline.engine.ports import TableDescription
from airflow_dynamo_pipeline.engine.requests import S3Location
from airflow_dynamo_pipeline.engine.table_definition import (
    FILE_NAME,
    TableDefinition,
    decode_definition,
    import_parameters,
)
from airflow_dynamo_pipeline.errors import ImportRefused, NotFound, Problem, ServiceTrouble

TABLE = "table_name"
EXISTS = "ImportTable only makes new tables; DynamoDBImportOperator writes into one that exists"


@dataclass(frozen=True, kw_only=True, slots=True)
class Begun:
    """An import that is under way, or over, and what its end is compared with."""

    native: NativeImport
    expected_items: int | None  # as the manifest says
    definition_uri: str | None  # of a stored definition; None: it was given in another way


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """What was found of source and definition; None of what was not."""

    source: NativeSource | None
    parameters: Mapping[str, Any] | None
    definition_uri: str | None

    def begun(self, native: NativeImport, expected_items: int | None) -> Begun:
        """The import that came of it."""
        return Begun(native=native, expected_items=expected_items, definition_uri=self.definition_uri)


def begin(request: NativeImportRequest, work: Work, ports: NativeImportPorts) -> Begun:
    """Begin the import, or adopt the one that an earlier attempt at this work began.

    An import is adopted while it runs, whether a retry or Clear looks for it; one that is over, by a retry
    only. Raises ImportRefused with all problems before anything is touched, and AccessDenied or NotFound when
    an adopted import has a manifest to be compared with that cannot be read.
    """
    problems: list[Problem] = []
    table = finding(problems, TABLE, lambda: ports.imports.table(request.table_name))
    maker = None
    if table is not None:
        maker = finding(problems, TABLE, lambda: _maker(table, request, work, ports))
    if table is not None and not _is_mine(maker, request, work):
        problems.append(_in_the_way(table, maker))
    found: list[Problem] = []
    prepared = _prepare(request, ports, found)
    if maker is not None and not problems:
        for problem in found:  # the import has begun: nothing of it can be mended now
            ports.warn(str(problem))
        ports.say(f"adopted: {maker.line()}")
        return prepared.begun(maker, _listed(request, prepared.source, ports))
    if problems or found or prepared.source is None or prepared.parameters is None:
        raise ImportRefused([*problems, *found])
    native = _start(request, work, ports, prepared.source, prepared.parameters)
    return prepared.begun(native, prepared.source.item_count)


def _listed(
    request: NativeImportRequest, source: NativeSource | None, ports: NativeImportPorts
) -> int | None:
    """What an adopted import is compared with, although its source may no longer be fit for an import."""
    if source is not None:
        return source.item_count
    return manifest_count(request, ports.store(S3Location.parse(request.source_uri).bucket))


def _start(
    request: NativeImportRequest,
    work: Work,
    ports: NativeImportPorts,
    source: NativeSource,
    parameters: Mapping[str, Any],
) -> NativeImport:
    """Call ImportTable; by the token, DynamoDB answers an earlier attempt's call again for eight hours."""
    call = {
        "ClientToken": client_token(request, work),
        **source.members(request),
        "TableCreationParameters": dict(parameters),
    }
    native = ports.imports.start(call)
    if native is None:  # a table that DescribeTable did not show a moment ago
        native = _of_a_moment_ago(request, work, ports)
    ports.say(f"{native.arn} reads s3://{source.location.bucket}/{source.location.prefix}")
    return native


def _of_a_moment_ago(request: NativeImportRequest, work: Work, ports: NativeImportPorts) -> NativeImport:
    table = ports.imports.table(request.table_name)
    if table is None:
        raise ServiceTrouble(f"table {request.table_name} is being made or deleted by somebody else")
    maker = _maker(table, request, work, ports)
    if maker is None or not _is_mine(maker, request, work):
        raise ImportRefused([_in_the_way(table, maker)])
    return maker


def _maker(
    table: TableDescription, request: NativeImportRequest, work: Work, ports: NativeImportPorts
) -> NativeImport | None:
    """The import of this run, by whatever attempt, that made the table; None when none did."""
    root = token_root(request, work)
    for native in ports.imports.imports_into(table.arn):
        is_ours = (native.client_token or "").startswith(root)
        is_of_table = native.table_id == table.table_id if native.table_id else native.is_running
        if is_ours and is_of_table:
            return native
    return None


def _is_mine(maker: NativeImport | None, request: NativeImportRequest, work: Work) -> bool:
    return maker is not None and (maker.is_running or maker.client_token == client_token(request, work))


def _in_the_way(table: TableDescription, maker: NativeImport | None) -> Problem:
    if maker is None:
        return Problem(TABLE, f"table {table.name} exists and is {table.status}", EXISTS)
    what = f"table {table.name} exists: {maker.arn} of this run made it, and is {maker.status}"
    return Problem(TABLE, what, "delete the table if it is to be imported anew, or choose another name")


def _prepare(request: NativeImportRequest, ports: NativeImportPorts, problems: list[Problem]) -> Prepared:
    """Find source and definition; what is wrong with them is added to the problems."""
    bucket = S3Location.parse(request.source_uri).bucket
    where = "manifest_uri" if request.manifest_uri else "s3_uri"
    source = finding(
        problems, where, lambda: find_source(request, ports.store(bucket), ports.say, ports.warn)
    )
    if request.table_definition is not None:
        parameters = {**request.table_definition, "TableName": request.table_name}
        return Prepared(source=source, parameters=parameters, definition_uri=None)
    uri = request.definition_s3_uri or _uri_beside(source)
    if uri is None:
        if source is not None:
            problems.append(Problem("table_definition", "no definition of the table is given", _HINT))
        return Prepared(source=source, parameters=None, definition_uri=None)
    definition = finding(problems, "definition_s3_uri", lambda: read_definition(uri, ports))
    if definition is None:
        return Prepared(source=source, parameters=None, definition_uri=uri)
    problems += _local_indexes(definition)
    parameters = import_parameters(definition, request.table_name)
    return Prepared(source=source, parameters=parameters, definition_uri=uri)


_HINT = "give table_definition, or definition_s3_uri of a definition that `dynamo-pipeline table save` wrote"


def _uri_beside(source: NativeSource | None) -> str | None:
    if source is None or source.definition_key is None:
        return None
    return f"s3://{source.location.bucket}/{source.definition_key}"


def read_definition(uri: str, ports: NativeImportPorts) -> TableDefinition:
    """Read a stored definition; raises NotFound, UnexpectedReply or UnknownVersion."""
    place = S3Location.parse(uri)
    stored = ports.store(place.bucket).get(place.prefix)
    if stored is None:
        raise NotFound("key", uri, f"no {FILE_NAME} is there: {_HINT}")
    return decode_definition(stored.body, uri)


def _local_indexes(definition: TableDefinition) -> list[Problem]:
    names = [index.index_name for index in definition.table.local_secondary_indexes]
    if not names:
        return []
    what = f"the table has local indexes ({', '.join(names)}), which ImportTable cannot make"
    hint = "make the table by `dynamo-pipeline table restore` and fill it by DynamoDBImportOperator"
    return [Problem("definition_s3_uri", what, hint)]

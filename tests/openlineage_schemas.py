"""OpenLineage's own JSON Schemas, applied to events: the copies in tests/golden/openlineage."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]
from referencing import Registry, Resource

FOLDER = Path(__file__).parent / "golden" / "openlineage"
URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:([\w.~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*", re.ASCII)
BASE = "OpenLineage.json"

formats = FormatChecker()
formats.checks("uri")(lambda found: not isinstance(found, str) or URI.fullmatch(found) is not None)


def checked(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """The event, if it and each of its facets are as OpenLineage says; else raises ValidationError.

    KeyError for a facet whose schema is not among the copies.
    """
    _validator(BASE).validate(event)
    for name, facet in _facets(event):
        document = facet["_schemaURL"].partition("#")[0].rpartition("/")[2]
        if document != BASE:  # a facet of Airflow's own: a facet, and nothing more is known of it
            assert name in _schema(document)["properties"], f"{document} is not the schema of {name}"
            _validator(document).validate({name: facet})
    return event


def _facets(event: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    sides = [*event.get("inputs", ()), *event.get("outputs", ())]
    for holder in (event["run"], event["job"], *sides):
        for kind in ("facets", "inputFacets", "outputFacets"):
            yield from holder.get(kind, {}).items()


@cache
def _schema(document: str) -> Any:
    try:
        return json.loads((FOLDER / document).read_text("utf-8"))
    except FileNotFoundError:
        raise KeyError(document) from None


@cache
def _validator(document: str) -> Any:
    return Draft202012Validator(_schema(document), registry=_registry(), format_checker=formats)


@cache
def _registry() -> Registry[Any]:
    schemas = (_schema(path.name) for path in FOLDER.glob("*.json"))
    return Registry().with_resources([(schema["$id"], Resource.from_contents(schema)) for schema in schemas])

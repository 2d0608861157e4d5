"""S3's XML, written and read."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from datetime import datetime
from urllib.parse import quote_plus
from xml.etree import ElementTree as ET

from tests.faults.s3.refusals import Refused, malformed
from tests.faults.wire import Reply, Request

XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/"
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
TYPE = {"Content-Type": "application/xml"}
ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
NO_BODY = frozenset({204, 304})

Value = str | int | list["Field"]
Field = tuple[str, Value]


def document(root: str, value: Value, headers: dict[str, str] | None = None) -> Reply:
    """A reply of one element; a field whose value is "" is left out, lists are elements within."""
    text = f'{HEAD}<{root} xmlns="{XMLNS}">{_text(value)}</{root}>'
    return Reply(200, [text.encode()], {**TYPE, **(headers or {})})


def refusal(refused: Refused, request: Request) -> Reply:
    """An error reply, without its document where there may be none."""
    if request.method == "HEAD" or refused.status in NO_BODY:
        return Reply(refused.status, (), refused.headers)
    fields: list[Field] = [("Code", refused.code), ("Message", str(refused)), *refused.fields.items()]
    text = f"{HEAD}<Error>{_written(fields)}</Error>"
    return Reply(refused.status, [text.encode()], {**TYPE, **refused.headers})


def root_of(body: bytes) -> ET.Element:
    """Read a document, its namespace taken off."""
    try:
        root = ET.fromstring(body)
    except ET.ParseError:
        raise malformed() from None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def text_of(element: ET.Element, name: str) -> str:
    """The text of a child that must be there."""
    found = element.findtext(name)
    if found is None:
        raise malformed()
    return found


@functools.lru_cache(maxsize=1024)
def instant(moment: datetime) -> str:
    """A time as documents show it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def encoder(request: Request) -> Encoder:
    """How keys are to be written: as they are, or as in a URL."""
    return Encoder(request.query.get("encoding-type") == "url")


class Encoder:
    """Writes keys in a listing."""

    def __init__(self, as_url: bool) -> None:
        self.fields: list[Field] = [("EncodingType", "url")] if as_url else []
        self._as_url = as_url

    def __call__(self, key: str) -> str:
        return quote_plus(key, safe="/") if self._as_url else key


def _written(fields: Iterable[Field]) -> str:
    return "".join(f"<{name}>{_text(value)}</{name}>" for name, value in fields if value != "")


def _text(value: Value) -> str:
    if isinstance(value, list):
        return _written(value)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).translate(ESCAPES)

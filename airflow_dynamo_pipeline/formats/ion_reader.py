"""Ion text as DynamoDB's own exports write it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final

import msgspec

from airflow_dynamo_pipeline.errors import MissingLibrary
from airflow_dynamo_pipeline.formats.lines import NotAnItem, cut_lines, read_one_by_one
from airflow_dynamo_pipeline.formats.mapping import MAX_NESTING, Typed, encode, shown
from airflow_dynamo_pipeline.formats.reading import Block, Content, ReadSettings

BINARY_MARK = b"\xe0\x01\x00\xea"
SLOW_BYTES = (
    4 * 400 * 1024
)  # the library's Python part takes 10 microseconds a byte; an item is never that long
SETS: Final[Mapping[str, str]] = {"$dynamodb_SS": "SS", "$dynamodb_NS": "NS", "$dynamodb_BS": "BS"}


class IonReader:
    """Reads the Ion files of native exports: one item a line, each an Ion text of its own.

    ``$ion_1_0 {Item:{...}}``: a decimal or integer is N with every digit, a string or symbol S, a blob B,
    a struct M, a list L, and the annotations ``$dynamodb_SS``, ``_NS`` and ``_BS`` make a list a set.
    What DynamoDB has no type for, such as a float or a timestamp, makes its line a bad line.
    """

    __slots__ = ()

    name = "ion"

    def check_available(self) -> None:
        """Raise MissingLibrary where amazon.ion is not installed."""
        _simpleion()

    def check_settings(self, settings: ReadSettings) -> Iterator[str]:
        """Say that Ion needs no declared attributes."""
        if settings.attributes:
            yield "ion files say the type of every value; declared attributes would not be used"

    def blocks(self, content: Content, settings: ReadSettings) -> Iterator[Block]:  # noqa: ARG002  the protocol's
        """Read a file; what is not one item is a bad line. Raises ValueError for binary Ion."""
        read = partial(_item_of, _line_reader())
        for lines in cut_lines(_checked(content.chunks())):
            yield read_one_by_one(lines, read)


def _checked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    begun = b""
    for chunk in chunks:
        begun = begun or chunk[: len(BINARY_MARK)]
        if begun == BINARY_MARK:
            raise ValueError("binary Ion, which DynamoDB does not export, cannot be read")
        yield chunk


def _item_of(read: Callable[[bytes], Any], line: bytes) -> tuple[msgspec.Raw, bool]:
    try:
        value = read(line)
    except Exception as exc:  # the parser raises errors of many kinds for what is no Ion
        raise NotAnItem(f"not Ion: {str(exc).strip()}") from exc
    return msgspec.Raw(encode(_item(value))), False


def _item(value: Any) -> dict[str, Typed]:
    if _kind(value) != "STRUCT" or [name for name, _ in value.items()] != ["Item"]:
        raise NotAnItem("expected a struct with the one field Item")
    item: dict[str, Typed] = _typed(value["Item"], 1).get("M", {})
    if _kind(value["Item"]) != "STRUCT":
        raise ValueError("Item is not a struct")
    return item


def _kind(value: Any) -> str:
    """Name a value's Ion type; NULL for a null of any type."""
    kind = getattr(value, "ion_type", None)
    return (
        "NULL" if value is None or type(value).__name__ == "IonPyNull" else getattr(kind, "name", "UNKNOWN")
    )


def _typed(value: Any, level: int) -> Typed:
    if level > MAX_NESTING:
        raise ValueError(f"nested deeper than {MAX_NESTING} levels")
    kind = _kind(value)
    if kind not in _TYPED:
        raise ValueError(f"DynamoDB has no type for the Ion type {kind.lower()}: {shown(value)}")
    annotations = [annotation.text for annotation in getattr(value, "ion_annotations", ())]
    if annotations:
        return _set(annotations, kind, value)
    return _TYPED[kind](value, level)


def _set(annotations: list[str], kind: str, value: Any) -> Typed:
    tag = SETS.get(annotations[0])
    if tag is None or len(annotations) > 1 or kind != "LIST":
        raise ValueError(
            f"unknown annotation {'::'.join(map(str, annotations))} of a value of type {kind.lower()}"
        )
    members = [_typed(member, 1) for member in value]
    if any([*member] != [tag[0]] for member in members):
        raise ValueError(f"a set of type {tag} has members of another type")
    return {tag: [member[tag[0]] for member in members]}


def _struct(value: Any, level: int) -> Typed:
    pairs = list(value.items())
    names = {name for name, _ in pairs}
    if len(names) < len(pairs):
        raise ValueError("a name stands twice in one struct")
    if None in names:
        raise ValueError("a field name is a symbol without text")
    return {"M": {str(name): _typed(inner, level + 1) for name, inner in pairs}}


def _list(value: Any, level: int) -> Typed:
    return {"L": [_typed(inner, level + 1) for inner in value]}


def _symbol(value: Any, _level: int) -> Typed:
    if value.text is None:
        raise ValueError("a symbol without text")
    return {"S": str(value.text)}


_TYPED: Final[Mapping[str, Callable[[Any, int], Typed]]] = {
    "NULL": lambda _value, _level: {"NULL": True},
    "BOOL": lambda value, _level: {"BOOL": bool(value)},
    "INT": lambda value, _level: {"N": str(int(value))},
    "DECIMAL": lambda value, _level: {"N": str(value)},
    "STRING": lambda value, _level: {"S": str(value)},
    "SYMBOL": _symbol,
    "BLOB": lambda value, _level: {"B": base64.b64encode(value).decode("ascii")},
    "LIST": _list,
    "STRUCT": _struct,
}


def _simpleion() -> Any:
    try:
        from amazon.ion import simpleion
    except ImportError as exc:
        raise MissingLibrary("amazon.ion", "ion") from exc
    return simpleion


def _line_reader() -> Callable[[bytes], Any]:
    """Read a line as one Ion value, with the library's C part where it is there and can.

    The C part takes no string of 64 KiB; the Python part reads what it refuses. A catalog
    makes the library use the Python part, and this one knows no shared symbol tables: a table may claim
    billions of symbols, and an export uses none.
    """
    simpleion = _simpleion()
    from amazon.ion.symbols import SymbolTableCatalog

    class NoTables(SymbolTableCatalog):  # type: ignore[misc]  # the library has no annotations
        """Refuses every shared symbol table."""

        def resolve(self, name: str, version: int, max_id: int) -> Any:  # noqa: ARG002  the library's
            raise ValueError(f"a shared symbol table is asked for: {shown(name)}")

    def in_python(text: bytes) -> Any:
        if len(text) > SLOW_BYTES:
            raise ValueError(f"{len(text)} bytes are more than an item can have")
        return simpleion.loads(
            text.decode(), catalog=NoTables()
        )  # of bytes it would take each for a character

    def read(text: bytes) -> Any:
        try:
            return simpleion.loads(text)
        except Exception:  # noqa: BLE001  whatever it was, the other part says it better
            return in_python(text)

    return read if simpleion.c_ext else in_python

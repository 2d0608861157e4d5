"""ProjectionExpression: which attributes, and which parts of nested ones, a reply holds."""

from __future__ import annotations

import re
from typing import Any

from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords

from tests.faults.dynamodb.errors import Refused, invalid
from tests.faults.dynamodb.values import Item, Value

Tree = dict[str | int, Any]  # step: what is wanted below it; an empty one: everything
PATH = re.compile(r"\s*[#\w-]+(\[\d+\]|\.[#\w-]+)*\s*")
STEP = re.compile(r"\[(\d+)\]|([#\w-]+)")


def parse_projection(text: str, names: dict[str, str]) -> Tree:
    """The paths of an expression as one tree; raises Refused."""
    paths = [_path(part, names) for part in text.split(",")]
    tree: Tree = {}
    for number, path in enumerate(paths):
        for other in paths[:number]:
            shorter = min(len(path), len(other))
            if path[:shorter] == other[:shorter]:
                raise _refused(
                    "Two document paths overlap with each other; must remove or rewrite one of these paths; "
                    f"path one: {_shown(other)}, path two: {_shown(path)}"
                )
        below = tree
        for step in path:
            below = below.setdefault(step, {})
    return tree


def _path(text: str, names: dict[str, str]) -> list[str | int]:
    if not PATH.fullmatch(text):
        raise _refused(f"Syntax error; token: {text!r}")
    steps: list[str | int] = []
    for number, name in STEP.findall(text):
        if number:
            steps.append(int(number))
        elif name.startswith("#"):
            if name not in names:
                raise _refused(
                    "An expression attribute name used in the document path is not defined; "
                    f"attribute name: {name}"
                )
            steps.append(names[name])
        elif name.upper() in ReservedKeywords.get_reserved_keywords():
            raise _refused(f"Attribute name is a reserved keyword; reserved keyword: {name}")
        else:
            steps.append(name)
    return steps


def _shown(path: list[str | int]) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else step for step in path)
    return f"[{', '.join(steps)}]"


def _refused(reason: str) -> Refused:
    return invalid(f"Invalid ProjectionExpression: {reason}")


def project(item: Item, tree: Tree) -> Item:
    """What a projection leaves of an item."""
    kept = {str(step): _cut(item[str(step)], below) for step, below in tree.items() if str(step) in item}
    return {name: value for name, value in kept.items() if value is not None}


def _cut(value: Value, tree: Tree) -> Value | None:
    """What a projection leaves of a value; None: nothing."""
    if not tree:
        return value
    ((tag, held),) = value.items()
    if tag == "M":
        parts = {step: _cut(held[step], below) for step, below in tree.items() if step in held}
        kept = {str(step): part for step, part in parts.items() if part is not None}
        return {tag: kept} if kept else None
    if tag == "L":
        numbers = sorted(step for step in tree if isinstance(step, int) and step < len(held))
        cuts = [part for number in numbers if (part := _cut(held[number], tree[number])) is not None]
        return {tag: cuts} if cuts else None
    return None

"""The expressions of one request, with the names and values they share."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from tests.faults.dynamodb.conditions import holds, parse
from tests.faults.dynamodb.errors import invalid, not_simulated
from tests.faults.dynamodb.projections import Tree, parse_projection
from tests.faults.dynamodb.values import Item, Value

Json = dict[str, Any]
Condition = Callable[[Item | None], bool]
TEXTS = (
    "FilterExpression",
    "ConditionExpression",
    "KeyConditionExpression",
    "ProjectionExpression",
    "UpdateExpression",
)
NAMES = "ExpressionAttributeNames"
VALUES = "ExpressionAttributeValues"
OLD_WAYS = (
    "AttributesToGet",
    "AttributeUpdates",
    "ConditionalOperator",
    "Expected",
    "KeyConditions",
    "QueryFilter",
    "ScanFilter",
)
PLACEHOLDER = re.compile(r"[#:][\w-]+")


class Expressions:
    """Reads a request's expressions; raises Refused for bad ones and for names and values nobody uses."""

    def __init__(self, request: Json) -> None:
        old = [name for name in OLD_WAYS if name in request]
        if old:
            raise not_simulated(", ".join(old))
        self._request = request
        self.names: dict[str, str] = request.get(NAMES, {})
        self.values: dict[str, Value] = request.get(VALUES, {})
        if self.names or self.values:
            self._check_used()

    def _check_used(self) -> None:
        texts = [self._request[name] for name in TEXTS if name in self._request]
        if not texts:
            given = NAMES if self.names else VALUES
            raise invalid(f"{given} can only be specified when using expressions")
        used = {match for text in texts for match in PLACEHOLDER.findall(text)}
        for given, members in ((NAMES, self.names), (VALUES, self.values)):
            unused = sorted(members.keys() - used)
            if unused:
                raise invalid(
                    f"Value provided in {given} unused in expressions: keys: {{{', '.join(unused)}}}"
                )

    def tree(self, kind: str) -> Any:
        """The parsed filter or condition of this name; None without one."""
        text = self._request.get(kind)
        if text is None:
            return None
        return _parsed(kind, text, json.dumps(self.names), json.dumps(self.values))

    def condition(self, kind: str) -> Condition | None:
        """The filter or condition of this name; None without one."""
        tree = self.tree(kind)
        return None if tree is None else lambda item: holds(tree, item)

    def projection(self) -> Tree | None:
        """The projection; None without one."""
        text = self._request.get("ProjectionExpression")
        return None if text is None else parse_projection(text, self.names)


@lru_cache(maxsize=256)
def _parsed(kind: str, text: str, names: str, values: str) -> Any:
    return parse(kind, text, json.loads(names), json.loads(values))

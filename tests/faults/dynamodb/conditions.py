"""Filters and conditions: parsed by moto, decided here, because types matter here.

moto compares what Python makes of values: a binary as its base64 text, True equal to 1, a missing
attribute equal to NULL. The service compares values of one type only.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from moto.dynamodb import comparisons as moto

from tests.faults.dynamodb.errors import Refused, invalid
from tests.faults.dynamodb.values import Item, Value, clean_value

Known = tuple[str, Any]  # type and value, equal and ordered as the service has it
ORDERED = ("S", "N", "B")
TYPES = ("M", "SS", "NULL", "B", "NS", "S", "BS", "N", "BOOL", "L")


def known(value: Value) -> Known:
    """A typed value as Python can compare and hash it."""
    ((tag, held),) = value.items()
    return tag, COMPARABLE[tag](held)


def _as_set(tag: str) -> Callable[[list[str]], frozenset[Known]]:
    return lambda held: frozenset(known({tag: one}) for one in held)


COMPARABLE: dict[str, Callable[[Any], Any]] = {
    "S": str.encode,
    "N": Decimal,
    "B": base64.b64decode,
    "BOOL": bool,
    "NULL": bool,
    "SS": _as_set("S"),
    "NS": _as_set("N"),
    "BS": _as_set("B"),
    "L": lambda held: tuple(known(one) for one in held),
    "M": lambda held: frozenset((name, known(one)) for name, one in held.items()),
}


def parse(kind: str, text: str, names: dict[str, str], values: dict[str, Value]) -> Any:
    """An expression as a tree of moto's; raises Refused for what is none. ``kind``: FilterExpression..."""
    if not text.strip():
        raise invalid(f"Invalid {kind}: The expression can not be empty;")
    clean = {name: clean_value(value) for name, value in values.items()}
    try:
        tree = moto.get_filter_expression(" ".join(text.split()), names, clean)
    except KeyError as error:
        raise _undefined(kind, str(error.args[0])) from error
    except Exception as error:  # moto has an exception for each fault, and ValueError for the rest
        raise invalid(f"Invalid {kind}: {_reason(error, text)}") from error
    try:
        _check(tree)
    except BadOperand as error:
        raise invalid(f"Invalid {kind}: {error}") from error
    return tree


def _undefined(kind: str, name: str) -> Refused:
    if name.startswith(":"):
        what = f"value used in expression is not defined; attribute value: {name}"
    else:
        what = f"name used in the document path is not defined; attribute name: {name}"
    return invalid(f"Invalid {kind}: An expression attribute {what}")


def _reason(error: Exception, text: str) -> str:
    message = str(getattr(error, "message", error))
    for known_reason in ("Attribute name is a reserved keyword", "The expression has redundant parentheses"):
        if known_reason in message:
            return known_reason + message.partition(known_reason)[2]
    return f"Syntax error; token: {text!r} ({message})"


class BadOperand(Exception):
    """A literal that an operator cannot take."""


def _check(node: Any) -> None:
    """Refuse literals that an operator cannot take, wherever they stand."""
    if isinstance(node, moto.OpAnd | moto.OpOr | moto.OpNot):
        _check(node.lhs)
        if node.rhs is not None:
            _check(node.rhs)
    elif type(node) in CHECKS:
        CHECKS[type(node)](node)


def _check_distinct(node: Any) -> None:
    paths = [side.path for side in (node.lhs, node.rhs) if isinstance(side, moto.AttributePath)]
    if len(paths) > 1 and paths[0] == paths[1]:
        raise BadOperand(
            "The first operand must be distinct from the remaining operands for this operator or function; "
            f"operator: {node.OP}, first operand: {paths[0]}"
        )


def _check_order(node: Any) -> None:
    _check_distinct(node)
    for side in (node.lhs, node.rhs):
        _check_literal(side, ORDERED, node.OP)


def _check_path(node: Any) -> None:
    if not isinstance(node.attr, moto.AttributePath):
        raise BadOperand(
            "Operator or function requires a document path; operator or function: attribute_exists"
        )


def _check_type(node: Any) -> None:
    if isinstance(node.type, moto.AttributeValue) and node.type.value not in TYPES:
        raise BadOperand(f"Invalid attribute type name found; type: {node.type.value}")


def _check_literal(operand: Any, allowed: tuple[str, ...], operator: str) -> None:
    if isinstance(operand, moto.AttributeValue) and operand.type not in allowed:
        raise BadOperand(
            "Incorrect operand type for operator or function; "
            f"operator or function: {operator}, operand type: {operand.type}"
        )


def _check_bounds(node: Any) -> None:
    start, end = node.start, node.end
    if isinstance(start, moto.AttributeValue) and isinstance(end, moto.AttributeValue):
        if start.type != end.type:
            raise BadOperand("The BETWEEN operator requires same data type for lower and upper bounds")
        if known({end.type: end.value})[1] < known({start.type: start.value})[1]:
            raise BadOperand(
                "The BETWEEN operator requires upper bound to be greater than or equal to lower bound"
            )


def holds(node: Any, item: Item | None) -> bool:
    """Whether a condition is true of an item; None is an item that is not there."""
    return DECIDE[type(node)](node, item or {})


def operand(node: Any, item: Item) -> Known | None:
    """What stands on one side of an operator; None: nothing."""
    if isinstance(node, moto.AttributeValue):
        return known({node.type: node.value})
    if isinstance(node, moto.FuncSize):
        return _size_of(operand(node.attr, item), found(node.attr, item))
    value = found(node, item)
    return None if value is None else known(value)


def found(node: Any, item: Item) -> Value | None:
    """The value at a document path; None: there is none."""
    if not isinstance(node, moto.AttributePath):
        return None
    value: Value | None = item.get(node.path[0])
    for step in node.path[1:]:
        if value is None:
            return None
        ((tag, held),) = value.items()
        if tag == "M" and isinstance(step, str):
            value = held.get(step)
        elif tag == "L" and isinstance(step, int):
            value = held[step] if step < len(held) else None
        else:
            return None
    return value


def _size_of(value: Known | None, typed: Value | None) -> Known | None:
    if value is None or value[0] in ("N", "BOOL", "NULL"):
        return None
    if value[0] == "S":
        return "N", Decimal(len(value[1].decode()))
    return "N", Decimal(len(value[1]))


def _equal(node: Any, item: Item) -> bool:
    left = operand(node.lhs, item)
    return left is not None and left == operand(node.rhs, item)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Item], bool]:
    def decide(node: Any, item: Item) -> bool:
        return _in_order(compare, operand(node.lhs, item), operand(node.rhs, item))

    return decide


def _in_order(compare: Callable[[Any, Any], bool], left: Known | None, right: Known | None) -> bool:
    if left is None or right is None or left[0] != right[0] or left[0] not in ORDERED:
        return False
    return compare(left[1], right[1])


def _between(node: Any, item: Item) -> bool:
    value = operand(node.attr, item)
    at_least = _in_order(lambda left, right: left <= right, operand(node.start, item), value)
    return at_least and _in_order(lambda left, right: left <= right, value, operand(node.end, item))


def _is_in(node: Any, item: Item) -> bool:
    value = operand(node.attr, item)
    return value is not None and any(value == operand(each, item) for each in node.possible_values)


def _begins_with(node: Any, item: Item) -> bool:
    value, start = operand(node.attr, item), operand(node.substr, item)
    if value is None or start is None or value[0] != start[0] or value[0] not in ("S", "B"):
        return False
    return bool(value[1].startswith(start[1]))


def _contains(node: Any, item: Item) -> bool:
    value, part = operand(node.attr, item), operand(node.operand, item)
    if value is None or part is None:
        return False
    if value[0] in ("S", "B"):
        return value[0] == part[0] and part[1] in value[1]
    return value[0] in ("SS", "NS", "BS", "L") and part in value[1]


def _exists(node: Any, item: Item) -> bool:
    return found(node.attr, item) is not None


def _is_type(node: Any, item: Item) -> bool:
    value, wanted = found(node.attr, item), operand(node.type, item)
    return value is not None and wanted is not None and next(iter(value)).encode() == wanted[1]


DECIDE: dict[type, Callable[[Any, Item], bool]] = {
    moto.OpAnd: lambda node, item: holds(node.lhs, item) and holds(node.rhs, item),
    moto.OpOr: lambda node, item: holds(node.lhs, item) or holds(node.rhs, item),
    moto.OpNot: lambda node, item: not holds(node.lhs, item),
    moto.OpEqual: _equal,
    moto.OpNotEqual: lambda node, item: not _equal(node, item),
    moto.OpLessThan: _ordered(lambda left, right: left < right),
    moto.OpLessThanOrEqual: _ordered(lambda left, right: left <= right),
    moto.OpGreaterThan: _ordered(lambda left, right: left > right),
    moto.OpGreaterThanOrEqual: _ordered(lambda left, right: left >= right),
    moto.FuncBetween: _between,
    moto.FuncIn: _is_in,
    moto.FuncBeginsWith: _begins_with,
    moto.FuncContains: _contains,
    moto.FuncAttrExists: _exists,
    moto.FuncAttrType: _is_type,
}
CHECKS: dict[type, Callable[[Any], None]] = {
    moto.OpEqual: _check_distinct,
    moto.OpNotEqual: _check_distinct,
    moto.OpLessThan: _check_order,
    moto.OpLessThanOrEqual: _check_order,
    moto.OpGreaterThan: _check_order,
    moto.OpGreaterThanOrEqual: _check_order,
    moto.FuncBeginsWith: lambda node: _check_literal(node.substr, ("S", "B"), "begins_with"),
    moto.FuncAttrExists: _check_path,
    moto.FuncAttrType: _check_type,
    moto.FuncBetween: _check_bounds,
}

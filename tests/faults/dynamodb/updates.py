"""UpdateExpression, parsed and carried out by moto on an item of its own kind."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from moto.dynamodb.exceptions import MockValidationException
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.dynamo_type import Item as MotoItem
from moto.dynamodb.parsing import expressions as parsing
from moto.dynamodb.parsing.executors import UpdateExpressionExecutor
from moto.dynamodb.parsing.validators import UpdateExpressionValidator

from tests.faults.dynamodb.errors import invalid
from tests.faults.dynamodb.tables import Table
from tests.faults.dynamodb.values import Item, Value


def updated(table: Table, item: Item, text: str, names: dict[str, str], values: dict[str, Value]) -> Item:
    """The item after an update; ``item`` holds at least its key. Raises Refused."""
    schema = table.schema
    keys = [DynamoType(item[name]) for name in schema.names]
    copy = MotoItem(keys[0], keys[1] if len(keys) > 1 else None, item)
    described: Any = SimpleNamespace(
        table_key_attrs=list(schema.names),
        attribute_keys=list(table.kinds),
        attr=[{"AttributeName": name, "AttributeType": kind} for name, kind in table.kinds.items()],
    )
    try:
        parser: Any = vars(parsing)["UpdateExpressionParser"]  # moto tells type checkers not to look
        tree = parser.make(text)
        valid = UpdateExpressionValidator(tree, names, values, copy, described).validate()
        valid.normalize()
        UpdateExpressionExecutor(valid, copy, names).execute()
    except MockValidationException as error:
        raise invalid(str(error.message)) from error
    except KeyError as error:
        raise invalid(
            "Invalid UpdateExpression: An expression attribute value used in expression is not defined; "
            f"attribute value: {error.args[0]}"
        ) from error
    return {name: _plain(value) for name, value in copy.attrs.items()}


def _plain(value: DynamoType) -> Value:
    held = value.value
    if value.type == "L":
        return {"L": [_plain(one) for one in held]}
    if value.type == "M":
        return {"M": {name: _plain(one) for name, one in held.items()}}
    return {value.type: held}

"""Settings as people and templates write them, turned into typed values.

Airflow renders templates to text, TOML and flags give numbers or text, and a person
leaves a form field empty. Each coercion here takes any of these or raises InvalidSetting.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from airflow_dynamo_pipeline.errors import InvalidSetting

NOT_GIVEN = ("", "None")  # what Airflow renders for an empty form field and for a None parameter
TRUE = frozenset({"true", "1", "yes", "on"})
FALSE = frozenset({"false", "0", "no", "off"})

Coercion = Callable[[str, Any], Any]


def is_given(value: object) -> bool:
    """Whether a value says anything; an empty form field and a rendered None do not."""
    return value is not None and not (isinstance(value, str) and value.strip() in NOT_GIVEN)


def text(name: str, value: object) -> str:
    """A string with something in it."""
    if not isinstance(value, str) or not value.strip():
        raise InvalidSetting(name, value, "text")
    return value.strip()


def number(name: str, value: object) -> float:
    """A finite number, or text that is one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise InvalidSetting(name, value, "a number")
    try:
        found = float(value)
    except ValueError:
        raise InvalidSetting(name, value, "a number") from None
    if not math.isfinite(found):
        raise InvalidSetting(name, value, "a finite number")
    return found


def whole_number(name: str, value: object) -> int:
    """A whole number, or text that is one."""
    found = number(name, value)
    if found != int(found):
        raise InvalidSetting(name, value, "a whole number")
    return int(found)


def whole_number_or_auto(name: str, value: object) -> int | None:
    """A whole number, or None for the text ``auto``."""
    if isinstance(value, str) and value.strip().lower() == "auto":
        return None
    try:
        return whole_number(name, value)
    except InvalidSetting:
        raise InvalidSetting(name, value, "a whole number or 'auto'") from None


def flag(name: str, value: object) -> bool:
    """True or False, or text that says one."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in TRUE:
        return True
    if word in FALSE:
        return False
    raise InvalidSetting(name, value, "true or false")


def mapping(name: str, value: object) -> Mapping[str, Any]:
    """A mapping, or JSON text of one."""
    found = value
    if isinstance(value, str):
        try:
            found = json.loads(value)
        except json.JSONDecodeError as problem:
            raise InvalidSetting(name, value, f"a JSON object ({problem})") from None
    if not isinstance(found, Mapping):
        raise InvalidSetting(name, value, "a mapping or the JSON text of one")
    return dict(found)


def one_of(*words: str) -> Coercion:
    """A coercion that takes just these words."""

    def coerce(name: str, value: object) -> str:
        if not isinstance(value, str) or value.strip() not in words:
            raise InvalidSetting(name, value, "one of " + ", ".join(words))
        return value.strip()

    return coerce

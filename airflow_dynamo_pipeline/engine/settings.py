"""Settings as people and templates write them, turned into typed values.

Airflow renders templates to text, TOML and flags give numbers or text, and a person
leaves a form field empty. Each coercion here takes any of these or raises InvalidSetting.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from airflow_dynamo_pipeline.errors import InvalidRequest, InvalidSetting, Problem

NOT_GIVEN = ("", "None")  # what Airflow renders for an empty form field and for a None parameter
TRUE = frozenset({"true", "1", "yes", "on"})
FALSE = frozenset({"false", "0", "no", "off"})

Coercion = Callable[[str, Any], Any]
Request = TypeVar("Request")


def is_given(value: object) -> bool:
    """Whether a value says anything; an empty form field and a rendered None do not. A tab is a delimiter."""
    return value is not None and not (isinstance(value, str) and value.strip(" \r\n") in NOT_GIVEN)


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


def build(
    make: Callable[..., Request],
    given: Mapping[str, object],
    coercions: Mapping[str, Coercion],
    *,
    required: Mapping[str, object],
    what: str,
) -> Request:
    """Coerce values as templates and flags deliver them, and make a request of them.

    ``make`` takes the values by name and raises InvalidRequest itself for those that cannot go together.
    ``required`` has, for each setting that must be given, a value to go on with where it is missing or
    wrong, so that what is wrong besides is found at once. ``what`` names the request: "an export".
    None, an empty string and the text ``None`` count as not given. Raises InvalidRequest with all problems.
    """
    problems = list(_unknown(given, coercions, what))
    values: dict[str, Any] = {}
    for name in (name for name in coercions if is_given(given.get(name))):
        try:
            values[name] = coercions[name](name, given[name])
        except InvalidSetting as problem:
            problems.append(Problem(name, f"{problem.value!r} is not {problem.expected}"))
    problems += [Problem(name, "is required") for name in required if not is_given(given.get(name))]
    if not problems:
        return make(**values)
    seen = {problem.where for problem in problems}
    also = [problem for problem in _refused(make, {**required, **values}) if problem.where not in seen]
    raise InvalidRequest(problems + also)


def _unknown(given: Mapping[str, object], known: Mapping[str, Coercion], what: str) -> Iterator[Problem]:
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            yield Problem(name, f"is not a setting of {what}", f"did you mean {near[0]!r}?" if near else None)


def _refused(make: Callable[..., object], values: Mapping[str, object]) -> Sequence[Problem]:
    """What is wrong with values that could be read."""
    try:
        make(**values)
    except InvalidRequest as refused:
        return refused.problems
    return ()


def any_text(name: str, value: object) -> str:
    """A string, perhaps of white space."""
    if not isinstance(value, str):
        raise InvalidSetting(name, value, "text")
    return value


def one_character(name: str, value: object) -> str:
    r"""One character; ``\t`` in text is a tab."""
    found = "\t" if value == "\\t" else value
    if not isinstance(found, str) or len(found) != 1:
        raise InvalidSetting(name, value, r"one character, as , or \t")
    return found


def json_list(name: str, value: str) -> list[Any]:
    """A JSON array."""
    try:
        found = json.loads(value)
    except json.JSONDecodeError as problem:
        raise InvalidSetting(name, value, f"a JSON array ({problem})") from None
    if not isinstance(found, list):
        raise InvalidSetting(name, value, "a JSON array")
    return found

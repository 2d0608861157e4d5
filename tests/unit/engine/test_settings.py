from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_dynamo_pipeline.engine import settings
from airflow_dynamo_pipeline.errors import InvalidSetting

Coerce = Callable[[str, Any], Any]


@pytest.mark.parametrize("value", [None, "", " ", "None", " None "])
def test_what_airflow_renders_for_nothing_is_not_given(value: object) -> None:
    assert not settings.is_given(value)


@pytest.mark.parametrize("value", [0, 0.0, False, "0", "none", "\t", {}, []])
def test_a_value_that_is_only_false_is_given(value: object) -> None:
    assert settings.is_given(value)


@pytest.mark.parametrize(
    ("coerce", "value", "expected"),
    [
        (settings.text, " orders ", "orders"),
        (settings.number, "0.25", 0.25),
        (settings.number, 3, 3.0),
        (settings.number, " 1e3 ", 1000.0),
        (settings.whole_number, "128", 128),
        (settings.whole_number, 4.0, 4),
        (settings.whole_number_or_auto, " AUTO ", None),
        (settings.whole_number_or_auto, "7", 7),
        (settings.flag, True, True),
        (settings.flag, " Yes ", True),
        (settings.flag, "on", True),
        (settings.flag, 1, True),
        (settings.flag, "OFF", False),
        (settings.flag, "no", False),
        (settings.flag, 0, False),
        (settings.mapping, '{":v": {"S": "x"}}', {":v": {"S": "x"}}),
        (settings.mapping, {"#n": "name"}, {"#n": "name"}),
        (settings.one_of("gzip", "none"), " none ", "none"),
    ],
)
def test_values_are_taken_as_templates_flags_and_forms_write_them(
    coerce: Coerce, value: object, expected: object
) -> None:
    found = coerce("setting", value)

    assert expected == found
    assert type(expected) is type(found)


@pytest.mark.parametrize(
    ("coerce", "value", "expected"),
    [
        (settings.text, 5, "text"),
        (settings.text, "  ", "text"),
        (settings.number, "abc", "a number"),
        (settings.number, True, "a number"),
        (settings.number, [1], "a number"),
        (settings.number, "nan", "a finite number"),
        (settings.number, "inf", "a finite number"),
        (settings.whole_number, "1.5", "a whole number"),
        (settings.whole_number_or_auto, "automatic", "a whole number or 'auto'"),
        (settings.whole_number_or_auto, 1.5, "a whole number or 'auto'"),
        (settings.flag, "maybe", "true or false"),
        (settings.flag, 2, "true or false"),
        (settings.mapping, "[1]", "a mapping or the JSON text of one"),
        (settings.mapping, 7, "a mapping or the JSON text of one"),
        (settings.one_of("gzip", "none"), "zip", "one of gzip, none"),
        (settings.one_of("gzip", "none"), 1, "one of gzip, none"),
    ],
)
def test_a_value_that_can_never_work_names_setting_value_and_what_was_expected(
    coerce: Coerce, value: object, expected: str
) -> None:
    with pytest.raises(InvalidSetting) as caught:
        coerce("rate", value)

    assert ("rate", value, expected) == (caught.value.name, caught.value.value, caught.value.expected)


def test_text_that_is_not_json_says_where_the_json_breaks() -> None:
    with pytest.raises(InvalidSetting, match=r"a JSON object \(.*line 1 column 2"):
        settings.mapping("names", "{x")


def test_a_mapping_is_copied() -> None:
    given = {"#n": "name"}

    assert given is not settings.mapping("names", given)

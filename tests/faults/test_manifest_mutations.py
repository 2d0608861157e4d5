"""E6: whatever is done to a file of an export, the check against its manifest fails and names that file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_dynamo_pipeline.errors import InvalidExport, PipelineError
from tests.faults.conftest import Tally
from tests.faults.mutations import (
    FILES,
    HIGHEST_BIT,
    ITEMS,
    MANIFESTS,
    Exported,
    Mutation,
    changed,
    connector_manifests_edited,
    exported,
    figures_edited_with_their_checksum,
    flipped,
    highest_bits_of_manifests,
)
from tests.faults.points import some_of

Variant = tuple[str, str]  # file_format and compression
VARIANTS: list[Variant] = [
    ("dynamodb_json", "gzip"),
    ("dynamodb_json", "zstd"),
    ("dynamodb_json", "none"),
    ("data_pipeline", "gzip"),
]
NOT_FOUND = pytest.fail.Exception  # of pytest.raises
each_variant = pytest.mark.parametrize("variant", VARIANTS, ids="-".join)


def assert_found(one: Exported, mutation: Mutation, *, exactly: bool = False) -> None:
    """The check fails and names what is wrong; ``exactly``: and blames nothing else."""
    with pytest.raises(PipelineError) as caught:
        one.verify(mutation.objects)
    said = named(caught.value)
    assert [] == [key for key in mutation.wrong if key not in said], (mutation.what, said)
    if exactly:
        assert isinstance(caught.value, InvalidExport), mutation.what
        assert mutation.wrong == {problem.where for problem in caught.value.problems}, mutation.what


def named(error: PipelineError) -> str:
    """What an error says of files. The head of InvalidExport names the summary whatever is wrong."""
    if isinstance(error, InvalidExport):
        return "\n".join(str(problem) for problem in error.problems)
    return str(error)


def assert_all_found(
    one: Exported, mutations: Iterator[Mutation], at_least: int, tally: Tally, *, exactly: bool = False
) -> None:
    """Every mutation is found, and there are as many of them as there should be."""
    made = 0

    def counted() -> Iterator[Mutation]:
        nonlocal made
        for made, mutation in enumerate(mutations, start=1):  # noqa: B007  read below
            yield mutation

    for mutation in some_of(counted()):
        tally(1)
        assert_found(one, mutation, exactly=exactly)
    assert at_least <= made


@each_variant
def test_e6_an_export_that_nobody_touched_is_whole(variant: Variant) -> None:
    one = exported(*variant)
    found = one.verify(one.objects)

    assert (ITEMS, 10) == (found.item_count, found.files)


@each_variant
@pytest.mark.parametrize("kind", FILES)
def test_e6_whatever_is_done_to_data_files_is_found_and_blamed_on_them_alone(
    kind: str, variant: Variant, tally: Tally
) -> None:
    one = exported(*variant)
    mutations, at_least = FILES[kind]

    assert_all_found(one, mutations(one), at_least, tally, exactly=True)


@each_variant
@pytest.mark.parametrize("kind", MANIFESTS)
def test_e6_whatever_is_done_to_a_manifest_or_its_checksum_is_found_and_named(
    kind: str, variant: Variant, tally: Tally
) -> None:
    one = exported(*variant)
    mutations, at_least = MANIFESTS[kind]

    assert_all_found(one, mutations(one), at_least, tally)


def test_e6_a_manifest_that_is_no_text_any_more_is_named(tally: Tally) -> None:
    one = exported(*VARIANTS[0])

    assert_all_found(one, highest_bits_of_manifests(one), 2500, tally)


def test_e6_a_figure_that_the_files_disprove_is_found_even_if_its_checksum_was_made_anew(
    tally: Tally,
) -> None:
    one = exported(*VARIANTS[0])

    assert_all_found(one, figures_edited_with_their_checksum(one), 5, tally)


def test_e6_the_manifest_for_the_emr_connector_is_checked_too(tally: Tally) -> None:
    one = exported("data_pipeline", "gzip")

    assert_all_found(one, connector_manifests_edited(one), 5, tally)


@st.composite
def harmed(
    draw: st.DrawFn, usable: Callable[[str], bool] = lambda _: True
) -> tuple[Exported, dict[str, Any]]:
    """Draw an export and, for one or several of its objects, the bits to flip."""
    one = exported(*draw(st.sampled_from(VARIANTS)))
    names = sorted(key for key, body in one.objects.items() if body and usable(key))
    harm = {}
    for key in draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)):
        bits = st.integers(0, len(one.objects[key]) * 8 - 1)
        if "/data/" not in key:
            bits = bits.filter(lambda bit: bit % 8 != HIGHEST_BIT)
        harm[key] = draw(st.lists(bits, min_size=1, max_size=4, unique=True))
    return one, harm


def with_bits_flipped(one: Exported, harm: dict[str, Any]) -> Mutation:
    bodies = {key: flipped(one.objects[key], *bits) for key, bits in harm.items()}
    return changed(one, str(harm), bodies)


@given(harmed(lambda key: "/data/" in key))
def test_e6_any_bits_flipped_in_any_data_files_are_blamed_on_exactly_these(
    drawn: tuple[Exported, dict[str, Any]],
) -> None:
    assert_found(drawn[0], with_bits_flipped(*drawn), exactly=True)


@given(harmed(lambda key: not key.endswith("/manifest")))
def test_e6_any_bits_flipped_in_any_objects_are_found_and_a_harmed_one_is_named(
    drawn: tuple[Exported, dict[str, Any]],
) -> None:
    """Not all of them: a manifest that cannot be read ends the check."""
    one, harm = drawn
    with pytest.raises(PipelineError) as caught:
        one.verify(with_bits_flipped(one, harm).objects)

    assert any(key in named(caught.value) for key in harm), (harm, caught.value)

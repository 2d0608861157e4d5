"""Which tags mark a table as one in production."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

STAGE_TAGS = frozenset({"env", "environment", "stage", "tier"})
PRODUCTION = frozenset({"prod", "production", "live"})


def production_tags(tags: Mapping[str, str]) -> Iterator[str]:
    """The names of those that do: a stage whose value is production, or a mark that is set.

    >>> list(production_tags({"Env": "prod", "live": "yes", "tier": "test", "team": "live"}))
    ['Env', 'live']
    """
    for name, value in tags.items():
        is_stage = name.lower() in STAGE_TAGS and value.lower() in PRODUCTION
        is_mark = name.lower() in PRODUCTION and value.lower() in ("true", "yes", "1", "")
        if is_stage or is_mark:
            yield name

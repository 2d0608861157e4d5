"""Clients at a fifth of their cost: what botocore and Airflow find out for each is found out once.

Every hook makes a session of its own for each service, and thousands of tests make hooks: two thirds of
their CPU went into that.
"""

import functools
from collections.abc import Callable
from typing import Any

import pytest
from botocore import useragent
from botocore.client import ClientCreator
from botocore.hooks import EventAliaser
from botocore.loaders import JSONFileLoader, Loader

ALIAS, MODEL, CLEAN = "_alias_event_name", "_load_service_model", "sanitize_user_agent_string_component"


def share_what_is_known(patch: pytest.MonkeyPatch) -> None:
    """From now on all botocore sessions of this process share parsed models and lists of services."""
    patch.setattr(JSONFileLoader, "load_file", _once(JSONFileLoader.load_file, lambda _: None))
    patch.setattr(
        Loader,
        "list_available_services",
        _once(Loader.list_available_services, lambda loader: tuple(loader.search_paths)),
    )
    alias: Callable[..., Any] = getattr(EventAliaser, ALIAS)
    patch.setattr(EventAliaser, ALIAS, _once(alias, lambda _: None))
    model: Callable[..., Any] = getattr(ClientCreator, MODEL)
    patch.setattr(ClientCreator, MODEL, _once(model, lambda _: None))
    clean: Callable[..., Any] = getattr(useragent, CLEAN)
    patch.setattr(useragent, CLEAN, functools.cache(clean))


def spare_looking_for_the_caller(patch: pytest.MonkeyPatch) -> None:
    """The amazon provider reads the source of every frame for the ``Caller`` of its user agent; not here."""
    patch.setattr(
        "airflow.providers.amazon.aws.hooks.base_aws.AwsGenericHook._get_caller", lambda *_, **__: "Tests"
    )


def _once(find: Callable[..., Any], about: Callable[[Any], Any]) -> Callable[..., Any]:
    """A method that remembers what it found, for all objects that are alike in what it asks ``about``."""
    found: dict[Any, Any] = {}

    def remembered(self: Any, *asked: Any, **named: Any) -> Any:
        key = (about(self), asked, *named.items())
        if key not in found:
            found[key] = find(self, *asked, **named)
        return found[key]

    return remembered

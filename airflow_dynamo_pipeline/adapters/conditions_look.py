"""What a condition is: the services it asks, and a function that asks them once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_dynamo_pipeline.engine.conditions import Verdict

Clients = Mapping[str, Any]  # boto3's clients, which have no common type, by their service's name


@dataclass(frozen=True, slots=True)
class Condition:
    """The services whose clients ``look`` is given, and ``look`` itself: clients, arguments -> verdict."""

    services: tuple[str, ...]
    look: Callable[[Clients, Mapping[str, Any]], Verdict]

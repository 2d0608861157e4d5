"""How the units of a simulated table lie on its partitions and segments."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from airflow_dynamo_pipeline.engine.scale import Scale

SPREAD = 0.1  # of the logarithm of a partition's units


@dataclass(frozen=True, slots=True)
class Piece:
    """What a segment has on one partition."""

    partition: int
    units: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Skew:
    """How unequal partitions are. ``heap`` is a share of the table below one key, so in one segment."""

    spread: float = SPREAD
    heap: float = 0.0


def pieces_of(
    scale: Scale, segments: int, thinning: float, skew: Skew, chance: Random
) -> Sequence[Sequence[Piece]]:
    """The pieces of each segment; partitions and segments share the key space equally."""
    partitions = scale.partitions
    weights = [chance.lognormvariate(0.0, skew.spread) for _ in range(partitions)]
    unit = scale.units / thinning * (1.0 - skew.heap) / sum(weights)
    made = []
    for segment in range(segments):
        begin, end = segment * partitions / segments, (segment + 1) * partitions / segments
        numbers = range(int(begin), min(partitions, math.ceil(end)))
        shares = ((number, min(end, number + 1) - max(begin, number)) for number in numbers)
        made.append([Piece(number, weights[number] * unit * share) for number, share in shares if share > 0])
    if skew.heap:
        middle = made[segments // 2]
        middle.append(Piece(middle[-1].partition, scale.units / thinning * skew.heap))
    return made


def take(pieces: deque[Piece], units: float) -> None:
    """Read so many units from the front."""
    while pieces and units >= pieces[0].units:
        units -= pieces.popleft().units
    if pieces:
        pieces[0] = Piece(pieces[0].partition, pieces[0].units - units)

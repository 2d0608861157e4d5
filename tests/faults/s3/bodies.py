"""Bodies, kept or not."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dropped:
    """Stands for a body of which only the size is known."""

    size_bytes: int

    def __len__(self) -> int:
        return self.size_bytes


Body = bytes | Dropped

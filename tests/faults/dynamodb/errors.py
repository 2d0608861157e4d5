"""How a call is refused."""

from __future__ import annotations

from typing import Any

SERVICE_PREFIX = "com.amazonaws.dynamodb.v20120810#"
VALIDATION_PREFIX = "com.amazon.coral.validate#"
VALIDATION = "ValidationException"


class Refused(Exception):
    """An error reply: its kind (the exception's name), its message and what else it carries."""

    def __init__(self, kind: str, message: str, **members: Any) -> None:
        super().__init__(message)
        self.kind = kind
        self.members = members

    def body(self) -> dict[str, Any]:
        """The error document."""
        prefix = VALIDATION_PREFIX if self.kind == VALIDATION else SERVICE_PREFIX
        return {"__type": prefix + self.kind, "message": str(self), **self.members}


def invalid(message: str) -> Refused:
    """A request that can never work."""
    return Refused(VALIDATION, message)


def invalid_value(message: str) -> Refused:
    """A request with a value that can never work, in the service's older wording."""
    return invalid(f"One or more parameter values were invalid: {message}")


def no_table(name: str) -> Refused:
    """A table that is not there."""
    return Refused("ResourceNotFoundException", f"Requested resource not found: Table: {name} not found")


def not_simulated(what: str) -> Refused:
    """A thing the service does and this fake does not: said loudly, never answered wrongly."""
    return Refused("NotSimulated", f"the fake does not simulate {what}")

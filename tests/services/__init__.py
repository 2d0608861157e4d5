"""The real services the tests and the demo talk to, on free loopback ports of this machine."""

from tests.services.clients import aws_client
from tests.services.everything import Services, running_services

__all__ = ["Services", "aws_client", "running_services"]

"""A real OpenStack on loopback for the project's own tests; see README.md beside this file."""

from .cloud import RealOpenStack
from .processes import OpenStackError
from .settings import Settings

__all__ = ["OpenStackError", "RealOpenStack", "Settings"]

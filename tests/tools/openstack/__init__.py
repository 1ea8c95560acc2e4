"""A real OpenStack on loopback for the project's own tests; see README.md beside this file."""

from tests.tools.openstack.cloud import RealOpenStack
from tests.tools.openstack.processes import OpenStackError
from tests.tools.openstack.settings import Settings

__all__ = ["OpenStackError", "RealOpenStack", "Settings"]

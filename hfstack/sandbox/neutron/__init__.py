"""Neutron v2.0: networks, subnets, ports, security groups, floating IPs."""

# each module adds its routes when it is imported
from hfstack.sandbox.neutron import floating, networks, ports
from hfstack.sandbox.neutron.api import answer

__all__ = ["answer", "floating", "networks", "ports"]

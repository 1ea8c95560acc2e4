"""Nova, as much of it as a client of servers meets."""

# each module adds its routes when it is imported
from hfstack.sandbox.nova import actions, creating, listing, other_resources, servers
from hfstack.sandbox.nova.api import answer

__all__ = ["actions", "answer", "creating", "listing", "other_resources", "servers"]

"""Nova, as far as a client that uses servers needs it."""

# each module adds its routes when it is imported
from hfstack.sandbox.nova import actions, creating, listing, other_resources, servers
from hfstack.sandbox.nova.api import answer

__all__ = ["actions", "answer", "creating", "listing", "other_resources", "servers"]

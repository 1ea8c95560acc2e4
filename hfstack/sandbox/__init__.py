"""A small OpenStack on loopback, for demonstrations, fault tests and benchmarks. Standard library only.

    with Sandbox() as sandbox:
        sandbox.write_clouds_yaml("clouds.yaml")
        sandbox.cloud.knobs.spawn_delay = 5

The package reads from the bottom up: `inventory` (what is always there), `lifecycle` (what becomes of a server, by the
clock), `knobs`, `cloud` (what there is now), `server` (HTTP), `identity`, one module or package for each service,
`faults`, `control`, `sandbox` and `command`.
"""

from hfstack.sandbox.command import serve
from hfstack.sandbox.sandbox import Sandbox

__all__ = ["Sandbox", "serve"]

"""A small OpenStack on loopback, for demonstrations, fault tests and benchmarks. It uses only the standard library.

    with Sandbox() as sandbox:
        sandbox.write_clouds_yaml("clouds.yaml")
        sandbox.cloud.knobs.spawn_delay = 5

The package reads from the bottom up: `inventory` (what always exists), `lifecycle` (the states of a server over time),
`knobs`, `state` (what exists now), `routing`, `http_server`, `identity`, one module or package for each service,
`faults`, `control`, `sandbox` and `command`.
"""

from hfstack.sandbox.command import serve
from hfstack.sandbox.sandbox import Sandbox

__all__ = ["Sandbox", "serve"]

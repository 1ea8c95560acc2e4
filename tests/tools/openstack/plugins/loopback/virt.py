"""Nova's fake hypervisor with room for many servers, and knobs.

The knobs are read at each spawn and destroy from the JSON file that $LOOPBACK_KNOBS names; all are optional:
    spawn_delay    seconds spent in spawn; the server stays in BUILD, task "spawning"
    destroy_delay  seconds spent in destroy; the server stays in its state, task "deleting"
    spawn_fail     servers whose name this regular expression matches go to ERROR
    destroy_fail   deletion of such servers fails
"""

import json
import os
import re
import time
import uuid
from typing import Any

from nova import exception
from nova.virt import fake


def read_knobs() -> dict[str, Any]:
    try:
        with open(os.environ["LOOPBACK_KNOBS"], encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


def apply_knobs(action: str, name: str) -> None:
    knobs = read_knobs()
    time.sleep(float(knobs.get(f"{action}_delay") or 0))
    pattern = knobs.get(f"{action}_fail")
    if pattern and re.search(pattern, name):
        raise exception.InternalError(f"knob {action}_fail: {name}")


class RoomyFakeDriver(fake.FakeDriver):
    """Room for 100000 servers with one processor each."""

    vcpus = 100_000
    memory_mb = 100_000_000
    local_gb = 100_000_000

    # The stock driver draws a new identity for its node at each start, and Nova refuses to start with a database
    # that knows the node by another ("No local node identity found").
    def get_nodenames_by_uuid(self, refresh: bool = False) -> dict[str, str]:
        return {str(uuid.uuid5(uuid.NAMESPACE_DNS, name)): name for name in self.get_available_nodes(refresh)}

    def get_available_resource(self, nodename: str) -> dict[str, Any]:
        resource = super().get_available_resource(nodename)
        if resource:
            resource["uuid"] = str(uuid.uuid5(uuid.NAMESPACE_DNS, nodename))
        return resource

    def spawn(self, context: Any, instance: Any, *args: Any, **kwargs: Any) -> None:
        apply_knobs("spawn", instance.display_name)
        super().spawn(context, instance, *args, **kwargs)

    def destroy(self, context: Any, instance: Any, *args: Any, **kwargs: Any) -> None:
        apply_knobs("destroy", instance.display_name)
        super().destroy(context, instance, *args, **kwargs)

"""Nova's fake hypervisor with room for many servers, and knobs.

The knobs are read at each spawn and destroy, and again while one is delayed, from the JSON file that $LOOPBACK_KNOBS
names: with the id of the server's project for {}, or else with nothing for {}. All are optional:
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


def read_knobs(project: str) -> dict[str, Any]:
    for name in (project, ""):
        try:
            with open(os.environ["LOOPBACK_KNOBS"].format(name), encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            continue
    return {}


def apply_knobs(action: str, instance: Any) -> None:
    start = time.monotonic()
    while True:
        knobs = read_knobs(instance.project_id)
        if time.monotonic() >= start + float(knobs.get(f"{action}_delay") or 0):
            break
        time.sleep(0.1)
    pattern = knobs.get(f"{action}_fail")
    if pattern and re.search(pattern, instance.display_name):
        raise exception.InternalError(f"knob {action}_fail: {instance.display_name}")


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
        apply_knobs("spawn", instance)
        super().spawn(context, instance, *args, **kwargs)

    def destroy(self, context: Any, instance: Any, *args: Any, **kwargs: Any) -> None:
        apply_knobs("destroy", instance)
        super().destroy(context, instance, *args, **kwargs)

"""A sandbox cloud and a provider instance for it, in a temporary folder, set up as an administrator would do it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from hfstack.sandbox import Sandbox

CREATE_SECONDS = 2.0
DELETE_SECONDS = 1.0
"""How long the sandbox takes to create and to delete a machine."""

TEMPLATE = {
    "templateId": "small",
    "maxNumber": 10,
    "attributes": {"type": ["String", "X86_64"], "ncpus": ["Numeric", "1"], "nram": ["Numeric", "2048"]},
    "image": "cirros",
    "flavor": "m1.small",
    "networks": ["private"],
}


class SandboxSite(NamedTuple):
    """A site whose cloud is running."""

    environment: dict[str, str]
    """The variables that HostFactory would set."""
    logdir: Path

    def log(self) -> str:
        """Return the provider's log."""
        return "".join(path.read_text(encoding="utf-8") for path in sorted(self.logdir.iterdir()))


@contextmanager
def sandbox_site() -> Iterator[SandboxSite]:
    """Run a sandbox, and set up a site for it."""
    with tempfile.TemporaryDirectory(prefix="hfstack-sandbox-") as folder, Sandbox() as sandbox:
        sandbox.cloud.knobs.update({"spawn_delay": CREATE_SECONDS, "destroy_delay": DELETE_SECONDS})
        conf, work, log = (Path(folder) / name for name in ("conf", "work", "log"))
        for path in (conf, work, log):
            path.mkdir()
        sandbox.write_clouds_yaml(str(conf / "clouds.yaml"))
        config = {"cloud": "member", "privateNetworks": ["private"]}
        (conf / "sandboxprov_config.json").write_text(json.dumps(config), encoding="utf-8")
        (conf / "sandboxprov_templates.json").write_text(json.dumps({"templates": [TEMPLATE]}), encoding="utf-8")
        environment = {
            "HF_PROVIDER_NAME": "sandbox",
            "HF_PROVIDER_CONFDIR": str(conf),
            "HF_PROVIDER_WORKDIR": str(work),
            "HF_PROVIDER_LOGDIR": str(log),
        }
        yield SandboxSite(environment, log)

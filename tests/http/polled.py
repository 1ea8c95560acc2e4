"""A sandbox with the servers of one request, a site that polls it in real processes, and what the cloud was asked."""

from __future__ import annotations

import json
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hfstack.sandbox import Sandbox
from tests.scenarios.site import Site

LIST = "nova GET /v2.1/servers/detail"
LOGIN = ["keystone GET /v3", "keystone POST /v3/auth/tokens"]
COLD = [*LOGIN, LIST]
WARM = [LIST]


class Polled:
    """A request whose servers are all ACTIVE, and that was answered before."""

    def __init__(self, sandbox: Sandbox, folder: Path, servers: int, program: str) -> None:
        self.sandbox = sandbox
        clouds = folder / "clouds.yaml"
        sandbox.write_clouds_yaml(str(clouds))
        self.site = Site(folder / "site", program, clouds)
        self.request_id = f"req-{uuid.uuid4()}"
        tags = ["hostfactory", "hfp:osinst", f"hf:{self.request_id}"]
        wanted = {"count": servers, "name_prefix": "hf-polled", "tags": tags}
        self.ids: list[str] = self.control("POST", "/servers", wanted)["ids"]
        names = [f"hf-polled-{number}" for number in range(1, servers + 1)]
        self.site.record_acquire(self.request_id, names, self.ids, age=300)
        self.site.record(self.request_id, "polled.json", polled=time.time())
        self.site.record(self.request_id, "ended.json", ended=time.time(), machineIds=self.ids, failed=[])

    def control(self, method: str, path: str, body: object = None) -> Any:
        """Use the sandbox's control port; return what it answers."""
        content = json.dumps(body or {}).encode()
        request = urllib.request.Request(self.sandbox.control_url + path, content, method=method)
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.loads(reply.read() or b"null")

    def served(self) -> list[str]:
        """Return the requests that the cloud served since it was asked last, as `service METHOD path`."""
        served = self.control("GET", "/requests")
        self.control("DELETE", "/requests")
        return [f"{service} {method} {target.partition('?')[0]}" for service, method, target, *_ in served]

    def poll(self, **env: str) -> list[str]:
        """Poll, when all is well, and return what the cloud was asked."""
        answer = self.site.poll_one(self.request_id, **env)
        assert (answer["status"], len(answer["machines"])) == ("complete", len(self.ids))
        return self.served()

    def trouble(self, **env: str) -> str:
        """Poll, when nothing can be said, and return the reason."""
        answer = self.site.poll_one(self.request_id, **env)
        assert (answer["status"], {one["result"] for one in answer["machines"]}) == ("running", {"executing"})
        return str(answer["message"])

    @property
    def member(self) -> dict[str, Any]:
        """The cloud of clouds.yaml that the site uses; `site.write_clouds` writes it."""
        found: dict[str, Any] = self.site.clouds["clouds"]["member"]
        return found

    def cached(self) -> Path | None:
        """Return the one file of what is known of the way into the cloud."""
        found = list((self.site.workdir / "cache").glob("access-*"))
        assert len(found) <= 1
        return found[0] if found else None

    def token(self) -> str:
        """Return the cached token."""
        path = self.cached()
        assert path
        return str(json.loads(path.read_bytes())["known"]["token"])


@contextmanager
def polled(
    folder: Path, servers: int = 1, program: str = "source", tls: tuple[str, str] | None = None
) -> Iterator[Polled]:
    """Run a sandbox, and a site for it."""
    with Sandbox(tls=tls) as sandbox:
        yield Polled(sandbox, folder, servers, program)

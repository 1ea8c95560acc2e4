"""Where a measurement takes place: a cloud in a process of its own, and a HostFactory site that polls one request."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import urllib.request
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.certificate import certificate
from tests.scenarios.site import Site
from tests.tools.bench.measure import BenchError

HTTP, HTTPS = "HTTP", "HTTPS"


class Stage:
    """A sandbox that has the ACTIVE servers of one request and no others, and a site that has recorded the request.

    The sandbox is another process: its work is in nobody's CPU time, but what waits for it has it in its wall time.
    """

    def __init__(self, folder: Path, servers: int, transport: str = HTTP) -> None:
        self.folder, self.servers, self.transport = folder, servers, transport
        self.request_id = f"req-{uuid.uuid4()}"
        self.input = folder / "input.json"
        self.certificate = ""
        """The CA file of an HTTPS stage."""

    def __enter__(self) -> Self:
        self.folder.mkdir()
        command = [sys.executable, "-m", "hfstack", "sandbox", "--dir", str(self.folder), "--spawn-delay", "0"]
        if self.transport == HTTPS:
            self.certificate, key = certificate(self.folder, dt.datetime.now(dt.UTC) + dt.timedelta(days=1))
            command += ["--tls-cert", self.certificate, "--tls-key", key]
        self._sandbox = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            self.urls = self._read_urls()
            self._make_site()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def control(self, method: str, path: str, body: object = None) -> Any:
        """Use the sandbox's control port; return what it answers."""
        content = json.dumps(body or {}).encode()
        request = urllib.request.Request(self.urls["control"] + path, content, method=method)
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.loads(reply.read() or b"null")

    def requests(self) -> list[str]:
        """Return the requests that the cloud served since it was asked last, as `service METHOD path?query`."""
        served = [f"{service} {method} {target}" for service, method, target, *_ in self.control("GET", "/requests")]
        self.control("DELETE", "/requests")
        return served

    def _read_urls(self) -> dict[str, str]:
        assert self._sandbox.stdout
        urls: dict[str, str] = {}
        for line in self._sandbox.stdout:
            name, _, value = line.strip().partition(": ")
            if name == "stop":
                return urls
            urls[name] = value
        raise BenchError("the sandbox did not start")

    def _make_site(self) -> None:
        self.site = Site(self.folder / "site", "frozen", self.folder / "clouds.yaml")
        tags = ["hostfactory", "hfp:osinst", f"hf:{self.request_id}"]
        wanted = {"count": self.servers, "name_prefix": "hf-bench", "tags": tags}
        ids = self.control("POST", "/servers", wanted)["ids"]
        names = [f"hf-bench-{number}" for number in range(1, self.servers + 1)]
        self.site.record_acquire(self.request_id, names, ids)
        self.input.write_text(json.dumps({"requests": [{"requestId": self.request_id}]}), encoding="utf-8")

    def _stop(self) -> None:
        self._sandbox.terminate()
        self._sandbox.communicate()

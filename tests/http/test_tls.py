"""TLS as sites have it: a private authority, none at all, and a certificate that is past its time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from hfstack.sandbox import Sandbox
from tests.certificate import DAY, certificate
from tests.scenarios.site import Site, parse


@contextmanager
def site(folder: Path, valid_for: dt.timedelta, **member: Any) -> Iterator[Site]:
    """Run a sandbox behind TLS; `member` replaces what its clouds.yaml says, `None` takes it out."""
    until = dt.datetime.now(dt.UTC) + valid_for
    with Sandbox(tls=certificate(folder, until)) as sandbox:
        clouds = folder / "clouds.yaml"
        sandbox.write_clouds_yaml(str(clouds))
        document = yaml.safe_load(clouds.read_text(encoding="utf-8"))
        cloud = {**document["clouds"]["member"], **member}
        document["clouds"]["member"] = {key: value for key, value in cloud.items() if value is not None}
        clouds.write_text(yaml.safe_dump(document), encoding="utf-8")
        yield Site(folder / "site", "source", clouds, httpTimeout=5)


def test_the_sites_own_authority(tmp_path: Path) -> None:
    with site(tmp_path, DAY) as one:
        answer = one.poll_one("req-1")
    assert "no server carries this request's tag" in answer["message"], "Nova has answered"


def test_an_authority_that_nobody_vouches_for(tmp_path: Path) -> None:
    with site(tmp_path, DAY, cacert=None) as one:
        answer = one.poll_one("req-1")
    assert answer["status"] == "running"
    assert "certificate is not trusted: self-signed certificate" in answer["message"]


def test_a_certificate_past_its_time(tmp_path: Path) -> None:
    with site(tmp_path, -DAY) as one:
        answer = one.poll_one("req-1")
    assert answer["status"] == "running"
    assert "certificate is not trusted: certificate has expired" in answer["message"]


def test_verification_is_off_where_the_site_says_so(tmp_path: Path) -> None:
    with site(tmp_path, DAY, cacert=None, verify=False) as one:
        answer = one.poll_one("req-1")
    assert "no server carries this request's tag" in answer["message"]


def test_a_ca_file_that_is_not_there_is_broken_configuration(tmp_path: Path) -> None:
    with site(tmp_path, DAY, cacert="/no/such/ca.pem") as one:
        done = one.run({"requests": {"requestId": "req-1"}})
    assert (done.returncode, done.stderr) == (1, b"")
    assert "/no/such/ca.pem" in parse(done.stdout)["message"]

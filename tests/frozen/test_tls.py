"""The frozen program has an OpenSSL of its own, but trusts whom its host trusts and keeps to its host's policy."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hfstack.sandbox import Sandbox
from tests.certificate import certificate
from tests.scenarios.site import Site

BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")

POLICY = """
openssl_conf = openssl_init
[openssl_init]
providers = provider_sect
ssl_conf = ssl_module
alg_section = evp_properties
[evp_properties]
rh-allow-sha1-signatures = yes
[provider_sect]
default = default_sect
fips = fips_sect
[default_sect]
activate = 1
[fips_sect]
activate = 1
[ssl_module]
system_default = crypto_policy
[crypto_policy]
CipherString = @SECLEVEL=2:kEECDH:kRSA:-aDSS:-3DES:!RC4:!eNULL:!aNULL:!MD5:-AESCCM8
Ciphersuites = TLS_AES_256_GCM_SHA384
TLS.MinProtocol = TLSv1
TLS.MaxProtocol = {newest}
SignatureAlgorithms = ECDSA+SHA256:RSA+SHA256:unheard-of
Groups = X25519:secp256r1:unheard-of
"""
"""As in RHEL 9's openssl.cnf: with a provider and settings that an OpenSSL of another make does not know."""


@pytest.fixture
def site(tmp_path: Path, frozen: Path) -> Iterator[Site]:  # noqa: ARG001 - nothing to call otherwise
    """A site whose cloud has a certificate of its own authority."""
    with Sandbox(tls=certificate(tmp_path, dt.datetime.now(dt.UTC) + dt.timedelta(days=1))) as sandbox:
        clouds = tmp_path / "clouds.yaml"
        sandbox.write_clouds_yaml(str(clouds))
        yield Site(tmp_path / "site", "frozen", clouds, httpTimeout=5)


def polled(site: Site, newest: str) -> dict[str, Any]:
    """Poll on a host with a crypto policy."""
    policy = site.confdir / "openssl.cnf"
    policy.write_text(POLICY.format(newest=newest), encoding="utf-8")
    return site.poll_one("req-1", OPENSSL_CONF=str(policy))


def test_a_policy_with_words_that_openssl_does_not_know_is_no_obstacle(site: Site) -> None:
    for _ in ("with a login", "with its token"):
        assert "no server carries this request's tag" in polled(site, "TLSv1.3")["message"], "Nova has answered"


def test_the_hosts_policy_holds(site: Site) -> None:
    answer = polled(site, "TLSv1")
    assert answer["status"] == "running"
    assert "cannot reach https://127.0.0.1" in answer["message"], "nobody speaks a protocol that old"


@pytest.mark.skipif(os.geteuid() != 0 or not BUNDLE.exists(), reason="only root can lay another bundle over the host's")
def test_whom_the_host_trusts_is_trusted(tmp_path: Path, site: Site, frozen: Path) -> None:
    del site.clouds["clouds"]["member"]["cacert"]
    site.write_clouds()
    assert "certificate is not trusted" in site.poll_one("req-1")["message"]
    (tmp_path / "in").write_text('{"requests": {"requestId": "req-1"}}', encoding="utf-8")
    overlaid = ["unshare", "--mount", "sh", "-c", 'mount --bind "$1" "$2" && shift 2 && exec "$@"', "sh"]
    command = [str(frozen / "getRequestStatus"), "-f", str(tmp_path / "in")]
    done = subprocess.run(
        [*overlaid, str(tmp_path / "cert.pem"), str(BUNDLE), *command],
        env=site.environment(),
        capture_output=True,
        check=False,
    )
    assert done.stderr == b""
    assert "no server carries this request's tag" in json.loads(done.stdout)["requests"]["message"]

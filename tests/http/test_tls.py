"""TLS as sites have it: a private authority, none at all, and a certificate that is past its time."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hfstack.sandbox import Sandbox
from tests.scenarios.site import Site, parse

DAY = dt.timedelta(days=1)


def certificate(
    folder: Path, valid_until: dt.datetime, common_name: str = "hfstack test", address: str = "127.0.0.1"
) -> tuple[str, str]:
    """Write a self-signed certificate for an address and its key; return their paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
    builder = x509.CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=valid_until - 30 * DAY,
        not_valid_after=valid_until,
    )
    builder = builder.add_extension(alternative, critical=False)
    signed = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(
        key, hashes.SHA256()
    )
    (folder / "cert.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(folder / "cert.pem"), str(folder / "key.pem")


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
    assert "no server carries the tag" in answer["message"], "Nova has answered"


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
    assert "no server carries the tag" in answer["message"]


def test_a_ca_file_that_is_not_there_is_broken_configuration(tmp_path: Path) -> None:
    with site(tmp_path, DAY, cacert="/no/such/ca.pem") as one:
        done = one.run({"requests": {"requestId": "req-1"}})
    assert (done.returncode, done.stderr) == (1, b"")
    assert "/no/such/ca.pem" in parse(done.stdout)["message"]

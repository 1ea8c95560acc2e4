"""A package that is signed with a throw-away key: rpm knows the signer where it knows the key, and nowhere else."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import make_rpm
from tests.packages.conftest import System

SIGNER = "hfstack test <test@example.com>"


@pytest.fixture(scope="module")
def keyring() -> Iterator[Path]:
    """A GnuPG home with one key. Its agent's socket needs a short path."""
    if not shutil.which("gpg"):
        pytest.skip("there is no gpg here: apt-get install gnupg")
    folder = Path(tempfile.mkdtemp(prefix="hfstack-gpg-"))
    generate = ["--batch", "--passphrase", "", "--quick-generate-key", SIGNER, "rsa3072", "sign", "never"]
    subprocess.run(["gpg", "--homedir", folder, *generate], check=True, capture_output=True)
    yield folder
    subprocess.run(["gpgconf", "--homedir", folder, "--kill", "gpg-agent"], check=True)
    shutil.rmtree(folder)


@pytest.fixture
def signed(tmp_path: Path, older: Path, keyring: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    package = Path(shutil.copy(older, tmp_path))
    monkeypatch.setenv("GNUPGHOME", str(keyring))
    make_rpm.sign(package, SIGNER)
    return package


def test_the_signature_is_good_where_the_key_is_known(system: System, signed: Path, keyring: Path) -> None:
    said = system.rpm("-K", "-v", signed, code=1)
    assert "NOKEY" in said
    public: list[str | Path] = ["gpg", "--homedir", keyring, "--armor", "--export", SIGNER]
    (signed.parent / "key").write_bytes(subprocess.check_output(public))
    system.rpm("--import", signed.parent / "key")
    said = system.rpm("-K", "-v", signed)
    # of the header, and, for an rpm that does not know the header's digest of the payload, of both
    assert said.count("Signature, key ID") == 2
    assert said.count("OK") == len(said.splitlines()) - 1


def test_a_changed_package_is_found(system: System, signed: Path) -> None:
    content = bytearray(signed.read_bytes())
    content[-100] ^= 1
    signed.write_bytes(content)
    assert "BAD" in system.rpm("-K", "-v", signed, code=1)

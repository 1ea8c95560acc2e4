"""The real OpenStack SDK against the sandbox, as a user's own tools would be."""

from __future__ import annotations

import ipaddress
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import openstack
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from openstack.config import OpenStackConfig

from hfstack.sandbox import Sandbox


def connect(folder: Path, cloud: str) -> Any:
    secure = [str(folder / "secure.yaml")] if (folder / "secure.yaml").exists() else []
    config = OpenStackConfig(config_files=[str(folder / "clouds.yaml")], secure_files=secure, load_envvars=False)
    return openstack.connection.Connection(config=config.get_one(cloud))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with the clouds.yaml of a running sandbox."""
    with Sandbox() as sandbox:
        sandbox.write_clouds_yaml(str(tmp_path / "clouds.yaml"))
        yield tmp_path


@pytest.mark.parametrize("cloud", ["member", "admin", "appcred"])
def test_a_server_is_created_found_and_deleted(folder: Path, cloud: str) -> None:
    with connect(folder, cloud) as connection:
        compute = connection.compute
        server = compute.create_server(
            name="one",
            flavor_id=compute.find_flavor("m1.small").id,
            image_id=connection.image.find_image("cirros").id,
            networks=[{"uuid": connection.network.find_network("private").id}],
            tags=["t"],
            metadata={"k": "v"},
        )
        server = compute.wait_for_server(server, interval=0.01)
        assert (server.status, server.flavor.original_name, server.metadata) == ("ACTIVE", "m1.small", {"k": "v"})
        assert [found.id for found in compute.servers(tags="t")] == [server.id]
        assert compute.find_server("one").id == server.id
        compute.delete_server(server)
        compute.wait_for_delete(server, interval=0.01)
        assert list(compute.servers()) == []


def test_a_server_gets_a_floating_ip(folder: Path) -> None:
    with connect(folder, "member") as connection:
        server = connection.compute.create_server(
            name="one",
            flavor_id=connection.compute.find_flavor("m1.tiny").id,
            image_id=connection.image.find_image("cirros").id,
            networks="auto",
        )
        floating = connection.network.create_ip(floating_network_id=connection.network.find_network("public").id)
        [port] = connection.network.ports(device_id=server.id)
        connection.network.update_ip(floating, port_id=port.id)
        entries = connection.compute.get_server(server.id).addresses["private"]
        assert floating.floating_ip_address in {entry["addr"] for entry in entries}
        connection.network.delete_ip(floating)
        assert list(connection.network.ips()) == []


def test_the_sdk_follows_pages(folder: Path) -> None:
    with connect(folder, "member") as connection:
        flavor, image = connection.compute.find_flavor("m1.tiny"), connection.image.find_image("cirros")
        for number in range(7):
            connection.compute.create_server(name=f"s{number}", flavor_id=flavor.id, image_id=image.id, networks="none")
        found = [server.name for server in connection.compute.servers(limit=3)]
        assert sorted(found) == [f"s{number}" for number in range(7)]


def test_the_sdk_logs_in_again_when_its_token_has_expired(tmp_path: Path) -> None:
    with Sandbox() as sandbox:
        sandbox.write_clouds_yaml(str(tmp_path / "clouds.yaml"))
        with connect(tmp_path, "member") as connection:
            assert list(connection.compute.servers()) == []
            for token in sandbox.cloud.tokens.values():
                token.revoked = True
            assert list(connection.compute.servers()) == []
            assert len(sandbox.cloud.tokens) == 2


def test_secrets_can_be_kept_in_a_file_of_their_own(folder: Path) -> None:
    with Sandbox() as sandbox:
        clouds, secure = folder / "clouds.yaml", folder / "secure.yaml"
        sandbox.write_clouds_yaml(str(clouds), secrets=str(secure))
        assert "password" not in clouds.read_text(encoding="utf-8")
        assert 'secret"' not in clouds.read_text(encoding="utf-8")
        for path in (clouds, secure):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        for cloud in ("member", "other", "admin", "appcred"):
            with connect(folder, cloud) as connection:
                assert list(connection.compute.servers()) == []


def make_certificate(folder: Path) -> tuple[str, str]:
    """A certificate for the loopback address, which is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sandbox")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(cert_file), str(key_file)


def test_everything_but_the_control_port_can_be_https(tmp_path: Path) -> None:
    with Sandbox(tls=make_certificate(tmp_path)) as sandbox:
        assert sandbox.control_url.startswith("http://")
        assert sandbox.url("nova").startswith("https://")
        sandbox.write_clouds_yaml(str(tmp_path / "clouds.yaml"))
        with connect(tmp_path, "member") as connection:
            assert connection.compute.find_flavor("m1.tiny").vcpus == 1
            assert connection.image.find_image("cirros").name == "cirros"


def serve(*arguments: str) -> subprocess.Popen[str]:
    script = "import sys; from hfstack.sandbox import serve; sys.exit(serve(sys.argv[1:]))"
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_it_is_interrupted(tmp_path: Path, number: signal.Signals) -> None:
    folder = tmp_path / "new"
    with serve("--dir", str(folder), "--spawn-delay", "0") as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("stop:"):
                break
        with connect(folder, "member") as connection:
            assert connection.compute.find_flavor("m1.tiny").vcpus == 1
        process.send_signal(number)
        assert process.wait(20) == 0
    assert lines[0].startswith(f"clouds.yaml: {folder / 'clouds.yaml'}")
    assert [line.partition(":")[0] for line in lines[1:]] == [
        *("keystone", "nova", "neutron", "glance", "control"),
        "stop",
    ]
    assert stat.S_IMODE((folder / "clouds.yaml").stat().st_mode) == 0o600


def test_the_command_says_that_a_port_is_taken(tmp_path: Path) -> None:
    with Sandbox() as sandbox, serve("--dir", str(tmp_path), "--port-base", str(sandbox.ports["nova"])) as process:
        _, complaint = process.communicate(timeout=20)
    assert process.returncode == 1
    assert complaint == f"hfstack sandbox: cannot listen on 127.0.0.1:{sandbox.ports['nova']}: Address already in use\n"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        pytest.param(
            ["--tls-cert=/no/cert", "--tls-key=/no/key"],
            "cannot use the certificate /no/cert with the key /no/key: No such file or directory",
            id="certificate",
        ),
        pytest.param(["--dir=/dev/null/sandbox"], "[Errno 20] Not a directory: '/dev/null/sandbox'", id="folder"),
    ],
)
def test_the_command_ends_with_one_sentence(options: list[str], complaint: str) -> None:
    with serve(*options) as process:
        assert process.communicate(timeout=20) == ("", f"hfstack sandbox: {complaint}\n")
    assert process.returncode == 1


def test_the_command_has_room_for_five_ports(tmp_path: Path) -> None:
    with serve("--dir", str(tmp_path), "--port-base", "65532") as process:
        _, complaint = process.communicate(timeout=20)
    assert process.returncode == 2
    assert "--port-base must be 0 to 65531" in complaint


def test_the_command_wants_both_files_for_https(tmp_path: Path) -> None:
    with serve("--dir", str(tmp_path), "--tls-cert", os.devnull) as process:
        _, complaint = process.communicate(timeout=20)
    assert process.returncode == 2
    assert "--tls-cert and --tls-key go together" in complaint


def test_the_clouds_file_is_json_too(folder: Path) -> None:
    clouds = json.loads((folder / "clouds.yaml").read_text(encoding="utf-8"))["clouds"]
    assert set(clouds) == {"member", "other", "admin", "appcred"}

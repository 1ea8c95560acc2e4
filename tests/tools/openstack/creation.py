"""A new cloud from nothing: databases, their tables, and the first contents."""

from __future__ import annotations

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.tools.openstack import config
from tests.tools.openstack.processes import OpenStackError, tail

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.tools.openstack.settings import Settings

CATALOG = {"compute": "nova", "placement": "placement", "image": "glance", "network": "neutron"}


def create_tables(settings: Settings, urls: Mapping[str, str], environment: Mapping[str, str], link_dir: Path) -> None:
    """Run each service's own migrations, in two lanes of about the same length: it is all processor time.

    Neutron joins the directories of its migrations with spaces, so with one in their paths it finds none and says
    nothing.  Hence the link, which is made in `link_dir`: Python takes the path it is called by for its own.
    """
    keystone_url = settings.url("keystone")
    bootstrap = ["bootstrap", "--bootstrap-password", "admin", "--bootstrap-region-id", config.REGION]
    for interface in ("public", "internal", "admin"):
        bootstrap += [f"--bootstrap-{interface}-url", keystone_url]
    lanes: dict[str, list[tuple[str, str, list[str]]]] = {
        "create-1": [
            ("keystone-manage", "keystone", ["db_sync"]),
            ("keystone-manage", "keystone", bootstrap),
            ("neutron-db-manage", "neutron", ["upgrade", "heads"]),
        ],
        "create-2": [
            ("placement-manage", "placement", ["db", "sync"]),
            ("glance-manage", "glance", ["db_sync"]),
            ("nova-manage", "nova", ["api_db", "sync"]),
            ("nova-manage", "nova", ["cell_v2", "map_cell0", "--database_connection", urls["nova_cell0"]]),
            ("nova-manage", "nova", ["db", "sync"]),
            ("nova-manage", "nova", ["cell_v2", "create_cell", "--name", "cell1"]),
        ],
    }

    link = link_dir / "venv"
    link.unlink(missing_ok=True)
    link.symlink_to(settings.environment_dir)

    def run_lane(name: str) -> None:
        for program, service, arguments in lanes[name]:
            option = ["--config-file", str(config.file_of(settings, service))]
            # by the interpreter, as a script's first line names the environment by its other path
            command: list[str | Path] = [link / "bin" / "python", link / "bin" / program, *option, *arguments]
            _run(command, settings.log_dir / f"{name}.log", environment)

    with ThreadPoolExecutor() as pool:
        list(pool.map(run_lane, lanes))


def fill_identity(settings: Settings, environment: Mapping[str, str]) -> dict[str, Any]:
    """Users, projects and the catalog: Keystone must run."""
    return _fill(settings, environment, "identity", json.dumps({kind: settings.url(n) for kind, n in CATALOG.items()}))


def fill_rest(settings: Settings, environment: Mapping[str, str]) -> dict[str, Any]:
    """Networks, an image and flavors: all services must run."""
    return _fill(settings, environment, "rest")


def move_catalog(settings: Settings, urls: Mapping[str, str]) -> str:
    """SQL that fits the databases to the ports and the socket of this start, which may differ from the last one's."""
    addresses = {**CATALOG, "identity": "keystone"}
    cases = " ".join(f"WHEN '{kind}' THEN '{settings.url(name)}'" for kind, name in addresses.items())
    return f"""
        UPDATE keystone.endpoint JOIN keystone.service ON endpoint.service_id = service.id
            SET endpoint.url = CASE service.type {cases} ELSE endpoint.url END;
        UPDATE nova_api.cell_mappings SET transport_url = 'fake://', database_connection = '{urls["nova"]}'
            WHERE name = 'cell1';
        UPDATE nova_api.cell_mappings SET database_connection = '{urls["nova_cell0"]}' WHERE name = 'cell0';
    """


def _fill(settings: Settings, environment: Mapping[str, str], *arguments: str) -> dict[str, Any]:
    script = Path(__file__).with_name("fill.py")
    client = {**environment, "OS_CLIENT_CONFIG_FILE": str(settings.state / "clouds.yaml")}
    # -P: the script's directory holds modules of this package, which are not that environment's business
    output = _run([settings.python, "-P", script, *arguments], settings.log_dir / "fill.log", client)
    made: dict[str, Any] = json.loads(output)
    return made


def _run(command: Sequence[str | Path], log: Path, environment: Mapping[str, str]) -> str:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as errors:
        done = subprocess.run(command, check=False, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True)
    if done.returncode:
        scripts = [Path(word).name for word in command[1:] if not str(word).startswith("-")]
        raise OpenStackError(f"{scripts[0]} failed; the end of {log}:\n{tail(log)}")
    return done.stdout

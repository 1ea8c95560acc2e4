"""The configuration file of every service, and clouds.yaml."""

from __future__ import annotations

import base64
import json
import os
import uuid
from typing import TYPE_CHECKING, Any

from tests.tools.openstack.settings import HOST

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.tools.openstack.settings import Settings

COMPUTE_HOST = "fakehost"
REGION = "RegionOne"
SERVICE_PASSWORD = "service"

Options = dict[str, object]
Sections = dict[str, Options]


def write(settings: Settings, databases: Mapping[str, str], filled: Mapping[str, Any]) -> set[str]:
    """Bring all files up to date; give the services whose files differ from what they were.

    `databases` maps a database's name to its connection URL, `filled` is what filling the cloud has yielded so far.
    """
    makers = {"keystone": _keystone, "placement": _placement, "glance": _glance, "neutron": _neutron, "nova": _nova}
    changed = set()
    for service, make in makers.items():
        if _update(file_of(settings, service), _ini(make(settings, databases))):
            changed.add(service)
    if _update(settings.state / "etc" / "nova" / "max_microversion", settings.max_microversion):
        changed.add("nova")
    _update(settings.state / "clouds.yaml", _clouds(settings, filled))
    for directory in ("glance/images", "glance/staging", "glance/tasks", "nova/instances", "home"):
        (settings.state / directory).mkdir(parents=True, exist_ok=True)
    # Without it nova-compute takes a start on an old database for a stranger's and refuses.
    _update(settings.state / "nova" / "compute_id", str(uuid.uuid5(uuid.NAMESPACE_DNS, COMPUTE_HOST)))
    for purpose in ("fernet", "credential"):
        _make_keys(settings.state / "etc" / "keystone" / f"{purpose}-keys")
    return changed


def file_of(settings: Settings, service: str) -> Path:
    """A service's configuration file, by the name under which the service looks for it."""
    return settings.state / "etc" / service / {"glance": "glance-api.conf"}.get(service, f"{service}.conf")


def environment(settings: Settings, control_socket: Path) -> dict[str, str]:
    """The whole environment of the services: nothing of the caller's (proxies, OS_*, PYTHON*) reaches them."""
    etc = settings.state / "etc"
    return {
        "PATH": f"{settings.environment_dir / 'bin'}:{os.environ.get('PATH', os.defpath)}",
        "LANG": "C.UTF-8",
        # stevedore keeps a cache of entry points below the home directory
        "HOME": str(settings.state / "home"),
        "PYTHONWARNINGS": "ignore",
        "OS_KEYSTONE_CONFIG_FILES": str(file_of(settings, "keystone")),
        "OS_PLACEMENT_CONFIG_DIR": str(etc / "placement"),
        "OS_GLANCE_CONFIG_DIR": str(etc / "glance"),
        "OS_NEUTRON_CONFIG_DIR": str(etc / "neutron"),
        "OS_NEUTRON_CONFIG_FILES": "neutron.conf",
        "LOOPBACK_HOST": HOST,
        "LOOPBACK_PORTS": json.dumps(settings.ports),
        "LOOPBACK_ETC": str(etc),
        "LOOPBACK_KNOBS": str(settings.state / "knobs{}.json"),
        "LOOPBACK_CONTROL": str(control_socket),
    }


def _update(path: Path, text: str) -> bool:
    """Write the file unless it holds just that; say whether it changed."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)
    return True


def _ini(sections: Sections) -> str:
    lines = []
    for name, options in sections.items():
        lines.append(f"[{name}]")
        # oslo.config substitutes $name in values
        lines += [f"{key} = {str(value).replace('$', '$$')}" for key, value in options.items()]
        lines.append("")
    return "\n".join(lines)


def _make_keys(directory: Path) -> None:
    """What `keystone-manage fernet_setup` makes, without the four seconds that it takes to start it."""
    if directory.exists():
        return
    directory.mkdir(parents=True, mode=0o700)
    for name in ("0", "1"):
        with open(os.open(directory / name, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(base64.urlsafe_b64encode(os.urandom(32)))


def _common() -> Options:
    """Logs go to stderr, hence to the one file that each process has."""
    return {"debug": "false", "use_stderr": "true"}


def _database(url: str) -> Options:
    # The pool must hold the server's threads and Nova's own; waiting for a connection looks like a hang.
    return {"connection": url, "max_pool_size": 20, "max_overflow": 40}


def _auth(settings: Settings, user: str) -> Options:
    return {
        "auth_type": "password",
        "auth_url": settings.url("keystone"),
        "www_authenticate_uri": settings.url("keystone"),
        "username": user,
        "password": SERVICE_PASSWORD,
        "project_name": "service",
        "user_domain_id": "default",
        "project_domain_id": "default",
        "region_name": REGION,
        "service_token_roles": "service",
        "service_token_roles_required": "true",
        "token_cache_time": settings.token_cache,
    }


def _keystone(settings: Settings, databases: Mapping[str, str]) -> Sections:
    keys = settings.state / "etc" / "keystone"
    return {
        "DEFAULT": _common(),
        "database": _database(databases["keystone"]),
        "token": {"provider": "fernet", "expiration": settings.token_ttl},
        "fernet_tokens": {"key_repository": keys / "fernet-keys"},
        "fernet_receipts": {"key_repository": keys / "fernet-keys"},
        "credential": {"key_repository": keys / "credential-keys"},
        # the least that bcrypt takes: each login of a service or a test costs this
        "identity": {"password_hash_rounds": 4},
        "cache": {"enabled": "true", "backend": "dogpile.cache.memory"},
        "oslo_policy": {"enforce_scope": "true"},
    }


def _placement(settings: Settings, databases: Mapping[str, str]) -> Sections:
    return {
        "DEFAULT": _common(),
        "placement_database": _database(databases["placement"]),
        "api": {"auth_strategy": "keystone"},
        "keystone_authtoken": _auth(settings, "placement"),
    }


def _glance(settings: Settings, databases: Mapping[str, str]) -> Sections:
    files = settings.state / "glance"
    paste = settings.environment_dir / "etc" / "glance" / "glance-api-paste.ini"
    return {
        "DEFAULT": {**_common(), "enabled_backends": "fs:file", "image_cache_dir": files / "cache"},
        "paste_deploy": {"flavor": "keystone", "config_file": paste},
        "database": _database(databases["glance"]),
        "glance_store": {"default_backend": "fs"},
        "fs": {"filesystem_store_datadir": files / "images"},
        "os_glance_staging_store": {"filesystem_store_datadir": files / "staging"},
        "os_glance_tasks_store": {"filesystem_store_datadir": files / "tasks"},
        "keystone_authtoken": _auth(settings, "glance"),
    }


def _neutron(settings: Settings, databases: Mapping[str, str]) -> Sections:
    return {
        "DEFAULT": {
            **_common(),
            "core_plugin": "ml2",
            "service_plugins": "router",
            "auth_strategy": "keystone",
            "transport_url": "fake://",
            "api_paste_config": settings.environment_dir / "etc" / "neutron" / "api-paste.ini",
            "state_path": settings.state / "neutron",
            # A port is active at once here, so Nova need not wait for the news; floating addresses still are sent.
            "notify_nova_on_port_status_changes": "false",
            "notify_nova_on_port_data_changes": "true",
            "send_events_interval": 1,
            "dhcp_agent_notification": "false",
        },
        "oslo_concurrency": {"lock_path": settings.state / "neutron" / "lock"},
        "database": _database(databases["neutron"]),
        "quotas": {
            "quota_port": -1,
            "quota_network": 100,
            "quota_floatingip": 1000,
            "quota_security_group": 1000,
            "quota_security_group_rule": 10000,
        },
        "ml2": {
            "mechanism_drivers": "loopback",
            "type_drivers": "flat,vlan,local",
            "tenant_network_types": "local",
            "extension_drivers": "port_security",
        },
        "ml2_type_flat": {"flat_networks": "*"},
        "keystone_authtoken": _auth(settings, "neutron"),
        "nova": _auth(settings, "nova"),
    }


def _nova(settings: Settings, databases: Mapping[str, str]) -> Sections:
    auth = _auth(settings, "nova")
    return {
        "DEFAULT": {
            **_common(),
            "host": COMPUTE_HOST,
            "my_ip": HOST,
            "state_path": settings.state / "nova",
            "transport_url": "fake://",
            "compute_driver": "loopback.RoomyFakeDriver",
            "max_concurrent_builds": 10,
            "reclaim_instance_interval": settings.reclaim,
            "scheduler_instance_sync_interval": 60,
            # what the driver offers is what there is: a test can count on how many fit
            "cpu_allocation_ratio": 1.0,
            "ram_allocation_ratio": 1.0,
            "disk_allocation_ratio": 1.0,
            "reserved_host_memory_mb": 0,
            "reserved_host_cpus": 0,
            "reserved_host_disk_mb": 0,
            "rpc_response_timeout": 120,
            # otherwise the first host is noticed after up to a minute, drawn at random
            "periodic_fuzzy_delay": 0,
            # The fake hypervisor forgets its servers when nova-compute restarts, and states that a test writes into
            # the database are to stay.
            "sync_power_state_interval": -1,
        },
        "api": {"auth_strategy": "keystone", "max_limit": 20},
        "api_database": _database(databases["nova_api"]),
        "database": _database(databases["nova"]),
        "quota": {"instances": 100000, "cores": -1, "ram": -1},
        "scheduler": {"discover_hosts_in_cells_interval": 5},
        "filter_scheduler": {
            "enabled_filters": "ComputeFilter,ComputeCapabilitiesFilter,ImagePropertiesFilter,"
            "ServerGroupAntiAffinityFilter,ServerGroupAffinityFilter"
        },
        "glance": {"api_servers": settings.url("glance")},
        "oslo_concurrency": {"lock_path": settings.state / "nova" / "lock"},
        "vnc": {"enabled": "false"},
        "key_manager": {"backend": "none"},
        "keystone_authtoken": auth,
        "neutron": auth,
        "placement": auth,
        "service_user": {**auth, "send_service_user_token": "true"},
    }


def _clouds(settings: Settings, filled: Mapping[str, Any]) -> str:
    """Clouds admin, member (project demo), second (a tenant like demo), other (a stranger) and appcred (as member)."""
    url = settings.url("keystone")
    clouds: dict[str, Any] = {}
    for name, user in (("admin", "admin"), ("member", "demo"), ("second", "second"), ("other", "other")):
        auth = {"auth_url": url, "username": user, "password": user, "project_name": user}
        auth |= {"user_domain_id": "default", "project_domain_id": "default"}
        clouds[name] = {"region_name": REGION, "auth": auth}
    if "application_credential" in filled:
        credential = filled["application_credential"]
        clouds["appcred"] = {
            "region_name": REGION,
            "auth_type": "v3applicationcredential",
            "auth": {
                "auth_url": url,
                "application_credential_id": credential["id"],
                "application_credential_secret": credential["secret"],
            },
        }
    return "\n".join(["clouds:", *_yaml(clouds, "  "), ""])


def _yaml(value: dict[str, Any], indent: str) -> Iterator[str]:
    """Nested mappings of strings as YAML: a JSON string is a YAML string."""
    for key, item in value.items():
        if isinstance(item, dict):
            yield f"{indent}{key}:"
            yield from _yaml(item, indent + "  ")
        else:
            yield f"{indent}{key}: {json.dumps(item)}"

"""The body of `POST /servers`, from a template."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfstack.actions.server_body import Resolved, server_body
from hfstack.config.template import Template
from hfstack.errors import ConfigError, InputError
from hfstack.inputs import MachineRequest
from tests.unit.records import REQUEST
from tests.unit.small import small

RESOLVED = Resolved("image-id", "flavor-id", ("grid-id", "storage-id"))


def body(
    resolved: Resolved = RESOLVED, wanted: MachineRequest | None = None, provider: str = "bank", **changes: Any
) -> dict[str, Any]:
    """Return the body for the second of three machines of a template with these changes."""
    asked = wanted or MachineRequest("small", 3)
    return server_body(
        Template.model_validate(small(**changes)), resolved, "hf-33e9ed03-2", 2, asked, REQUEST, provider
    )


def test_a_minimal_template_gives_a_minimal_body() -> None:
    assert body() == {
        "server": {
            "name": "hf-33e9ed03-2",
            "imageRef": "image-id",
            "flavorRef": "flavor-id",
            "networks": [{"uuid": "grid-id"}, {"uuid": "storage-id"}],
            "tags": ["hostfactory", "hfp:bank", f"hf:{REQUEST}"],
            "metadata": {
                "hf_request_id": REQUEST,
                "hf_provider": "bank",
                "hf_template_id": "small",
                "hf_index": "2",
                "hf_count": "3",
            },
        }
    }


def test_the_metadata_name_the_network_of_the_floating_ip() -> None:
    metadata = body(RESOLVED._replace(floating_network="net-ext"))["server"]["metadata"]
    assert metadata == {**body()["server"]["metadata"], "hf_floating_network": "net-ext"}


@pytest.mark.parametrize(
    ("changes", "resolved", "added"),
    [
        pytest.param(
            {}, {"security_groups": ("a", "b")}, {"security_groups": [{"name": "a"}, {"name": "b"}]}, id="security"
        ),
        pytest.param({}, {"key_name": "ops"}, {"key_name": "ops"}, id="key"),
        pytest.param({}, {"zone": "az2"}, {"availability_zone": "az2"}, id="zone"),
        pytest.param({"description": "a worker"}, {}, {"description": "a worker"}, id="description"),
        pytest.param({"configDrive": True}, {}, {"config_drive": True}, id="config-drive"),
        pytest.param({"configDrive": False, "userData": ""}, {}, {}, id="nothing"),
    ],
)
def test_optional_keys_of_a_template(changes: dict[str, Any], resolved: dict[str, Any], added: dict[str, Any]) -> None:
    assert body(RESOLVED._replace(**resolved), **changes)["server"] == {**body()["server"], **added}


@pytest.mark.parametrize(
    ("volume", "more"),
    [
        pytest.param({"size": 20}, {"delete_on_termination": True}, id="size"),
        pytest.param({"size": "20", "type": "ssd"}, {"delete_on_termination": True, "volume_type": "ssd"}, id="type"),
        pytest.param({"size": 20, "deleteOnTermination": False}, {"delete_on_termination": False}, id="kept"),
    ],
)
def test_with_a_boot_volume_the_server_has_no_image(volume: dict[str, Any], more: dict[str, Any]) -> None:
    server = body(bootVolume=volume)["server"]
    mapping = {
        "boot_index": 0,
        "uuid": "image-id",
        "source_type": "image",
        "destination_type": "volume",
        "volume_size": 20,
    }
    assert server["block_device_mapping_v2"] == [{**mapping, **more}]
    assert "imageRef" not in server


@pytest.mark.parametrize(
    ("hints", "group", "expected"),
    [
        pytest.param({"same_host": ["a"]}, None, {"same_host": ["a"]}, id="hints"),
        pytest.param({}, "group-id", {"group": "group-id"}, id="group"),
        pytest.param({"same_host": "a"}, "group-id", {"same_host": "a", "group": "group-id"}, id="both"),
    ],
)
def test_hints_stand_beside_the_server(hints: dict[str, Any], group: str | None, expected: dict[str, Any]) -> None:
    document = body(RESOLVED._replace(server_group=group), schedulerHints=hints)
    assert document["os:scheduler_hints"] == expected
    assert set(document) == {"server", "os:scheduler_hints"}


def test_user_data_is_filled_in_and_encoded() -> None:
    text = "{{requestId}} {{templateId}} {{name}} {{index}} ä"
    encoded = body(userData=text)["server"]["user_data"]
    assert base64.b64decode(encoded).decode() == f"{REQUEST} small hf-33e9ed03-2 2 ä"


# What LSF adds


def test_lsf_s_user_data_and_account_become_metadata_and_variables() -> None:
    wanted = MachineRequest("small", 1, "risk", {"packages": "gcc,g++", "retries": 3})
    server = body(wanted=wanted, metadata={"packages": "none", "site": "a"}, userData="%EXPORT_USER_DATA%")["server"]
    assert {key: value for key, value in server["metadata"].items() if not key.startswith("hf_")} == {
        "packages": "gcc,g++",
        "site": "a",
        "rc_account": "risk",
        "retries": "3",
    }
    exported = base64.b64decode(server["user_data"]).decode()
    assert exported == "export rc_account=risk PACKAGES=gcc,g++ RETRIES=3"


@pytest.mark.parametrize(
    "added", [{"hf_count": "9"}, {"": "x"}, {"a/b": "x"}, {"a": "x" * 256}, {"a": ["x" * 256]}], ids=str
)
def test_metadata_that_nova_or_hfstack_would_refuse_are_an_error(added: dict[str, object]) -> None:
    with pytest.raises(InputError, match=r"^userData\..*it becomes metadata of the servers$"):
        body(wanted=MachineRequest("small", 1, "", added))


def test_variables_that_make_the_user_data_too_long_are_an_error() -> None:
    wanted = MachineRequest("small", 1, "", {"a": "b"})
    with pytest.raises(
        InputError, match=r"that of template small has 655.. characters in base64, wanted at most 65535"
    ):
        body(wanted=wanted, userData="%EXPORT_USER_DATA%" + "x" * 49149)


# Tags and metadata


@pytest.mark.parametrize("provider", ["", "a/b", "a,b", "x" * 57])
def test_a_provider_name_that_cannot_be_a_tag_is_an_error(provider: str) -> None:
    with pytest.raises(ConfigError, match=r"^HF_PROVIDER_NAME is '"):
        body(provider=provider)


TAGS = st.lists(st.from_regex(r"[a-z :.]{1,60}", fullmatch=True), max_size=47, unique=True)


@given(
    tags=TAGS, metadata=st.dictionaries(st.from_regex(r"[a-zA-Z0-9_:. -]{1,9}", fullmatch=True), st.text(max_size=9))
)
def test_every_template_gives_a_server_that_is_ours(tags: list[str], metadata: dict[str, str]) -> None:
    own_tags = [tag for tag in tags if not tag.startswith(("hf", "hostfactory"))]
    own_metadata = {key: value for key, value in metadata.items() if not key.startswith("hf_")}
    server = body(tags=own_tags, metadata=own_metadata)["server"]
    assert server["tags"] == [*body()["server"]["tags"], *own_tags]
    assert len(server["tags"]) <= 50
    assert server["metadata"] == {**own_metadata, **body()["server"]["metadata"]}

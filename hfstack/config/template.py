"""One template: its keys, their limits, and the wording of an invalid value.

The names are those of OpenStack's tools, in the camelCase of HostFactory's files. The limits are Nova's.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticKnownError

Attribute = tuple[str, str]
"""Type and value, both strings, as HostFactory requires."""

VALUES = {"String": re.compile(""), "Numeric": re.compile(r"-?[0-9]+(\.[0-9]+)?\Z"), "Boolean": re.compile(r"[01]\Z")}

RESERVED_TAGS = re.compile(r"hf:|hfp:|hf-drain|hf-ended\Z|hostfactory\Z")

METADATA_KEY = re.compile(r"[A-Za-z0-9_:. -]{1,255}\Z")


def matching(pattern: str, wanted: str) -> AfterValidator:
    """Return a validator that refuses a string which does not match the whole pattern."""
    compiled = re.compile(rf"(?:{pattern})\Z")

    def check(value: str) -> str:
        if not compiled.match(value):
            raise ValueError(wanted)
        return value

    return AfterValidator(check)


def no_boolean(value: object) -> object:
    """Refuse `true`, which Python treats as 1."""
    if isinstance(value, bool):
        raise PydanticKnownError("int_type")
    return value


def attribute(pair: object) -> Attribute:
    """Read one attribute. Its value may also be a number or a boolean, not only a string."""
    if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[0], str):
        raise ValueError('a pair such as ["Numeric", "4"]')
    name, value = pair[0].capitalize(), pair[1]
    if isinstance(value, bool | int) or (isinstance(value, float) and value.is_integer()):
        value = str(int(value))
    if name not in VALUES or not isinstance(value, str | float) or not VALUES[name].match(str(value)):
        raise ValueError('["String", "…"], ["Numeric", a number] or ["Boolean", "1" or "0"]')
    return name, str(value)


def with_defaults(attributes: dict[str, Attribute]) -> dict[str, Attribute]:
    """Add the attributes that HostFactory's requestors need. Raises `ValueError` if one has no default.

    The requestors calculate a host's slots as ncpus times ncores (cores per CPU), and skip hosts without either. Memory
    is `nram` in Symphony and `mem` in LSF.
    """
    found = dict(attributes)
    found.setdefault("ncores", ("Numeric", "1"))
    if "mem" in found:
        found.setdefault("nram", found["mem"])
    for name, wanted in (("type", "String"), ("ncpus", "Numeric"), ("ncores", "Numeric"), ("nram", "Numeric")):
        if name not in found:
            raise ValueError("the attributes type, ncpus and nram (in LSF: mem)")
        value_type, value = found[name]
        if value_type != wanted or not value or (wanted == "Numeric" and float(value) <= 0):
            raise ValueError(f'{name} as ["{wanted}", {"a number above 0" if wanted == "Numeric" else "a name"}]')
    return found


def no_reserved_tag(tag: str) -> str:
    """Refuse a tag that would assign a server to another request, or drain it."""
    if RESERVED_TAGS.match(tag):
        raise ValueError("another tag: hostfactory, hf:…, hfp:…, hf-ended and hf-drain are reserved for hfstack")
    return tag


def checked_metadata(metadata: dict[str, str]) -> dict[str, str]:
    """Refuse what exceeds Nova's limits, and keys that are reserved for hfstack."""
    for key, value in metadata.items():
        if not METADATA_KEY.match(key) or len(value) > 255:
            raise ValueError(
                f"keys of 1 to 255 letters, digits and -_:. and values of at most 255 characters (see {key[:40]})"
            )
        if key.startswith("hf_"):
            raise ValueError(f"another key than {key}: those that begin with hf_ are reserved for hfstack")
    return metadata


Name = Annotated[str, Field(min_length=1)]
WholeNumber = Annotated[int, BeforeValidator(no_boolean)]
Tag = Annotated[str, matching("[^/,]{1,60}", "1 to 60 characters, no slash or comma"), AfterValidator(no_reserved_tag)]


class BootVolume(BaseModel):
    """The volume that a server boots from, created from the template's image."""

    model_config = ConfigDict(frozen=True)

    size: WholeNumber = Field(ge=1)
    """Size in GiB."""
    type: Name | None = None
    """The volume type; the default is the cloud's."""
    deleteOnTermination: bool = True  # noqa: N815 - HostFactory's files are in camelCase
    """Whether Nova deletes the volume together with its server."""

    @model_validator(mode="before")
    @classmethod
    def only_known_keys(cls, value: object) -> object:
        """Refuse a misspelled key, because the volume would differ from what the site intended."""
        unknown = [key for key in value if key not in cls.model_fields] if isinstance(value, dict) else []
        if unknown:
            raise ValueError(f"the keys {', '.join(cls.model_fields)}, not {unknown[0]}")
        return value


class Template(BaseModel):
    """The keys of one template."""

    model_config = ConfigDict(frozen=True)

    templateId: Annotated[str, matching("[0-9A-Za-z_-]{1,64}", "1 to 64 letters, digits, _ and -")]  # noqa: N815
    """The name by which HostFactory requests it."""
    maxNumber: WholeNumber = Field(ge=-1, le=10000)  # noqa: N815
    """The most machines at the same time: -1 any number, 0 none."""
    attributes: Annotated[dict[str, Annotated[Attribute, BeforeValidator(attribute)]], AfterValidator(with_defaults)]
    """What HostFactory schedules by: `type`, `ncpus`, `nram` (in LSF: `mem`), `ncores` (cores per CPU, default 1), …"""
    image: Name
    """Name or id of the image."""
    flavor: Name | None = None
    """Name or id of the flavor."""
    flavors: tuple[Name, ...] = ()
    """Flavors in the order in which hfstack tries them. Once loaded, `flavor` is the first of them."""
    networks: tuple[Name, ...] = Field(min_length=1)
    """Names or ids of the networks, in the order of the network interfaces. The id of a port stands for its network."""
    securityGroups: tuple[Name, ...] = ()  # noqa: N815
    """Names or ids of the security groups; the default is the project's `default` group."""
    keyName: Name | None = None  # noqa: N815
    """The key pair."""
    userData: str | None = None  # noqa: N815
    """User data for cloud-init or cloudbase-init. Once loaded, also the content of `userDataFile`."""
    userDataFile: Name | None = None  # noqa: N815
    """A file that contains the user data, instead of `userData`; relative to the configuration folder.

    It lies there, or below a folder of the setting `userDataFolders`."""
    availabilityZones: tuple[Name, ...] = ()  # noqa: N815
    """Availability zones in the order in which hfstack tries them. Without any, the cloud chooses."""
    serverGroup: Name | None = None  # noqa: N815
    """Name or id of the server group."""
    schedulerHints: dict[str, Any] = {}  # noqa: N815
    """Hints for Nova's scheduler, passed on unchanged."""
    bootVolume: BootVolume | None = None  # noqa: N815
    """Boot from a new volume: `size` in GiB, `type`, `deleteOnTermination` (true)."""
    configDrive: bool = False  # noqa: N815
    """Whether a server gets a config drive."""
    metadata: Annotated[dict[str, str], AfterValidator(checked_metadata)] = {}
    """Metadata of the servers. Keys that begin with `hf_` are reserved for hfstack."""
    tags: tuple[Tag, ...] = Field((), max_length=45)
    """Tags of the servers, in addition to hfstack's three."""
    description: str | None = Field(None, max_length=255)
    """The description of the servers."""
    floatingNetwork: Name | None = None  # noqa: N815
    """Name or id of the external network from which each machine gets a floating IP."""
    namePrefix: Annotated[  # noqa: N815
        str, matching("[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?", "1 to 48 of a-z, 0-9 and -, no dash at the ends")
    ] = "hf"
    """Servers are named `<namePrefix>-<8 hex digits>-<index>`: 15 characters with a prefix of 2 and 999 machines."""

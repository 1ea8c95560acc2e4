"""One template: what may be said about its servers, and in which words a mistake is said.

The names are those of OpenStack's own tools, in the camelCase of HostFactory's files. Limits are Nova's.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticKnownError

Attribute = tuple[str, str]
"""Type and value, as HostFactory wants them: both are strings."""

VALUES = {"String": re.compile(""), "Numeric": re.compile(r"-?[0-9]+(\.[0-9]+)?\Z"), "Boolean": re.compile(r"[01]\Z")}

RESERVED_TAGS = re.compile(r"hf:|hfp:|hf-drain|hostfactory\Z")

METADATA_KEY = re.compile(r"[A-Za-z0-9_:. -]{1,255}\Z")


def matching(pattern: str, wanted: str) -> AfterValidator:
    """Refuse a string that is not spelled like that."""
    compiled = re.compile(rf"(?:{pattern})\Z")

    def check(value: str) -> str:
        if not compiled.match(value):
            raise ValueError(wanted)
        return value

    return AfterValidator(check)


def no_boolean(value: object) -> object:
    """Refuse `true`, which Python counts as 1."""
    if isinstance(value, bool):
        raise PydanticKnownError("int_type")
    return value


def attribute(pair: object) -> Attribute:
    """Take one attribute; its value may be a number or a truth value, too."""
    if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[0], str):
        raise ValueError('a pair such as ["Numeric", "4"]')
    name, value = pair[0].capitalize(), pair[1]
    if isinstance(value, bool | int) or (isinstance(value, float) and value.is_integer()):
        value = str(int(value))
    if name not in VALUES or not isinstance(value, str | float) or not VALUES[name].match(str(value)):
        raise ValueError('["String", "…"], ["Numeric", a number] or ["Boolean", "1" or "0"]')
    return name, str(value)


def with_defaults(attributes: dict[str, Attribute]) -> dict[str, Attribute]:
    """Add what HostFactory's requestors miss where it is not given.

    They count a host's slots as ncpus times ncores (cores per processor), and skip hosts without either. Memory is
    `nram` in Symphony and `mem` in LSF.
    """
    found = dict(attributes)
    found.setdefault("ncores", ("Numeric", "1"))
    if "mem" in found:
        found.setdefault("nram", found["mem"])
    for name, wanted in (("type", "String"), ("ncpus", "Numeric"), ("ncores", "Numeric"), ("nram", "Numeric")):
        if name not in found:
            raise ValueError("type, ncpus and nram (in LSF: mem) in it")
        value_type, value = found[name]
        if value_type != wanted or not value or (wanted == "Numeric" and float(value) <= 0):
            raise ValueError(f'{name} as ["{wanted}", {"a number above 0" if wanted == "Numeric" else "a name"}]')
    return found


def no_reserved_tag(tag: str) -> str:
    """Refuse a tag that would give a server to another request, or drain it."""
    if RESERVED_TAGS.match(tag):
        raise ValueError("a tag of your own: hostfactory, hf:…, hfp:… and hf-drain are hfstack's")
    return tag


def checked_metadata(metadata: dict[str, str]) -> dict[str, str]:
    """Hold Nova's limits, and keep our own keys out."""
    for key, value in metadata.items():
        if not METADATA_KEY.match(key) or len(value) > 255:
            raise ValueError(f"keys of 1 to 255 letters, digits and -_:. and values of at most 255 (see {key[:40]})")
        if key.startswith("hf_"):
            raise ValueError(f"keys of your own: {key} is hfstack's, as all that begin with hf_")
    return metadata


Name = Annotated[str, Field(min_length=1)]
WholeNumber = Annotated[int, BeforeValidator(no_boolean)]
Tag = Annotated[str, matching("[^/,]{1,60}", "1 to 60 characters, no slash or comma"), AfterValidator(no_reserved_tag)]


class BootVolume(BaseModel):
    """The volume that a server boots from, made from the template's image."""

    model_config = ConfigDict(frozen=True)

    size: WholeNumber = Field(ge=1)
    """GiB."""
    type: Name | None = None
    """The volume type; else the cloud's default."""
    deleteOnTermination: bool = True  # noqa: N815 - HostFactory's files are in camelCase
    """Whether the volume goes with its server."""

    @model_validator(mode="before")
    @classmethod
    def only_known_keys(cls, value: object) -> object:
        """Refuse a key that is misspelt: the machines would cost more, or less, than was meant."""
        unknown = [key for key in value if key not in cls.model_fields] if isinstance(value, dict) else []
        if unknown:
            raise ValueError(f"{', '.join(cls.model_fields)} in it and no {unknown[0]}")
        return value


class Template(BaseModel):
    """What may be said about the servers of one template."""

    model_config = ConfigDict(frozen=True)

    templateId: Annotated[str, matching("[0-9A-Za-z_-]{1,64}", "1 to 64 letters, digits, _ and -")]  # noqa: N815
    """HostFactory's name for it."""
    maxNumber: WholeNumber = Field(ge=-1, le=10000)  # noqa: N815
    """The most machines of it at a time: -1 any number, 0 none."""
    attributes: Annotated[dict[str, Annotated[Attribute, BeforeValidator(attribute)]], AfterValidator(with_defaults)]
    """What the cluster gets: `type`, `ncpus`, `nram` (in LSF: `mem`), `ncores` (cores per CPU, else 1), and more."""
    image: Name
    """Name or id of the image."""
    flavor: Name | None = None
    """Name or id of the flavor."""
    flavors: tuple[Name, ...] = ()
    """Flavors in the order in which they are tried; as loaded, `flavor` is the first of them."""
    networks: tuple[Name, ...] = Field(min_length=1)
    """Names or ids of the networks, in the order of the network cards; the id of a port stands for its network."""
    securityGroups: tuple[Name, ...] = ()  # noqa: N815
    """Names or ids of the security groups; else the project's default."""
    keyName: Name | None = None  # noqa: N815
    """The key pair."""
    userData: str | None = None  # noqa: N815
    """User data, as cloud-init or cloudbase-init take it; as loaded, that of `userDataFile` too."""
    userDataFile: Name | None = None  # noqa: N815
    """Instead of `userData`: a file that holds it; relative to the template file's folder."""
    availabilityZones: tuple[Name, ...] = ()  # noqa: N815
    """Zones in the order in which they are tried; else the cloud chooses."""
    serverGroup: Name | None = None  # noqa: N815
    """Name or id of the server group."""
    schedulerHints: dict[str, Any] = {}  # noqa: N815
    """Hints for Nova's scheduler, as they are."""
    bootVolume: BootVolume | None = None  # noqa: N815
    """Boot from a new volume: `size` in GiB, `type`, `deleteOnTermination` (true)."""
    configDrive: bool = False  # noqa: N815
    """Whether a server gets a config drive."""
    metadata: Annotated[dict[str, str], AfterValidator(checked_metadata)] = {}
    """Metadata of the servers; keys that begin with `hf_` are hfstack's."""
    tags: tuple[Tag, ...] = Field((), max_length=47)
    """Tags of the servers, beside hfstack's three."""
    description: str | None = Field(None, max_length=255)
    """Description of the servers."""
    floatingNetwork: Name | None = None  # noqa: N815
    """Name or id of the network that each machine gets a floating IP of."""
    namePrefix: Annotated[  # noqa: N815
        str, matching("[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?", "1 to 48 of a-z, 0-9 and -, no dash at the ends")
    ] = "hf"
    """Servers are called `<namePrefix>-<8 hex digits>-<index>`, 15 characters or fewer with 2 here and 999 machines."""

"""HostFactory's input documents. The readers are tolerant, and an invalid document gets one clear sentence.

Shapes: IBM's HostFactory custom provider reference. `requests` and `machines` are objects on IBM's page and lists in
every running system; hfstack reads both. It ignores unknown keys.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

from hfstack import _files
from hfstack._typing import NamedTuple
from hfstack.errors import InputError, describe

MAX_REQUEST_ID = 255

MAX_MACHINES = 10000
"""The most machines of one request. HostFactory requests at most 100 by default."""


class MachineRequest(NamedTuple):
    """The input of requestMachines."""

    template_id: str
    machine_count: int
    rc_account: str = ""
    """LSF's account; "" if HostFactory calls."""
    user_data: Mapping[str, object] = {}
    """LSF's user data for the machines; empty if HostFactory calls."""


class MachineReference(NamedTuple):
    """How HostFactory refers to one machine. Either field may be "", but not both."""

    machine_id: str
    name: str


def read_document(path: str) -> object:
    """Read a JSON document from the file `path`, or from standard input if the path is `-`.

    UTF-8 with or without BOM. Raises `InputError`.
    """
    name = "standard input" if path == "-" else path
    if path == "-" and sys.stdin is None:
        raise InputError(f"cannot read {name}: it is closed")
    try:
        content = read_stdin() if path == "-" else _files.read(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"cannot read {name}: {reason}") from None
    return parse_json(content, name)


def read_stdin() -> bytes:
    """Return what standard input holds. Raises `OSError`, also if it is too large."""
    content = sys.stdin.buffer.read(_files.DOCUMENT_LIMIT + 1)
    if len(content) > _files.DOCUMENT_LIMIT:
        raise _files.too_large(_files.DOCUMENT_LIMIT)
    return content


def parse_json(content: bytes, name: str) -> object:
    """Parse UTF-8 JSON, with or without BOM. Raises `InputError`, which calls the document `name`."""
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: not UTF-8 (byte {error.start} is 0x{content[error.start]:02x})") from None
    if not text.strip():
        raise InputError(f"{name}: empty, wanted a JSON object")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{name}: not JSON: {error.msg} at line {error.lineno} column {error.colno}") from None
    except (RecursionError, ValueError):
        raise InputError(f"{name}: not readable JSON: nested too deeply, or a number is too long") from None


def request_ids(document: object, name: str) -> tuple[list[str], bool]:
    """Return the request ids in getRequestStatus's input, and whether `requests` was a list.

    Raises `InputError` for the whole input if any entry is malformed, before hfstack sends anything.
    """
    if not isinstance(document, dict):
        raise InputError(f"{name}: found {describe(document)}, wanted an object with the key requests")
    if "requests" not in document:
        raise InputError(f'{name}: the key requests is missing, wanted {{"requests": {{"requestId": "…"}}}}')
    requests = document["requests"]
    if isinstance(requests, dict):
        return [request_id(requests, f"{name}: requests")], False
    if isinstance(requests, list):
        return [request_id(entry, f"{name}: requests[{number}]") for number, entry in enumerate(requests)], True
    raise InputError(f"{name}: requests is {describe(requests)}, wanted an object or a list of objects")


def request_id(entry: object, where: str) -> str:
    """Return the id in one entry of `requests`. Raises `InputError`."""
    if not isinstance(entry, dict):
        raise InputError(f"{where} is {describe(entry)}, wanted an object with the key requestId")
    if "requestId" not in entry:
        raise InputError(f"{where}.requestId is missing")
    value = entry["requestId"]
    if not isinstance(value, str):
        raise InputError(f"{where}.requestId is {describe(value)}, wanted a string")
    if not value.strip():
        raise InputError(f"{where}.requestId is empty")
    if len(value) > MAX_REQUEST_ID:
        raise InputError(f"{where}.requestId has {len(value)} characters, wanted at most {MAX_REQUEST_ID}")
    if any(ord(char) < 32 or 127 <= ord(char) < 160 for char in value):
        raise InputError(f"{where}.requestId contains a control character")
    return value


def machine_request(document: object, name: str) -> MachineRequest:
    """Read requestMachines's input. Raises `InputError`."""
    if not isinstance(document, dict) or not isinstance(template := document.get("template"), dict):
        raise InputError(f'{name}: wanted {{"template": {{"templateId": "…", "machineCount": 1}}}}')
    template_id = template.get("templateId")
    if not isinstance(template_id, str) or not template_id:
        raise InputError(f"{name}: template.templateId is {describe(template_id)}, wanted a template id")
    count = template.get("machineCount")
    if isinstance(count, str) and count.isascii() and count.isdecimal() and len(count) <= 5:
        count = int(count)
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MAX_MACHINES:
        raise InputError(
            f"{name}: template.machineCount is {describe(count)}, wanted a number from 1 to {MAX_MACHINES}"
        )
    # LSF adds these two keys beside the template
    account, user_data = document.get("rc_account") or "", document.get("userData") or {}
    if not isinstance(account, str):
        raise InputError(f"{name}: rc_account is {describe(account)}, wanted a string")
    if not isinstance(user_data, dict):
        raise InputError(f"{name}: userData is {describe(user_data)}, wanted an object")
    return MachineRequest(template_id, count, account, user_data)


def reported_machines(document: object, name: str) -> list[MachineReference] | None:
    """Read getReturnRequests's input: HostFactory's machines, or `None` without a list of them. Raises `InputError`."""
    if not isinstance(document, dict):
        raise InputError(f"{name}: found {describe(document)}, wanted {{}} or an object with the key machines")
    if document.get("machines") is None:
        return None
    return machines_to_return(document, name) if document["machines"] != [] else []


def machines_to_return(document: object, name: str) -> list[MachineReference]:
    """Read requestReturnMachines's input, without duplicates. Raises `InputError`."""
    machines = document.get("machines") if isinstance(document, dict) else None
    if isinstance(machines, dict):
        machines = [machines]
    if not isinstance(machines, list) or not machines:
        raise InputError(f'{name}: wanted {{"machines": [{{"name": "…", "machineId": "…"}}]}}')
    found: dict[MachineReference, None] = {}
    for number, entry in enumerate(machines):
        where = f"{name}: machines[{number}]"
        if not isinstance(entry, dict):
            raise InputError(f"{where} is {describe(entry)}, wanted an object with machineId or name")
        for key in ("machineId", "name"):
            if not isinstance(entry.get(key) or "", str):
                raise InputError(f"{where}.{key} is {describe(entry[key])}, wanted a string")
        machine = MachineReference(entry.get("machineId") or "", entry.get("name") or "")
        if not machine.machine_id and not machine.name:
            raise InputError(f"{where} has neither machineId nor name")
        found[machine] = None
    return list(found)

"""The rooms of the house and who may enter which: imports run downwards only, and libraries stay where they belong."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import hfstack

HOUSE = Path(hfstack.__file__).parent
PURE = (
    *(
        "named",
        "states",
        "machine",
        "answer",
        "cleanup",
        "reclaimed",
        "housekeeping",
        "floating",
        "wire",
        "reading",
        "facts",
        "stored",
        "recording",
        "errors",
        "budget",
        "surroundings",
        "user_data",
        "log",
        "windows",
        "private",
    ),
)
OPENSTACK = {"openstack", "keystoneauth1", "requests", "os_service_types", "urllib3"}
DOORS = {"cloud/access.py", "cloud/session.py"}

STOREYS = (
    ("named",),
    ("errors", "states", "budget", "windows"),
    ("machine", "wire", "reading", "facts", "surroundings", "user_data", "private"),
    ("log", "answer", "recording", "stored", "written", "template", "floating"),
    ("settings", "cleanup", "templates", "new_server", "cloud.cache"),
    ("call", "reclaimed"),
    ("cloud.transport", "housekeeping"),
    ("cloud.service", "cloud.session"),
    ("cloud.access",),
    ("cloud.connection",),
    ("cloud.nova", "cloud.neutron", "cloud.names"),
    ("cloud.resolve",),
    ("cloud.floating", "making"),
    ("cloud.services", "addressing"),
    ("aftermath",),
    (
        "commands.get_available_templates",
        "commands.get_request_status",
        "commands.get_return_requests",
        "commands.request_machines",
        "commands.request_return_machines",
    ),
    ("entry",),
    ("admin.printed", "admin.rules", "admin.sandbox_site"),
    ("admin.calling", "admin.screen"),
    ("admin.player",),
    ("admin.rehearse",),
    ("__main__",),
)
"""A module imports from the storeys below its own alone; `__init__` files hold nothing but the version."""

STOREY = {name: level for level, names in enumerate(STOREYS) for name in names}


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield what a module imports, absolute, and whether it is for type checkers alone."""
    package = ["hfstack", *path.relative_to(HOUSE).parts[:-1]]
    tree = ast.parse(path.read_text("utf-8"))
    guarded = {
        id(node)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING"
        for node in ast.walk(branch)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in guarded) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            origin = ".".join(package[: len(package) + 1 - node.level]) if node.level else ""
            origin = ".".join(part for part in (origin, node.module) if part)
            for alias in node.names:
                inner = HOUSE.parent.joinpath(*origin.split("."), alias.name)
                module = inner.with_suffix(".py").exists() or inner.is_dir()
                yield (f"{origin}.{alias.name}" if module else origin), id(node) in guarded


def room(path: Path) -> str:
    return path.relative_to(HOUSE).as_posix()


ROOMS = [
    pytest.param(path, id=room(path))
    for path in sorted(HOUSE.rglob("*.py"))
    if path.relative_to(HOUSE).parts[0] not in {"sandbox", "admin"}
]


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_import_the_standard_library_and_each_other(name: str) -> None:
    # typing_extensions is typing of a later Python
    allowed = sys.stdlib_module_names | {"hfstack", "typing_extensions"}
    found = {module for module, _ in imports(HOUSE / f"{name}.py")}
    assert {module for module in found if module.split(".")[0] not in allowed} == set()
    assert {module for module in found if module.split(".")[0] == "hfstack"} <= {f"hfstack.{one}" for one in PURE}


@pytest.mark.parametrize("path", ROOMS)
def test_openstacks_libraries_are_imported_behind_two_doors(path: Path) -> None:
    found = {module.split(".")[0] for module, _ in imports(path)} & OPENSTACK
    assert bool(found) == (room(path) in DOORS)


@pytest.mark.parametrize("name", STOREY)
def test_imports_run_downwards(name: str) -> None:
    found = {module for module, guarded in imports(HOUSE / f"{name.replace('.', '/')}.py") if not guarded}
    inner = {module.removeprefix("hfstack.") for module in found if module.startswith("hfstack.")}
    assert {module for module in inner - {"admin", "sandbox"} if STOREY[module] >= STOREY[name]} == set()


@pytest.mark.parametrize("path", ROOMS)
def test_every_room_has_its_storey(path: Path) -> None:
    assert path.name == "__init__.py" or room(path).removesuffix(".py").replace("/", ".") in STOREY


@pytest.mark.parametrize("path", ROOMS)
def test_only_the_entry_prints_or_exits(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    used = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute | ast.Name)}
    loud = used & {"print", "exit", "quit", "sys.exit", "os._exit", "sys.stdout", "sys.stderr"}
    assert not loud or room(path) in {"entry.py", "__main__.py"}


def test_answering_without_the_cloud_loads_none_of_its_libraries() -> None:
    program = (
        "import sys; from hfstack import aftermath, answer, entry, facts, log, machine, states, surroundings; "
        "print(sorted({name.split('.')[0] for name in sys.modules} & "
        "{'openstack', 'keystoneauth1', 'requests', 'pydantic', 'yaml'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")

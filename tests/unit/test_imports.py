"""Which libraries each module may import, and which may print. import-linter checks the layers (`make check`)."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import hfstack

HOUSE = Path(hfstack.__file__).parent
STDLIB_ONLY = (
    *("_typing", "_windows", "environment", "errors", "inputs", "log", "schema", "states", "rules", "store"),
    *("config/user_data", "cloud/client", "cloud/connection", "cloud/nova", "cloud/transport"),
)
"""What a warm poll loads, and the rules: files, or folders with all their files."""

OPENSTACK = {"openstack", "keystoneauth1", "requests", "os_service_types", "urllib3"}
DOORS = {"cloud/credentials.py", "cloud/discovery.py", "cloud/sdk.py", "cloud/sdk_errors.py"}
"""The modules that may import OpenStack's libraries."""


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield what a module imports, as absolute names, and whether only type checkers import it."""
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


@pytest.mark.parametrize("path", [param for param in ROOMS if str(param.id).startswith(STDLIB_ONLY)])
def test_these_modules_import_only_the_standard_library(path: Path) -> None:
    # typing_extensions is the typing module of a later Python
    allowed = sys.stdlib_module_names | {"hfstack", "typing_extensions"}
    assert {module for module, guarded in imports(path) if module.split(".")[0] not in allowed and not guarded} == set()


@pytest.mark.parametrize("path", ROOMS)
def test_only_a_few_modules_import_openstacks_libraries(path: Path) -> None:
    found = {module.split(".")[0] for module, _ in imports(path)} & OPENSTACK
    assert bool(found) == (room(path) in DOORS)


@pytest.mark.parametrize("path", ROOMS)
def test_only_the_command_line_prints_or_exits(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    used = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute | ast.Name)}
    loud = used & {"print", "exit", "quit", "sys.exit", "os._exit", "sys.stdout", "sys.stderr"}
    assert not loud or room(path) in {"cli.py", "__main__.py"}


def test_an_answer_without_the_cloud_loads_no_cloud_library() -> None:
    program = (
        "import sys; from hfstack import cli, environment, log, states; from hfstack.actions import cleanup; "
        "from hfstack.rules import server_record, status; from hfstack.store import facts; "
        "print(sorted({name.split('.')[0] for name in sys.modules} & "
        "{'openstack', 'keystoneauth1', 'requests', 'pydantic', 'yaml'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")

"""From argv to one JSON document on stdout and an exit code. Only this module prints and exits.

The program's name selects the command: `getRequestStatus -f input.json`. `hfstack` is the administrator's command.
Exit 0 if there is an answer, even "running"; else 1 with `{"message": …}`. stderr stays empty.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace

from hfstack import __version__, inputs
from hfstack._typing import TYPE_CHECKING
from hfstack.context import Budget, Context
from hfstack.environment import Environment, is_lsf, read_environment, time_budget
from hfstack.errors import (
    CloudTrouble,
    ConfigError,
    FactsUnreadable,
    FactsUnwritable,
    InputError,
    NothingReported,
    Refusal,
)
from hfstack.log import Log
from hfstack.store import token_cache

if TYPE_CHECKING:
    from hfstack.config.settings import Settings

COMMANDS = {
    "getAvailableTemplates": "hfstack.commands.get_available_templates",
    "getRequestStatus": "hfstack.commands.get_request_status",
    "getReturnRequests": "hfstack.commands.get_return_requests",
    "requestMachines": "hfstack.commands.request_machines",
    "requestReturnMachines": "hfstack.commands.request_return_machines",
}

NEW_REQUESTS = {"requestMachines": "req-", "requestReturnMachines": "ret-"}
"""The commands that start a request, and how its id begins."""

USAGE = """\
usage: {name} -f FILE

Answers HostFactory's {name} call from OpenStack.

  -f FILE     the input document, or - for standard input
  --help      show this text and exit
  --version   show the version and exit

Reads HF_PROVIDER_NAME, HF_PROVIDER_CONFDIR, HF_PROVIDER_WORKDIR and HF_PROVIDER_LOGDIR from the environment.
"""


def main(leave: Callable[[int], object] = sys.exit) -> None:
    """Run the command that the program's name selects, and exit; HostFactory's commands exit by `leave`."""
    name = os.path.basename(sys.argv[0])
    name = name[:-4] if name.lower().endswith(".exe") else name
    arguments = sys.argv[1:]
    if name not in COMMANDS and arguments and arguments[0] in COMMANDS:
        name, *arguments = arguments
    if name in COMMANDS:
        leave(run(name, arguments, os.environ))
        return
    from hfstack.admin import main as admin

    gc.enable()
    sys.exit(admin(arguments))


def run(name: str, arguments: Sequence[str], env: Mapping[str, str]) -> int:
    """Run one of HostFactory's commands: print its answer and return its exit code."""
    if list(arguments) in (["--help"], ["-h"]):
        return print_text(USAGE.format(name=name), 0)
    if list(arguments) == ["--version"]:
        return print_text(f"hfstack {__version__}\n", 0)
    leave_removed_folder()
    environment = read_environment(env)
    log = Log(environment, name, new_request_id(name))
    try:
        document = answer(name, arguments, env, environment, log)
    except (InputError, ConfigError, CloudTrouble, Refusal, FactsUnreadable, FactsUnwritable, NothingReported) as error:
        log.error(str(error))
        # LSF does not use a template for a while after a message that begins like this (resource connector's plug-ins)
        code = f"Error Code: {error.code} " if isinstance(error, Refusal) and is_lsf(env) else ""
        document = {"message": code + str(error), **getattr(error, "document", {})}
        return print_text(as_json(with_log_trouble(document, log)), 1)
    except Exception as error:  # noqa: BLE001 - HostFactory gets one document whatever happens
        log.error(f"internal error: {type(error).__name__}: {error} at {' < '.join(source_lines(error))}")
        document = {"message": f"internal error in hfstack {__version__}: {type(error).__name__}"}
        return print_text(as_json(with_log_trouble(document, log)), 1)
    exit_code = print_text(as_json(document if name == "getRequestStatus" else with_log_trouble(document, log)), 0)
    if exit_code:
        log.warning("the answer was not delivered: stdout cannot be written")
    return exit_code


def answer(
    name: str, arguments: Sequence[str], env: Mapping[str, str], environment: Environment, log: Log
) -> Mapping[str, object]:
    """Read the input, load the settings and return the command's answer."""
    path = input_path(name, arguments)
    document = inputs.read_document(path)

    started_at = time.time()
    cached_access = token_cache.load(environment, env, started_at)
    configured = as_settings(cached_access.settings) if cached_access else load_settings(environment, log)
    if configured.logLevel:
        log.set_level(configured.logLevel)
    budget = Budget(time_budget(environment, configured.actionTimeout))
    command = __import__(COMMANDS[name], fromlist=["run"])
    context = Context(environment, configured, env, log, budget, cached_access, started_at, request_id=log.request_id)
    found: Mapping[str, object] = command.run(document, "standard input" if path == "-" else path, context)
    return found


def with_log_trouble(document: Mapping[str, object], log: Log) -> Mapping[str, object]:
    """End the message of an answer with the reason why the log cannot be written, which no log can say."""
    if not log.trouble:
        return document
    message = document.get("message")
    return {**document, "message": f"{message}; {log.trouble}" if message else log.trouble}


def leave_removed_folder() -> None:
    """Go to the root if the working directory was removed: Python could not import anything that is loaded later."""
    try:
        os.getcwd()
    except OSError:
        os.chdir(os.path.abspath(os.sep))


def new_request_id(name: str) -> str:
    """Return the id of the request that a command starts, "" for the other commands.

    It exists before anything else, so that each line of the log has it, that of a refusal too.
    """
    if name not in NEW_REQUESTS:
        return ""
    import uuid

    return f"{NEW_REQUESTS[name]}{uuid.uuid4()}"


def load_settings(environment: Environment, log: Log) -> Settings:
    """Read and validate the provider's configuration. Raises `ConfigError`."""
    from hfstack.config import settings

    return settings.load(environment, log)


def as_settings(cached: Mapping[str, object]) -> Settings:
    """Return the settings that an earlier call validated, without loading pydantic."""
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in cached.items()}
    return SimpleNamespace(**values)  # type: ignore[return-value] # it has the attributes of Settings


def input_path(name: str, arguments: Sequence[str]) -> str:
    """Return the value of -f. Raises `InputError`."""
    if len(arguments) == 2 and arguments[0] == "-f" and arguments[1]:
        return arguments[1]
    found = " ".join(arguments) or "nothing"
    raise InputError(f"arguments: found {found}, wanted {name} -f FILE (or --help, --version)")


def source_lines(error: BaseException) -> list[str]:
    """Return the lines that an error passed through, innermost first, as file:line."""
    found: list[str] = []
    trace = error.__traceback__
    while trace:
        code = trace.tb_frame.f_code
        found.insert(0, f"{os.path.basename(code.co_filename)}:{trace.tb_lineno}")
        trace = trace.tb_next
    return found


def as_json(document: object) -> str:
    """Return one JSON document with one trailing newline."""
    return json.dumps(document, ensure_ascii=False) + "\n"


def print_text(text: str, exit_code: int) -> int:
    """Write UTF-8 with LF on every system, a question mark for a lone surrogate. Return the exit code."""
    content = text.encode("utf-8", "replace")
    if sys.stdout is None:
        return 1  # it was closed before the program started
    try:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except OSError:
        # nobody reads stdout; without this, the interpreter writes an error to stderr at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return exit_code

"""The cloud as tests and the command line use it."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.tools.openstack import config, creation, install
from tests.tools.openstack.database import PROCESS as DATABASE
from tests.tools.openstack.database import Database
from tests.tools.openstack.processes import OpenStackError, Processes, ask, listening
from tests.tools.openstack.settings import HOST, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SERVER = Path(__file__).with_name("plugins") / "serve.py"
SERVICES = ("keystone", "placement", "neutron", "glance", "nova")
NOVA_PARTS = ("nova-conductor", "nova-scheduler", "nova-compute", "nova-api")
NAMES = (DATABASE, *SERVICES, *NOVA_PARTS)


class RealOpenStack:
    """One OpenStack on loopback; objects with the same directory are handles of the same cloud.

    Settings (see Settings) are taken from the arguments, then from the environment.  The cloud outlives the object
    and the program: whoever wants it gone calls stop or wipe.
    """

    def __init__(self, *, say: Callable[[str], None] | None = None, **settings: Any) -> None:
        """`say` is given a line at each step of what takes long."""
        self.settings = Settings.read(**settings)
        self._say = say or (lambda _: None)
        self._processes = Processes(self.settings.state / "run", self.settings.log_dir)
        self._database = Database(self.settings, self._processes)
        self._depth = 0

    # --- what it is -------------------------------------------------------------------------------------------------

    @property
    def clouds_yaml(self) -> Path:
        """Clouds admin, member (project demo), second (a tenant like demo), other (a stranger) and appcred."""
        return self.settings.state / "clouds.yaml"

    @property
    def log_dir(self) -> Path:
        """One log for each process, named after the service."""
        return self.settings.log_dir

    @property
    def ports(self) -> dict[str, int]:
        """TCP port of each service on loopback."""
        return self.settings.ports

    @property
    def made(self) -> dict[str, Any]:
        """Identities of what a new cloud has: image, networks, flavors, projects, application_credential."""
        with contextlib.suppress(FileNotFoundError):
            made: dict[str, Any] = json.loads((self._pristine / "made.json").read_text(encoding="utf-8"))
            return made
        return {}

    def client_environment(self, cloud: str = "member") -> dict[str, str]:
        """Environment variables that make OpenStack's clients use this cloud."""
        return {"OS_CLIENT_CONFIG_FILE": str(self.clouds_yaml), "OS_CLOUD": cloud}

    def running(self) -> dict[str, int | None]:
        """Pid of each service, None for one that is down; Nova's parts too when its process runs."""
        pids = {name: self._processes.pid(name) for name in (DATABASE, *SERVICES)}
        parts: list[str] = []
        with contextlib.suppress(OpenStackError):  # Nova is not so far yet, or hangs
            parts = self._control("status", seconds=2).split() if pids["nova"] else []
        return pids | {name: pids["nova"] if name.removeprefix("nova-") in parts else None for name in NOVA_PARTS}

    # --- all of it --------------------------------------------------------------------------------------------------

    def install(self) -> None:
        """Get the software, unless it is there already."""
        with self._alone():
            install.install(self.settings, self._say)

    def start(self) -> None:
        """Start what is not running and wait until it serves; the first time, make the cloud."""
        with self._alone():
            install.require(self.settings)
            for name in SERVICES:
                self._check_port(name)  # before anything that takes long
            if not self._pristine.exists():
                self._create()
            else:
                self._start_all()

    def stop(self) -> None:
        """Stop everything; the state stays."""
        with self._alone():
            # Nova first: without the others it would only fill its log with complaints
            self._processes.stop("nova")
            self._processes.stop("neutron", "glance", "placement", "keystone")
            self._database.stop()

    def reset(self) -> None:
        """Put the cloud back to what it was after its first start, without knobs, and start it.

        Only what remembers contents of the databases is restarted: Keystone (its cache) and Nova.  The others open
        new connections when they find theirs cut.
        """
        with self._alone():
            if not self._pristine.exists():
                self.start()
                return
            self._processes.stop("nova", "keystone")
            self._database.stop()
            self._database.copy_from(self._pristine / "db")
            _replace(self.settings.state / "glance", self._pristine / "glance")
            for file in self.settings.state.glob(self._knobs_file("*").name):
                file.unlink()
            self._say("databases put back")
            self.start()

    def wipe(self) -> None:
        """Stop everything and delete all state, logs too; the software stays."""
        with self._alone():
            self.stop()
            self._database.remove_sockets()
            shutil.rmtree(self.settings.state, ignore_errors=True)

    # --- single services --------------------------------------------------------------------------------------------

    def stop_service(self, name: str) -> None:
        """Stop one of: database keystone placement neutron glance nova nova-conductor -scheduler -compute -api."""
        self._check(name)
        with self._alone():
            if name == DATABASE:
                self._database.stop()
            elif name in SERVICES:
                self._processes.stop(name)
            elif self._processes.pid("nova"):
                self._control(f"stop {name.removeprefix('nova-')}")

    def start_service(self, name: str) -> None:
        """Start one that was stopped, and wait until it serves."""
        self._check(name)
        with self._alone():
            if name == DATABASE:
                self._database.start()
            elif name in SERVICES:
                self._spawn(name)
                self._wait(name)
            else:
                self._control(f"start {name.removeprefix('nova-')}")
            if name == DATABASE or name.startswith("nova"):
                self._report_up()

    def configure(self, **settings: Any) -> None:
        """Change token_ttl, token_cache, reclaim or max_microversion; running services that it concerns restart."""
        unknown = set(settings) - {"token_ttl", "token_cache", "reclaim", "max_microversion"}
        if unknown:
            raise TypeError(f"cannot be changed afterwards: {', '.join(sorted(unknown))}")
        self.settings = dataclasses.replace(self.settings, **settings)
        with self._alone():
            running = [name for name in self._write_config() if self._processes.pid(name)]
            self._processes.stop(*running)
            for name in running:
                self._spawn(name)
            for name in running:
                self._wait(name)

    # --- trouble ----------------------------------------------------------------------------------------------------

    def knobs(self, *, project: str = "", **knobs: float | str) -> None:
        """Set the hypervisor's knobs, which count at once; those that are not given are off.

        With the id of a project they are for its servers only, and instead of those that are for all servers.
        spawn_delay, destroy_delay: seconds.  spawn_fail, destroy_fail: a regular expression for servers' names.
        """
        unknown = set(knobs) - {"spawn_delay", "destroy_delay", "spawn_fail", "destroy_fail"}
        if unknown:
            raise TypeError(f"no such knob: {', '.join(sorted(unknown))}")
        file = self._knobs_file(project)
        new = file.with_suffix(".new")
        new.write_text(json.dumps(knobs), encoding="utf-8")
        new.replace(file)  # the hypervisor may be reading

    def _knobs_file(self, project: str) -> Path:
        return self.settings.state / f"knobs{project}.json"

    def sql(self, statement: str) -> list[list[str]]:
        """Run SQL as the database's root; give the rows as text.  Databases: those of database.NAMES."""
        return self._database.sql(statement)

    def break_cell(self) -> None:
        """Cut Nova off from its cell's database, but not from its API database; mend_cell or a start undoes it."""
        self._database.break_cell()

    def mend_cell(self) -> None:
        """Undo break_cell."""
        self._database.mend_cell()
        self._report_up()

    # --- how --------------------------------------------------------------------------------------------------------

    @property
    def _pristine(self) -> Path:
        """The copy for `reset`.  It is the last thing that a first start makes, so it also says that there was one."""
        return self.settings.state / "pristine"

    @property
    def _environment(self) -> dict[str, str]:
        return config.environment(self.settings, self._control_socket)

    @property
    def _control_socket(self) -> Path:
        return self._database.socket_dir / "nova"

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other programs from changing the same cloud meanwhile; may be nested."""
        if self._depth:
            yield
            return
        self.settings.dir.mkdir(parents=True, exist_ok=True)
        with (self.settings.dir / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._say("waiting for another program that is at work on this cloud")
                fcntl.flock(file, fcntl.LOCK_EX)
            self._depth = 1
            try:
                yield
            finally:
                self._depth = 0

    def _check(self, name: str) -> None:
        if name not in NAMES:
            raise OpenStackError(f"no such service: {name}; there are: {' '.join(NAMES)}")

    def _write_config(self, made: dict[str, Any] | None = None) -> set[str]:
        return config.write(self.settings, self._database.urls(), self.made if made is None else made)

    def _check_port(self, name: str) -> None:
        """Fail when somebody else has the service's port: that one would be taken for the service."""
        if not self._processes.pid(name) and listening(HOST, self.ports[name]):
            raise OpenStackError(
                f"port {self.ports[name]} of {name} is taken:"
                " set HFSTACK_OPENSTACK_PORT to the first of five free ports."
            )

    def _spawn(self, name: str) -> None:
        self._check_port(name)
        self._processes.spawn(name, [self.settings.python, SERVER, name], self._environment)

    def _wait(self, name: str) -> None:
        self._processes.wait(name, lambda: listening(HOST, self.ports[name]))
        self._say(f"{name} serves")

    def _start_all(self) -> None:
        changed = self._write_config()
        self._database.mend_cell()
        self._processes.stop(*(name for name in changed if self._processes.pid(name)))
        if all(self.running().values()):
            self._say("already running")
            return
        if not self._processes.pid(DATABASE):
            self._database.start()
            self._say("database serves")
        if not self._processes.pid("keystone"):
            self._database.sql(creation.move_catalog(self.settings, self._database.urls()))
        for name in SERVICES:
            self._spawn(name)
        for name in SERVICES:
            self._wait(name)
        for name in NOVA_PARTS:
            self._control(f"start {name.removeprefix('nova-')}")
        self._report_up()

    def _report_up(self) -> None:
        """Write down for Nova's running parts that they are up, as they do themselves every ten seconds.

        After a minute without a report the host counts as down, and a server asked for before the next report goes
        to ERROR: no valid host.
        """
        pids = self.running()
        running = [name for name in NOVA_PARTS if pids[name]]
        if running and self._processes.pid(DATABASE):
            names = ", ".join(f"'{name}'" for name in running)
            self._database.sql(f"UPDATE nova.services SET last_seen_up = UTC_TIMESTAMP() WHERE `binary` IN ({names})")

    def _create(self) -> None:
        """Make the cloud.  What an earlier try left is thrown away first, so any try may fail anywhere."""
        self.wipe()
        self.settings.state.mkdir(parents=True, mode=0o700)
        try:
            self._create_in_order()
        except BaseException:
            self.stop()  # the logs stay for whoever looks
            raise

    def _create_in_order(self) -> None:
        self._write_config()
        self._database.create()
        self._say("database created")
        creation.create_tables(self.settings, self._database.urls(), self._environment, self._database.socket_dir)
        self._say("tables created")
        for name in ("keystone", "placement", "neutron", "glance"):
            self._spawn(name)
        self._wait("keystone")
        self._database.sql(creation.move_catalog(self.settings, self._database.urls()))
        made = creation.fill_identity(self.settings, self._environment)
        self._write_config(made)
        # Not sooner: nova-compute looks for Placement in the catalog when it starts.
        self._spawn("nova")
        for name in SERVICES[1:]:
            self._wait(name)
        made |= creation.fill_rest(self.settings, self._environment)
        self._say("users, networks, image and flavors created")
        self._keep_pristine(made)
        self._say("copy for reset made")

    def _keep_pristine(self, made: dict[str, Any]) -> None:
        """Copy the data.  The services may go on meanwhile: they connect anew when they find their connections cut."""
        new = self.settings.state / "pristine.new"
        self._database.stop()
        self._database.copy_to(new / "db")
        shutil.copytree(self.settings.state / "glance", new / "glance")
        (new / "made.json").write_text(json.dumps(made), encoding="utf-8")
        self._database.start()
        new.rename(self._pristine)

    def _control(self, line: str, seconds: float = 120) -> str:
        """Tell the Nova process something; give its answer."""
        try:
            answer = ask(self._control_socket, line, seconds)
        except OSError as error:
            log = self._processes.log("nova")
            raise OpenStackError(f"the Nova process does not answer ({error}); see {log}.") from error
        if answer.startswith("error"):
            raise OpenStackError(f"{line}: {answer}")
        return answer


def _replace(target: Path, source: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)

# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A private httpd: a folder, a configuration and processes of its own, and nothing left of them at the end.

A test writes its configuration in httpd's own language and finds these variables in it:
    ${address} ${port}   where the server listens
    ${root}              its folder, with htdocs/, cgi-bin/, logs/ and sockets/ in it
    ${sockets}           a folder for UnixSocketDir
    ${group}             multicast group and port of the stage, as MulticastStats wants it
    ${build}             where mod_backhand.so is
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import uuid
from pathlib import Path

from . import client, ports, processes, sockets, status
from .errorlog import ErrorLog
from .wait import Late, wait_for

REPOSITORY = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BACKHAND_BUILD", REPOSITORY / "build")).resolve()
BINARY = os.environ.get("BACKHAND_HTTPD", "/usr/sbin/apache2")
MODULES = Path(os.environ.get("BACKHAND_HTTPD_MODULES", "/usr/lib/apache2/modules"))

# For a module that was built with AddressSanitizer: its library must be the first. What httpd keeps until it ends is no
# leak.
PRELOADED = (
    {"LD_PRELOAD": os.environ["BACKHAND_PRELOAD"], "ASAN_OPTIONS": "detect_leaks=0"}
    if "BACKHAND_PRELOAD" in os.environ
    else {}
)

MPMS = ("prefork", "worker", "event")
MODERATOR = "bh-moderator"
RUNNING = r"-- resuming normal operations"

# What a start finds as the speed of a core, thousands of rounds a second, as on a machine that has measured it once:
# measuring takes 0.1 s of a core, and most tests start several httpds.
ARRIBA = 400_000
ARRIBA_FILE = "mod_backhand-Arriba"

# Seconds. An httpd starts in 0.1 s on an idle machine; the rest is for one whose other cores compile.
STOP = 15

# backhand first: a2enmod loads alphabetically, so it comes before mod_proxy.
USUAL = ("alias", "authz_core", "authz_host", "backhand", "dir", "env", "headers", "mime", "proxy", "proxy_http")

# What the project builds.
OURS = ("backhand", "lbmethod_backhand", "athena")

BASE = """\
ServerRoot {root}
ServerName {name}.test
DefaultRuntimeDir {root}/run
PidFile {root}/run/httpd.pid
Mutex pthread default
{modules}
{user}
Define address {address}
Define port {port}
Define root {root}
Define sockets {root}/sockets
Define group {group}
Define build {build}
Listen {listen}:{port}
ErrorLog {root}/logs/error_log
LogLevel info{level}
LogFormat "%a \\"%r\\" %>s action=%{{BACKHAND_ACTION}}e server=%{{BACKHAND_SERVER}}e" backhand
CustomLog {root}/logs/access_log backhand
DocumentRoot {root}/htdocs
TypesConfig /dev/null
<Directory {root}/htdocs>
    Require all granted
    Options +FollowSymLinks
    AllowOverride None
</Directory>
{mpm}
{cgi}
{settings}
"""

# StartServers is the size from the start, so that it does not change under a test; ServerLimit leaves room for children
# of an old generation.
MPM_PREFORK = """\
StartServers {workers}
MinSpareServers 1
MaxSpareServers {limit}
ServerLimit {limit}
MaxRequestWorkers {most}"""

MPM_THREADED = """\
ServerLimit {limit}
ThreadLimit {threads}
ThreadsPerChild {threads}
StartServers {children}
MinSpareThreads 1
MaxSpareThreads {spare}
MaxRequestWorkers {workers}"""

CGI = """\
ScriptAlias /cgi-bin/ {root}/cgi-bin/
<Directory {root}/cgi-bin>
    Require all granted
</Directory>"""


# What the check of the configuration says of most tests' configurations; test_106_advice.py has each.
ADVICE = re.compile(r"BH0(?:102|103|110|12[0-2]|130|14[0-3]): ")


def keep_arriba(folder, arriba=ARRIBA):
    """A UnixSocketDir's folder as after a start that has measured this; None: as before one."""
    if arriba is not None:
        (folder / ARRIBA_FILE).write_text(f"{arriba}\n")


class StartFailed(AssertionError):
    """httpd did not come up; the text has what it said."""


class Leftover(AssertionError):
    """Processes or sockets outlived their httpd."""


class Httpd:
    """One httpd; `Stage.httpd` makes them. Nothing runs before `start`."""

    START_S = 15

    def __init__(
        self,
        folder,
        name,
        *,
        group,
        address="127.0.0.1",
        port=None,
        host=None,
        listen=None,
        mpm="event",
        modules=(),
        without=(),
        order=None,
        config="",
        workers=None,
        children=2,
        cgi=False,
        files=None,
        environment=None,
        arriba=ARRIBA,
    ):
        """modules: further ones by their short names; without: usual ones left out; order: the whole list instead.

        workers: requests that it can serve at once, `children` processes with threads (prefork: one each). host: a Host
        of a Network, which it runs on: its address, and port 80. listen: where it listens, if not at its address.
        files: name below htdocs -> text; names that begin with "cgi-bin/" become scripts there. arriba: None, and it is
        measured.
        """
        self.name, self.group, self.mpm, self.host = name, group, mpm, host
        self.address = host.address if host else address
        self.port = port or (80 if host else ports.free_port(address))
        self.listen = listen or self.address
        self.root = Path(folder) / name
        self.sockets = self.root / "sockets"
        self.log = ErrorLog(self.root / "logs/error_log", self.root / "logs/stderr")
        self.mark = f"BACKHAND_TEST={uuid.uuid4().hex}"
        self.environment = dict(environment or {})
        self.process = None
        self.stopped_by_test = set()
        self._make_folders(files or {})
        keep_arriba(self.sockets, arriba)
        self._write(config, modules, without, order, workers, children, cgi)

    def __repr__(self):
        return f"<httpd {self.name} {self.id}>"

    @property
    def id(self):
        return f"{self.address}:{self.port}"

    # ---- The folder ----

    def _make_folders(self, files):
        for folder in ("htdocs", "cgi-bin", "logs", "run", "sockets"):
            (self.root / folder).mkdir(parents=True)
        self.put("index.html", f"{self.name}\n")
        for name, text in files.items():
            self.put(name, text)
        for folder in (self.root, *self.root.iterdir()):
            folder.chmod(0o755)
        if os.geteuid() == 0:
            shutil.chown(self.sockets, "www-data", "www-data")

    def put(self, name, text):
        """Writes a file below htdocs, or a script if its name begins with cgi-bin/."""
        script = name.startswith("cgi-bin/")
        path = self.root / name if script else self.root / "htdocs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(0o755 if script else 0o644)
        for folder in path.relative_to(self.root).parents:
            (self.root / folder).chmod(0o755)
        return path

    def _write(self, config, modules, without, order, workers, children, cgi):
        names = list(order) if order is not None else sorted({*USUAL, *modules} - set(without))
        if cgi:
            names.append("cgi" if self.mpm == "prefork" else "cgid")
        names.insert(0, "mpm_" + self.mpm)
        self.conf = self.root / "httpd.conf"
        self._base = BASE.format(
            root=self.root,
            name=self.name,
            address=self.address,
            port=self.port,
            listen=self.listen,
            build=BUILD,
            group="{}:{}".format(*self.group),
            mpm=self._mpm_lines(workers, children),
            modules="\n".join(f"LoadModule {name}_module {self._module(name)}" for name in names),
            level=" backhand:debug" if "backhand" in names else "",
            # Planted servers have all just come: decisions are looked at without waiting for their shares to grow.
            settings="BackhandSlowStart 0" if "backhand" in names else "",
            user="User www-data\nGroup www-data" if os.geteuid() == 0 else "",
            cgi=CGI.format(root=self.root) if cgi else "",
        )
        if cgi and self.mpm != "prefork":
            self._base += f"ScriptSock {self.root}/run/cgi.sock\n"
        self.configure(config)

    def configure(self, config):
        """Replaces the test's part of the configuration; counts from the next start or restart on."""
        self.conf.write_text(self._base + "# ---- the test's part ----\n" + config)

    def _module(self, name):
        return (BUILD if name in OURS else MODULES) / f"mod_{name}.so"

    def _mpm_lines(self, workers, children):
        if self.mpm == "prefork":
            # More may come than there are at the start: else httpd complains of its limit now and then.
            workers = workers or 6
            return MPM_PREFORK.format(workers=workers, most=2 * workers, limit=4 * workers)
        workers = workers or 8 * children
        threads = workers // children
        return MPM_THREADED.format(
            limit=4 * children, threads=threads, children=children, workers=workers, spare=4 * workers
        )

    # ---- Life ----

    def command(self, *arguments):
        return [BINARY, "-d", str(self.root), "-f", str(self.conf), *arguments]

    def test_config(self, advice=False):
        """Runs httpd -t; returns its exit code and what it said, with warnings of what is allowed but hardly meant only
        if they are asked for."""
        result = subprocess.run(
            self.command("-t"), capture_output=True, text=True, timeout=30, env=self._env(), check=False
        )
        said = (result.stdout + result.stderr).splitlines(keepends=True)
        return result.returncode, "".join(line for line in said if advice or not ADVICE.search(line))

    def _env(self):
        name, _, value = self.mark.partition("=")
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "LANG": "C",
            name: value,
            **PRELOADED,
            **self.environment,
        }

    def _there(self):
        """The block runs where the httpd does: on its host."""
        return self.host.inside() if self.host else contextlib.nullcontext()

    def start(self, wait=True):
        """Starts httpd and waits until it takes requests."""
        with self._there():
            return self._start(wait)

    def _start(self, wait):
        before = self.log.count(RUNNING)
        with open(self.root / "logs/stderr", "ab") as errors:
            # A session of its own: its id tells all descendants, whatever becomes of their parents.
            # Not from a thread that ends: the death signal comes with the thread that starts the process.
            self.process = subprocess.Popen(
                self.command("-DFOREGROUND"),
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                env=self._env(),
                start_new_session=True,
                preexec_fn=processes.end_with_parent,
            )
        if not wait:
            return self
        try:
            wait_for(
                lambda: self.process.poll() is not None or self._is_up(before),
                self.START_S,
                "httpd to start",
                show=self.log.text,
            )
        except Late:
            self.end_everything()
            raise
        if (code := self.process.poll()) is not None:
            self.end_everything()
            raise StartFailed(f"{self}: exit code {code}\n{self.log.text()}")
        return self

    def _is_up(self, before):
        return self.log.count(RUNNING) > before and sockets.is_listening(self.listen, self.port)

    def restart(self, how=signal.SIGUSR1, wait=True):
        """Restarts: SIGUSR1 graceful, SIGHUP at once."""
        before = self.log.count(RUNNING)
        if how == signal.SIGHUP:
            self.log.ending()
        self.process.send_signal(how)
        if wait:
            wait_for(lambda: self.log.count(RUNNING) > before, self.START_S, "the restart", show=self.log.text)

    def stop(self, how=signal.SIGTERM):
        """Ends httpd and everything of it. Raises Leftover if something outlived it."""
        if self.process is None:
            return
        self.resume()
        clean = self.process.poll() is None
        if clean:
            self.log.ending()
            self.process.send_signal(how)
            try:
                self.process.wait(STOP)
            except subprocess.TimeoutExpired:
                text = f"{self} did not end within {STOP} s of signal {how}"
                self.end_everything()
                raise Leftover(text) from None
        # Killed by the test, its children may be there: they are ended, not complained of.
        try:
            if clean:
                wait_for(
                    lambda: not (self.processes() or self.processes(thorough=True)),
                    3,
                    "all processes to end",
                    show=lambda: self.processes(thorough=True),
                )
        except Late as late:
            raise Leftover(f"{self}: {late}") from None
        finally:
            self.end_everything()

        def still_open():
            with self._there():
                taken = [self.id] if sockets.is_listening(self.listen, self.port) else []
                return processes.unix_sockets(self.root) + taken

        try:
            # The kernel closes a killed process's sockets a moment after the process is gone.
            wait_for(lambda: not still_open(), 2, "all sockets to close", show=still_open)
        except Late as late:
            raise Leftover(f"{self}: {late}") from None

    def kill_parent(self):
        """kill -9 of the parent process; its children live on."""
        self.process.kill()
        self.process.wait()

    def end_everything(self):
        """kill -9 of every process of this httpd, by its id."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for _ in range(100):
            left = self.processes(thorough=True)
            if not left:
                break
            for process in left:
                self._signal(process.pid, signal.SIGKILL)
            try:
                wait_for(lambda: not self.processes(thorough=True), 0.5)
            except Late:
                pass
        self.process = None

    @staticmethod
    def _signal(pid, number):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass

    # ---- Processes ----

    @property
    def pid(self):
        return self.process.pid

    def processes(self, thorough=False):
        """Its living processes. thorough: those that left its session too."""
        if self.process is None:
            return []
        return [
            process
            for process in processes.processes()
            if self.pid in (process.pid, process.parent, process.session)
            or (thorough and processes.has_environment(process, self.mark))
        ]

    def moderators(self):
        """Process ids of its moderators."""
        return [process.pid for process in self.processes() if process.name == MODERATOR]

    def moderator(self, deadline=5, other_than=None):
        """The process id of its one moderator; waits for it."""

        def one():
            pids = self.moderators()
            return pids[0] if len(pids) == 1 and pids[0] != other_than else None

        return wait_for(one, deadline, "exactly one moderator", show=self.processes)

    def children(self):
        """Process ids of the children that serve requests."""
        # With threads, mod_cgid's daemon is a child too; it has only one.
        least = 1 if self.mpm == "prefork" else 2
        return [
            process.pid
            for process in self.processes()
            if process.parent == self.pid and process.name != MODERATOR and processes.threads(process.pid) >= least
        ]

    def pause(self, but_not=None):
        """SIGSTOP for all its processes, but for those of this name: a server that hangs. Returns when they stand
        still: a child that was forked meanwhile, too."""

        def running():
            return [one for one in self.processes() if one.name != but_not and one.state not in "Tt"]

        def all_stand_still():
            for process in running():
                self.stopped_by_test.add(process.pid)
                self._signal(process.pid, signal.SIGSTOP)
            return not running()

        wait_for(all_stand_still, 5, f"{self} to stand still", show=running)

    def resume(self):
        """SIGCONT for what `pause` stopped."""
        for pid in self.stopped_by_test:
            self._signal(pid, signal.SIGCONT)
        self.stopped_by_test.clear()

    # ---- Asking it ----

    def get(self, path="/", **how):
        """One request on a connection of its own; see client.request."""
        return client.request(self.address, self.port, path, **how)

    def client(self, **how):
        """A connection that is kept alive."""
        return client.Client(self.address, self.port, **how)

    def raw(self, data, **how):
        """Bytes there, bytes back."""
        return client.raw(self.address, self.port, data, **how)

    @property
    def control_socket(self):
        return self.sockets / f"backhand-{self.port}.sock"

    def status(self):
        """Its table, by the control socket."""
        return status.over_socket(self.control_socket)

    def knows(self, *servers, deadline=10):
        """Waits until its table holds exactly itself and these servers ("address:port"); returns the table."""
        wanted = {self.id, *(getattr(server, "id", server) for server in servers)}

        def found():
            table = self.status()
            return table if set(table.servers) == wanted else None

        table = wait_for(found, deadline, f"{self} to know {sorted(wanted)}", every=0.05, show=self.show_status)
        for server in servers:
            self._wait_to_be_known(server)
        return table

    def _wait_to_be_known(self, server):
        """Servers turn away requests of a front that they have not heard (BH0432), and hear it up to a second later.
        Some tests have fronts that announce nothing to them: then this ends by itself."""
        if not isinstance(server, Httpd):
            return
        with contextlib.suppress(Late, OSError, ValueError):  # the last two: it has no control socket
            # In another group, it is not waited for as long.
            deadline = 5 if server.group == self.group else 1.5
            wait_for(lambda: self.id in server.status().servers, deadline, f"{server} to know {self}", every=0.05)

    def show_status(self):
        """Its table, or why it cannot be had: for the texts of failures."""
        try:
            return self.status()
        except OSError as error:
            return error

    def access_log(self):
        """Lines of the access log."""
        path = self.root / "logs/access_log"
        return path.read_text().splitlines() if path.exists() else []

    def logged(self, containing=""):
        """The first line of the access log with this text; waits for it, because a request is logged after its
        answer."""
        return wait_for(lambda: [line for line in self.access_log() if containing in line], 5, "the access log")[0]

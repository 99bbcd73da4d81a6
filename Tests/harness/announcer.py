# Licensed under the Apache License, Version 2.0; see LICENSE.
"""backhand-announce as a process of a test."""

import json
import os
import shutil
import signal
import subprocess

from .httpd import BUILD, keep_arriba
from .processes import end_with_parent
from .wait import wait_for

PROGRAM = BUILD / "backhand-announce"


def group_of(stage):
    """Where the servers of a test are announced."""
    address, port = stage.group
    return f"{address}:{port},1"


def lines(stage, *servers, more=""):
    """A configuration for these servers; the last line of each is for its section."""
    sections = "".join(f"<Server {place}>\n{values}\n</Server>\n" for place, values in servers)
    return f"MulticastStats {group_of(stage)}\nAcceptStats 127.0.0.0/16 127.0.9.0/24\n{more}{sections}"


def row(front, place):
    """What the front knows of the server; empty: nothing."""
    return front.status().servers.get(place, {})


def state(front, place):
    """Whether it takes requests, as far as the front knows; None: it knows nothing of it."""
    return row(front, place).get("state")


def knows(front, place, wanted="up"):
    """Waits until the front knows the server in that state."""
    wait_for(lambda: state(front, place) == wanted, 10, f"{place} {wanted}", show=lambda: front.status().servers.keys())


def check_passes(front, place):
    """Waits until the front knows that the server has passed its own checks."""
    wait_for(
        lambda: row(front, place).get("check") == "passes", 10, f"a check of {place}", show=lambda: row(front, place)
    )


class Announcer:
    """Announces servers until the test ends it. `config`: the lines of its file. `user`: whose rights it has.
    `environment`: what it has beside this process's."""

    def __init__(self, folder, config="", *arguments, name="announcer", user=None, environment=None):
        self.folder = folder / name
        self.folder.mkdir(exist_ok=True)
        keep_arriba(self.folder)
        self.conf = self.folder / "announce.conf"
        self.write(config)
        self.output = self.folder / "stderr"
        self.command = [PROGRAM, "--config", self.conf, *arguments]
        self.process = None
        self.user = user
        self.environment = {**os.environ, **(environment or {})}
        if user:
            shutil.chown(self.folder, user)
            self.folder.parent.chmod(0o755)
            # The user may have no way to the project's folder.
            self.command[0] = shutil.copy(PROGRAM, self.folder)
        self.inherited = self.conf.open()
        self.start()

    def write(self, config):
        """Another configuration; SIGHUP has it read."""
        self.conf.write_text(f"UnixSocketDir {self.folder}\n{config}")

    def start(self):
        before = self.announces
        with self.output.open("a") as output:
            self.process = subprocess.Popen(
                self.command,
                stderr=output,
                preexec_fn=end_with_parent,
                user=self.user,
                env=self.environment,
                pass_fds=[self.inherited.fileno()],
            )
        wait_for(lambda: self.announces > before or self.process.poll() is not None, 10, "its start", show=self.text)

    @property
    def announces(self):
        """How often it has logged that it announces."""
        return self.text().count("BH0300: ")

    @property
    def sockets(self):
        return sorted(self.folder.glob("backhand-*.sock"))

    def text(self):
        """What it has logged."""
        return self.output.read_text() if self.output.exists() else ""

    def control(self, *arguments, check=True):
        """What backhandctl says of it. `check`: it must not complain."""
        (path,) = self.sockets
        ran = subprocess.run(
            [BUILD / "backhandctl", arguments[0], "-s", path, *arguments[1:]],
            capture_output=True,
            text=True,
            check=check,
            timeout=20,
        )
        return ran.stdout

    def servers(self):
        """Its own table, by address and port. backhandctl complains of one without a server."""
        rows = json.loads(self.control("status", "--json", check=False))["servers"]
        return {f"{row['address']}:{row['port']}": row for row in rows}

    def send(self, how):
        self.process.send_signal(how)

    def stop(self, how=signal.SIGTERM):
        """Returns its exit code."""
        if self.process.poll() is None:
            self.send(how)
        return self.process.wait(timeout=10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(timeout=10)
        self.inherited.close()

# Licensed under the Apache License, Version 2.0; see LICENSE.
"""backhand-announce as a service: what systemd hears of it, its control socket, and what it announces by order."""

import grp
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from harness.announcer import group_of, knows, lines, state
from harness.processes import end_with_parent
from harness.stage import CLUSTER_OF_9
from harness.wait import wait_for

CHAIN = CLUSTER_OF_9 + "Backhand removeSelf\nBackhand byAge 6\nBackhand default\n"


class Manager:
    """A service manager: it hears what its services say."""

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(name)
        self.socket.settimeout(10)
        self.name = name.replace("\0", "@")
        self.words = []

    def hear(self, wanted):
        """Waits for the word, and returns those that came before it and after the one that was waited for last."""
        while wanted not in self.words:
            self.words += self.socket.recv(4096).decode().split("\n")
        place = self.words.index(wanted)
        before, self.words = self.words[:place], self.words[place + 1 :]
        return before


@pytest.fixture(params=["file", "abstract"])
def manager(request, stage):
    made = Manager(str(stage.folder / "notify") if request.param == "file" else f"\0backhand-{os.getpid()}")
    yield made
    made.socket.close()


def test_the_service_manager_is_told(stage, web, announcing, manager):
    """It is ready when its servers are about to be announced, says so after each reload, and says when it ends."""
    announcer = announcing(lines(stage, (web.id, "")), environment={"NOTIFY_SOCKET": manager.name})
    assert manager.hear("READY=1") == []
    announcer.send(signal.SIGHUP)
    assert "WATCHDOG=1" not in manager.hear("RELOADING=1")
    assert manager.hear("READY=1")[0].startswith("MONOTONIC_USEC=")
    announcer.stop()
    manager.hear("STOPPING=1")


@pytest.mark.parametrize("process, watches", [(None, True), (1, False)])
def test_the_watchdog_is_fed(stage, web, announcing, manager, process, watches):
    """Once a second, if it is this process that is watched."""
    environment = {"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "30000000"}
    announcer = announcing(
        lines(stage, (web.id, "")), environment=environment | ({"WATCHDOG_PID": str(process)} if process else {})
    )
    manager.hear("READY=1")
    if watches:
        manager.hear("WATCHDOG=1")
        manager.hear("WATCHDOG=1")
    before = announcer.servers()[web.id]["age_ms"]
    wait_for(lambda: announcer.servers()[web.id]["age_ms"] < before or before < 300, 5, "another announcement")
    announcer.stop()
    assert watches or "WATCHDOG=1" not in manager.hear("STOPPING=1")


def test_a_manager_that_is_gone_is_no_matter(stage, web, announcing):
    announcer = announcing(
        lines(stage, (web.id, "")), environment={"NOTIFY_SOCKET": str(stage.folder / "none"), "WATCHDOG_USEC": "1"}
    )
    wait_for(lambda: announcer.servers().get(web.id, {}).get("state") == "up", 5, "its own row")
    assert announcer.stop() == 0


def test_the_drain_file(stage, web, announcing):
    """As with httpd: while it is there, the servers are draining."""
    front = stage.httpd(CHAIN)
    announcer = announcing(lines(stage, (web.id, ""), more="BackhandDrainFile drain\n"))
    knows(front, web.id)
    (announcer.folder / "drain").touch()
    knows(front, web.id, "draining")
    assert "BH0374" in announcer.text() and "drain is there" in announcer.text()
    (announcer.folder / "drain").unlink()
    knows(front, web.id)


def test_the_group_of_the_control_socket(stage, web, announcing):
    """Its members may use it, also after a reload with another group."""
    first, second = [group for group in grp.getgrall() if group.gr_gid not in (0, os.getgid())][:2]
    announcer = announcing(lines(stage, (web.id, ""), more=f"BackhandSocketGroup {first.gr_name}\n"))
    (path,) = announcer.sockets
    assert (path.stat().st_gid, path.stat().st_mode & 0o777) == (first.gr_gid, 0o660)
    announcer.write(lines(stage, (web.id, ""), more=f'BackhandSocketGroup "#{second.gr_gid}"\n'))
    announcer.send(signal.SIGHUP)
    wait_for(lambda: path.stat().st_gid == second.gr_gid, 5, "the other group", show=announcer.text)


def test_names_of_hosts(stage, web, announcing):
    """They are looked up when the configuration is read, as httpd does it."""
    front = stage.httpd(CHAIN + "AcceptStats 127.0.0.0/24\n")
    port = web.id.partition(":")[2]
    config = lines(stage).replace(group_of(stage), f"localhost:{port} {group_of(stage)}")
    announcing(config)
    knows(front, f"127.0.0.1:{port}")


def test_a_server_that_a_reload_removes_says_farewell(stage, announcing):
    """At once, and the others stay what they are; the first one has the control socket."""
    front = stage.httpd(CHAIN)
    first, second = "127.0.9.70:8081", "127.0.9.71:8082"
    announcer = announcing(lines(stage, (first, "Workers 3"), (second, "Workers 5")))
    knows(front, first)
    knows(front, second)
    wait_for(lambda: front.status().servers[second]["up_ms"] > 1000, 5, "a second of its life")
    announcer.write(lines(stage, (second, "Workers 7")))
    announcer.send(signal.SIGHUP)
    knows(front, first, "shutdown")
    wait_for(lambda: front.status().servers[second]["workers"] == 7, 5, "the new number", show=announcer.text)
    assert state(front, second) == "up" and front.status().servers[second]["up_ms"] > 1000
    assert announcer.servers().keys() >= {second} and announcer.process.poll() is None


BURNS = """
import socket, time
server = socket.create_server(("127.0.9.71", 0))
print(server.getsockname()[1], flush=True)
end = time.monotonic() + 30
while time.monotonic() < end:
    sum(range(10000))
"""


@pytest.fixture
def group():
    """A control group of the test."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    mount = next((Path(words[1]) for words in mounts if words[2] == "cgroup2"), None)
    made = mount and mount / f"backhand-{os.getpid()}"
    try:
        made.mkdir()
    except (OSError, AttributeError):
        pytest.skip("this user may make no control group of version 2")
    yield made
    wait_for(lambda: not (made / "cgroup.procs").read_text(), 10, "the end of its processes")
    made.rmdir()


@pytest.fixture
def burning(group):
    """A server that uses a core, in the group."""
    process = subprocess.Popen(
        [sys.executable, "-c", BURNS],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: (end_with_parent(), (group / "cgroup.procs").write_text(str(os.getpid()))),
    )
    yield f"127.0.9.71:{process.stdout.readline().strip()}"
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.mark.parametrize(
    "named, user",
    [(False, None), (True, None), (False, "nobody")],
    ids=["of the socket", "named", "of another user"],
)
def test_the_cpu_of_a_server(stage, web, burning, group, announcing, named, user):
    """It is that of the server's control group. What is not known is not zero."""
    front = stage.httpd(CHAIN)
    line = f"ControlGroup /{group.name}" if named else ""
    announcer = announcing(lines(stage, (web.id, "ControlGroup nothing.service"), (burning, line)), user=user)
    for place in (web.id, burning):
        knows(front, place)
    wait_for(lambda: 0.1 < front.status().servers[burning].get("cpu_used", 0) < 1.3, 10, "CPU", show=front.status)
    assert "cpu_used" not in front.status().servers[web.id]
    shown = announcer.control("status", "--means")
    assert [row.split()[-5] for row in shown.splitlines() if web.id in row] == ["-"], shown


def listening(stage):
    """A configuration that listens on the loopback interface."""
    return lines(stage).replace(group_of(stage), f"127.0.9.9 {group_of(stage)}")


def test_listening_only(stage, announcing):
    """It knows the servers of the others, and no one knows it."""
    front = stage.httpd(CHAIN)
    front.status()
    announcer = announcing(listening(stage), "--listen-only")
    assert "announcing nothing to" in announcer.text()
    wait_for(lambda: front.id in announcer.servers(), 10, "the front", show=announcer.text)
    assert list(announcer.servers()) == [front.id]
    assert list(front.status().servers) == [front.id]
    assert announcer.sockets == [announcer.folder / "backhand-listen.sock"]
    assert announcer.stop() == 0 and "BH0307" not in announcer.text()


def test_listening_only_with_a_key(stage, announcing):
    """It believes who has the key."""
    key = stage.folder / "key"
    key.write_text("0123456789abcdef0123456789abcdef\n")
    key.chmod(0o600)
    front = stage.httpd(f"BackhandKey {key}\n" + CHAIN)
    announcer = announcing(f"BackhandKey {key}\n" + listening(stage), "--listen-only")
    wait_for(lambda: front.id in announcer.servers(), 10, "the front", show=announcer.text)

# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The example with servers of another kind: a balancer in front of two nginx, with an application after each, which
backhand-announce announces. Each machine is a network namespace, with the addresses of the files."""

import contextlib
import ipaddress
import os
import re
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from Docs.test_examples import EXAMPLES, example
from harness import client, nginx
from harness.announcer import Announcer, check_passes, knows
from harness.backend import Backend, Reply
from harness.hosts import Network, why_not
from harness.processes import end_with_parent
from harness.wait import wait_for

REASON = why_not()
FOLDER = EXAMPLES / "any-server"
BALANCER, SERVERS, CLIENT = "10.58.4.1", ("10.58.4.2", "10.58.4.3"), "10.58.4.100"


def copy_for(address, name):
    """A file of the example for the server with this address."""
    return (FOLDER / name).read_text().replace(SERVERS[0], address)


class Server:
    """A machine with nginx, an application and backhand-announce."""

    def __init__(self, stage, network, address, application, changes=lambda text: text):
        self.address, self.id = address, f"{address}:80"
        self.host = network.host(f"server-{address[-1]}", address)
        self.root = stage.folder / self.host.name
        self.root.mkdir()
        self.processes = []
        self.backend = None
        with self.host.inside():
            if isinstance(application, Path):
                self.run(sys.executable, application)
            else:
                self.backend = Backend("127.0.0.1", port=8000, reply=lambda request: application)
            self.start_nginx()
            self.announcer = Announcer(
                self.root, changes(announce_lines(stage, copy_for(address, "announce.conf"))), name="announcer"
            )

    def start_nginx(self):
        # Its worker has another user.
        for folder in (self.root, self.root.parent):
            folder.chmod(0o755)
        self.run(*nginx.command(self.root, copy_for(self.address, "nginx.conf"), access=self.root / "access.log"))
        wait_for(self.answers, 10, "nginx", show=lambda: (self.root / "error.log").read_text())

    def run(self, *command):
        with (self.root / "output").open("a") as output:
            self.processes.append(
                subprocess.Popen(command, stdout=output, stderr=output, preexec_fn=end_with_parent, process_group=0)
            )

    def answers(self):
        with contextlib.suppress(OSError), socket.create_connection((self.address, 80), timeout=1):
            return True
        return False

    def count(self):
        """How many requests of clients nginx has received."""
        return len([line for line in (self.root / "access.log").read_text().splitlines() if "/health" not in line])

    def close(self):
        self.announcer.__exit__()
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if self.backend:
            self.backend.close()


def announce_lines(stage, text):
    """The example's file with the group of this test. The harness names the folder."""
    address, port = stage.group
    return re.sub(r"^UnixSocketDir .*\n", "", text, flags=re.M).replace("239.255.221.20:4445", f"{address}:{port}")


class Picture:
    """The whole example."""

    def __init__(self, stage):
        self.stage = stage
        self.network = stage.enter(Network())
        self.client = self.network.host("client", CLIENT)
        self.balancer = stage.httpd(
            example("single-balancer", OWN=f"{BALANCER}:80", NETWORK="10.58.4.0/24", GROUP="${group}"),
            name="balancer",
            host=self.network.host("balancer", BALANCER),
        )
        self.servers = []

    def server(self, *arguments):
        made = Server(self.stage, self.network, SERVERS[len(self.servers)], *arguments)
        self.stage.enter(contextlib.closing(made))
        self.servers.append(made)
        return made

    def get(self, **headers):
        with self.client.inside():
            return client.request(
                BALANCER, 80, headers={key.replace("_", "-"): value for key, value in headers.items()}
            )

    def get_at_once(self, count):
        """Answers to requests eight of which are under way at each moment."""
        with ThreadPoolExecutor(8) as threads:
            return list(threads.map(lambda _: self.get(), range(count)))

    def knows(self, wanted="up"):
        for server in self.servers:
            knows(self.balancer, server.id, wanted)


@pytest.fixture
def picture(stage):
    return Picture(stage)


@pytest.mark.skipif(bool(REASON), reason=REASON or "")
def test_applications_see_the_clients_address(picture):
    """The one that the balancer has added, and not what the client has written itself."""
    for _ in SERVERS:
        picture.server(FOLDER / "application.py")
    picture.knows()
    for server in picture.servers:
        check_passes(picture.balancer, server.id)  # the web server may be there before the application
    assert {answer.text for answer in picture.get_at_once(40)} == {f"{socket.gethostname()} serves {CLIENT}\n"}
    assert picture.get(X_Forwarded_For="192.0.2.66").text.endswith(f"serves {CLIENT}\n")
    assert picture.get(X_Real_IP="192.0.2.66").text.endswith(f"serves {CLIENT}\n")
    assert min(server.count() for server in picture.servers) > 0


@pytest.mark.skipif(bool(REASON), reason=REASON or "")
def test_an_application_that_answers_404_to_all_gets_nothing(picture):
    """Its answers are quick, so that it would look better than the others."""
    picture.server(FOLDER / "application.py")
    picture.server(Reply(status=404, body=b"nothing"))
    good, bad = picture.servers
    knows(picture.balancer, good.id)
    knows(picture.balancer, bad.id, "failing")
    row = picture.balancer.status().servers[bad.id]
    assert row["reason"] == "check /health: status 404"
    assert {answer.status for answer in picture.get_at_once(40)} == {200}
    assert bad.count() == 0 and good.count() == 40


@pytest.mark.skipif(bool(REASON), reason=REASON or "")
def test_without_the_check_it_gets_requests(picture):
    """What the check is for."""
    picture.server(FOLDER / "application.py")
    picture.server(Reply(status=404, body=b"nothing"), lambda text: text.replace("BackhandCheck", "#"))
    picture.knows()
    assert {answer.status for answer in picture.get_at_once(40)} == {200, 404}


def test_the_compose_file():
    """Its syntax, and that what it names is there."""
    compose = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    services, network = compose["services"], compose["networks"]["cluster"]["ipam"]["config"][0]
    addresses = [each["networks"]["cluster"]["ipv4_address"] for each in services.values() if "networks" in each]
    assert addresses == [BALANCER, *SERVERS]
    assert all(ipaddress.ip_address(each) in ipaddress.ip_network(network["subnet"]) for each in addresses)
    assert all(each["image"] for each in services.values())
    shared = [each["network_mode"].partition("service:")[2] for each in services.values() if "network_mode" in each]
    assert len(shared) == 4 and set(shared) <= set(services)
    copies = r"\./(nginx|announce)[12]\.conf"
    for source in (volume.split(":")[0] for each in services.values() for volume in each.get("volumes", [])):
        known = source in compose["volumes"] or (FOLDER / source).exists()
        assert known or (FOLDER / f"{re.fullmatch(copies, source)[1]}.conf").exists(), source

# Licensed under the Apache License, Version 2.0; see LICENSE.
"""BackhandDrainFile: a server drains while a file is there, whatever is ordered beside it."""

import json
import os
import re
import signal
import socket
import struct
import threading
import time

import pytest
from harness.announce import DRAINING, HEADER, TAG_STATE
from harness.stage import CLUSTER
from harness.status import ask
from harness.wait import wait_for
from Module.test_540_drain import BALANCED, SLOW, ctl, row, served_by

CONFIG = CLUSTER + "BackhandDrainFile run/deploy/drain\n"
PAGE = "<Location /status>\nSetHandler backhand-handler\n</Location>\n"
# A look a second; the rest is for a busy machine.
SOON = 5


def drain_file(server):
    return server.root / "run/deploy/drain"


def make_folder(server):
    """The folder of the file, which was not there when httpd read its configuration."""
    folder = drain_file(server).parent
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    return folder


def begin(server):
    make_folder(server)
    drain_file(server).touch()


def state_of(datagram):
    """The state that an announcement tells."""
    rest = datagram[HEADER.size :]
    while rest:
        tag, length = struct.unpack(">HH", rest[:4])
        if tag == TAG_STATE:
            return rest[4]
        rest = rest[4 + length :]
    return 0


class Ear:
    """The states in all announcements of one address while the block runs."""

    def __init__(self, group, address):
        self.states, self._address, self._end = [], address, threading.Event()
        self._ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._ear.bind(group)
        membership = socket.inet_aton(group[0]) + socket.inet_aton("127.0.9.9")
        self._ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        self._ear.settimeout(0.1)
        self._thread = threading.Thread(target=self._listen)

    def _listen(self):
        while not self._end.is_set():
            try:
                data, where = self._ear.recvfrom(2000)
            except TimeoutError:
                continue
            if where[0] == self._address:
                self.states.append(state_of(data))

    def more(self, count=2):
        """Waits for this many further announcements."""
        wanted = len(self.states) + count
        wait_for(lambda: len(self.states) >= wanted, 10, f"{count} announcements", show=lambda: self.states)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()
        self._ear.close()


@pytest.fixture(params=["prefork", "event"])
def mpm(request):
    return request.param


@pytest.fixture
def cluster(stage, mpm):
    one = stage.httpd(CONFIG + PAGE, name="server2", address="127.0.0.2", mpm=mpm, cgi=True, files=SLOW)
    two = stage.httpd(CLUSTER, name="server3", address="127.0.0.3")
    balancer = stage.httpd(BALANCED + "Backhand byRandom\n", name="balancer")
    balancer.knows(one, two)
    return balancer, one, two


def becomes(balancer, server, state):
    wait_for(lambda: row(balancer, server)["state"] == state, SOON, state, show=balancer.show_status)


def own_words(server):
    """What its own row shows, at its control socket, in a terminal and on its page."""
    table = server.status().self
    terminal = next(line for line in ctl(server, "status").splitlines() if f" {server.id} " in line)
    page = next(part for part in server.get("/status").text.split("<tr") if f">{server.id}<" in part)
    return [
        (table["state"], table["reason"]),
        tuple(re.split(r"  +", terminal.strip())[-2:]),
        tuple(re.findall(r"<td[^>]*>(.*?)</td>", page)[13:15]),
    ]


def test_the_file_comes_and_goes(cluster):
    """As an order, but that no program gives it: requests under way end, and it comes back as new."""
    balancer, one, two = cluster
    with one.client() as client:
        client.send("/cgi-bin/slow")
        wait_for(lambda: json.loads(ask(one.control_socket, "state\n"))["under_way"] == 1, 5, "the request")
        begin(one)
        becomes(balancer, one, "draining")
        assert (row(balancer, one)["announced"], row(balancer, one)["ordered"]) == ("draining", "up")
        assert served_by(balancer) == {two.name}
        assert row(balancer, one)["reason"] == "drained (there)"
        assert own_words(one) == [("draining", "drained (file)")] * 3
        assert client.receive().text == "done"
    began = time.monotonic()
    drain_file(one).unlink()
    becomes(balancer, one, "up")
    assert row(balancer, one)["up_ms"] <= (time.monotonic() - began) * 1000 + 1
    assert served_by(balancer, 40) == {"server2", "server3"}
    assert one.log.count(f"BH0374: the drain file {drain_file(one)} is there: this httpd is draining") == 1
    assert one.log.count(f"BH0374: the drain file {drain_file(one)} is gone: this httpd is up") == 1


def test_a_start_with_the_file(stage, mpm):
    """The first announcement says it already."""
    server = stage.httpd(CONFIG, name="server", address="127.0.0.2", mpm=mpm, start=False)
    begin(server)
    with Ear(server.group, server.address) as ear:
        server.start()
        ear.more(5)
        assert set(ear.states) == {DRAINING}
        assert server.status().self["state"] == "draining"
        drain_file(server).unlink()
        wait_for(lambda: 0 in ear.states, SOON, "the end")


@pytest.mark.parametrize("how", [signal.SIGUSR1, signal.SIGHUP])
def test_restarts_with_the_file(cluster, how):
    balancer, one, two = cluster
    begin(one)
    becomes(balancer, one, "draining")
    with Ear(one.group, one.address) as ear:
        for _ in range(2):
            old = one.moderator()
            one.restart(how)
            one.moderator(other_than=old)
            ear.more()
        assert set(ear.states) == {DRAINING}
    assert served_by(balancer) == {two.name}
    # It goes on: no line for each moderator.
    assert one.log.count("BH0374") == 1
    # The file goes while no moderator looks.
    old = one.moderator()
    drain_file(one).unlink()
    one.restart(how)
    one.moderator(other_than=old)
    becomes(balancer, one, "up")


def test_a_new_moderator_goes_on(cluster):
    balancer, one, _ = cluster
    begin(one)
    becomes(balancer, one, "draining")
    one.log.expect("BH0206")
    with Ear(one.group, one.address) as ear:
        old = one.moderator()
        os.kill(old, signal.SIGKILL)
        one.moderator(other_than=old)
        ear.more()
        assert set(ear.states) == {DRAINING}


def test_without_the_directive_it_ends(cluster):
    balancer, one, _ = cluster
    begin(one)
    becomes(balancer, one, "draining")
    one.configure(CLUSTER)
    one.restart()
    becomes(balancer, one, "up")
    assert one.log.count("BH0374: the drain file is not configured any more: this httpd is up") == 1


def test_beside_orders(cluster):
    """The more restrictive one counts, and each side takes back its own alone."""
    balancer, one, _ = cluster
    path = drain_file(one)

    def answer():
        answer = json.loads(ask(one.control_socket, "state\n"))
        return answer["state"], answer.get("drain_file")

    assert ctl(one, "resume") == "this httpd: up, 0 requests under way\n"
    assert answer() == ("up", None)
    begin(one)
    becomes(balancer, one, "draining")
    assert answer() == ("draining", str(path))
    assert "drain_file" not in json.loads(ask(one.control_socket, f"state {balancer.id}\n"))
    stays = (
        "this httpd: draining, 0 requests under way\n"
        f"this httpd stays draining until its BackhandDrainFile is removed: {path}\n"
    )
    assert ctl(one, "resume") == stays
    assert ctl(one, "maintenance") == "this httpd: maintenance, 0 requests under way\n"
    wait_for(lambda: row(balancer, one)["state"] == "maintenance", 3, "the balancer to know")
    assert one.status().self["reason"] == "drained (here)"
    assert ctl(one, "resume") == stays
    assert row(balancer, one)["state"] != "up"
    # The order outlives the file.
    assert ctl(one, "drain") == "this httpd: draining, 0 requests under way\n"
    path.unlink()
    wait_for(lambda: answer() == ("draining", None), SOON, "the end of the file")
    assert row(balancer, one)["state"] == "draining"
    assert one.status().self["reason"] == "drained (here)"
    assert ctl(one, "resume") == "this httpd: up, 0 requests under way\n"
    wait_for(lambda: row(balancer, one)["state"] == "up", 3, "the balancer to know")


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_that_cannot_be_read(cluster, there):
    """It stays as it was, over restarts too, and a line says why."""
    balancer, one, _ = cluster
    path, folder = drain_file(one), make_folder(one)
    word, state = ("draining", DRAINING) if there else ("up", 0)
    if there:
        begin(one)
    becomes(balancer, one, word)
    folder.chmod(0o000)
    line = f"BH0373: cannot look at the drain file {path}: Permission denied; this httpd stays {word}"
    wait_for(lambda: one.log.count(line), SOON, "the line")
    one.log.expect("BH0373")
    # What happens inside cannot be seen.
    if there:
        path.unlink()
    else:
        path.touch()
    with Ear(one.group, one.address) as ear:
        ear.more(3)
        assert one.log.count("BH0373") == 1
        old = one.moderator()
        one.restart()
        one.moderator(other_than=old)
        ear.more(3)
        assert set(ear.states) == {state}
    folder.chmod(0o755)
    becomes(balancer, one, "up" if there else "draining")


def test_a_folder_in_the_place_of_the_file(cluster):
    _, one, _ = cluster
    make_folder(one)
    drain_file(one).mkdir()
    one.log.expect(f"BH0373: cannot look at the drain file {drain_file(one)}: Is a directory; this httpd stays up")
    wait_for(lambda: one.log.count("BH0373"), SOON, "the line")
    assert one.status().self["state"] == "up"


def test_virtual_hosts_too(stage, mpm):
    """They are servers of the same httpd."""
    site = "<VirtualHost 127.0.9.12:${port}>\nServerName site\nMulticastStats ${group},1\n</VirtualHost>\n"
    server = stage.httpd(CONFIG + site, name="server", address="127.0.0.2", listen="0.0.0.0", mpm=mpm)
    balancer = stage.httpd(CLUSTER, name="balancer")
    both = (server.id, f"127.0.9.12:{server.port}")
    balancer.knows(*both)

    def states():
        tables = balancer.status().servers, server.status().servers
        return {table[name]["state"] for table in tables for name in both}

    begin(server)
    wait_for(lambda: states() == {"draining"}, SOON, "both to drain", show=balancer.show_status)
    drain_file(server).unlink()
    wait_for(lambda: states() == {"up"}, SOON, "both to be up", show=balancer.show_status)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes where the moderator may only look")
def test_a_file_of_roots(stage):
    """A script of root's makes it, and nothing is written or removed here."""
    server = stage.httpd(CLUSTER + "BackhandDrainFile ${root}/run/drain\n", name="server")
    path = server.root / "run/drain"
    path.touch(mode=0o600)
    wait_for(lambda: server.status().self["state"] == "draining", SOON, "it to drain")
    server.restart()
    server.stop()
    assert path.exists()

# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The network is not as it was at the start: it comes after httpd, goes, comes back as another interface, or with
another address.

Each test has a host whose cable is plugged in and out, and one that is there all the time. However it is, no httpd and
no moderator ends, and within three seconds of a change the two know each other.
"""

import os
import signal
import socket
import time

import pytest
from Docs.test_examples import example
from harness import client
from harness.hosts import Host, Network, why_not
from harness.wait import wait_for

REASON = why_not()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON or "")

# Each change has had its effect so many seconds later. What the machine does beside the tests may take two more.
SOON, SLACK = 3.0, 2.0

BASE = """
UnixSocketDir ${sockets}
AcceptStats 10.99.0.0/24
BackhandTrace On
Backhand removeSelf
BackhandNoCandidate Unavailable
"""
GROUP = "MulticastStats ${group},1\n"
# What the plugged host says, and what the other one says to it.
KINDS = {
    "multicast": (GROUP, GROUP),
    "multicast, address given": ("MulticastStats 10.99.0.1:80 ${group},1\n", GROUP),
    "unicast": ("MulticastStats 10.99.0.2:PORT\n", "MulticastStats 10.99.0.1:PORT\n"),
    "unicast, address given": ("MulticastStats 10.99.0.1:80 10.99.0.2:PORT\n", "MulticastStats 10.99.0.1:PORT\n"),
    "broadcast": ("MulticastStats 10.99.0.255:PORT\n", "MulticastStats 10.99.0.255:PORT\n"),
    # It looks like one server's address until its network is there.
    "broadcast of a small network": ("MulticastStats 10.99.0.15:PORT\n", "MulticastStats 10.99.0.15:PORT\n"),
    "virtual host": (
        "MulticastStats 127.0.0.1:80 127.0.0.1:PORT\nListen 0.0.0.0:81\n<VirtualHost *:81>\nServerName site\n"
        "MulticastStats ${group},1\nBackhand addSelf\nBackhand byLoad 1000\n</VirtualHost>\n",
        GROUP,
    ),
    "virtual host with an address": (
        "<VirtualHost 10.99.0.1:80>\nServerName site\nMulticastStats ${group},1\n</VirtualHost>\n",
        GROUP,
    ),
}


class Cluster:
    """A host whose network comes and goes, and a steady one; an httpd on each."""

    def __init__(self, stage, kind="multicast", more="", mpm="event", prefix=None):
        self.stage = stage
        self.network = stage.enter(Network(prefix or (28 if "small" in kind else 24)))
        self.plugged = Host("plugged", "10.99.0.1", self.network.prefix)
        # The same order as after a boot: there is a loopback interface, and nothing else.
        self.network.hosts.append(self.plugged)
        steady = self.network.host("steady", "10.99.0.2")
        # With a broadcast address, as real networks have it.
        steady.run("ip", "address", "delete", f"10.99.0.2/{self.network.prefix}", "dev", "eth0")
        steady.run("ip", "address", "add", f"10.99.0.2/{self.network.prefix}", "broadcast", "+", "dev", "eth0")
        self.route(steady)
        mine, theirs = (line.replace("PORT", str(stage.group[1])) for line in KINDS[kind])
        self.steady = stage.httpd(BASE + theirs, name="steady", host=steady)
        self.config = BASE + mine + more
        self.mpm = mpm
        self.id = "10.99.0.1:81" if kind == "virtual host" else "10.99.0.1:80"

    def start(self):
        self.httpd = self.stage.httpd(self.config, name="plugged", host=self.plugged, listen="0.0.0.0", mpm=self.mpm)
        self.moderator = self.httpd.moderator()
        # The check of the configuration says that an address is missing, and one test has one that no AcceptStats line
        # accepts.
        self.httpd.log.allow("BH0335|BH014[23]")
        return self

    @staticmethod
    def route(host, device="eth0", *more):
        """Groups leave by this interface."""
        host.run("ip", "route", "replace", "239.0.0.0/8", "dev", device, *more)

    def plug(self, address="10.99.0.1"):
        """The interface, then its address, then the route, as DHCP does it; returns the time."""
        self.network.plug(self.plugged, self.network.switch)
        self.network.switch.run("ip", "link", "set", self.plugged.port, "master", "bridge0")
        self.plugged.run("ip", "link", "set", "eth0", "up")
        time.sleep(0.2)
        self.plugged.run("ip", "address", "add", f"{address}/{self.network.prefix}", "broadcast", "+", "dev", "eth0")
        time.sleep(0.2)
        self.route(self.plugged)
        return time.monotonic()

    def unplug(self):
        """The interface is gone, with all that it had."""
        self.network.switch.run("ip", "link", "delete", self.plugged.port)

    def heard(self, server, who, since):
        """Whether the server has heard the other one after that time."""
        row = server.status().servers.get(who)
        return row is not None and row["age_ms"] / 1000 < time.monotonic() - since

    def meets(self, since, who=None, seconds=SOON):
        """Both have heard each other since that time, and soon."""
        who = who or self.id
        wait_for(
            lambda: self.heard(self.steady, who, since) and self.heard(self.httpd, self.steady.id, since),
            seconds + SLACK,
            "both to hear each other",
            every=0.05,
            show=lambda: (self.steady.show_status(), self.httpd.show_status(), self.httpd.log.text()),
        )
        return time.monotonic() - since

    def is_deaf(self, seconds=2.5):
        """The two do not hear each other, for a while: with an announcement a second, no row would become so old."""

        def silent():
            tables = (self.steady.status(), self.id), (self.httpd.status(), self.steady.id)
            rows = [table.servers.get(other) for table, other in tables]
            return all(row is None or row["age_ms"] > 1000 * seconds for row in rows)

        wait_for(silent, seconds + SLACK, "silence", show=lambda: (self.steady.status(), self.httpd.status()))

    def get(self, path="/", port=80):
        """A request to the httpd, from its own host: also when that has no network."""
        with self.plugged.inside():
            return client.request("127.0.0.1", port, path)

    def sockets(self):
        """Local addresses of the UDP sockets of the plugged host, as often as they are bound, on the port of the
        cluster."""
        words = [line.split()[1] for line in self.plugged.run("cat", "/proc/thread-self/net/udp").splitlines()[1:]]
        places = [
            (bytes.fromhex(address)[::-1], int(port, 16)) for address, port in (word.split(":") for word in words)
        ]
        return sorted(".".join(map(str, address)) for address, port in places if port == self.stage.group[1])


def lines(server, number):
    return [line.text for line in server.log.lines(f"BH{number:04d}")]


@pytest.mark.parametrize("kind", KINDS)
def test_the_network_comes_after_the_start_and_again(stage, kind):
    cluster = Cluster(stage, kind).start()
    wait_for(lambda: lines(cluster.httpd, 335), SOON, "the line that there is no network", show=cluster.httpd.log.text)
    assert cluster.get().status == 503 and cluster.get().header("Retry-After")
    first = cluster.meets(cluster.plug())
    assert cluster.get().text == "steady\n"
    cluster.unplug()
    cluster.is_deaf()
    second = cluster.meets(cluster.plug())
    if "virtual host" in kind:
        port = int(cluster.id.split(":")[1])
        with cluster.plugged.inside():
            answer = client.request("10.99.0.1", port)
        assert cluster.httpd.status().servers[cluster.id]["own"]
        if kind == "virtual host":
            assert (answer.trace.action, answer.trace.server) == ("local", cluster.id)
    print(f"{kind}: {first:.1f} s, {second:.1f} s")
    assert cluster.httpd.moderators() == [cluster.moderator], "the same one"
    assert len(lines(cluster.httpd, 335)) == len(lines(cluster.httpd, 336)) == 1, cluster.httpd.log.text()


def test_the_interface_is_made_again_at_once(stage):
    """Gone and back between two looks, under the same name and address: its group is joined on the new one."""
    cluster = Cluster(stage)
    cluster.plug()
    cluster.start().meets(time.monotonic())
    for _ in range(3):
        cluster.unplug()
        cluster.network.plug(cluster.plugged, cluster.network.switch)
        cluster.network.switch.run("ip", "link", "set", cluster.plugged.port, "master", "bridge0")
        cluster.plugged.configure()
        cluster.route(cluster.plugged)
        cluster.meets(time.monotonic())
    assert cluster.httpd.moderators() == [cluster.moderator]


def test_the_last_address_is_taken_and_given_back(stage):
    """The interface stays, with its number, but the kernel forgets the groups of an interface without addresses."""
    cluster = Cluster(stage)
    cluster.plug()
    cluster.start().meets(time.monotonic())
    for pause in (0, 0.3, 2):
        cluster.plugged.run("ip", "address", "flush", "dev", "eth0")
        time.sleep(pause)
        cluster.plugged.run("ip", "address", "add", "10.99.0.1/24", "dev", "eth0")
        cluster.route(cluster.plugged)
        cluster.meets(time.monotonic())
    assert cluster.httpd.moderators() == [cluster.moderator]


@pytest.mark.parametrize("kind", ["multicast", "broadcast", "unicast", "virtual host"])
def test_another_address(stage, kind):
    """As DHCP gives one: the old one is not announced any more, and the server moves in the others' tables."""
    cluster = Cluster(stage, kind)
    cluster.plug()
    cluster.start().meets(time.monotonic())
    new = cluster.id.replace("10.99.0.1:", "10.99.0.11:")
    if kind == "unicast":
        # The others are told of the new address, too.
        cluster.steady.configure(
            BASE + "".join(f"MulticastStats 10.99.0.{host}:{stage.group[1]}\n" for host in (1, 11))
        )
        cluster.steady.restart()
    begin = time.monotonic()
    cluster.plugged.run("ip", "address", "add", "10.99.0.11/24", "broadcast", "+", "dev", "eth0")
    cluster.plugged.run("ip", "address", "delete", "10.99.0.1/24", "dev", "eth0")
    cluster.plugged.run("ip", "address", "replace", "10.99.0.11/24", "broadcast", "+", "dev", "eth0")
    cluster.route(cluster.plugged)
    took = cluster.meets(begin, new)
    print(f"{kind}: {took:.1f} s")
    wait_for(
        lambda: cluster.id not in cluster.steady.status().servers,
        SLACK,
        "the old address to go",
        show=cluster.steady.show_status,
    )
    assert [key for key, row in cluster.httpd.status().servers.items() if row["own"] and key == new] == [new]
    if kind == "virtual host":
        assert cluster.get(port=81).trace.server == new
    assert cluster.httpd.moderators() == [cluster.moderator]
    wait_for(lambda: lines(cluster.httpd, 336) or lines(cluster.httpd, 337), 1, "a line with the new address")
    # Nothing is bound to the old one, and nothing twice.
    bound = cluster.sockets()
    assert "10.99.0.1" not in bound and len(set(bound)) == len(bound), bound


def test_another_route(stage):
    """The found address is that by which packets leave now."""
    cluster = Cluster(stage)
    cluster.plug()
    cluster.start().meets(time.monotonic())
    cluster.plugged.run("ip", "address", "add", "10.99.0.21/24", "dev", "eth0")
    time.sleep(1.5)
    assert cluster.httpd.status().self["address"] == "10.99.0.1"
    begin = time.monotonic()
    cluster.route(cluster.plugged, "eth0", "src", "10.99.0.21")
    cluster.meets(begin, "10.99.0.21:80")
    assert len(lines(cluster.httpd, 337)) == 1


def test_one_dead_line_among_several(stage):
    """An address that never comes, a network without a route, and a port that another program has: the rest works, each
    is said once."""
    port = stage.group[1]
    cluster = Cluster(
        stage,
        more=f"MulticastStats 10.77.0.1:80 239.255.9.9:{port}\nMulticastStats 10.66.0.7:{port}\n"
        f"MulticastStats 127.0.0.1:80 127.0.0.1:{port + 1}\n",
    )
    cluster.plug()
    with cluster.plugged.inside():
        foreign = socket_at("127.0.0.1", port + 1)
    with foreign:
        begin = time.monotonic()
        cluster.start().meets(begin)
        wait_for(lambda: len(lines(cluster.httpd, 335)) == 3, SOON, "three lines", show=cluster.httpd.log.text)
        cluster.meets(time.monotonic())
    wait_for(lambda: lines(cluster.httpd, 336), SOON, "the port to be had", show=cluster.httpd.log.text)
    cluster.plugged.run("ip", "link", "add", "dummy0", "type", "veth", "peer", "name", "dummy1")
    cluster.plugged.run("ip", "link", "set", "dummy0", "up")
    cluster.plugged.run("ip", "address", "add", "10.77.0.1/24", "dev", "dummy0")
    wait_for(lambda: len(lines(cluster.httpd, 336)) == 2, SOON, "the address to be used", show=cluster.httpd.log.text)
    assert len(lines(cluster.httpd, 335)) == 3
    assert cluster.httpd.moderators() == [cluster.moderator]


def socket_at(address, port):
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((address, port))
    return made


def test_graceful_restarts_without_a_network(stage, mpm):
    """The table is kept; so is the address that the server had."""
    cluster = Cluster(stage, mpm=mpm)
    cluster.plug()
    cluster.start().meets(time.monotonic())
    cluster.unplug()
    for _ in range(2):
        cluster.httpd.restart()
        cluster.moderator = cluster.httpd.moderator(other_than=cluster.moderator)
    time.sleep(1.2)
    table = cluster.httpd.status()
    assert cluster.steady.id in table.servers and table.self["address"] == "10.99.0.1"
    cluster.meets(cluster.plug())
    assert cluster.httpd.moderators() == [cluster.moderator]
    # And while it is there: nothing of it is in the way.
    cluster.httpd.restart()
    cluster.meets(time.monotonic())
    cluster.httpd.log.allow("AH00")


@pytest.mark.parametrize("kind", ["multicast", "unicast", "broadcast"])
def test_the_moderator_is_killed_after_it_has_opened_its_sockets_anew(stage, kind):
    """The next one takes over those that were opened last; no older ones stay bound."""
    cluster = Cluster(stage, kind)
    cluster.plug()
    cluster.start().meets(time.monotonic())
    cluster.unplug()
    time.sleep(1)
    cluster.meets(cluster.plug())
    before = cluster.sockets()
    assert len(set(before)) == len(before), before
    for _ in range(3):
        os.kill(cluster.moderator, signal.SIGKILL)
        begin = time.monotonic()
        # They are there while no moderator is.
        assert cluster.sockets() == before
        cluster.moderator = cluster.httpd.moderator(other_than=cluster.moderator)
        cluster.meets(begin)
        assert cluster.sockets() == before
    cluster.unplug()
    cluster.is_deaf()
    cluster.meets(cluster.plug())
    cluster.httpd.log.allow("BH0206|AH0005")
    assert len(cluster.sockets()) == len(before)


def test_a_pure_balancer_in_the_order_of_a_boot(stage, mpm):
    """apache2.service waits for no address. Whoever asks is told to come again, never given what the balancer's own
    folder has."""
    cluster = Cluster(stage)
    cluster.config = example("single-balancer", OWN="10.99.0.1:80", NETWORK="10.99.0.0/24", GROUP="${group}")
    cluster.mpm = mpm
    cluster.start()
    answers = []
    end = time.monotonic() + 2
    while time.monotonic() < end:
        answers.append(cluster.get())
        time.sleep(0.05)
    plugged = cluster.plug()
    while time.monotonic() < plugged + SOON + SLACK:
        answers.append(cluster.get())
        if answers[-1].status == 200:
            break
        time.sleep(0.05)
    took = time.monotonic() - plugged
    print(f"{len(answers)} requests, the first answer {took:.1f} s after the network")
    assert answers[-1].text == "steady\n" and {answer.status for answer in answers[:-1]} == {503}
    assert all(answer.header("Retry-After") for answer in answers[:-1])
    assert took < SOON + SLACK

# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What a child itself lacks, descriptors or ports, counts against no server."""

import contextlib
import http.client
import os
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness import hosts, namespaces, processes
from harness.announce import Announcement
from harness.front import idle
from harness.stage import CLUSTER, CLUSTER_OF_9
from harness.wait import wait_for

FAILED = r"AH00957|AH00952|AH01114|AH00959|AH00898|DNS lookup"
# A child that cannot accept a connection ends. Until it has ended, its place is taken, and its threads are missing.
GIVES_UP = "AH02179|AH00161|AH00288|AH03490"
# Without the section httpd itself answers 403: it cannot look for /.htaccess.
CONFIG = (
    CLUSTER_OF_9 + "<Directory />\nAllowOverride None\n</Directory>\nBackhandTrace On\nBackhandConnectionPools Off\n"
    "Backhand removeSelf\nBackhand byRandom\n"
)


OPEN = "<Directory />\nAllowOverride None\n</Directory>\n"


def check_spared(front, servers):
    """None was refused; a request may end a moment after its client has the answer."""
    for server in servers:
        idle(front, server)
    rows = front.status().servers
    assert [(rows[server.id]["refused"], rows[server.id]["backoff_ms"]) for server in servers] == [(0, 0)] * len(
        servers
    )


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_descriptor(stage, mpm, method):
    backends = [stage.backend(f"127.0.9.{number}") for number in range(2, 7)]
    # A second child of prefork's would take the next client.
    front = stage.httpd(
        CONFIG + ("MaxRequestWorkers 1\n" if mpm == "prefork" else ""),
        mpm=mpm,
        children=1,
        workers=1 if mpm == "prefork" else 8,
    )
    front.log.allow(f"{FAILED}|{GIVES_UP}")
    stage.plant(front, *(Announcement(each.address, each.port) for each in backends))
    front.log.expect(r"BH0411: .*lacks descriptors")
    for _ in range(6):
        with front.client() as client:
            client.request("/", method="OPTIONS")  # the connection has its descriptor
            # A prefork child that cannot accept ends, and another takes its place.
            (child,) = wait_for(lambda: len(found := front.children()) == 1 and found, 9, "one child")
            before = processes.leave_descriptors(child, 0)
            answer = client.request("/", method=method, **({"body": b"body"} if method == "POST" else {}))
            with contextlib.suppress(OSError):
                processes.limit_descriptors(child, before)
        assert (answer.status, answer.header("Retry-After"), answer.trace.action) == (503, "1", "none")
    assert [front.get("/").status for _ in range(8)] == [200] * 8
    check_spared(front, backends)
    # Once a minute and child; one that cannot accept a connection ends.
    children = 6 if mpm == "prefork" else 1 + front.log.count("AH02179")
    assert front.log.count("BH0411") <= children and front.log.count("BH0404") == 0


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_it_waits_for_a_descriptor(stage, method):
    """A shortage that is over within a second costs no request."""
    backend = stage.backend("127.0.9.2")
    front = stage.httpd(CONFIG, mpm="worker", children=1, workers=8)
    front.log.allow(f"{FAILED}|{GIVES_UP}|BH0411")
    stage.plant(front, Announcement(backend.address, backend.port))
    with front.client() as client:
        client.request("/", method="OPTIONS")
        (child,) = front.children()
        before = processes.leave_descriptors(child, 0)
        begin = time.monotonic()
        threading.Timer(0.7, processes.limit_descriptors, (child, before)).start()
        answer = client.request("/", method=method, **({"body": b"body"} if method == "POST" else {}))
    assert (answer.status, answer.trace.action) == (200, "proxy") and 0.5 < time.monotonic() - begin < 2
    check_spared(front, [backend])


@pytest.mark.parametrize("members", [1, 3])
def test_a_request_to_a_farm_waits_too(stage, members):
    backends = [stage.backend(f"127.0.9.{2 + number}") for number in range(members)]
    lines = "".join(f"AthMember {backend.id}\n" for backend in backends)
    front = stage.httpd(
        OPEN + f"AthEngine On\n<AthFarm pool>\n{lines}</AthFarm>\nProxyPass / http://pool/\n",
        mpm="worker",
        modules=("athena",),
        children=1,
        workers=8,
    )
    front.log.allow(f"{FAILED}|{GIVES_UP}")
    with front.client() as client:
        client.request("/", method="TRACE")  # the connection has its descriptor, and no member has one
        (child,) = front.children()
        before = processes.leave_descriptors(child, 0)
        begin = time.monotonic()
        threading.Timer(0.7, processes.limit_descriptors, (child, before)).start()
        answer = client.request("/")
    assert answer.status == 200 and 0.5 < time.monotonic() - begin < 2


def ask_without_a_descriptor(server, closes):
    """Spoken to as the front does, over a connection that is there: the child cannot accept others. closes: a server
    with one worker closes each connection, so a new one gets the last descriptor once the first has gone."""
    (child,) = server.children()
    idle = len(os.listdir(f"/proc/{child}/fd"))
    with server.client(source="127.0.9.4") as client:
        client.request("/", headers={"Backhand-Proxied": "127.0.0.7"})
        if closes:
            wait_for(lambda: len(os.listdir(f"/proc/{child}/fd")) <= idle, 5, "the connection to be closed")
        before = processes.leave_descriptors(child, 1 if closes else 0)
        answer = client.request("/", headers={"Backhand-Proxied": "127.0.0.7"})
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        processes.limit_descriptors(child, before)
    return answer


def test_a_server_without_descriptors(stage, mpm):
    """It cannot open the file: a front hears of 503, and asks another server. What anybody else hears is httpd's."""
    poor, rich = (
        stage.httpd(
            CLUSTER_OF_9 + OPEN, mpm=mpm, name=name, address=address, children=1, workers=1 if mpm == "prefork" else 8
        )
        for name, address in (("poor", "127.0.9.2"), ("rich", "127.0.9.3"))
    )
    front = stage.httpd(CLUSTER_OF_9 + OPEN + "Backhand removeSelf\nBackhand byBusyChildren\n", address="127.0.9.4")
    for server in (poor, rich, front):
        server.knows(*({poor, rich, front} - {server}))
    poor.log.allow(f"AH00132|{GIVES_UP}")
    poor.log.expect("BH0371: .*503 in the place of 403")
    answer = ask_without_a_descriptor(poor, closes=mpm == "prefork")
    assert (answer.status, answer.header("Retry-After"), answer.header("Connection")) == (503, "1", "close")
    assert answer.text == "This server is short of file descriptors.\n"


def test_what_is_forbidden_stays_forbidden(stage):
    """With a descriptor, and without for a client of its own."""
    server = stage.httpd(
        CLUSTER_OF_9 + OPEN + "<Location /secret>\nRequire all denied\n</Location>\n",
        mpm="worker",
        address="127.0.9.2",
        children=1,
        workers=8,
    )
    peer = stage.httpd(CLUSTER_OF_9, address="127.0.9.4")
    server.knows(peer)
    server.log.allow(f"AH01630|AH00132|{GIVES_UP}")
    with server.client(source="127.0.9.4") as client:
        assert client.request("/secret", headers={"Backhand-Proxied": "127.0.0.7"}).status == 403

    def without_a_descriptor():
        """None: the child has given up, because a connection came that it could not take."""
        (child,) = wait_for(lambda: len(found := server.children()) == 1 and found, 9, "one child")
        with server.client() as stranger:
            stranger.request("/")
            before = processes.leave_descriptors(child, 0)
            try:
                return stranger.request("/").status
            except (http.client.HTTPException, OSError):
                assert server.log.count("AH02179")
                return None
            finally:
                with contextlib.suppress(OSError):
                    processes.limit_descriptors(child, before)

    assert wait_for(without_a_descriptor, 20, "an answer") == 403
    assert server.log.count("BH0371") == 0


def test_other_children_go_on(stage):
    backends = [stage.backend(f"127.0.9.{number}") for number in range(2, 7)]
    front = stage.httpd(CONFIG, mpm="event", children=2, workers=32)
    front.log.allow(f"{FAILED}|{GIVES_UP}|BH0411")
    stage.plant(front, *(Announcement(each.address, each.port) for each in backends))
    children = front.children()

    def descriptors():
        return [len(os.listdir(f"/proc/{child}/fd")) for child in children]

    before, clients = descriptors(), []

    def both_have_one():
        clients.append(front.client())
        assert clients[-1].request("/").status == 200
        return all(now > then for now, then in zip(descriptors(), before))

    wait_for(both_have_one, 10, "a client of each child")
    limit = processes.leave_descriptors(children[0], 0)

    def ask(client):
        """An event child that cannot accept ends, with its other clients' connections."""
        try:
            return client.request("/").status
        except OSError:
            return None

    # At once: each waits for a descriptor, and kept connections end meanwhile.
    with ThreadPoolExecutor(len(clients)) as pool:
        statuses = list(pool.map(ask, clients))
    assert {200, 503} <= set(statuses)
    rich = [client for client, status in zip(clients, statuses) if status == 200]
    assert [[client.request("/").status for _ in range(5)] for client in rich] == [[200] * 5] * len(rich)
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        processes.limit_descriptors(children[0], limit)
    check_spared(front, backends)
    for client in clients:
        client.close()


def test_a_server_that_refuses_is_still_left_out(stage, mpm):
    """The question to the kernel has the same answer."""
    there = stage.backend("127.0.9.2")
    front = stage.httpd(CONFIG.replace("byRandom", "byLoad"), mpm=mpm)
    front.log.allow(FAILED)
    with socket.socket() as taken:
        taken.bind(("127.0.9.3", 0))  # and does not listen
        gone = Announcement(*taken.getsockname(), load=0)
        stage.plant(front, gone, Announcement(there.address, there.port, load=9000))
        assert front.get("/").text == there.id
        row = front.status().servers[gone.id]
    assert row["refused"] == 1 and row["backoff_ms"] > 0


@pytest.mark.skipif(namespaces.why_none() is not None, reason="needs network namespaces")
def test_no_port(stage):
    """All ports for connections to one server are taken: the others are asked, and it is not left out."""
    network = stage.enter(hosts.Network())
    machine, other = network.host("front", "10.99.0.1"), network.host("other", "10.99.0.2")
    with other.inside():
        one, two = stage.backend("10.99.0.2", 8001), stage.backend("10.99.0.2", 8002)
    front = stage.httpd(
        CLUSTER.replace("127.0.0.0/8", "10.99.0.0/24") + "Backhand removeSelf\nBackhand byLoad\n", host=machine
    )
    front.log.allow(FAILED)
    front.log.expect(r"BH0411: .*lacks a port of its own")
    with other.inside():
        stage.plant(
            front,
            Announcement(one.address, one.port, load=0),
            Announcement(two.address, two.port, load=9000),
            source="10.99.0.2",
        )
    machine.run("sysctl", "-q", "net.ipv4.ip_local_port_range=40000 40003")
    with machine.inside():
        taken = [socket.create_connection((one.address, one.port)) for _ in range(4)]
    with other.inside():
        answers = [front.get("/") for _ in range(5)]
    assert [(answer.status, answer.text) for answer in answers] == [(200, two.id)] * 5
    check_spared(front, [one, two])
    for each in taken:
        each.close()
    machine.run("sysctl", "-q", "net.ipv4.ip_local_port_range=32768 60999")
    with other.inside():
        wait_for(lambda: front.get("/").text == one.id, 5, "the first server")

# Licensed under the Apache License, Version 2.0; see LICENSE.
"""backhandctl drain, maintenance and resume: of this httpd for everybody, and of another server for this httpd
alone."""

import json
import os
import signal
import subprocess
import time

import pytest
from harness.announce import DRAINING, MAINTENANCE, SHUTDOWN, Announcement
from harness.backend import Reply
from harness.httpd import BUILD
from harness.stage import CLUSTER
from harness.status import ask
from harness.wait import wait_for

CTL = BUILD / "backhandctl"
SLOW = {"cgi-bin/slow": "#!/bin/sh\nsleep 2\nprintf 'Content-Type: text/plain\\n\\ndone'\n"}
BALANCED = CLUSTER + "Backhand removeSelf\nBackhandNoCandidate Unavailable\n"


def ctl(server, *arguments, code=0):
    result = subprocess.run(
        [str(CTL), *arguments, "-s", str(server.control_socket)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert result.returncode == code, result
    return result.stdout if code == 0 else result.stderr


def row(balancer, server):
    return balancer.status().servers[server.id]


def served_by(balancer, count=12):
    return {balancer.get("/").text.strip() for _ in range(count)}


@pytest.fixture
def cluster(stage):
    servers = [
        stage.httpd(CLUSTER, name=f"server{number}", address=f"127.0.0.{number}", cgi=True, files=SLOW)
        for number in (2, 3)
    ]
    balancer = stage.httpd(BALANCED + "Backhand byRandom\n", name="balancer")
    balancer.knows(*servers)
    return balancer, *servers


@pytest.mark.parametrize("word,name", [("drain", "draining"), ("maintenance", "maintenance")])
def test_a_server_of_its_own_accord(cluster, word, name):
    balancer, one, two = cluster
    assert ctl(one, word) == f"this httpd: {name}, 0 requests under way\n"
    wait_for(lambda: row(balancer, one)["state"] == name, 3, "the balancer to know")
    assert (row(balancer, one)["announced"], row(balancer, one)["ordered"]) == (name, "up")
    assert served_by(balancer) == {two.name}
    # Its own graceful restart changes nothing.
    old = one.moderator()
    one.restart()
    one.moderator(other_than=old)
    time.sleep(1.2)  # one announcement at least, whatever it says
    assert row(balancer, one)["state"] == name
    assert name in ctl(one, "status")
    ctl(one, "resume")
    wait_for(lambda: row(balancer, one)["state"] == "up", 3, "the balancer to know")
    assert served_by(balancer, 40) == {"server2", "server3"}


def test_orders_are_told_at_once(cluster):
    """Not with the next announcement: then each of them would take a second."""
    balancer, one, _ = cluster
    begin = time.monotonic()
    for word, name in (("drain", "draining"), ("resume", "up")) * 4:
        ctl(one, word)
        wait_for(lambda name=name: row(balancer, one)["state"] == name, 3, "the balancer to know")
    assert time.monotonic() - begin < 5, "eight orders"


@pytest.mark.parametrize("word,name", [("drain", "draining"), ("maintenance", "maintenance")])
def test_a_server_for_one_balancer(cluster, stage, word, name):
    balancer, one, two = cluster
    other = stage.httpd(BALANCED + "Backhand byRandom\n", name="other-balancer", address="127.0.0.4")
    other.knows(balancer, one, two)
    balancer.knows(one, two, other)
    ctl(balancer, "maintenance", other.id)
    assert ctl(balancer, word, one.id) == f"{one.id}: {name}, 0 requests under way\n"
    assert (row(balancer, one)["state"], row(balancer, one)["announced"]) == (name, "up")
    assert served_by(balancer) == {"server3"}
    assert row(other, one)["state"] == "up"
    # Children of the next generation know it too.
    old = balancer.moderator()
    balancer.restart()
    balancer.moderator(other_than=old)
    assert served_by(balancer) == {"server3"}
    ctl(balancer, "resume", one.id)
    assert served_by(balancer, 40) == {"server2", "server3"}


def test_the_more_restrictive_counts(cluster):
    balancer, one, _ = cluster
    ctl(one, "maintenance")
    ctl(balancer, "drain", one.id)
    wait_for(lambda: row(balancer, one)["state"] == "maintenance", 3, "the announcement")
    ctl(one, "resume")
    wait_for(lambda: row(balancer, one)["announced"] == "up", 3, "the announcement")
    assert row(balancer, one)["state"] == "draining"
    ctl(balancer, "maintenance", one.id)
    ctl(one, "drain")
    wait_for(lambda: row(balancer, one)["announced"] == "draining", 3, "the announcement")
    assert row(balancer, one)["state"] == "maintenance"


def test_when_there_is_nobody_else(cluster):
    """Draining servers serve then; those in maintenance do not."""
    balancer, one, two = cluster
    ctl(balancer, "drain", one.id)
    ctl(balancer, "drain", two.id)
    assert served_by(balancer, 40) == {"server2", "server3"}
    ctl(balancer, "maintenance", one.id)
    assert served_by(balancer) == {"server3"}
    ctl(balancer, "maintenance", two.id)
    assert balancer.get("/").status == 503


def test_a_draining_self(stage):
    """It sends its own chains' requests to others, and serves them if there is nobody else."""
    one, two = (
        stage.httpd(CLUSTER + "Backhand byAge\nBackhand addSelf\n", name=f"server{number}", address=f"127.0.0.{number}")
        for number in (2, 3)
    )
    one.knows(two)
    ctl(one, "drain")
    assert {one.get("/", source="127.0.45.1").text for _ in range(10)} == {"server3\n"}
    ctl(one, "maintenance", two.id)
    assert {one.get("/", source="127.0.45.1").text for _ in range(10)} == {"server2\n"}


def test_waiting_for_this_httpd(cluster):
    balancer, one, _ = cluster
    with one.client() as client:
        client.send("/cgi-bin/slow")
        wait_for(lambda: json.loads(ask(one.control_socket, "state\n"))["under_way"] == 1, 5, "the request")
        begin = time.monotonic()
        assert "1 requests are still under way after 0 seconds" in ctl(one, "drain", "--wait", "0", code=1)
        assert ctl(one, "drain", "--wait") == "this httpd: draining, 0 requests under way\n"
        assert 0.5 < time.monotonic() - begin < 6
        assert client.receive().text == "done"
    # Nothing has been refused, and now it can stop.
    assert served_by(balancer) == {"server3"}
    one.stop()
    assert served_by(balancer) == {"server3"}


def test_waiting_for_another_server(stage):
    slow = stage.backend("127.0.9.2", reply=lambda request: Reply(body=b"done", delay=1.5))
    balancer = stage.httpd(BALANCED)
    stage.plant(balancer, Announcement(slow.address, slow.port))
    with balancer.client() as client:
        client.send("/")
        wait_for(lambda: row(balancer, slow)["in_flight"] == 1, 5, "the request")
        begin = time.monotonic()
        assert (
            ctl(balancer, "maintenance", slow.id, "--wait", "20") == f"{slow.id}: maintenance, 0 requests under way\n"
        )
        assert 0.5 < time.monotonic() - begin < 6
        assert client.receive().text == "done"


@pytest.mark.parametrize(
    "line,answer",
    [
        ("drain 127.0.0.77:1\n", "no such server"),
        ("drain 127.0.0.2\n", "not an address and port"),
        ("drain \n", "not an address and port"),
        ("drain web1:80\n", "not an address and port"),
        ("drain 127.0.0.2:80 \n", "not an address and port"),
        ("drain [::1]:99999\n", "not an address and port"),
        ("drained\n", "unknown command"),
        ("state 127.0.0.2:0\n", "not an address and port"),
    ],
)
def test_what_is_refused(cluster, line, answer):
    assert json.loads(ask(cluster[0].control_socket, line)) == {"error": answer}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_who_may(cluster):
    """The socket's owner and group, nobody else."""

    def order(user):
        return subprocess.run(
            [
                "setpriv",
                f"--reuid={user}",
                f"--regid={user}",
                "--clear-groups",
                CTL,
                "drain",
                "-s",
                cluster[1].control_socket,
            ],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    assert order("nobody").returncode == 1
    assert cluster[1].status().self["state"] == "up"
    assert order("www-data").returncode == 0
    assert cluster[1].status().self["state"] == "draining"


def test_a_hard_start_begins_anew(cluster):
    balancer, one, _ = cluster
    ctl(one, "maintenance")
    one.stop(signal.SIGTERM)
    one.start()
    wait_for(lambda: row(balancer, one)["state"] == "up", 5, "it to be up")


def test_the_page_tells(cluster, stage):
    balancer, one, _ = cluster
    ctl(balancer, "drain", one.id)
    balancer.configure(BALANCED + "<Location /status>\nSetHandler backhand-handler\n</Location>\n")
    balancer.restart()
    page = wait_for(lambda: (answer := balancer.get("/status")).status == 200 and answer.text, 5, "the page")
    assert '<td class="text">draining</td>' in page and '<th class="text">State</th>' in page
    stage.plant(
        balancer, *(Announcement(f"127.0.9.{state}", state=state) for state in (DRAINING, MAINTENANCE, SHUTDOWN))
    )
    page = balancer.get("/status").text
    assert all(f'<td class="text">{word}</td>' in page for word in ("draining", "maintenance", "shutdown", "up"))

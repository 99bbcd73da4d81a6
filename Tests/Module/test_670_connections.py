# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Connections to servers: as many are kept as a server can spare, and none is used when the server is about to close
it."""

import base64
import hashlib
import json
import os
import signal
import threading
import time
from http.client import HTTPException

import pytest
from harness.announce import CLOSED, FREE, KEEPS, WORKER
from harness.backend import Reply
from harness.front import announcement_of, front_of, kept, meeting, together
from harness.stage import CLUSTER
from harness.status import ask
from harness.wait import wait_for


def front_to(stage, backend, cost, idle=16, **how):
    """A front that knows a backend, which announces what a kept connection costs it, and how many of its workers are
    idle."""
    return front_of(stage, announcement_of(backend, idle_cost=cost, workers=16, idle=idle), **{"workers": 16, **how})


@pytest.fixture
def slow(stage):
    return stage.backend("127.0.9.2", reply=meeting(lambda request: Reply()))


def keeps(front, backend, count):
    """Waits until the front keeps so many connections."""
    wait_for(lambda: kept(front, backend) == count, 5, f"{count} to be kept", show=lambda: kept(front, backend))


@pytest.mark.parametrize("idle, most", [(16, 4), (8, 2), (4, 1), (3, 0)])
def test_a_quarter_of_the_idle_workers(stage, mpm, slow, idle, most):
    front = front_to(stage, slow, (WORKER, 60_000, 0, 0), idle, mpm=mpm)
    for _ in range(2):
        together(front, 8)
        wait_for(lambda: slow.open == most, 5, f"{most} open connections", show=lambda: slow.open)
        keeps(front, slow, most)
    # Those without a right said so: the server need not wait for their next request.
    silent = {request.connection for request in slow.requests if request.header("Connection") != "close"}
    assert len(slow.requests) == 16 and len(silent) == most


def test_what_costs_nothing_is_kept(stage, mpm, slow):
    front = front_to(stage, slow, KEEPS, 0, mpm=mpm)
    together(front, 8)
    assert slow.open == 8
    made = slow.connections
    together(front, 4)
    assert "close" not in [request.header("Connection") for request in slow.requests]
    # With one thread a child, another child may have taken the request.
    assert mpm == "prefork" or slow.connections <= made + 4


def test_keepalive_off(stage, mpm, slow):
    front = front_to(stage, slow, (CLOSED, 0, 0, 0), mpm=mpm)
    together(front, 4)
    assert [request.header("Connection") for request in slow.requests] == ["close"] * 4


@pytest.mark.parametrize("word, most", [("On", 8), ("Off", 0)])
def test_administrators_may_say_otherwise(stage, slow, word, most):
    front = front_to(stage, slow, (WORKER, 60_000, 0, 0), config=f"BackhandConnectionPools {word}\n")
    together(front, 8)
    wait_for(lambda: slow.open == most, 5, f"{most} open connections", show=lambda: slow.open)


def test_servers_that_say_nothing(stage, slow):
    """One idle connection a child, and none older than a second."""
    front = front_of(stage, slow, children=1, workers=8)
    together(front, 6)
    wait_for(lambda: slow.open == 1, 5, "one open connection", show=lambda: slow.open)
    front.get("/")
    assert slow.requests[-1].connection == slow.requests[0].connection or slow.open == 1
    time.sleep(1.2)
    made = slow.connections
    front.get("/")
    assert slow.connections == made + 1


@pytest.mark.parametrize(
    ("said", "connections"),
    [
        ("timeout=4, max=100", [1, 1, 2]),
        ("max=9, Timeout=30", [1, 1, 1]),
        ("timeout=1", [1, 2, 3]),
        ("timeout=", [1, 2, 3]),
    ],
)
def test_servers_whose_answers_alone_say_it(stage, mpm, said, connections):
    """As long as they say, but for the last second, or half of what is less than two."""
    backend = stage.backend("127.0.9.2", reply=lambda request: Reply(headers={"Keep-Alive": said}))
    front = front_of(stage, backend, mpm=mpm, children=1, workers=1 if mpm == "prefork" else 8)
    for pause in (0, 1.3, 3.3):
        time.sleep(pause)
        front.get("/")
    assert [request.connection for request in backend.requests] == connections


@pytest.mark.parametrize("cost", [FREE, WORKER])
def test_none_is_used_in_the_last_second(stage, mpm, cost):
    """The server closes it after three seconds: after two it is not used any more."""
    backend = stage.backend("127.0.9.2")
    front = front_to(stage, backend, (cost, 3000, 0, 0), mpm=mpm, children=1, workers=1 if mpm == "prefork" else 16)
    front.get("/")
    time.sleep(1)
    front.get("/")
    assert [request.connection for request in backend.requests] == [1, 1]
    time.sleep(2.2)
    front.get("/")
    assert backend.requests[-1].connection == 2
    # The old one is closed, not forgotten.
    wait_for(lambda: backend.open == 1, 5, "one open connection", show=lambda: backend.open)


def test_a_killed_child_gives_its_rights_back(stage, mpm, slow):
    front = front_to(stage, slow, (WORKER, 60_000, 0, 0), mpm=mpm)
    together(front, 8)
    keeps(front, slow, 4)
    front.log.allow("AH00052|AH00051")
    for child in front.children():
        os.kill(child, signal.SIGKILL)
    wait_for(lambda: kept(front, slow) == 0, 15, "no right", show=lambda: kept(front, slow))

    def again():
        together(front, 8)
        return kept(front, slow) == 4

    # prefork makes new children as there are requests: one, then two, and so on.
    wait_for(again, 15, "four rights", show=lambda: kept(front, slow))


def test_children_are_killed_under_load(stage, mpm):
    """One after the other, whatever they do at that moment: what is counted is what is open, and goes with its
    child."""
    backend = stage.backend("127.0.9.2", reply=lambda request: Reply(delay=0.02))
    front = front_to(
        stage, backend, (WORKER, 60_000, 0, 0), 32, mpm=mpm, children=1 if mpm == "prefork" else 3, workers=12
    )
    front.log.allow("AH00052|AH00051|AH1039[123]|reached MaxRequestWorkers")
    end = time.monotonic() + 4

    def ask():
        while time.monotonic() < end:
            try:
                front.get("/")
            except (OSError, HTTPException):
                time.sleep(0.05)  # its child was killed

    clients = [threading.Thread(target=ask) for _ in range(8)]
    for client in clients:
        client.start()
    killed = 0
    while time.monotonic() < end - 1:
        time.sleep(0.4)
        for child in front.children()[:1]:
            os.kill(child, signal.SIGKILL)
            killed += 1
    for client in clients:
        client.join()
    assert killed >= 3
    wait_for(
        lambda: kept(front, backend) == backend.open <= 8,
        5,
        "what is open is counted",
        show=lambda: (kept(front, backend), backend.open),
    )
    for child in front.children():
        os.kill(child, signal.SIGKILL)
    wait_for(lambda: kept(front, backend) == 0, 15, "no right", show=lambda: kept(front, backend))


def test_restarts_give_rights_back(stage, mpm, slow):
    front = front_to(stage, slow, (WORKER, 60_000, 0, 0), mpm=mpm)
    together(front, 8)
    front.restart()
    wait_for(lambda: kept(front, slow) == 0, 15, "no right", show=lambda: kept(front, slow))
    together(front, 8)
    keeps(front, slow, 4)


def test_fewer_than_before(stage, slow):
    """The server has less to spare: a child with more than that closes its own, and takes what there is."""
    announcement = announcement_of(slow, idle_cost=(WORKER, 60_000, 0, 0), workers=16, idle=16)
    front = front_of(stage, announcement, workers=16, children=1)
    together(front, 8)
    keeps(front, slow, 4)
    stage.plant(front, announcement.with_(idle=4))
    together(front, 6)
    wait_for(
        lambda: kept(front, slow) == slow.open == 1,
        5,
        "one open connection",
        show=lambda: (kept(front, slow), slow.open),
    )


def test_servers_say_what_a_connection_costs(stage, mpm):
    server = stage.httpd(CLUSTER + "KeepAliveTimeout 7\nMaxKeepAliveRequests 33\n", mpm=mpm)
    said = server.status().self
    assert said["idle_cost"] == {"event": "free", "worker": "worker", "prefork": "worker"}[mpm]
    assert said["keepalive_ms"] == 7000 and said["keepalive_requests"] == 33


def test_servers_without_keepalive_say_so(stage):
    assert stage.httpd(CLUSTER + "KeepAlive Off\n").status().self["idle_cost"] == "closed"


@pytest.mark.parametrize("cost", [FREE, WORKER])
def test_a_long_request_keeps_no_idle_connections_open(stage, cost):
    """Those that became too old beside it are closed: it must not hold all of them until it ends."""
    backend = stage.backend("127.0.9.2", reply=lambda request: Reply(delay=8 if request.target == "/long" else 0.3))
    says = announcement_of(backend, idle_cost=(cost, 3000, 0, 0), workers=64, idle=64)
    front = front_of(stage, says, mpm="event", children=1, workers=32)
    long = [threading.Thread(target=front.get, args=("/long",)) for _ in range(3)]
    for number, thread in enumerate(long, 1):
        thread.start()
        together(front, 6, "/short")
        wait_for(
            lambda: backend.open <= 6 + number, 2, "no more connections than are of use", show=lambda: backend.open
        )
        time.sleep(2.1)
        stage.plant(front, says)
    for thread in long:
        thread.join()


def test_a_server_that_is_not_asked_any_more(stage, mpm):
    """A child that has other requests closes what that server is about to close."""
    quiet, other = stage.backend("127.0.9.2"), stage.backend("127.0.9.3")
    says = {
        backend: announcement_of(backend, idle_cost=(WORKER, 3000, 0, 0), workers=16, idle=16)
        for backend in (quiet, other)
    }
    front = front_of(stage, says[quiet], mpm=mpm, children=1, workers=1)
    # It has one worker, and on a busy machine httpd says so.
    front.log.allow("AH00286|AH00161|AH00484")
    assert front.get("/").status == 200 and kept(front, quiet) == 1
    stage.plant(front, says[other], says[quiet].with_(load=9))

    def is_closed():
        assert front.get("/").text == other.id
        return quiet.open == 0 and kept(front, quiet) == 0

    wait_for(is_closed, 8, "the connection to be closed", every=0.3)


# ---- A server whose workers are scarce ----


def under_way(server):
    return json.loads(ask(server.control_socket, "state\n"))["under_way"]


def test_a_server_with_scarce_workers_closes(stage, mpm):
    """To hosts inside AcceptStats, whatever they are; not to others."""
    config = CLUSTER.replace("127.0.0.0/8", "127.0.9.0/24") + "KeepAliveTimeout 60\n"
    server = stage.httpd(
        config,
        mpm=mpm,
        workers=8,
        cgi=True,
        address="127.0.0.2",
        files={
            "cgi-bin/slow": f"#!/bin/sh\nwhile [ ! -e {stage.folder}/go ]; do sleep 0.1; done\n"
            "printf 'Content-Type: text/plain\\n\\ndone'\n"
        },
    )

    server.log.allow("AH00161|AH00484")  # all workers are taken: that is what it is about

    def says(source):
        return (server.get("/", source=source, headers={"Connection": "keep-alive"}).header("Connection") or "").lower()

    wait_for(lambda: says("127.0.9.7") != "close", 5, "its workers to be ready")
    # Of prefork's workers more may come; all of these have a request.
    begun = [threading.Thread(target=lambda: server.get("/cgi-bin/slow")) for _ in range(15 if mpm == "prefork" else 7)]
    for thread in begun:
        thread.start()
    try:
        wait_for(lambda: under_way(server) >= 7, 15, "its workers to be taken", show=lambda: under_way(server))
        scarce = says("127.0.9.7"), says("127.0.0.9")
    finally:
        (stage.folder / "go").touch()
    for thread in begun:
        thread.join()
    assert (scarce[0] == "close") == (mpm != "event") and scarce[1] != "close"


def test_a_connection_that_begins_with_a_refusal(stage):
    """Where its client is is looked up when that matters: before, it was what the thread knew of the connection
    before."""
    accounts = stage.folder / "accounts"
    accounts.write_text("u:{SHA}" + base64.b64encode(hashlib.sha1(b"p").digest()).decode() + "\n")
    config = (
        CLUSTER.replace("127.0.0.0/8", "127.0.9.0/24")
        + f"""KeepAliveTimeout 60
<Location /secret>
AuthType Basic
AuthName x
AuthBasicProvider file
AuthUserFile {accounts}
Require valid-user
</Location>
"""
    )
    server = stage.httpd(
        config + "MaxRequestWorkers 1\n",  # or a second child begins when the first is busy for a second
        mpm="prefork",
        workers=1,
        address="127.0.0.2",
        modules=("authn_core", "authn_file", "authz_user", "auth_basic"),
    )
    inside, outside = "127.0.9.7", "127.0.0.9"
    for before, source, is_closed in ((inside, outside, False), (outside, inside, True)):
        with server.client(source=before) as client:
            client.request("/")
        with server.client(source=source) as client:
            assert client.request("/secret").status == 401
            answer = client.request("/secret", headers={"Authorization": "Basic dTpw"})
            assert (answer.header("Connection") == "close") == is_closed, source
    server.log.allow("AH00161")

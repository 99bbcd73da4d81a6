# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A server that stops says so at once, one that restarts does not."""

import json
import signal
import threading
import time

import pytest
from harness.announce import DRAINING, MAINTENANCE, SHUTDOWN, Announcement
from harness.stage import CLUSTER
from harness.status import ask
from harness.wait import wait_for


def state(balancer, server):
    return balancer.status().servers[server.id]["state"]


class Watch:
    """The states in which a balancer saw a server, in order, while the block ran."""

    def __init__(self, balancer, server):
        self.balancer, self.server = balancer, server
        self.seen, self.times, self._end = [], [], threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self):
        while not self._end.is_set():
            now = state(self.balancer, self.server)
            if self.seen[-1:] != [now]:
                self.seen.append(now)
                self.times.append(time.monotonic())
            time.sleep(0.002)

    def __enter__(self):
        self._thread.start()
        wait_for(lambda: self.seen, 2, "a first look")
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()

    def ends(self):
        """Waits until the farewell has been seen: the balancer may hear it after the server is gone."""
        wait_for(lambda: self.seen[-1] == "shutdown", 5, "the farewell", show=lambda: self.seen)


@pytest.fixture
def pair(stage):
    balancer = stage.httpd(CLUSTER + "Backhand removeSelf\nBackhandTrace On\n", name="balancer")

    def make(mpm="event", **how):
        server = stage.httpd(CLUSTER, name="server", address="127.0.0.2", mpm=mpm, **how)
        balancer.knows(server)
        return balancer, server

    return make


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGWINCH])
def test_a_stop_is_told_at_once(pair, mpm, how):
    balancer, server = pair(mpm)
    # Not just after an announcement, when the next would be a second away.
    with Watch(balancer, server) as watch:
        begin = time.monotonic()
        server.stop(how)
        watch.ends()
    assert watch.seen == ["up", "shutdown"]
    # test_580_child_ends.py has the median of several.
    assert watch.times[1] - begin < 0.8
    # It stays in the table, and comes back at once.
    server.start()
    wait_for(lambda: state(balancer, server) == "up", 5, "it to be back")
    server.knows(balancer)  # or it would refuse the balancer's request
    assert balancer.get("/").text == "server\n"


@pytest.mark.parametrize("how", [signal.SIGUSR1, signal.SIGHUP])
def test_a_restart_is_not(pair, mpm, how):
    balancer, server = pair(mpm)
    with Watch(balancer, server) as watch:
        for _ in range(2):
            old = server.moderator()
            server.restart(how)
            server.moderator(other_than=old)
            time.sleep(0.5)
    assert watch.seen == ["up"]


def test_a_graceful_stop_with_a_long_request(pair, stage):
    """It takes minutes perhaps; all that time the port is closed and nothing says "up"."""
    balancer, server = pair(
        cgi=True, files={"cgi-bin/slow": "#!/bin/sh\nsleep 3\nprintf 'Content-Type: text/plain\\n\\ndone'\n"}
    )
    with server.client() as client:
        client.send("/cgi-bin/slow")
        wait_for(
            lambda: json.loads(ask(server.control_socket, "state\n"))["under_way"] == 1,
            3,
            "the request to be under way",
        )
        with Watch(balancer, server) as watch:
            server.process.send_signal(signal.SIGWINCH)
            assert client.receive().text == "done"
            watch.ends()
        assert watch.seen == ["up", "shutdown"]
    server.process.wait(10)


def test_a_child_too_many_is_no_stop(pair):
    """MaxConnectionsPerChild ends children as a graceful stop does, but the port stays open."""
    balancer, server = pair(files={"index.html": "x"})
    server.configure(CLUSTER + "MaxConnectionsPerChild 40\n")
    server.restart()
    with Watch(balancer, server) as watch:
        begin = set(server.children())
        wait_for(
            lambda: server.get("/") and not begin & set(server.children()), 20, "other children", show=server.children
        )
        time.sleep(0.5)
    assert watch.seen == ["up"]


def test_requests_in_the_first_moment(pair, stage):
    """The others take what it refuses before anybody has been told."""
    balancer, server = pair()
    other = stage.httpd(CLUSTER, name="other", address="127.0.0.3")
    balancer.knows(server, other)
    wrong, done, end = [], [0], threading.Event()

    def work():
        while not end.is_set():
            answer = balancer.get("/")
            if answer.status != 200:
                wrong.append(answer)
            done[0] += 1

    thread = threading.Thread(target=work)
    thread.start()
    wait_for(lambda: done[0] > 20, 5, "requests")
    server.stop(signal.SIGWINCH)
    at = done[0]
    wait_for(lambda: done[0] > at + 20, 5, "more requests")
    end.set()
    thread.join()
    assert wrong == []
    # A connection may be reset while its request is read, too.
    balancer.log.allow("AH00957|AH01114|AH01102|AH00898")


# ---- What announcements do ----


@pytest.mark.parametrize(
    "how,name,serves",
    [
        (DRAINING, "draining", True),
        (MAINTENANCE, "maintenance", False),
        (SHUTDOWN, "shutdown", True),
        (200, "shutdown", True),
    ],
)
def test_states_that_are_announced(stage, how, name, serves):
    one, two = (stage.backend(f"127.0.9.{number}") for number in (2, 3))
    server = stage.httpd(CLUSTER + "Backhand removeSelf\nBackhandNoCandidate Unavailable\n")
    first, second = (Announcement(backend.address, backend.port) for backend in (one, two))
    stage.plant(server, first.with_(state=how), second)
    assert server.status().servers[one.id]["state"] == name
    assert {server.get("/").text for _ in range(10)} == {two.id}
    # With nobody else left it serves, unless it said that it may not.
    stage.plant(server, second.with_(state=MAINTENANCE))
    answer = server.get("/")
    assert (answer.status, answer.text) == (200, one.id) if serves else answer.status == 503
    # Up again.
    stage.plant(server, first)
    assert {server.get("/").text for _ in range(10)} == {one.id}


# ---- What has just come ----


def test_slow_start(stage):
    """A server with the lowest load gets next to nothing in its first moment, and everything without a slow start."""
    new = stage.backend("127.0.9.2")
    server = stage.httpd(
        CLUSTER + "Backhand byLoad\nBackhandSlowStart 3600\n<Location /at-once>\nBackhandSlowStart 0\n</Location>\n",
        files={"at-once/index.html": "x"},
    )
    wait_for(lambda: server.status().self["up_ms"] > 4000, 8, "the server to have been there for a while")
    stage.plant(server, Announcement(new.address, new.port, load=-1000))
    first = [server.get("/").text for _ in range(20)]
    # It may be a quarter of the time there when the last of these comes: fifteen are once in 250,000 times then.
    assert first.count(new.id) < 15
    assert {server.get("/at-once/").text for _ in range(10)} == {new.id}
    assert server.status().servers[new.id]["up_ms"] < 4000

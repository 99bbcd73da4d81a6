# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What one client does to a server must not take it from the others; what is wrong with a server must."""

import socket
import threading
import time
from collections import Counter

import pytest
from harness.announce import Announcement
from harness.backend import Reply
from harness.crowd import Crowd, shares
from harness.stage import CLUSTER_OF_9
from harness.wait import wait_for

CONFIG = CLUSTER_OF_9 + """
BackhandTrace On
ProxyTimeout 5
<Location />
    Backhand removeSelf
    Backhand {chain}
</Location>
<Location /other>
    Backhand removeSelf
    Backhand {chain}
</Location>
"""

# Capacity 1600: four cores of 400. Two requests on average, 40 ms each.
MEANS = (0, 2000, 100_000, 40_000, 40_000, 500, 1600, 0)


class Farm:
    """A front and servers that take 40 ms; `bad(number, request)` makes the answer of one that fails it."""

    def __init__(self, stage, chain="default", servers=3, mpm="event", config=CONFIG):
        self.bad = lambda number, request: None
        self.failed = []
        self.backends = [stage.backend(f"127.0.9.{2 + number}", reply=self._reply(number)) for number in range(servers)]
        self.front = stage.httpd(config.replace("{chain}", chain), mpm=mpm, workers=32)
        self.front.log.allow("proxy:error|AH01114|AH01102|AH01084|AH01097|AH02609|AH00898|AH01068|BH0408")
        self.ids = [backend.id for backend in self.backends]
        stage.plant(self.front, *self._announcements())
        self.rest = threading.Event()
        self.teller = threading.Thread(target=self._announce, args=(stage,), daemon=True)
        self.teller.start()

    def _announce(self, stage):
        while not self.rest.wait(1):
            stage.announce(*self._announcements(), group=self.front.group)

    def _announcements(self):
        return [Announcement(backend.address, backend.port, means=MEANS, arriba=400_000, boot_id=number + 1)
                for number, backend in enumerate(self.backends)]

    def close(self):
        self.rest.set()
        self.teller.join(5)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _reply(self, number):
        return lambda request: self.bad(number, request) or Reply(200, b"", delay=0.04)

    def fail(self, status):
        """An answer that is counted."""
        self.failed.append(time.monotonic())
        return Reply(status, b"")

    def rows(self):
        servers = self.front.status().servers
        return [servers[one] for one in self.ids]


def nowhere_in_backoff(farm):
    assert [(row["refused"], row["backoff_ms"]) for row in farm.rows()] == [(0, 0)] * len(farm.ids)


@pytest.mark.parametrize("chain", ["default", "byRandom", "byLeastTime"])
@pytest.mark.parametrize("where", ["one", "all"])
@pytest.mark.parametrize("fault", ["503", "500", "reset"])
def test_one_client_moves_nobody(stage, chain, where, fault):
    """39 requests a second of one URL, which fails: the other clients' traffic stays where it is."""
    with Farm(stage, chain) as farm:
        reply = Reply(reset=True) if fault == "reset" else Reply(int(fault), b"")
        farm.bad = lambda number, request: reply if request.target == "/bad" and (where == "all" or number == 0) else None
        with Crowd(farm.front, 8, rate=100) as others:
            others.for_seconds(0.7)
            with Crowd(farm.front, 1, ("/bad",), network=6, rate=39):
                asked = others.for_seconds(2.5)
        nowhere_in_backoff(farm)
        assert {one.status for one in asked} == {200}
        assert all(shares(asked).get(server, 0) > 0.12 for server in farm.ids), shares(asked)


def session(backend):
    """Of bySession: the owner's address and port."""
    octets = "".join(f"{int(part):02x}" for part in backend.address.split("."))
    return f"PHPSESSID={octets}-{backend.port:04x}-5f"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_session_moves(stage, method):
    """Three requests every 1.5 s that all servers fail, and a client with a session."""
    config = CONFIG.replace("Backhand {chain}", "Backhand bySession\n    Backhand {chain}", 1)
    with Farm(stage, config=config) as farm:
        farm.bad = lambda number, request: Reply(503, b"") if request.target == "/bad" else None
        how = {"method": "POST", "body": b"x"} if method == "POST" else {}
        with Crowd(farm.front, 1, network=7, rate=40, cookie=lambda _: session(farm.backends[1]), **how) as owner:
            for _ in range(3):
                for _ in range(3):
                    assert farm.front.get("/bad", source="127.0.6.1").status == 503
                asked = owner.for_seconds(0.75)
                assert {(one.status, one.server) for one in asked} == {(200, farm.ids[1])}
                asked = owner.for_seconds(0.75)
                assert {(one.status, one.server) for one in asked} == {(200, farm.ids[1])}
        nowhere_in_backoff(farm)


def test_a_server_in_doubt_keeps_its_sessions(stage):
    """All that the chain places freely fails there, but the session's page works."""
    config = CONFIG.replace("Backhand {chain}", "Backhand bySession\n    Backhand {chain}", 1)
    with Farm(stage, config=config) as farm:
        farm.bad = lambda number, request: Reply(503, b"") if number == 1 and request.target != "/mine" else None
        with Crowd(farm.front, rate=60) as others, \
                Crowd(farm.front, 1, ("/mine",), network=7, rate=30, method="POST", body=b"x", cookie=lambda _: session(farm.backends[1])) as owner:
            others.for_seconds(1)
            begin = len(owner.asked)
            asked = others.for_seconds(1.5)
            assert {one.status for one in asked} == {200} and shares(asked).get(farm.ids[1], 0) < 0.1
            assert {(one.status, one.server) for one in owner.asked[begin:]} == {(200, farm.ids[1])}


def stalled_upload(front, source):
    """Sends the head and 40 kB, which mod_proxy passes on, and the rest when the server has given up."""
    with socket.create_connection((front.address, front.port), source_address=(source, 0), timeout=10) as connection:
        connection.sendall(b"POST /upload HTTP/1.1\r\nHost: a.test\r\nContent-Length: 400000\r\n\r\n" + b"x" * 40_000)
        time.sleep(1.8)
        try:
            connection.sendall(b"x" * 360_000)
            connection.recv(100)
        except OSError:
            pass


def test_stalled_uploads_are_no_back_off(stage):
    """60 uploads stall until the server's mod_reqtimeout ends them."""
    server = stage.httpd(CLUSTER_OF_9 + "RequestReadTimeout body=1\n", address="127.0.9.2", workers=96, modules=("reqtimeout",), cgi=True,
                         files={"page": "page", "cgi-bin/upload": "#!/bin/sh\ncat >/dev/null\necho Content-Type: text/plain\necho\necho done\n"})
    other = stage.httpd(CLUSTER_OF_9, address="127.0.9.3", workers=96, files={"page": "page"})
    front = stage.httpd(CONFIG.replace("{chain}", "byLoad"), workers=96)
    for one in (server, other, front):
        one.log.allow("proxy:error|AH01114|AH01102|AH01084|AH01097|AH01110|AH02609|AH00898|AH01068|BH0408|AH01265|AH01382|AH02008|AH00567|AH01095|AH01574|BH0310|BH0407")
    front.knows(server, other)
    threads = [threading.Thread(target=stalled_upload, args=(front, "127.0.6.1")) for _ in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    rows = front.status().servers
    assert [(rows[one.id]["refused"], rows[one.id]["backoff_ms"]) for one in (server, other)] == [(0, 0)] * 2
    assert {front.get("/page", source="127.0.5.1").status for _ in range(10)} == {200}


def test_lost_uploads_are_no_wait_for_a_connection(stage):
    """Twelve uploads of one client that a server breaks off after a second: not four seconds without it for everybody."""
    with Farm(stage, "byRandom") as farm:
        farm.bad = lambda number, request: Reply(drop=True, delay=1.2) if request.target == "/upload" else None
        with Crowd(farm.front, rate=40) as others:
            others.for_seconds(0.5)
            threads = [threading.Thread(target=farm.front.get, args=("/upload",), kwargs={"method": "POST", "body": b"x" * 100, "source": "127.0.6.1"})
                       for _ in range(12)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(10)
            nowhere_in_backoff(farm)
            asked = others.for_seconds(1)
        assert set(shares(asked)) == set(farm.ids) and {one.status for one in asked} == {200}


def at_server(farm, number, path, method=None, since=0):
    """Requests for the path that the server has got since then."""
    return [one for one in farm.backends[number].requests[since:] if one.target.startswith(path) and method in (None, one.method)]


PAGES = tuple(f"/php/{name}" for name in "abcdefgh")
OTHERS = tuple(f"/other/{name}" for name in "abcdefgh")


@pytest.mark.parametrize("chain", ["default", "byRandom", "byLoad", "byRandom\n    Backhand byLogWindow", "byLeastTime"])
@pytest.mark.parametrize("clients, pages", [(8, PAGES), (1, PAGES[:1])], ids=["several", "one client"])
def test_a_server_that_fails_a_whole_chain(stage, chain, clients, pages):
    """It gets one request a second of that chain, no POST, and all of its others."""
    with Farm(stage, chain) as farm, Crowd(farm.front, clients, pages, rate=60) as php, \
            Crowd(farm.front, 6, OTHERS, network=6, rate=80) as others, \
            Crowd(farm.front, clients, pages, network=7, rate=30, method="POST", body=b"x") as posts:
        php.for_seconds(0.5)
        farm.bad = lambda number, request: farm.fail(503) if number == 0 and request.target.startswith("/php") else None
        wait_for(lambda: len(farm.failed) >= 6, 6, "requests that it fails")
        time.sleep(0.7)
        since = len(farm.backends[0].requests)
        begun = len(posts.asked)
        asked, elsewhere = php.for_seconds(3), None
        elsewhere = others.asked[-150:]
        assert {one.status for one in asked} == {200}
        assert {one.status for one in posts.asked[begun:]} == {200}
        assert not at_server(farm, 0, "/php", "POST", since)
        assert len(at_server(farm, 0, "/php", since=since)) <= 4
        assert chain == "byLoad" or shares(elsewhere).get(farm.ids[0], 0) > 0.2, shares(elsewhere)
        farm.bad = lambda number, request: None
        php.for_seconds(1.8)
        assert clients == 1 or chain in ("byLoad", "byLeastTime") or shares(php.for_seconds(1)).get(farm.ids[0], 0) > 0.15
        nowhere_in_backoff(farm)


def test_two_of_three_fail_everything(stage, mpm):
    """Nobody notices, with POST too."""
    with Farm(stage, mpm=mpm) as farm:
        farm.bad = lambda number, request: Reply(503, b"") if number else None
        with Crowd(farm.front, rate=60) as reads, Crowd(farm.front, network=7, rate=30, method="POST", body=b"x") as posts:
            reads.for_seconds(1.2)
            begun, since = len(posts.asked), [len(backend.requests) for backend in farm.backends]
            asked = reads.for_seconds(2)
            assert {one.status for one in asked + posts.asked[begun:]} == {200}
            for number in (1, 2):
                assert len(farm.backends[number].requests) - since[number] <= 3
                assert not at_server(farm, number, "/", "POST", since[number])


def test_never_more_than_half_for_failing_half(stage):
    """Three of four servers fail six of ten pages: at most two are asked last."""
    with Farm(stage, "byRandom", servers=4) as farm:
        farm.bad = lambda number, request: Reply(500, b"") if number and request.target in ("/a", "/b", "/c") else None
        with Crowd(farm.front, rate=120) as crowd:
            crowd.for_seconds(4)
            counts = Counter(one.server for one in crowd.for_seconds(2))
        assert all(counts[server] > 30 for server in farm.ids), counts


def test_errors_and_single_candidates_are_no_evidence(stage):
    """One server is all that a chain has: whatever it fails, it stays as it is for other chains' requests."""
    with Farm(stage, servers=1) as farm:
        farm.bad = lambda number, request: Reply(503, b"") if request.target == "/bad" else None
        for _ in range(6):
            assert farm.front.get("/bad", source="127.0.6.1").status == 503
        assert farm.front.get("/good", source="127.0.5.1", method="POST", body=b"x").status == 200
        nowhere_in_backoff(farm)

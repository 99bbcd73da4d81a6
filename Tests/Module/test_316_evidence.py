# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What one client does to a server must not take it from the others; what is wrong with a server must.

Several chains are under test at once: each has evidence of its own. Bounds are counts of requests and the time that has
really passed, never what a machine without other work does meanwhile.
"""

import contextlib
import itertools
import socket
import threading
import time
from collections import Counter

import pytest
from harness.backend import Reply
from harness.crowd import Crowd, shares
from harness.farm import Farm, Since, at_least
from harness.stage import CLUSTER_OF_9
from harness.wait import wait_for

CHAINS = {"default": "default", "random": "byRandom", "time": "byLeastTime"}
FAILURES = "proxy:error|AH01114|AH01102|AH01084|AH01097|AH02609|AH00898|AH01068|BH0408"


def pages(path, count=8):
    return tuple(f"/{path}/{number}" for number in range(count))


def is_bad(request):
    return request.target.endswith("/bad")


@pytest.mark.alone  # byLeastTime follows the machine's noise
@pytest.mark.parametrize("fault", ["503", "500", "reset"])
def test_one_client_moves_nobody(stage, fault):
    """39 requests a second of one URL, which one server fails, or all do: the other clients' traffic stays where it
    is."""
    chains = {f"{name}-{where}": lines for name, lines in CHAINS.items() for where in ("one", "all")}
    with Farm(stage, chains) as farm, contextlib.ExitStack() as crowds:
        farm.front.log.allow(FAILURES)
        reply = Reply(reset=True) if fault == "reset" else Reply(int(fault), b"")
        farm.answer = lambda number, request: (
            reply if is_bad(request) and ("-all/" in request.target or number == 0) else None
        )
        others = {name: crowds.enter_context(Crowd(farm.front, 6, pages(name), rate=50)) for name in chains}
        time.sleep(0.5)
        for name in chains:
            crowds.enter_context(Crowd(farm.front, 1, (f"/{name}/bad",), network=6, rate=39))
        begun = {name: len(crowd.asked) for name, crowd in others.items()}
        wait_for(
            lambda: all(len(crowd.asked) >= begun[name] + 150 for name, crowd in others.items()),
            30,
            "150 answers of each chain",
        )
        for name, crowd in others.items():
            assert Counter(one.status for one in crowd.asked if one.status != 200) == {}, name

            def counts(crowd=crowd):
                return Counter(one.server for one in crowd.asked[-150:])

            if name.startswith("random"):
                assert all(counts()[server] > at_least(1 / 3, 150) for server in farm.ids), (name, counts())
            # By times a server's share follows the machine's noise, for seconds; in doubt it would get one request a
            # second, four of these.
            wait_for(
                lambda counts=counts: all(counts()[server] > 8 for server in farm.ids),
                30,
                f"all servers to have a share of {name}",
                show=counts,
            )
        farm.nowhere_in_backoff()


def session(backend):
    """Of bySession: the owner's address and port."""
    octets = "".join(f"{int(part):02x}" for part in backend.address.split("."))
    return f"PHPSESSID={octets}-{backend.port:04x}-5f"


def test_no_session_moves(stage):
    """Three requests every 1.5 s that all servers fail, and clients with a session."""
    with Farm(stage, {"app": "bySession\n    Backhand default"}) as farm:
        farm.front.log.allow(FAILURES)
        farm.answer = lambda number, request: Reply(503, b"") if is_bad(request) else None
        how = {"network": 7, "rate": 30, "cookie": lambda _: session(farm.backends[1])}
        with (
            Crowd(farm.front, 1, pages("app"), **how) as reads,
            Crowd(farm.front, 1, pages("app"), method="POST", body=b"x", **how) as posts,
        ):
            for _ in range(3):
                for _ in range(3):
                    assert farm.front.get("/app/bad", source="127.0.6.1").status == 503
                time.sleep(1.5)
        asked = reads.asked + posts.asked
        assert len(asked) > 100 and {(one.status, one.server) for one in asked} == {(200, farm.ids[1])}
        farm.nowhere_in_backoff()


def test_a_server_in_doubt_keeps_its_sessions(stage):
    """All that the chain places freely fails there, but the session's page works."""
    with Farm(stage, {"app": "bySession\n    Backhand default"}) as farm:
        farm.front.log.allow(FAILURES)
        farm.answer = lambda number, request: Reply(503, b"") if number == 1 and request.target != "/app/mine" else None
        with (
            Crowd(farm.front, paths=pages("app"), rate=60) as others,
            Crowd(
                farm.front,
                1,
                ("/app/mine",),
                network=7,
                rate=30,
                method="POST",
                body=b"x",
                cookie=lambda _: session(farm.backends[1]),
            ) as owner,
        ):
            farm.wait_until_avoided((1, "/app/0", others))
            begin = len(owner.asked)
            asked = others.for_requests(90)
            assert {one.status for one in asked} == {200} and shares(asked).get(farm.ids[1], 0) < 0.1
            assert len(owner.asked) > begin + 20
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
    server = stage.httpd(
        CLUSTER_OF_9 + "RequestReadTimeout body=1\n",
        address="127.0.9.2",
        workers=96,
        modules=("reqtimeout",),
        cgi=True,
        files={
            "page": "page",
            "cgi-bin/upload": "#!/bin/sh\ncat >/dev/null\necho Content-Type: text/plain\necho\necho done\n",
        },
    )
    other = stage.httpd(CLUSTER_OF_9, address="127.0.9.3", workers=96, files={"page": "page"})
    front = stage.httpd(
        CLUSTER_OF_9 + "ProxyTimeout 5\n<Location />\nBackhand removeSelf\nBackhand byLoad\n</Location>\n", workers=96
    )
    for one in (server, other, front):
        one.log.allow(FAILURES + "|AH01110|AH01265|AH01382|AH02008|AH00567|AH01095|AH01574|BH0310|BH0407")
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
    """Twelve uploads of one client that a server breaks off after a second: not four seconds without it for
    everybody."""
    with Farm(stage, {"app": "byRandom"}) as farm:
        farm.front.log.allow(FAILURES)
        farm.answer = lambda number, request: Reply(drop=True, delay=1.2) if request.target == "/app/upload" else None
        with Crowd(farm.front, paths=pages("app"), rate=60) as others:
            others.for_requests(20)
            threads = [
                threading.Thread(
                    target=farm.front.get,
                    args=("/app/upload",),
                    kwargs={"method": "POST", "body": b"x" * 100, "source": "127.0.6.1"},
                )
                for _ in range(12)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(10)
            farm.nowhere_in_backoff()
            asked = others.for_requests(60)
        assert set(shares(asked)) == set(farm.ids) and {one.status for one in asked} == {200}


FAILED_CHAINS = {**CHAINS, "load": "byLoad", "log": "byRandom\n    Backhand byLogWindow"}


@pytest.mark.parametrize("clients, count", [(8, 8), (1, 1)], ids=["several", "one client"])
def test_a_server_that_fails_a_whole_chain(stage, clients, count):
    """It gets one request a second of that chain, no POST, and all of its others."""
    with Farm(stage, {**FAILED_CHAINS, "other": "byRandom"}, workers=96) as farm, contextlib.ExitStack() as crowds:
        farm.front.log.allow(FAILURES)
        reads = {
            name: crowds.enter_context(Crowd(farm.front, clients, pages(name, count), rate=40))
            for name in FAILED_CHAINS
        }
        posts = {
            name: crowds.enter_context(
                Crowd(farm.front, clients, pages(name, count), network=7, rate=15, method="POST", body=b"x")
            )
            for name in FAILED_CHAINS
        }
        others = crowds.enter_context(Crowd(farm.front, 6, pages("other"), network=6, rate=80))
        others.for_requests(40)
        farm.answer = lambda number, request: (
            Reply(503, b"") if number == 0 and not request.target.startswith("/other") else None
        )
        farm.wait_until_avoided(*((0, f"/{name}/", reads[name]) for name in FAILED_CHAINS))
        since = Since(farm)
        begun = {name: (len(reads[name].asked), len(posts[name].asked)) for name in FAILED_CHAINS}
        counts = Counter(one.server for one in others.for_requests(200))
        for name, (read, posted) in begun.items():
            asked = reads[name].asked[read:] + posts[name].asked[posted:]
            assert {one.status for one in asked} == {200} and len(asked) > 60, name
            assert not since.at(0, f"/{name}/", "POST"), name
            assert len(since.at(0, f"/{name}/")) <= since.most_probes, name
        assert counts[farm.ids[0]] > at_least(1 / 3, 200), counts
        farm.answer = lambda number, request: None
        for name in ("default", "random", "log"):
            wait_for(
                lambda: shares(reads[name].asked[-40:]).get(farm.ids[0], 0) > 1 / 6,
                30,
                f"{name} to find that it works again",
                show=lambda name=name: shares(reads[name].asked[-40:]),
            )
        farm.nowhere_in_backoff()


def test_two_of_three_fail_everything(stage, mpm):
    """Nobody notices, with POST too."""
    with Farm(stage, {"app": "default"}, mpm=mpm, workers=32) as farm:
        farm.front.log.allow(FAILURES)
        farm.answer = lambda number, request: Reply(503, b"") if number else None
        with (
            Crowd(farm.front, paths=pages("app"), rate=60) as reads,
            Crowd(farm.front, paths=pages("app"), network=7, rate=30, method="POST", body=b"x") as posts,
        ):
            farm.wait_until_avoided((1, "/app/", reads), (2, "/app/", reads))
            since, begun = Since(farm), len(posts.asked)
            asked = reads.for_requests(90)
            assert {one.status for one in asked + posts.asked[begun:]} == {200}
            for number in (1, 2):
                assert len(since.at(number, "/app/")) <= since.most_probes
                assert not since.at(number, "/app/", "POST")


def test_never_more_than_half_for_failing_half(stage):
    """Three of four servers fail three requests of five, in this order: as more than half would be asked last, none
    is."""
    with Farm(stage, {"app": "byRandom"}, servers=4) as farm:
        farm.front.log.allow(FAILURES)
        # Planned, not by page: three failures in a row begin a doubt, and never do four answers in a row end it.
        plans = [itertools.cycle((500, 500, 500, 200, 200)) for _ in farm.ids]
        farm.answer = lambda number, request: (
            Reply(status, b"") if number and (status := next(plans[number])) != 200 else None
        )
        with Crowd(farm.front, 6, pages("app"), rate=120) as crowd:
            crowd.for_requests(200)
            counts = Counter(one.server for one in crowd.for_requests(300))
        assert all(counts[server] > at_least(1 / 4, 300) for server in farm.ids), counts


def test_failing_half_is_asked_last(stage):
    """The same of one server of four."""
    with Farm(stage, {"app": "byRandom"}, servers=4) as farm:
        farm.front.log.allow(FAILURES)
        plan = itertools.cycle((500, 500, 500, 200, 200))
        farm.answer = lambda number, request: (
            Reply(status, b"") if number == 1 and (status := next(plan)) != 200 else None
        )
        with Crowd(farm.front, 6, pages("app"), rate=120) as crowd:
            farm.wait_until_avoided((1, "/app/", crowd))
            since = Since(farm)
            crowd.for_requests(120)
            # Of five that look two are good, after each of which the next looks at once.
            assert len(since.at(1, "/app/")) <= 2 * since.most_probes


def test_errors_and_single_candidates_are_no_evidence(stage):
    """One server is all that a chain has: whatever it fails, it stays as it is for other chains' requests."""
    with Farm(stage, {"app": "default"}, servers=1) as farm:
        farm.front.log.allow(FAILURES)
        farm.answer = lambda number, request: Reply(503, b"") if is_bad(request) else None
        for _ in range(6):
            assert farm.front.get("/app/bad", source="127.0.6.1").status == 503
        assert farm.front.get("/app/good", source="127.0.5.1", method="POST", body=b"x").status == 200
        farm.nowhere_in_backoff()

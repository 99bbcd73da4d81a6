# Licensed under the Apache License, Version 2.0; see LICENSE.
"""BackhandCheck in httpd: the moderator asks the server that it announces."""

import contextlib
import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.announcer import check_passes, row
from harness.client import Client
from harness.crowd import asking
from harness.hosts import Network
from harness.listening import Listener
from harness.namespaces import why_none
from harness.stage import CLUSTER
from harness.wait import wait_for
from Module.test_448_checks import BESIDE_REQUESTS, QUICK, is_busy_and_up, shows
from Module.test_540_drain import ctl

BALANCED = CLUSTER + "Backhand removeSelf\nBackhand byAge 6\nBackhand default\n"
SLOW = {"cgi-bin/slow": "#!/bin/sh\nsleep 0.3\necho Content-Type: text/plain; echo; echo slow\n"}


def break_it(server):
    (server.root / "htdocs/health").unlink()


def mend_it(server):
    server.put("health", "all is well\n")


@pytest.fixture
def pair(stage, mpm):
    """Two servers that check themselves, and a balancer without a check."""
    servers = [
        stage.httpd(
            CLUSTER + f"BackhandCheck /health {QUICK}\nBackhand removeSelf\nBackhand byLoad\n",
            address=f"127.0.0.{number}",
            name=f"server{number}",
            files={"health": "all is well\n"},
            mpm=mpm,
        )
        for number in (2, 3)
    ]
    balancer = stage.httpd(BALANCED, name="balancer", mpm=mpm)
    balancer.knows(*servers)
    return balancer, servers


def test_the_state_is_announced(pair):
    """The check is served here although the chain sends all requests elsewhere, and is not traffic."""
    balancer, (server, other) = pair
    for each in (server, other):
        check_passes(balancer, each.id)
        check_passes(each, each.id)
    arrivals = server.status().json["self"]["arrivals"]
    break_it(server)
    server.log.allow("BH0375|AH00128")
    shows(balancer, server.id, "failing", "check /health: status 404")
    shows(server, server.id, "failing", "check /health: status 404")
    assert [balancer.get("/").text for _ in range(6)] == [other.name + "\n"] * 6
    assert server.log.count(f"BH0375: the application at {server.id} fails the check /health: status 404$") == 1
    mend_it(server)
    shows(balancer, server.id, "up")
    assert server.log.count(f"BH0376: the application at {server.id} passes the check /health again$") == 1
    assert server.status().json["self"]["arrivals"] == arrivals
    assert not any("/health" in line for line in server.access_log())


def test_the_page_and_backhandctl(pair):
    balancer, (server, _) = pair
    break_it(server)
    server.log.allow("BH0375|AH00128")
    shows(balancer, server.id, "failing", "check /health: status 404")
    ran = ctl(balancer, "status")
    line = next(line for line in ran.splitlines() if server.id in line)
    assert "failing" in line and "check /health: status 404" in line


def test_a_stranger_with_the_mark(stage, mpm):
    """Only what this httpd's moderator has made is its check."""
    server = stage.httpd(CLUSTER + "BackhandCheck /health\n", files={"health": "x"}, mpm=mpm)
    for mark in ("", "0" * 32, "0" * 31, "x" * 4000):
        server.get("/health", headers={"Backhand-Check": mark})
    wait_for(lambda: sum("/health" in line for line in server.access_log()) == 4, 5, "four lines")


@pytest.mark.parametrize("line", ["BackhandNoCandidate Unavailable", "BackhandSelfRedirect On"])
def test_checks_pass_where_nothing_else_is_served(stage, mpm, line):
    config = CLUSTER + f"BackhandCheck /health {QUICK}\nBackhand removeSelf\n{line}\n"
    server = stage.httpd(config, files={"health": "x"}, mpm=mpm)
    check_passes(server, server.id)


def test_all_servers_fail(pair):
    """The database is down: no server is left out."""
    balancer, servers = pair
    for server in servers:
        break_it(server)
        server.log.allow("BH0375|BH0377|AH00128")
    balancer.log.allow("BH0377")
    for server in servers:
        shows(balancer, server.id, "failing")
    assert {balancer.get("/").status for _ in range(12)} == {200}
    told = "BH0377: all 2 servers known here that have checks fail them$"
    for httpd in (balancer, *servers):
        wait_for(lambda: httpd.log.count(told), 10, "one line", show=httpd.log.text)
    mend_it(servers[0])
    shows(balancer, servers[0].id, "up")
    break_it(servers[0])
    shows(balancer, servers[0].id, "failing")
    time.sleep(4.5)
    assert [httpd.log.count(told) for httpd in (balancer, *servers)] == [1, 1, 1]


def test_a_restart_forgets_nothing(pair):
    balancer, (server, other) = pair
    break_it(server)
    server.log.allow("BH0375|AH00128")
    shows(balancer, server.id, "failing")
    seen, stop = [], threading.Event()

    def watch():
        while not stop.is_set():
            with contextlib.suppress(OSError, ValueError):
                seen.append(row(balancer, server.id).get("state"))
            time.sleep(0.02)

    watching = threading.Thread(target=watch)
    watching.start()
    old = server.moderator()
    server.restart()
    server.moderator(other_than=old)
    time.sleep(1.5)
    stop.set()
    watching.join()
    assert set(seen) == {"failing"}
    assert server.log.count("BH0375") == 1


def test_a_busy_server_is_not_failing(stage):
    """More requests than it has workers: the check waits with the others, whose answers come."""
    server = stage.httpd(
        CLUSTER + f"BackhandCheck /health {BESIDE_REQUESTS}\nBackhand byLoad\n",
        mpm="prefork",
        workers=3,
        cgi=True,
        files={**SLOW, "health": "x"},
    )
    server.log.always("AH00161|AH00484")
    check_passes(server, server.id)
    with asking(60, lambda: server.get("/cgi-bin/slow", timeout=30)):
        is_busy_and_up(server, server.id)


def test_a_server_that_is_announced_nowhere(stage):
    """Only its virtual host is announced: the main server's application is not asked, at whatever address."""
    config = (
        CLUSTER.replace("MulticastStats", "#")
        + f"BackhandCheck /health {QUICK}\n<VirtualHost *>\nMulticastStats ${{address}}:${{port}} ${{group}},1\n"
        "</VirtualHost>\n"
    )
    server = stage.httpd(config, files={"health": "x"}, address="127.0.0.2")
    wait_for(lambda: row(server, server.id), 10, "its row")
    time.sleep(1)
    assert not server.log.count("BH0375")


def test_virtual_hosts(stage, mpm):
    """All checks of a server must pass, and the reason names the one that does not."""
    hosts = "".join(
        f"<VirtualHost *>\nServerName {name}.test\nDocumentRoot ${{root}}/htdocs/{name}\n"
        f"BackhandCheck /health {QUICK}\n</VirtualHost>\n"
        for name in ("shop", "wiki")
    )
    server = stage.httpd(CLUSTER + hosts, files={"shop/health": "x", "wiki/health": "x"}, mpm=mpm)
    check_passes(server, server.id)
    (server.root / "htdocs/wiki/health").unlink()
    server.log.allow("BH0375|AH00128")
    shows(server, server.id, "failing", "check wiki.test/health: status 404")


def test_requests_that_wait_for_a_dead_application(stage, mpm):
    """Requests that are repeatable get another server once a check has timed out."""
    server = stage.httpd(
        CLUSTER + "BackhandCheck /cgi-bin/health interval=1 timeout=2\n",
        address="127.0.0.2",
        name="server2",
        cgi=True,
        mpm=mpm,
        files={
            "cgi-bin/health": "#!/bin/sh\ntest -e hang && sleep 9\necho Content-Type: text/plain; echo; echo well\n",
            "cgi-bin/slow": "#!/bin/sh\nsleep 9\necho Content-Type: text/plain; echo; echo slow\n",
        },
    )
    balancer = stage.httpd(BALANCED, name="balancer", mpm=mpm)
    other = stage.httpd(
        CLUSTER,
        address="127.0.0.3",
        name="server3",
        mpm=mpm,
        cgi=True,
        files={"cgi-bin/slow": "#!/bin/sh\necho Content-Type: text/plain; echo; echo quick\n"},
    )
    balancer.knows(server, other)
    balancer.log.allow("BH04|AH01102|AH00898")
    server.log.allow("BH0375|AH")
    check_passes(balancer, server.id)
    (server.root / "cgi-bin/hang").touch()
    begin = time.monotonic()
    with contextlib.ExitStack() as clients:
        made = [clients.enter_context(Client(balancer.address, balancer.port)) for _ in range(8)]
        for client in made:
            client.send("/cgi-bin/slow")
        assert {client.receive().body for client in made} == {b"quick\n"}
    assert time.monotonic() - begin < 5


HEALTH = "#!/bin/sh\ntest -e slow && sleep 3\necho Content-Type: text/plain; echo; echo well\n"


@pytest.mark.parametrize("fronts", [1, 2])
def test_a_database_that_is_slow_for_all(stage, fronts):
    """No server answers its checks in time, all answer their requests, and no request is lost. Another front is in the
    table, and is no server of the chain."""
    servers = [
        stage.httpd(
            CLUSTER + "BackhandCheck /cgi-bin/health interval=0.3 timeout=0.5\n",
            address=f"127.0.0.{number}",
            name=f"server{number}",
            cgi=True,
            files={"cgi-bin/health": HEALTH, "cgi-bin/page": HEALTH},
        )
        for number in (2, 3)
    ]
    chain = "BackhandFromSO ${build}/byHostname.so byHostname ^server\nBackhand default\n"
    balancers = [
        stage.httpd(CLUSTER + "Backhand removeSelf\n" + chain, address=f"127.0.0.{5 + number}", name=f"front{number}")
        for number in range(fronts)
    ]
    for each in balancers:
        each.knows(*servers, *(other for other in balancers if other is not each))
        each.log.allow("BH0412|BH0369|BH0377|BH04|AH")
    for server in servers:
        check_passes(balancers[0], server.id)
        server.log.allow("BH0375|BH0377|AH")
        (server.root / "cgi-bin/slow").touch()
    with ThreadPoolExecutor(6) as clients:
        for _ in range(2):
            answers = list(clients.map(lambda _: balancers[0].get("/cgi-bin/page", timeout=30).status, range(6)))
            assert answers == [200] * 6


def test_slow_requests_on_all_workers(stage, mpm):
    """None ends while one check waits, but some do while several wait."""
    server = stage.httpd(
        CLUSTER + "BackhandCheck /health interval=0.2 timeout=0.5 fall=5\n",
        cgi=True,
        files={"health": "x", "cgi-bin/slow": SLOW["cgi-bin/slow"].replace("0.3", "1.2")},
        mpm=mpm,
        workers=2,
    )
    server.log.always("AH00161|AH00484|AH00286")
    check_passes(server, server.id)
    # The first check alone may have been late: the server had just begun.
    server.log.allow("BH0375")
    before = server.log.count("BH0375")
    with asking(6, lambda: server.get("/cgi-bin/slow", timeout=30)):
        time.sleep(6)
    assert server.log.count("BH0375") == before


def test_a_restart_gives_each_check_its_own_state(stage, mpm):
    """The one that has failed works again at once, and the other one, which comes seldom, holds nothing up."""
    hosts = "".join(
        f"<VirtualHost *>\nServerName {name}.test\nDocumentRoot ${{root}}/htdocs/{name}\n"
        f"BackhandCheck /health {times}\n</VirtualHost>\n"
        for name, times in (("shop", "interval=20"), ("wiki", QUICK))
    )
    server = stage.httpd(CLUSTER + hosts, files={"shop/health": "x", "wiki/health": "x"}, mpm=mpm)
    check_passes(server, server.id)
    (server.root / "htdocs/wiki/health").unlink()
    server.log.allow("BH0375|AH00128")
    shows(server, server.id, "failing", "check wiki.test/health: status 404")
    server.restart()
    shows(server, server.id, "failing", "check wiki.test/health: status 404")
    server.put("wiki/health", "x")
    shows(server, server.id, "up")
    assert server.log.count("BH0375") == 1 and server.log.count("BH0376") == 1


def test_a_server_that_stops_does_not_check_itself(stage, mpm):
    """It does not listen any more while it finishes a request."""
    slow = {"cgi-bin/slow": SLOW["cgi-bin/slow"].replace("0.3", "2")}
    server = stage.httpd(CLUSTER + f"BackhandCheck /health {QUICK}\n", cgi=True, mpm=mpm, files={"health": "x"} | slow)
    check_passes(server, server.id)
    with Client(server.address, server.port) as client:
        client.send("/cgi-bin/slow")
        wait_for(lambda: any(one.name == "sleep" for one in server.processes()), 10, "the request to be under way")
        os.kill(server.process.pid, signal.SIGWINCH)
        assert client.receive().body == b"slow\n"
    server.process.wait(timeout=20)
    assert server.log.count("BH0375") == 0


@pytest.mark.skipif(bool(why_none()), reason=why_none() or "")
def test_another_machine_has_the_address(stage):
    """Only this machine learns the mark, and it is of no use to others."""
    asked = []

    def answer(connection):
        with contextlib.suppress(OSError), connection:
            asked.append(connection.recv(4096))

    network = stage.enter(Network())
    stranger, host = network.host("stranger", "10.99.0.5"), network.host("server", "10.99.0.1")
    with stranger.inside():
        listener = Listener(answer, listener=socket.create_server(("10.99.0.5", 80)))
    config = "UnixSocketDir ${sockets}\nMulticastStats 10.99.0.5:80 ${group},1\nAcceptStats 10.99.0.0/24\n"
    server = stage.httpd(config + f"BackhandCheck /health {QUICK}\n", host=host, files={"health": "x"})
    server.log.allow("BH0335|BH0142|BH0143")
    time.sleep(1.5)
    assert asked == []
    assert all(each["check"] == "none" for each in server.status().servers.values())
    listener.close()

# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A server that is silent on a request is waited for; one that shows no other sign of life is left within eight
seconds."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness import hosts
from harness.announce import SHUTDOWN, Announcement
from harness.backend import Reply
from harness.conversation import Server
from harness.endurance import ENDURANCE
from harness.front import announcing
from harness.httpd import MODERATOR
from harness.stage import CLUSTER, CLUSTER_OF_9
from harness.wait import wait_for
from harness.websocket import TEXT, WebSocket, accept_key, frame, header

# Seconds that a report, a long poll, a byte of a stream and an upload take: longer than a server without announcements
# is waited for.
REPORT, POLL, PAUSE, UPLOAD = (45, 50, 45, 120) if ENDURANCE else (9, 9, 9, 9)
# A server that is gone is left within this, and what a machine that does other things too adds.
LEFT, SLACK = 8, 1.5

CHAIN = CLUSTER_OF_9 + "Backhand removeSelf\nBackhand byLoad\n"
FAILED = r"AH01102|AH01110|AH01114|AH00957|AH00898|AH10153|AH10034|AH03"


def timed(ask):
    """The answer, and how many seconds it took."""
    begin = time.monotonic()
    answer = ask()
    return answer, time.monotonic() - begin


@pytest.fixture
def pair(stage, mpm):
    """A server that is silent for long, and another one behind it."""
    silent = stage.backend(
        "127.0.9.2", reply=lambda request: Reply(body=b"report", delay=REPORT if "report" in request.target else 30)
    )
    other = stage.backend("127.0.9.3")
    front = stage.httpd(CHAIN, mpm=mpm)
    front.log.allow(FAILED)
    return front, silent, other


def test_a_report_runs_once(stage, pair):
    front, silent, other = pair
    with announcing(
        stage,
        front,
        Announcement(silent.address, silent.port, load=0),
        Announcement(other.address, other.port, load=9000),
    ):
        with ThreadPoolExecutor(2) as threads:
            asked = [
                threads.submit(timed, lambda method=method: front.get("/report", method=method, timeout=90))
                for method in ("GET", "POST")
            ]
        for answer, took in (each.result() for each in asked):
            assert (answer.status, answer.text) == (200, "report") and took >= REPORT
    assert (len(silent.requests), len(other.requests)) == (2, 0)
    row = front.status().servers[silent.id]
    assert (row["failed"], row["backoff_ms"]) == (0, 0)


def test_without_announcements_it_is_left(stage, pair):
    front, silent, other = pair
    alive = Announcement(other.address, other.port, load=9000)
    front.log.expect("BH0412")
    with announcing(stage, front, alive), ThreadPoolExecutor(2) as threads:
        stage.plant(front, Announcement(silent.address, silent.port, load=0))
        get, post = (
            threads.submit(timed, lambda method=method: front.get("/", method=method, timeout=40))
            for method in ("GET", "POST")
        )
        (answer, took), (refusal, waited) = get.result(), post.result()
    assert (answer.status, answer.text) == (200, other.id) and 5 < took < LEFT + SLACK
    assert refusal.status == 504 and 5 < waited < LEFT + SLACK
    assert sorted(request.method for request in silent.requests) == ["GET", "POST"]
    assert [request.method for request in other.requests] == ["GET"]
    # The table says that it is gone, not a client: it is as one that refuses.
    assert front.status().servers[silent.id]["refused"] == 1


def test_one_that_leaves_may_finish(stage, mpm):
    """Repeatable requests go elsewhere; others end in peace."""
    leaving = stage.backend("127.0.9.2", reply=lambda request: Reply(body=b"finished", delay=10))
    other = stage.backend("127.0.9.3")
    front = stage.httpd(CHAIN, mpm=mpm)
    front.log.allow(FAILED + "|BH0412")
    gone = Announcement(leaving.address, leaving.port, load=0)
    stage.plant(front, gone)
    with announcing(stage, front, Announcement(other.address, other.port, load=9000)), ThreadPoolExecutor(2) as threads:
        post = threads.submit(timed, lambda: front.get("/", method="POST", timeout=40))
        get = threads.submit(timed, lambda: front.get("/", timeout=40))
        wait_for(lambda: len(leaving.requests) == 2, 5, "both requests")
        stage.plant(front, gone.with_(state=SHUTDOWN))
        (answer, took), (finished, _) = get.result(), post.result()
    assert (answer.status, answer.text) == (200, other.id) and took < LEFT + SLACK
    assert (finished.status, finished.text) == (200, "finished")


def test_one_whose_port_refuses(stage):
    """It announces still, and the connection is open: only its port tells."""
    held = []
    server = Server(lambda connection, stream, head: held.append(connection) or time.sleep(20))
    other = stage.backend("127.0.9.3")
    front = stage.httpd(CHAIN)
    front.log.allow(FAILED + "|BH0412")
    with (
        announcing(
            stage,
            front,
            Announcement(server.address, server.port, load=0),
            Announcement(other.address, other.port, load=9000),
        ),
        ThreadPoolExecutor(1) as threads,
    ):
        get = threads.submit(timed, lambda: front.get("/", timeout=40))
        wait_for(lambda: held, 5, "the request")
        server.close()
        answer, took = get.result()
    assert (answer.status, answer.text) == (200, other.id) and took < LEFT + SLACK


def test_a_large_body_that_nobody_reads(stage, mpm):
    """The write waits, not the read."""
    server, other = Server(lambda connection, stream, head: time.sleep(20), "127.0.9.2"), stage.backend("127.0.9.3")
    front = stage.httpd(CHAIN, mpm=mpm)
    front.log.allow(FAILED + "|BH0412|AH")
    with announcing(stage, front, Announcement(other.address, other.port, load=9000)):
        stage.plant(front, Announcement(server.address, server.port, load=0))
        answer, took = timed(lambda: front.get("/", method="POST", body=bytes(30_000_000), timeout=40))
    server.close()
    assert answer.status == 504 and 5 < took < LEFT + SLACK
    assert other.requests == []


@pytest.mark.parametrize("with_moderator", [True, False], ids=["with its moderator", "but not its moderator"])
@pytest.mark.parametrize("forward", ["http", "h2c"])
def test_a_stopped_server(stage, mpm, forward, with_moderator):
    """SIGSTOP: the kernel accepts connections for it, and announcements may go on."""
    modules, protocols = (("http2", "proxy_http2"), "Protocols h2c http/1.1\n") if forward == "h2c" else ((), "")
    front = stage.httpd(
        CLUSTER + f"BackhandScheme {forward}\nBackhand removeSelf\nBackhand byRandom\n",
        mpm=mpm,
        modules=modules,
        name="front",
        workers=28,
    )
    servers = [
        stage.httpd(
            CLUSTER + protocols, address=f"127.0.0.{number}", mpm="event", modules=modules, name=f"server{number}"
        )
        for number in (2, 3)
    ]
    front.knows(*servers)
    front.log.allow(FAILED + "|BH0412")
    stopped, other = servers
    # It may not have heard the front yet.
    other.log.always("BH0432")
    stopped.pause(but_not=None if with_moderator else MODERATOR)
    # That none goes to the stopped one happens once in seventeen million times.
    with ThreadPoolExecutor(24) as threads:
        answers = list(threads.map(lambda _: timed(lambda: front.get("/", timeout=40)), range(24)))
    stopped.resume()
    assert {(answer.status, answer.text) for answer, _ in answers} == {(200, other.name + "\n")} or {
        answer.status for answer, _ in answers
    } == {200}
    assert max(took for _, took in answers) < LEFT + SLACK
    assert max(took for _, took in answers) > 1, "none went to the stopped one"


def busiest(front, servers):
    """The place of the server that has most requests: a random choice may have left another without any."""
    rows = front.status().servers
    return max(range(len(servers)), key=lambda place: rows[servers[place].id]["in_flight"])


@pytest.mark.skipif(hosts.why_not() is not None, reason="needs network namespaces")
def test_a_host_without_a_cable(stage):
    """Nothing comes back from it, no packet even."""
    network = stage.enter(hosts.Network())
    machines = [network.host(name, f"10.99.0.{number}") for number, name in enumerate(("front", "one", "two"), 1)]
    config = CLUSTER.replace("127.0.0.0/8", "10.99.0.0/24")
    slow = {"cgi-bin/slow": "#!/bin/sh\nsleep 3\necho Content-Type: text/plain; echo; echo $SERVER_ADDR\n"}
    front = stage.httpd(config + "Backhand removeSelf\nBackhand byRandom\n", host=machines[0], name="front", cgi=True)
    servers = [
        stage.httpd(config, host=machine, cgi=True, files=slow, name=f"server{number}")
        for number, machine in enumerate(machines[1:])
    ]
    front.knows(*servers)
    front.log.allow(FAILED + "|BH0412")

    def ask():
        with machines[0].inside():
            return timed(lambda: front.get("/cgi-bin/slow", timeout=40))

    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(ask) for _ in range(8)]
        ids = [server.id for server in servers]
        wait_for(lambda: sum(front.status().servers[one]["in_flight"] for one in ids) == 8, 3, "all at the servers")
        with network.cut(machines[1 + busiest(front, servers)]):
            answers = [each.result() for each in asked]
    assert {answer.status for answer, _ in answers} == {200}
    assert 4 < max(took for _, took in answers) < LEFT + 3 + SLACK  # the other one's sleep


@pytest.mark.skipif(hosts.why_not() is not None, reason="needs network namespaces")
@pytest.mark.parametrize("threads", [20, 4], ids=["a thread for each request", "requests wait without a thread"])
def test_a_host_that_only_announces(stage, threads):
    """The kernel's probes of the connection fail: a firewall drops all TCP of the server, and no announcement."""
    network = stage.enter(hosts.Network())
    machines = [network.host(name, f"10.99.0.{number}") for number, name in enumerate(("front", "one", "two"), 1)]
    config = CLUSTER.replace("127.0.0.0/8", "10.99.0.0/24")
    slow = {"cgi-bin/slow": "#!/bin/sh\nsleep 3\necho Content-Type: text/plain; echo; echo $SERVER_ADDR\n"}
    front = stage.httpd(
        config + "AsyncRequestWorkerFactor 20\nBackhandConnectionPools Off\nBackhand removeSelf\nBackhand byRandom\n",
        host=machines[0],
        name="front",
        workers=threads,
        children=1,
        mpm="event",
    )
    front.log.always("AH00484")
    servers = [
        stage.httpd(config, host=machine, cgi=True, files=slow, name=f"server{number}")
        for number, machine in enumerate(machines[1:])
    ]
    front.knows(*servers)
    front.log.allow(FAILED + "|BH0412")

    def ask():
        with machines[0].inside():
            return timed(lambda: front.get("/cgi-bin/slow", timeout=40))

    def both_asked():
        """The first request to each server holds its thread."""
        front.get("/")
        return all(front.status().servers[server.id]["served"] for server in servers)

    with machines[0].inside():
        wait_for(both_asked, 10, "a request to each server")
    with ThreadPoolExecutor(8) as clients:
        asked = [clients.submit(ask) for _ in range(8)]
        ids = [server.id for server in servers]
        wait_for(lambda: sum(front.status().servers[one]["in_flight"] for one in ids) == 8, 3, "all at the servers")
        with network.mute(machines[1 + busiest(front, servers)], "meta l4proto tcp"):
            answers = [each.result() for each in asked]
    assert {answer.status for answer, _ in answers} == {200}
    # Requests that take another server hold their threads there, so that others find one three seconds later.
    assert 4 < max(took for _, took in answers) < LEFT + 7
    assert front.log.count("AH00957") == 0, "no connection is made again"
    assert ("without a thread" in front.log.text()) == (threads == 4)


# ---- Silence in the middle, and of the client ----


def stream(connection, _, head):
    """An event each PAUSE seconds."""
    if "/events" not in head:
        return False
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 2\r\n\r\n")
    for byte in (b"a", b"b"):
        time.sleep(PAUSE)
        connection.sendall(byte)
    return True


def test_a_stream_a_poll_and_an_upload(stage, mpm):
    events, poll = (
        Server(stream, "127.0.9.2"),
        stage.backend("127.0.9.3", reply=lambda request: Reply(body=request.body, delay=POLL)),
    )
    fronts = [stage.httpd(CHAIN, mpm=mpm, group=stage.new_group(), name=f"front{number}") for number in range(2)]
    for front in fronts:
        front.log.allow("AH")
    with (
        announcing(stage, fronts[0], Announcement(events.address, events.port)),
        announcing(stage, fronts[1], Announcement(poll.address, poll.port)),
        ThreadPoolExecutor(3) as threads,
    ):

        def upload():
            body = bytes(1000)
            with socket.create_connection((fronts[1].address, fronts[1].port), timeout=UPLOAD + POLL + 30) as client:
                client.sendall(
                    f"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                )
                for start in range(0, len(body), 100):
                    time.sleep(UPLOAD / 10)
                    client.sendall(body[start : start + 100])
                return b"".join(iter(lambda: client.recv(65536), b""))

        got = threads.submit(lambda: fronts[0].get("/events", timeout=2 * PAUSE + 30))
        polled = threads.submit(lambda: fronts[1].get("/poll", timeout=POLL + 30))
        uploaded = threads.submit(upload)
        assert (got.result().status, got.result().text) == (200, "ab")
        assert polled.result().status == 200
        assert uploaded.result().startswith(b"HTTP/1.1 200") and uploaded.result().endswith(bytes(1000))
    assert len(poll.requests) == 2
    events.close()


def talk(socket, seconds):
    """Says something twice a second; returns after how many seconds the tunnel ended, None if it did not."""
    begin = time.monotonic()
    socket.connection.settimeout(0.5)
    while time.monotonic() - begin < seconds:
        try:
            socket.connection.sendall(frame(TEXT, b"ping", masked=True))
            if not socket.connection.recv(100):
                return time.monotonic() - begin
        except TimeoutError:
            continue
        except OSError:
            return time.monotonic() - begin
    return None


def test_tunnels(stage, mpm):
    """A client that goes on talking keeps no tunnel to a server that is gone, and the handshake is not repeated; one to
    a server that only has nothing to say stays."""
    end, handshakes = threading.Event(), []

    def listen(connection, stream, head):
        handshakes.append(head)
        connection.sendall(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept_key(header(head, 'Sec-WebSocket-Key'))}\r\n\r\n".encode()
        )
        end.wait(60)

    gone, quiet = Server(listen, "127.0.9.2"), Server(listen, "127.0.9.3")
    front = stage.httpd(
        CHAIN + "<Location /quiet>\nBackhand byLogWindow\nBackhand byBusyChildren\n</Location>\nTimeout 60\n", mpm=mpm
    )
    front.log.allow(FAILED + "|AH03307|AH03308")
    front.log.expect(r"BH0412: http://127.0.9.2:\d+ is silent")
    stage.plant(front, Announcement(gone.address, gone.port, load=9000))
    to_gone = WebSocket(front)
    with announcing(stage, front, Announcement(quiet.address, quiet.port, load=0)), ThreadPoolExecutor() as pool:
        to_quiet = WebSocket(front)
        held = pool.submit(talk, to_gone, 20)
        assert talk(to_quiet, 14) is None
        assert 5 < held.result() < 15
    assert len(handshakes) == 2
    end.set()
    to_gone.leave()
    to_quiet.leave()
    for server in (gone, quiet):
        server.close()

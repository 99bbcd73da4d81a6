# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Under event, a request waits for its server without a thread where threads are scarce."""

import contextlib
import re
import signal
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.apxs import compiled
from harness.backend import Reply
from harness.certificates import Authority
from harness.client import Client, raw
from harness.front import front_of, idle, kept, row
from harness.stage import CLUSTER_OF_9
from harness.wait import wait_for

# What mod_proxy writes of a server that does not answer.
FAILED = r"AH01102|AH00898|BH0408"


# More than the sockets of a server and a client hold.
LARGE = 12_000_000

# The requests that hold threads may end.
released = threading.Event()


def slow(request):
    """Answers with the target, after the milliseconds that it ends with; /drop, /cut: not, or in part.

    Where requests shall wait, these are at least 600: an answer that is there when httpd looks is not waited for.
    """
    if request.target == "/held":
        released.wait(30)
        return Reply()
    words = request.target.strip("/").split("/")
    delay = int(words[-1]) / 1000
    if words[0] == "drop":
        return Reply(drop=True, delay=delay)
    if words[0] == "cut":
        return Reply(body=b"x" * 100, cut=10, delay=delay)
    if words[0] == "large":
        return Reply(body=b"y" * LARGE, delay=delay)
    return Reply(body=request.target.encode(), delay=delay)


@contextlib.contextmanager
def busy(front, server, threads):
    """Requests with bodies hold threads meanwhile."""
    released.clear()
    before = len(server.requests)
    holding = [Client(front.address, front.port) for _ in range(threads)]
    for client in holding:
        client.send("/held", method="POST", body=b"body")
    wait_for(lambda: len(server.requests) == before + threads, 5, "threads to be held")
    try:
        yield
    finally:
        released.set()
        for client in holding:
            client.close()


def scarce_front(stage, *servers, **how):
    """A front of four threads, which takes more connections."""
    made = front_of(
        stage, *servers, workers=4, children=1, config="AsyncRequestWorkerFactor 20\n" + how.pop("config", ""), **how
    )
    made.log.always("AH00484")
    return made


def waited(front):
    """How many requests waited without a thread."""
    return front.log.text().count("without a thread")


@pytest.fixture
def scarce(stage):
    """A server, and a front of four threads, two of which are held."""
    server = stage.backend("127.0.9.2", reply=slow)
    front = scarce_front(stage, server, config="BackhandRetries 0\n")
    with busy(front, server, 2):
        yield front, server


def at_once(front, paths):
    """The answers, and seconds that all took."""
    with ThreadPoolExecutor(len(paths)) as threads:
        begin = time.monotonic()
        answers = list(threads.map(lambda path: front.get(path, timeout=30), paths))
        return answers, time.monotonic() - begin


def test_more_requests_than_threads(scarce):
    front, server = scarce
    paths = [f"/{number}/600" for number in range(16)]
    answers, took = at_once(front, paths)
    assert [(answer.status, answer.text) for answer in answers] == [(200, path) for path in paths]
    assert took < 4, "with two threads, eight times 0.6"
    assert waited(front) >= 14
    assert len(server.requests) == 18, "each request is sent once"
    wait_for(lambda: row(front, server)["in_flight"] == 2, 5, "only those held")


def test_requests_that_come_at_once(stage):
    """At most half of the threads wait for an answer; the others take the next requests."""
    server = stage.backend("127.0.9.2", reply=slow)
    front = scarce_front(stage, server)
    front.get("/0")  # the first request to a server holds its thread
    for _ in range(3):
        _, took = at_once(front, [f"/{number}/1200" for number in range(4)] * 3)
        assert took < 3.4, "with a thread for each, three times 1.2"
    # Two of each round hold their threads. So do the last ones, if they come when those two have ended.
    assert waited(front) >= 20


def test_none_waits_so_while_threads_are_idle(stage):
    server = stage.backend("127.0.9.2", reply=slow)
    front = front_of(stage, server, workers=8, children=1)
    front.log.always("AH00484")
    at_once(front, ["/300"] * 3)
    assert waited(front) == 0


@pytest.mark.parametrize("name", ["proxy-nokeepalive", "force-proxy-request-1.0", "proxy-initial-not-pooled"])
def test_requests_without_a_kept_connection_hold_their_threads(stage, name):
    server = stage.backend("127.0.9.2", reply=slow)
    front = scarce_front(stage, server, config=f"BackhandRetries 0\nSetEnv {name} 1\n", modules=["env"])
    with busy(front, server, 2):
        assert [front.get("/600").text for _ in range(3)] == ["/600"] * 3
        assert waited(front) == 0


@pytest.mark.parametrize(
    "word,modules,waits",
    [
        ("Off", [], False),
        ("Auto", [], True),
        # Requests may hold all connections to the database while they wait, and all threads may wait for one.
        ("Auto", ["dbd"], False),
        ("On", ["dbd"], True),
    ],
)
def test_the_directive(stage, word, modules, waits):
    server = stage.backend("127.0.9.2", reply=slow)
    front = scarce_front(stage, server, config=f"BackhandAsync {word}\n", modules=modules)
    assert front.log.count("BackhandAsync Auto means Off.* mod_dbd.c") == len(modules)
    with busy(front, server, 2):
        front.get("/600")
        assert waited(front) == waits


def test_no_thread_is_idle_for_longer_than_timeout(stage):
    """The MPM closes the connections of requests that wait, which get their answers before."""
    server = stage.backend("127.0.9.2", reply=slow)
    front = scarce_front(stage, server, config="BackhandRetries 0\nTimeout 3\nProxyTimeout 20\n")
    paths = ["/a/1000", "/b/4500"]
    with (
        busy(front, server, 2),
        ThreadPoolExecutor(2) as threads,
        Client(front.address, front.port) as reads_late,
    ):
        asked = [threads.submit(front.get, path, timeout=30) for path in paths]
        reads_late.send("/large/1000")
        wait_for(lambda: len(server.requests) == 5 and waited(front) == 3, 5, "the requests to wait")
        holding = [Client(front.address, front.port) for _ in range(2)]
        for client in holding:
            client.send("/held", method="POST", body=b"body")
        wait_for(lambda: len(server.requests) == 7, 5, "all threads to be held")
        time.sleep(3.6)
        released.set()
        time.sleep(2.5)
        assert reads_late.receive().body == b"y" * LARGE
        assert [one.result().text for one in asked] == paths
        for client in holding:
            client.close()


@pytest.mark.parametrize("kind", ["prefork", "worker"])
def test_other_mpms_hold_their_threads(stage, kind):
    server = stage.backend("127.0.9.2", reply=slow)
    front = front_of(stage, server, workers=4, children=1, mpm=kind)
    front.log.always("AH00484|AH00161|AH00286")
    at_once(front, ["/300"] * 4)
    assert waited(front) == 0


def test_kept_and_pipelined_requests(scarce):
    front, _ = scarce
    with Client(front.address, front.port) as client:
        for number in range(3):
            assert client.request(f"/{number}/600").text == f"/{number}/600"
    lines = "".join(f"GET /{n}/600 HTTP/1.1\r\nHost: a\r\n\r\n" for n in range(3))
    said = raw(
        front.address, front.port, (lines + "GET /3/600 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").encode()
    )
    assert re.findall(rb"/\d/600", said) == [b"/%d/600" % n for n in range(4)]
    assert waited(front) >= 4


def test_head_and_large_answers(scarce):
    front, _ = scarce
    head = front.get("/900", method="HEAD")
    assert (head.status, head.body, head.header("Content-Length")) == (200, b"", "4")
    assert front.get("/large/900").body == b"y" * LARGE
    assert waited(front) == 2


def test_connections_are_kept(scarce):
    front, server = scarce
    before = server.connections
    for _ in range(5):
        front.get("/600")
    assert waited(front) == 5
    # A server that does not announce its cost: one connection, where none is held.
    assert server.connections - before <= 5
    assert kept(front, server) <= 1


def test_no_more_idle_connections_are_kept_than_there_are_threads(stage):
    server = stage.backend("127.0.9.2", reply=slow)
    front = scarce_front(stage, server, config="BackhandRetries 0\nBackhandConnectionPools On\n")
    with busy(front, server, 2):
        at_once(front, [f"/{number}/1500" for number in range(16)])
        assert waited(front) >= 14 and server.connections >= 12
    # and a thread each whose request has not waited so
    wait_for(lambda: server.open <= 8, 5, "connections to be closed", show=lambda: server.open)


def test_idle_threads_of_a_full_child_are_not_announced(stage):
    """The child takes no new connection, so that they have nothing to do."""
    server = stage.backend("127.0.9.2", reply=slow)
    front = front_of(stage, server, workers=4, children=1, config="AsyncRequestWorkerFactor 1\n")
    front.log.always("AH00484|BH0310")
    other = stage.httpd(CLUSTER_OF_9.replace("127.0.9.0/24", "127.0.0.0/16"), group=front.group)
    other.knows(front)
    with busy(front, server, 2):
        clients = [Client(front.address, front.port) for _ in range(5)]
        for client in clients:
            client.send("/3500")
        wait_for(lambda: row(other, front)["workers_idle"] == 0, 5, "no idle worker")
        # Of a server without workers, it is not known how many connections may be kept.
        assert row(other, front)["workers"] == 4
        assert waited(front) >= 3
    wait_for(lambda: row(other, front)["workers_idle"] == 4, 9, "idle workers")
    for client in clients:
        client.close()


# A module that has a connection for itself, and calls httpd's processing of a request.
SERVES = """
#include "httpd.h"
#include "http_config.h"
#include "http_connection.h"
#include "http_request.h"
#include "http_protocol.h"
static int serve(conn_rec *c) {
    request_rec *r = ap_read_request(c);
    if (r) ap_process_request(r);
    c->cs->state = CONN_STATE_LINGER;
    return OK;
}
static void hooks(apr_pool_t *pool) { ap_hook_process_connection(serve, NULL, NULL, APR_HOOK_MIDDLE); }
AP_DECLARE_MODULE(serves) = {STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, hooks, 0};
"""


def test_a_module_that_serves_connections_itself(stage):
    server = stage.backend("127.0.9.2", reply=slow)
    library = compiled(stage.folder, "mod_serves", SERVES)
    front = scarce_front(stage, server, config=f"LoadModule serves_module {library}\nBackhandAsync On\n")
    with busy(front, server, 2):
        assert front.get("/100", timeout=5).text == "/100"
    assert waited(front) == 0


def test_a_server_that_ends_the_connection(scarce):
    front, _ = scarce
    front.log.allow(FAILED)
    answer = front.get("/drop/900")
    assert answer.status == 503 and waited(front) == 1
    assert front.get("/100").text == "/100"


def test_a_server_that_breaks_off(scarce):
    front, _ = scarce
    front.log.allow("AH01110")
    said = raw(front.address, front.port, b"GET /cut/900 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert b"xxxxxxxxxx" in said and waited(front) == 1


def test_another_server_takes_it(stage):
    server, other = stage.backend("127.0.9.2", reply=slow), stage.backend("127.0.9.3")
    front = scarce_front(stage, server, other)
    front.log.allow(FAILED)
    with busy(front, server, 2):
        assert front.get("/drop/900").text == other.id
        assert waited(front) == 1
        idle(front, other)
        assert row(front, server)["in_flight"] == 2


@pytest.mark.parametrize("directory_walk", ["On", "Off"])
def test_it_is_served_here_after_all(stage, directory_walk):
    server = stage.backend("127.0.9.2", reply=slow)
    chain = CLUSTER_OF_9 + f"<Location />\nBackhandDirectoryWalk {directory_walk}\nBackhand byLoad\n</Location>\n"
    front = scarce_front(stage, server, chain=chain, files={"drop/900": "here"})
    front.log.allow(FAILED)
    with busy(front, server, 2):
        answer = front.get("/drop/900")
        assert (answer.status, answer.text, waited(front)) == (200, "here", 1)
        assert front.logged("drop").endswith(f"action=local server={front.id}")


def test_error_documents(stage):
    server = stage.backend("127.0.9.2", reply=slow)
    chain = CLUSTER_OF_9 + "BackhandRetries 0\n<Location />\nBackhand removeSelf\n</Location>\n"
    front = scarce_front(stage, server, chain=chain + 'ErrorDocument 503 "sorry"\n')
    front.log.allow(FAILED)
    with busy(front, server, 2), Client(front.address, front.port) as client:
        answer = client.request("/drop/900")
        assert (answer.status, answer.text, waited(front)) == (503, "sorry", 1)
        assert client.request("/100").text == "/100"


@pytest.mark.parametrize("line", ["ProxyTimeout 2", "Timeout 3"])
def test_time_is_up(stage, line):
    server = stage.backend("127.0.9.2", reply=slow)
    front = scarce_front(stage, server, config=f"BackhandRetries 0\n{line}\n")
    front.log.allow(FAILED)
    with busy(front, server, 2), Client(front.address, front.port) as client:
        begin = time.monotonic()
        answer = client.request("/9000")
        assert answer.status == 503 and waited(front) == 1
        assert -0.9 < time.monotonic() - begin - int(line[-1]) < 3, "before the server's answer"
        assert client.request("/100").text == "/100"
    idle(front, server, 9)


def test_longer_than_a_second(scarce):
    front, _ = scarce
    assert front.get("/2500").text == "/2500"
    assert waited(front) == 1


def in_flight(front, server, path, count):
    """Clients whose requests are under way, beside the two that hold threads."""
    clients = [Client(front.address, front.port) for _ in range(count)]
    for client in clients:
        client.send(path)
    wait_for(lambda: row(front, server)["in_flight"] == count + 2, 5, "all in flight")
    return clients


def test_a_client_that_leaves(scarce):
    front, server = scarce
    clients = in_flight(front, server, "/3500", 5)
    for client in clients:
        client.close()
    wait_for(lambda: row(front, server)["in_flight"] == 2, 5, "those held")
    assert front.get("/100").text == "/100"
    assert waited(front) >= 6


@pytest.mark.parametrize("how", [signal.SIGUSR1, signal.SIGWINCH])
def test_a_graceful_restart_or_stop_loses_none(stage, how):
    server = stage.backend("127.0.9.2", reply=slow)
    front = scarce_front(stage, server)
    with busy(front, server, 2), ThreadPoolExecutor(6) as threads:
        asked = [threads.submit(front.get, f"/{n}/3000") for n in range(6)]
        wait_for(lambda: len(server.requests) == 8, 5, "the requests")
        front.process.send_signal(how)
        assert [one.result().text for one in asked] == [f"/{n}/3000" for n in range(6)]
    assert waited(front) >= 5


@pytest.mark.parametrize("how", [signal.SIGUSR1, signal.SIGWINCH])
def test_the_last_request_of_a_child_that_ends(stage, how):
    """The child ends the threads that it does not need, and not the last one."""
    server = stage.backend("127.0.9.2", reply=slow)
    front = front_of(stage, server, workers=16, children=1)
    front.log.always("AH00484")
    with ThreadPoolExecutor(1) as threads:
        with busy(front, server, 9):
            asked = threads.submit(front.get, "/3000")
            wait_for(lambda: waited(front) == 1, 5, "the request to wait")
        wait_for(lambda: row(front, server)["in_flight"] == 1, 5, "the others to end")
        front.process.send_signal(how)
        assert asked.result().text == "/3000"


def test_clients_over_tls(stage):
    server = stage.backend("127.0.9.2", reply=slow)
    certificate = Authority(stage.folder).sign("shop.test")
    front = scarce_front(stage, server, modules=["ssl"], config=certificate.server)
    front.log.always("AH01873|AH01909|AH02008")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def ask(path):
        with (
            socket.create_connection((front.address, front.port), 10) as plain,
            context.wrap_socket(plain) as secure,
            secure.makefile("rb") as stream,
        ):
            for _ in range(2):
                secure.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path)
                while stream.readline().strip():
                    pass
                assert stream.read(len(path)) == path

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(ask, [b"/a/1000", b"/b/1000", b"/c/1000"]))
    assert waited(front) >= 1


def test_bodies_hold_a_thread(scarce):
    front, _ = scarce
    assert front.get("/1", method="POST", body=b"x").status == 200
    assert waited(front) == 0


def test_all_counts_are_given_back(scarce):
    front, server = scarce
    front.log.allow(FAILED)
    at_once(front, ["/100", "/drop/100", "/large/50", "/0"] * 8)
    wait_for(lambda: row(front, server)["in_flight"] == 2, 5, "those held")
    wait_for(lambda: server.open <= 3, 5, "connections to be closed", show=lambda: server.open)


def test_an_end_at_once(scarce):
    """mod_proxy's workers do not go while requests wait."""
    front, server = scarce
    clients = in_flight(front, server, "/3500", 4)
    released.set()
    front.stop()
    for client in clients:
        client.close()
    assert "Assertion" not in front.log.text() and "signal" not in front.log.text()
    assert waited(front) >= 4

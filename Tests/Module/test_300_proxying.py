# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What arrives at the chosen server is what the client sent, and the answer comes back whole."""

import hashlib
import http.client
import os
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness import client
from harness.announce import KEEPS, Announcement
from harness.backend import Reply
from harness.certificates import Authority
from harness.stage import CLUSTER_OF_9
from harness.wait import wait_for

CONFIG = (
    CLUSTER_OF_9
    + """
AllowEncodedSlashes NoDecode
BackhandTrace On
Backhand removeSelf
Backhand byLoad
<Location /here>
    Backhand off
</Location>
"""
)


def reply(request):
    path = request.target.partition("?")[0]
    if path.startswith("/status/"):
        status = int(path.rpartition("/")[2])
        return Reply(status, b"" if status in (204, 304) else b"own page", {"X-Own": "1", "Retry-After": "77"})
    if path == "/cookies":
        return Reply(200, b"", {"Set-Cookie": "a=1", "X-Empty": "", "Location": "http://elsewhere.test/"})
    if path == "/large":
        return Reply(200, b"0123456789abcdef" * 65536)
    if path == "/slow":
        return Reply(200, b"slow", delay=3.0)
    return Reply(200, hashlib.sha256(request.body).hexdigest().encode())


def ended(front, server):
    """The server's row, when none of its requests is under way: a client has the answer before the request ends."""
    return wait_for(
        lambda: (row := front.status().servers[server.id])["in_flight"] == 0 and row,
        5,
        "nothing in flight",
        show=front.show_status,
    )


class Pair:
    """A front that sends everything to one backend."""

    def __init__(self, stage, mpm):
        self.backend = stage.backend("127.0.9.2", reply=reply)
        self.front = stage.httpd(CONFIG, mpm=mpm, files={"here/page": "here"})
        # Its connections are kept, however long this machine takes between two requests.
        stage.plant(self.front, Announcement(self.backend.address, self.backend.port, idle_cost=KEEPS))

    def send(self, path="/", **how):
        """Returns the answer and what the backend got."""
        before = len(self.backend.requests)
        answer = self.front.get(path, **how)
        requests = self.backend.requests[before:]
        assert len(requests) == 1, (answer, requests)
        return answer, requests[0]


@pytest.fixture(scope="module")
def pair(mpm_stage, module_mpm):
    return Pair(mpm_stage, module_mpm)


def test_trace_and_log(pair):
    answer, _ = pair.send("/for-the-log")
    assert (
        answer.header("Backhand-Trace").partition(" why=")[0]
        == f"action=proxy server={pair.backend.id} chain=removeSelf:2>1,byLoad:1"
    )
    assert answer.header("X-Server") == pair.backend.id
    assert pair.front.logged("for-the-log").endswith(f"action=proxy server={pair.backend.id}")


def test_what_no_chain_touches_stays_here(pair):
    before = len(pair.backend.requests)
    answer = pair.front.get("/here/page")
    assert (answer.body, answer.trace, len(pair.backend.requests)) == (b"here", None, before)


@pytest.mark.parametrize(
    "path",
    [
        "/plain",
        "/?",
        "/?a=b",
        "/page?",
        "/page?a=%20b&c=%2F&d=+",
        "/page??",
        "/page?a?b",
        "/a%2Fb",
        "/a%2fb",
        "/a%20b",
        "/a%C3%A9b",
        "/a;b=1/c",
        "//a//b",
        "/a//b/",
        "/a%3Fb",
        "/a%23b",
        "/a%25b",
        "/a%3Bb",
        "/a%7Eb/~",
        "/a:b@c",
        "/a+b,c!d*e'(f)",
        "/%61",
        "/a|b",
        "/a[b]",
        "/a/./b",
        "/a/%2e%2e/b",
    ],
)
def test_path_and_query_arrive_exactly(pair, path):
    _, request = pair.send(path)
    assert request.target == path


@pytest.mark.parametrize("path", ["/a%2Fb?c=%20", "/a%20b", "/a%25b%3Fc", "/a%0d%0aX-Injected:%20y", "/a/./b//../c"])
def test_absolute_request_target(pair, path):
    before = len(pair.backend.requests)
    text = pair.front.raw(
        f"GET http://{pair.front.id}{path} HTTP/1.1\r\nHost: {pair.front.id}\r\nConnection: close\r\n\r\n".encode()
    )
    assert text.startswith(b"HTTP/1.1 200")
    assert [request.target for request in pair.backend.requests[before:]] == [path]
    assert pair.backend.requests[-1].header("X-Injected") is None


@pytest.mark.parametrize("target, path", [("", "/"), ("?a=b", "/?a=b")])
def test_absolute_request_target_without_a_path(pair, target, path):
    before = len(pair.backend.requests)
    text = pair.front.raw(
        f"GET http://{pair.front.id}{target} HTTP/1.1\r\nHost: {pair.front.id}\r\nConnection: close\r\n\r\n".encode()
    )
    assert text.startswith(b"HTTP/1.1 200")
    assert [request.target for request in pair.backend.requests[before:]] == [path]


def test_longest_path(pair):
    # Names of files end at 255 characters, paths at 4095, request lines at 8190.
    path = "/long" * 600 + "?" + "q" * 5000
    assert pair.send(path)[1].target == path


def test_requests_that_name_no_path_are_not_balanced(pair):
    before = len(pair.backend.requests)
    for line in ("OPTIONS * HTTP/1.1", "CONNECT 127.0.9.2:80 HTTP/1.1"):
        pair.front.raw(f"{line}\r\nHost: {pair.front.id}\r\nConnection: close\r\n\r\n".encode())
    assert len(pair.backend.requests) == before
    pair.front.log.allow("AH0")


def test_clients_of_http_1_0(pair):
    before = len(pair.backend.requests)
    text = pair.front.raw(b"GET /large HTTP/1.0\r\n\r\n")
    head, _, body = text.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200") and b"chunked" not in head
    assert body == b"0123456789abcdef" * 65536
    assert len(pair.backend.requests) == before + 1
    pair.front.log.expect("AH01092")  # mod_proxy misses a Host


@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS", "PUT", "PATCH", "PROPFIND", "INVENTED"])
def test_methods(pair, method):
    answer, request = pair.send("/method", method=method)
    assert (answer.status, request.method) == (200, method)


def test_trace_method_is_not_balanced(pair):
    before = len(pair.backend.requests)
    pair.front.get("/", method="TRACE")
    assert len(pair.backend.requests) == before


def test_head(pair):
    answer, request = pair.send("/large", method="HEAD")
    assert (request.method, answer.status, answer.body, answer.header("Content-Length")) == (
        "HEAD",
        200,
        b"",
        "1048576",
    )


@pytest.mark.parametrize("size", [0, 1, 5000, 1 << 20])
@pytest.mark.parametrize("how", ["length", "chunked", "expect"])
def test_bodies(pair, size, how):
    body = os.urandom(size)
    if how == "chunked":
        chunks = [body[start : start + 70000] for start in range(0, size, 70000)]
        answer, request = pair.send("/post", method="POST", chunks=chunks)
    else:
        headers = {"Expect": "100-continue"} if how == "expect" else {}
        answer, request = pair.send("/post", method="POST", body=body, headers=headers)
    assert request.body == body
    assert answer.text == hashlib.sha256(body).hexdigest()


def test_large_answer(pair):
    answer, _ = pair.send("/large")
    assert answer.body == b"0123456789abcdef" * 65536


@pytest.mark.parametrize("status", [201, 204, 301, 304, 400, 404, 500, 502, 503])
def test_the_servers_own_status_is_passed_on(pair, status):
    """A 503 of the server itself too: it has taken the connection, so it is not one that refuses."""
    answer, _ = pair.send(f"/status/{status}")
    assert (answer.status, answer.header("X-Own")) == (status, "1")
    assert answer.body == (b"" if status in (204, 304) else b"own page")
    assert pair.front.status().servers[pair.backend.id]["refused"] == 0


def test_headers_come_back(pair):
    answer, _ = pair.send("/cookies")
    assert (answer.header("Set-Cookie"), answer.header("Location")) == ("a=1", "http://elsewhere.test/")


def test_host_and_forwarded_headers(pair):
    _, request = pair.send(
        "/", source="127.0.0.77", headers={"Host": "Shop.Example:8080", "X-Anything": "kept", "Cookie": "c=1"}
    )
    assert request.header("Host") == "Shop.Example:8080"
    assert request.header("X-Anything") == "kept"
    assert request.header("Cookie") == "c=1"
    assert request.header("X-Forwarded-For") == "127.0.0.77"
    assert request.header("X-Forwarded-Host") == "Shop.Example:8080"
    assert request.header("Backhand-Proxied") == "127.0.0.77"
    assert request.header("X-Forwarded-Proto") is None


def test_connections_to_the_server_are_kept(pair):
    """Twenty requests of one client: one child of httpd serves them, and it needs one connection."""
    before = pair.backend.connections
    with pair.front.client() as connection:
        for number in range(20):
            assert connection.request(f"/{number}", method="POST", body=b"x" * number).status == 200
    assert pair.backend.connections - before <= 1


def test_pipelined_requests(pair):
    one = f"GET /{{}} HTTP/1.1\r\nHost: {pair.front.id}\r\n{{}}\r\n"
    before = len(pair.backend.requests)
    text = pair.front.raw(
        (one.format("p1", "") + one.format("here/page", "") + one.format("p2", "Connection: close\r\n")).encode()
    )
    assert text.count(b"HTTP/1.1 200") == 3
    assert [request.target for request in pair.backend.requests[before:]] == ["/p1", "/p2"]


def test_in_flight_counts_what_is_under_way(pair):
    def in_flight():
        return pair.front.status().servers[pair.backend.id]["in_flight"]

    wait_for(lambda: in_flight() == 0, 3, "none in flight", show=in_flight)
    with ThreadPoolExecutor(3) as threads:
        answers = [threads.submit(pair.front.get, "/slow") for _ in range(3)]
        wait_for(lambda: in_flight() == 3, 3, "three in flight", show=in_flight)
        assert [answer.result().text for answer in answers] == ["slow"] * 3
    wait_for(lambda: in_flight() == 0, 3, "none in flight", show=in_flight)


def test_a_client_that_leaves_is_not_in_flight(pair):
    def in_flight():
        return pair.front.status().servers[pair.backend.id]["in_flight"]

    clients = [pair.front.client() for _ in range(3)]
    for connection in clients:
        connection.send("/slow")
    wait_for(lambda: in_flight() == 3, 3, "three in flight", show=in_flight)
    for connection in clients:
        connection.close()
    wait_for(lambda: in_flight() == 0, 5, "none in flight", show=in_flight)


def test_a_client_that_leaves_while_it_sends(pair):
    before = ended(pair.front, pair.backend)
    connection = socket.create_connection((pair.front.address, pair.front.port))
    connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nonly this")
    connection.close()
    wait_for(
        lambda: [line for line in pair.front.access_log() if '"POST / ' in line and '" 200 ' not in line],
        5,
        "the end of it",
    )
    pair.front.log.allow("AH01095|AH02609|AH10154")  # mod_proxy_http says that the client left
    # Slow requests of earlier tests, whose clients have left too, may still be there.
    row = ended(pair.front, pair.backend)
    assert (row["refused"], row["served"]) == (0, before["served"])


def test_served_requests_are_counted(pair):
    before = ended(pair.front, pair.backend)["served"]
    for _ in range(7):
        pair.send("/")
    wait_for(
        lambda: ended(pair.front, pair.backend)["served"] == before + 7, 5, "seven more", show=pair.front.show_status
    )


# ---- Fronts that need more ----


def test_a_server_that_is_too_slow_is_told(stage):
    """It has taken the request: no other server gets it."""
    slow = stage.backend("127.0.9.3", reply=lambda request: Reply(delay=3))
    other = stage.backend("127.0.9.2")
    front = stage.httpd(CONFIG + "ProxyTimeout 1\n")
    stage.plant(
        front, Announcement(slow.address, slow.port, load=0), Announcement(other.address, other.port, load=9000)
    )
    assert front.get("/", method="POST", body=b"once").status in (502, 504)
    assert (len(slow.requests), other.requests) == (1, [])
    wait_for(lambda: ended(front, slow)["failed"] == 1, 5, "one failed", show=front.show_status)
    assert ended(front, slow)["refused"] == 0
    front.log.expect("AH01102")
    front.log.allow("AH00898")


@pytest.mark.parametrize("told", [True, False], ids=("told", "untold"))
def test_a_server_that_keeps_no_connections(stage, mpm, told):
    """Whether it says so or just closes behind its answer: each request is answered."""
    backend = stage.backend("127.0.9.2", reply=lambda request: Reply(body=b"bye", close=True, told=told))
    front = stage.httpd(CONFIG, mpm=mpm)
    stage.plant(front, Announcement(backend.address, backend.port))
    with front.client() as connection:
        for _ in range(20):
            assert connection.request("/", method="POST", body=b"x").text == "bye"
            # A request that meets the end on its way is lost, as with any proxy.
            wait_for(lambda: backend.open == 0, 5, "the connection to end")
    assert len(backend.requests) == 20


def test_kept_connections_of_clients_end_when_they_should(stage, mpm):
    """MaxKeepAliveRequests counts requests that were passed on as it counts others."""
    backend = stage.backend("127.0.9.2")
    front = stage.httpd(CONFIG + "MaxKeepAliveRequests 5\n", mpm=mpm, files={"here/page": "here"})
    stage.plant(front, Announcement(backend.address, backend.port))
    here, there = (f"GET {path} HTTP/1.1\r\nHost: {front.id}\r\n\r\n".encode() for path in ("/here/page", "/"))
    answers = [front.raw(requests).count(b"HTTP/1.1 200") for requests in (8 * here, 8 * there, 4 * (here + there))]
    assert answers[0] in (5, 6) and answers == 3 * answers[:1]


def test_name_based_virtual_hosts_behind(stage):
    behind = stage.httpd(
        """
        <VirtualHost *>
            ServerName one.test
            Header always set X-Host one
        </VirtualHost>
        <VirtualHost *>
            ServerName two.test
            Header always set X-Host two
        </VirtualHost>
    """,
        name="behind",
        address="127.0.9.2",
        without=("backhand",),
    )
    front = stage.httpd(CLUSTER_OF_9 + "Backhand removeSelf\n", name="front")
    stage.plant(front, Announcement(behind.address, behind.port))
    assert [front.get("/", headers={"Host": host}).header("X-Host") for host in ("one.test", "two.test")] == [
        "one",
        "two",
    ]


def test_forwarded_protocol_of_a_front_with_tls(stage):
    authority = Authority(stage.folder)
    backend = stage.backend("127.0.9.2", reply=reply)
    front = stage.httpd(
        CLUSTER_OF_9 + "Backhand removeSelf\n" + authority.sign("front.test").server,
        name="front",
        modules=["ssl"],
    )
    front.log.allow("AH01873")  # no session cache
    stage.plant(front, Announcement(backend.address, backend.port))
    context = ssl.create_default_context(cafile=str(authority.certificate))
    with (
        socket.create_connection((front.address, front.port), 10) as plain,
        context.wrap_socket(plain, server_hostname="front.test") as secure,
    ):
        secure.sendall(b"GET /a HTTP/1.1\r\nHost: front.test\r\nX-Forwarded-Proto: http\r\nConnection: close\r\n\r\n")
        response = http.client.HTTPResponse(secure)
        response.begin()
        assert response.status == 200
    assert backend.requests[0].header("X-Forwarded-Proto") == "https"


def test_rewritten_urls_are_not_what_is_forwarded(stage):
    """What mod_rewrite made of it counts here; the server behind does its own rewriting."""
    backend = stage.backend("127.0.9.2")
    front = stage.httpd(
        CLUSTER_OF_9
        + """
        Backhand removeSelf
        RewriteEngine On
        RewriteRule ^/pretty/(.*)$ /ugly.html?name=$1 [QSA]
    """,
        modules=["rewrite"],
    )
    stage.plant(front, Announcement(backend.address, backend.port))
    assert front.get("/pretty/a;b?x=%201").text == backend.id
    assert backend.requests[0].target == "/pretty/a;b?x=%201"


def test_directory_index_is_forwarded_as_the_directory(stage):
    backend = stage.backend("127.0.9.2")
    front = stage.httpd(
        CLUSTER_OF_9 + "DirectoryIndex index.html\nBackhand removeSelf\n", files={"folder/index.html": "here"}
    )
    stage.plant(front, Announcement(backend.address, backend.port))
    for path in ("/", "/folder/", "/folder/?a=b"):
        assert front.get(path).text == backend.id
        assert backend.requests[-1].target == path


def test_subrequests_and_internal_redirects_stay_here(stage):
    backend = stage.backend("127.0.9.2")
    front = stage.httpd(
        CLUSTER_OF_9
        + """
        <Location /balanced>
            Backhand removeSelf
        </Location>
        ErrorDocument 404 /balanced/missing.html
        AddOutputFilter INCLUDES .shtml
        <Directory ${root}/htdocs>
            Options +Includes
        </Directory>
    """,
        modules=["include"],
        files={
            "balanced/missing.html": "error page",
            "balanced/part.html": "part",
            "page.shtml": 'a <!--#include virtual="/balanced/part.html" --> b',
        },
    )
    stage.plant(front, Announcement(backend.address, backend.port))
    assert (front.get("/no-such-page").status, front.get("/no-such-page").text) == (404, "error page")
    assert front.get("/page.shtml").text == "a part b"
    assert backend.requests == []
    assert front.get("/balanced/part.html").text == backend.id


def test_access_control_comes_first(stage):
    backend = stage.backend("127.0.9.2")
    front = stage.httpd(
        CLUSTER_OF_9
        + """
        Backhand removeSelf
        <Location /closed>
            Require all denied
        </Location>
    """
    )
    stage.plant(front, Announcement(backend.address, backend.port))
    assert front.get("/closed").status == 403
    assert backend.requests == []
    front.log.expect("AH01630")


def test_set_handler_proxy_is_no_obstacle(stage):
    """As with PHP-FPM: where the chain says "here", the handler of the section serves; elsewhere the chosen server
    does."""
    backend, application = stage.backend("127.0.9.2"), stage.backend("127.0.0.8")
    front = stage.httpd(
        CLUSTER_OF_9
        + f"""
        <Location /away>
            Backhand removeSelf
            SetHandler "proxy:http://{application.id}"
        </Location>
        <Location /here>
            Backhand removeSelf
            Backhand addSelf
            BackhandFromSO ${{build}}/byHostname.so byHostname ^front
            SetHandler "proxy:http://{application.id}"
        </Location>
    """,
        name="front",
    )
    stage.plant(front, Announcement(backend.address, backend.port, "backend"))
    assert front.get("/away").text == backend.id
    assert front.get("/here").text == application.id


def test_the_chain_decides_before_a_proxypass(stage):
    """test_711_applications.py has all forms."""
    backend, other = stage.backend("127.0.9.2"), stage.backend("127.0.0.8")
    front = stage.httpd(CLUSTER_OF_9 + f"Backhand removeSelf\nProxyPass /other http://{other.id}/\n")
    stage.plant(front, Announcement(backend.address, backend.port))
    assert front.get("/other/a").text == backend.id
    assert front.get("/a").text == backend.id
    assert other.requests == []


def test_own_error_pages_do_not_hide_a_servers_503(stage):
    """ProxyErrorOverride makes mod_proxy answer with a page from here; the server has not refused the connection, so it
    gets the request once and keeps getting requests."""
    backend = stage.backend("127.0.9.2", reply=lambda request: Reply(503, b"own page"))
    other = stage.backend("127.0.9.3")
    front = stage.httpd(CLUSTER_OF_9 + "Backhand removeSelf\nBackhand byLoad\nProxyErrorOverride On\n")
    stage.plant(
        front, Announcement(backend.address, backend.port, load=0), Announcement(other.address, other.port, load=9000)
    )
    for _ in range(3):
        assert front.get("/", method="POST", body=b"once").status == 503
    assert (len(backend.requests), len(other.requests)) == (3, 0)
    assert front.status().servers[backend.id]["refused"] == 0


def test_many_clients_at_once(stage, mpm):
    """Every answer goes to the client that asked.

    A child has more threads than there are clients: event closes idle connections, as it may, if all threads of a child
    are busy, and a POST that was on its way is lost.
    """
    backend = stage.backend("127.0.9.2", reply=reply)
    front = stage.httpd(CLUSTER_OF_9 + "Backhand removeSelf\n", mpm=mpm, workers=32)
    stage.plant(front, Announcement(backend.address, backend.port, idle_cost=KEEPS))
    wrong = []

    def work(number):
        with client.Client(front.address, front.port) as connection:
            for turn in range(25):
                body = f"{number}/{turn}".encode() * (1 + 400 * (turn % 3))
                answer = connection.request("/", method="POST", body=body)
                if answer.text != hashlib.sha256(body).hexdigest():
                    wrong.append(answer)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    wait_for(lambda: ended(front, backend)["served"] == 200, 5, "200 served", show=front.show_status)
    assert ended(front, backend)["failed"] == 0
    # No more connections than workers of httpd, to a server whose idle connections cost it nothing.
    assert backend.connections <= 16


@pytest.mark.parametrize(
    "target, sent",
    [
        (b"http:/open?x://y/secret", "/open?x://y/secret"),
        (b"http:/open", "/open"),
        (b"http://a/open?b://c/d", "/open?b://c/d"),
        (b"http://a?x", "/?x"),
        (b"http://a", "/"),
        (b"http://a:81/o%2Fp", "/o%2Fp"),
    ],
)
def test_no_target_has_two_paths(stage, target, sent):
    """What is forwarded is the path that access was decided for."""
    backend = stage.backend("127.0.9.2")
    front = stage.httpd(
        CLUSTER_OF_9
        + "AllowEncodedSlashes NoDecode\nBackhand removeSelf\n<Location /secret>\nRequire ip 203.0.113.1\n</Location>\n"
    )
    front.log.allow("AH01630")
    stage.plant(front, Announcement(backend.address, backend.port))
    front.raw(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert [request.target for request in backend.requests] == [sent]


@pytest.mark.parametrize("target", [b"/secret", b"http://a/secret", b"http:/secret", b"http://a/x/../secret"])
def test_forbidden_in_any_form(stage, target):
    backend = stage.backend("127.0.9.2")
    front = stage.httpd(CLUSTER_OF_9 + "Backhand removeSelf\n<Location /secret>\nRequire ip 203.0.113.1\n</Location>\n")
    front.log.allow("AH01630")
    stage.plant(front, Announcement(backend.address, backend.port))
    answer = front.raw(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert b" 403 " in answer and backend.requests == []

# Licensed under the Apache License, Version 2.0; see LICENSE.
"""HTTP/2: clients that speak it to the front, and servers that are asked by it (BackhandScheme h2c and h2)."""

import hashlib
import re
import socket
import struct
import subprocess
import threading
import time

import pytest
from harness.backend import Reply
from harness.certificates import Authority
from harness.conversation import Server
from harness.front import front_of, idle, row
from harness.websocket import WebSocket, echo

H2C = "Protocols h2c http/1.1\n"
FORWARD = "BackhandScheme h2c\n"
SLASHES = "AllowEncodedSlashes NoDecode\n"

SCRIPT = """#!/bin/sh
echo "Content-Type: text/plain"
echo
echo "protocol=$SERVER_PROTOCOL target=$REQUEST_URI host=$HTTP_HOST" \\
    "proxied=$HTTP_BACKHAND_PROXIED method=$REQUEST_METHOD"
sha256sum
"""

# Threads only: mod_http2 does little under prefork.
THREADED = ("worker", "event")


def digest(body):
    return hashlib.sha256(body).hexdigest()


def curl(url, *arguments, body=None):
    """Status, headers in lower case and body of an answer; over HTTP/2 if the server is known to speak it."""
    command = [
        "curl",
        "-sS",
        "-i",
        "--raw",
        "--max-time",
        "20",
        *arguments,
        *(["--data-binary", "@-"] if body is not None else []),
        url,
    ]
    answer = subprocess.run(command, input=body, capture_output=True, check=True).stdout
    while True:
        head, _, answer = answer.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split()[1])
        if status >= 200:
            return status, dict(line.lower().partition(": ")[::2] for line in lines[1:]), answer


# ---- Clients in front ----


@pytest.mark.parametrize("mpm", THREADED)
def test_clients_may_speak_it(stage, mpm):
    """What they send goes on as HTTP/1.1, with the client's address; what they get is whole."""
    backend = stage.backend(
        "127.0.9.2",
        reply=lambda request: Reply(
            body=digest(request.body).encode() if request.body else b"0123456789abcdef" * 65536
        ),
    )
    front = front_of(stage, backend, config=H2C, mpm=mpm, modules=["http2"])
    base = ["--http2-prior-knowledge", "--interface", "127.0.0.77"]
    status, headers, body = curl(f"http://{front.id}/large?a=%2F", *base)
    assert (status, headers["x-server"], body) == (200, backend.id, b"0123456789abcdef" * 65536)
    sent = bytes(range(256)) * 4000
    assert curl(f"http://{front.id}/post", *base, body=sent)[2].decode() == digest(sent)
    assert [request.target for request in backend.requests] == ["/large?a=%2F", "/post"]
    assert {request.header("Backhand-Proxied") for request in backend.requests} == {"127.0.0.77"}
    assert {request.header("Host") for request in backend.requests} == {front.id}


def test_many_streams_of_one_connection(stage):
    good, bad = stage.backend("127.0.9.2"), stage.backend("127.0.9.3", reply=lambda request: Reply(reset=True))
    front = front_of(stage, bad, good, config=H2C, modules=["http2"], workers=16)
    front.log.allow("AH00898|AH01102|AH01110|AH00957|AH01114")
    urls = [f"http://{front.id}/{number}" for number in range(40)]
    answers = subprocess.run(["nghttp", *urls], capture_output=True, text=True, check=True).stdout
    assert answers == good.id * 40
    idle(front, good)


def test_a_stream_that_is_reset(stage):
    """The client gives up one request; the connection and the server go on."""
    go_on = threading.Event()

    def reply(request):
        if request.target == "/slow":
            go_on.wait(5)
        return Reply(body=b"fast")

    backend = stage.backend("127.0.9.2", reply=reply)
    front = front_of(stage, backend, config=H2C, modules=["http2"])
    late = subprocess.run(
        ["curl", "-sS", "--http2-prior-knowledge", "--max-time", "0.5", f"http://{front.id}/slow"],
        capture_output=True,
        check=False,
    )
    assert late.returncode == 28
    assert curl(f"http://{front.id}/fast", "--http2-prior-knowledge")[2] == b"fast"
    go_on.set()
    idle(front, backend)
    assert row(front, backend)["refused"] == 0
    front.log.allow("AH0")


# ---- Servers behind ----


class Pair:
    """A front and a server that is asked by HTTP/2."""

    def __init__(self, stage, mpm="event"):
        self.server = stage.httpd(
            H2C + SLASHES,
            name="server",
            address="127.0.9.2",
            modules=["http2"],
            without=("backhand",),
            cgi=True,
            files={"cgi-bin/echo": SCRIPT, "page": "page", "large": b"0123456789abcdef" * 65536},
        )
        self.front = front_of(stage, self.server, config=FORWARD + SLASHES, mpm=mpm, modules=["proxy_http2"])

    def seen(self, answer):
        """What the script tells of its request."""
        return dict(word.partition("=")[::2] for word in answer.text.splitlines()[0].split())


@pytest.fixture(scope="module")
def pair(mpm_stage, module_mpm):
    return Pair(mpm_stage, module_mpm)


def test_requests_arrive_by_http2(pair):
    answer = pair.front.get("/cgi-bin/echo", source="127.0.0.77", headers={"Host": "shop.test:81"})
    assert answer.trace.server == pair.server.id
    assert pair.seen(answer) == {
        "protocol": "HTTP/2.0",
        "target": "/cgi-bin/echo",
        "host": "shop.test:81",
        "proxied": "127.0.0.77",
        "method": "GET",
    }


@pytest.mark.parametrize(
    "query", ["?", "?a=b", "?a=%20b&c=%2F&d=+", "??", "?a?b", "?a|b", "/more%2Fa%20b;c=1//d", "/%61~"]
)
def test_path_and_query_arrive_exactly(pair, query):
    path = "/cgi-bin/echo" + query
    assert pair.seen(pair.front.get(path))["target"] == path


@pytest.mark.parametrize("size", [0, 1, 5000, 1 << 20])
@pytest.mark.parametrize("how", ["length", "chunked"])
def test_bodies(pair, size, how):
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    if how == "chunked":
        answer = pair.front.get(
            "/cgi-bin/echo", method="POST", chunks=[body[start : start + 70000] for start in range(0, size, 70000)]
        )
    else:
        answer = pair.front.get("/cgi-bin/echo", method="POST", body=body)
    assert (pair.seen(answer)["method"], answer.text.splitlines()[1]) == ("POST", digest(body) + "  -")


def test_answers_come_back(pair):
    assert pair.front.get("/large").body == b"0123456789abcdef" * 65536
    assert pair.front.get("/none").status == 404
    head = pair.front.get("/large", method="HEAD")
    assert (head.status, head.header("Content-Length"), head.body) == (200, "1048576", b"")
    tag = pair.front.get("/page").header("ETag")
    assert pair.front.get("/page", headers={"If-None-Match": tag}).status == 304
    assert pair.front.get("/page", headers={"Range": "bytes=1-2"}).text == "ag"
    assert [pair.front.get("/page").text for _ in range(10)] == ["page"] * 10


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_proxy_error_override(stage, method):
    """As for ProxyPass to the same server: mod_proxy_http2 gives our page, or an empty one if it has ended the answer
    before."""
    server = stage.httpd(H2C, name="server", address="127.0.9.2", modules=["http2"], without=("backhand",))
    front = front_of(
        stage,
        server,
        modules=["proxy_http2"],
        config=FORWARD
        + f"""
        ProxyErrorOverride On
        ErrorDocument 404 "page of the front"
        <Location /theirs>
            ProxyPass h2c://{server.id}/
        </Location>
    """,
    )
    ours, theirs = (
        front.get(path, method=method, body=b"x" if method == "POST" else None) for path in ("/none", "/theirs/none")
    )
    for answer in (ours, theirs):
        assert answer.status == 404 and answer.text in ("page of the front", "")
    assert ours.trace.server == server.id


def test_over_tls(stage):
    """BackhandScheme h2: the server must agree on HTTP/2 in its handshake."""
    authority = Authority(stage.folder)
    pair = authority.sign("shop.test")
    secure, old = (
        stage.httpd(
            f"Protocols {protocols}\n{pair.server}",
            name=f"server{number}",
            address=f"127.0.9.{number}",
            cgi=True,
            modules=["http2", "ssl"],
            without=("backhand",),
            files={"cgi-bin/echo": SCRIPT},
        )
        for number, protocols in ((2, "h2 http/1.1"), (3, "http/1.1"))
    )
    front = front_of(
        stage,
        secure,
        old,
        modules=["proxy_http2", "ssl"],
        config=f"""
        BackhandScheme h2
        SSLProxyEngine On
        SSLProxyVerify require
        SSLProxyCACertificateFile {authority.certificate}
        Backhand byAge 60
    """,
    )
    for server in (secure, old, front):
        server.log.always("AH01873|AH01909|AH02008|BH0416")
    for method in ("GET", "POST"):
        answer = front.get(
            "/cgi-bin/echo", method=method, headers={"Host": "shop.test"}, body=b"body" if method == "POST" else None
        )
        assert answer.trace.server == secure.id
        assert answer.text.startswith("protocol=HTTP/2.0 target=/cgi-bin/echo host=shop.test ")
    secure.stop()
    front.log.expect("BH0404")
    front.log.allow("AH00957|AH01114")
    assert front.get("/cgi-bin/echo", headers={"Host": "shop.test"}).status == 503
    assert front.log.lines(f"{old.id} refused the connection")


def test_websocket_goes_by_http_1(stage):
    application = Server(echo, "127.0.9.2")
    front = front_of(stage, application, config=FORWARD, modules=["proxy_http2"])
    socket = WebSocket(front)
    assert socket.say("hello") == "hello"
    assert socket.close()
    idle(front, application)
    application.close()


def test_both_ways(stage):
    server = stage.httpd(
        H2C,
        name="server",
        address="127.0.9.2",
        modules=["http2"],
        without=("backhand",),
        cgi=True,
        files={"cgi-bin/echo": SCRIPT},
    )
    front = front_of(stage, server, config=H2C + FORWARD, modules=["http2", "proxy_http2"])
    body = b"abc" * 100000
    answer = curl(f"http://{front.id}/cgi-bin/echo?x", "--http2-prior-knowledge", body=body)[2].decode()
    assert re.match("protocol=HTTP/2.0 target=/cgi-bin/echo\\?x ", answer) and digest(body) in answer


# ---- When servers fail ----


class Failing(Server):
    """Speaks HTTP/2 so far as to count requests; what it does with one is `reaction`."""

    DATA, HEADERS, SETTINGS, GOAWAY = 0, 1, 4, 7
    END_STREAM = 1

    def __init__(self, reaction, address, early=False):
        """early: when it has seen the headers, not the whole request."""
        super().__init__(None, address)
        self.reaction, self.early, self.requests = reaction, early, 0

    def serve(self, connection, stream):
        connection.sendall(self.frame(self.SETTINGS))
        stream.read(len(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
        while head := stream.read(9):
            stream.read(int.from_bytes(head[:3], "big"))
            self.requests += head[3] == self.HEADERS
            whole = head[3] in (self.DATA, self.HEADERS) and head[4] & self.END_STREAM
            if whole or (head[3] == self.HEADERS and self.early):
                self.reaction(self, connection)
                return

    @staticmethod
    def frame(kind, data=b"", stream=0):
        return len(data).to_bytes(3, "big") + bytes([kind, 0]) + stream.to_bytes(4, "big") + data

    def hang_up(self, connection):
        """Without a word."""

    def reset(self, connection):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def go_away(self, connection):
        """Politely, but it has begun the request."""
        connection.sendall(self.frame(self.GOAWAY, struct.pack(">II", 1, 0)))

    def say_nothing(self, connection):
        connection.recv(1)

    def say_503(self, connection):
        # HPACK: a literal without indexing, name ":status" of the static table.
        connection.sendall(
            len(b"\x08\x03503").to_bytes(3, "big") + bytes([self.HEADERS, 5]) + (1).to_bytes(4, "big") + b"\x08\x03503"
        )
        connection.recv(1)


REACTIONS = ("hang_up", "reset", "go_away")


class Failures:
    """A server that fails before one that works."""

    def __init__(self, stage, reaction, early=False):
        self.bad = Failing(getattr(Failing, reaction), "127.0.9.3", early)
        self.good = stage.httpd(
            H2C,
            name="good",
            address="127.0.9.2",
            modules=["http2"],
            without=("backhand",),
            cgi=True,
            files={"cgi-bin/echo": SCRIPT, "page": "page"},
        )
        self.front = front_of(stage, self.bad, self.good, config=FORWARD, modules=["proxy_http2"])
        self.front.log.always("AH0335|AH10|AH01|AH00957")


@pytest.mark.parametrize("reaction", REACTIONS + ("say_503",))
def test_repeatable_requests_go_to_the_next_server(stage, reaction):
    failures = Failures(stage, reaction)
    answer = failures.front.get("/cgi-bin/echo", headers={"Host": "shop.test"})
    assert answer.status == 200 and "host=shop.test " in answer.text
    assert failures.bad.requests >= 1
    assert row(failures.front, failures.bad)["failed"] >= 1
    failures.bad.close()


@pytest.mark.parametrize("reaction", REACTIONS)
@pytest.mark.parametrize(
    "body, early",
    [(b"once", False), (b"once", True), (b"", False), (None, False)],
    ids=["body", "early", "empty", "none"],
)
def test_what_is_not_safe_is_sent_once(stage, reaction, body, early):
    """mod_proxy_http2 would send it again by itself as long as no body has gone."""
    failures = Failures(stage, reaction, early)
    answer = failures.front.get("/cgi-bin/echo", method="POST", body=body)
    assert (answer.status in (502, 503), failures.bad.requests) == (True, 1)
    assert failures.good.log.count("cgi-bin") == 0 and not failures.good.access_log()
    assert row(failures.front, failures.bad)["failed"] == 1
    failures.bad.close()


@pytest.mark.parametrize("body", [b"once", None], ids=["body", "none"])
def test_three_failures_put_a_server_last(stage, body):
    """Of three clients for three URLs: those of one are no evidence. It is no back-off either."""
    failures = Failures(stage, "hang_up")
    for number in range(3):
        answer = failures.front.get(f"/cgi-bin/echo/{number}", method="POST", body=body, source=f"127.0.0.{2 + number}")
        assert answer.status in (502, 503)
        time.sleep(0.15)
    assert failures.front.get("/cgi-bin/echo", method="POST", body=body).status == 200
    assert row(failures.front, failures.bad)["backoff_ms"] == 0
    failures.bad.close()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_refused_connection_costs_nothing(stage, method):
    failures = Failures(stage, "hang_up")
    failures.bad.close()
    body = b"whole" * 1000 if method == "POST" else b""
    answer = failures.front.get("/cgi-bin/echo", method=method, body=body)
    assert answer.trace.server == failures.good.id
    assert answer.text.splitlines()[1] == digest(body) + "  -"
    assert row(failures.front, failures.bad)["backoff_ms"] > 0


def test_where_all_refuse(stage):
    failures = Failures(stage, "hang_up")
    failures.bad.close()
    failures.good.stop()
    failures.front.log.expect("BH0404")
    assert failures.front.get("/page").status == 503
    assert failures.front.get("/page", method="POST", body=b"x").status == 503


def test_a_503_of_all_is_given(stage):
    """A server's own answer says more than ours."""
    bad = Failing(Failing.say_503, "127.0.9.3")
    front = front_of(stage, bad, config=FORWARD, modules=["proxy_http2"])
    front.log.always("AH0335|AH10|AH01|BH0408")
    assert front.get("/page").status == 503
    bad.close()


def test_a_client_that_leaves_is_no_failure(stage):
    """However often: the server is not put back for it, and no other is asked."""
    silent, other = Failing(Failing.say_nothing, "127.0.9.2"), stage.backend("127.0.9.3")
    front = front_of(stage, silent, other, config=H2C + FORWARD + "ProxyTimeout 3\n", modules=["http2", "proxy_http2"])
    front.log.always("AH")
    clients = [
        subprocess.Popen(["curl", "-s", "--http2-prior-knowledge", "--max-time", "0.3", f"http://{front.id}/page"])
        for _ in range(4)
    ]
    assert [client.wait() for client in clients] == [28] * 4
    idle(front, silent, 10)
    assert (row(front, silent)["failed"], row(front, silent)["backoff_ms"], other.connections) == (0, 0, 0)
    silent.close()

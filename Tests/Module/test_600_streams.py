# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Bodies pass through as streams: however large, at whatever pace, and nobody waits for the end of one."""

import socket
import threading
import time

import pytest
from harness import processes
from harness.backend import Reply
from harness.conversation import Server, chunks, connect, count_body, read_head, say
from harness.front import front_of, idle, row
from harness.wait import wait_for

GIGABYTE = 1 << 30
PIECE = bytes(1 << 20)
# What one child may grow by while a gigabyte passes: buffers of its threads, never the body.
MOST_GROWTH = 12 << 20


def pour(connection, stream, head):
    """Tells the length of what came, or sends a gigabyte."""
    length = count_body(stream, head)
    if "/gigabyte" not in head:
        return say(connection, str(length))
    connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {GIGABYTE}\r\n\r\n".encode())
    for _ in range(GIGABYTE // len(PIECE)):
        connection.sendall(PIECE)
    return True


@pytest.fixture(scope="module")
def sink(module_stage):
    server = Server(pour)
    server.front = front_of(module_stage, server, workers=4, children=1)
    server.front.get("/")  # what a child needs for its first request is not what a body costs
    yield server
    server.close()


def growth(front, work):
    """What the children of the front have grown by at the most during the work."""
    before = {pid: processes.peak_memory(pid) for pid in front.children()}
    work()
    after = {pid: processes.peak_memory(pid) for pid in front.children()}
    assert set(before) == set(after), "a child was replaced meanwhile"
    return max(after[pid] - before[pid] for pid in before)


@pytest.mark.parametrize("how", ["length", "chunked"])
def test_a_gigabyte_goes_up_in_constant_memory(sink, how):
    def upload():
        connection, stream = connect(sink.front)
        with connection:
            framing = f"Content-Length: {GIGABYTE}" if how == "length" else "Transfer-Encoding: chunked"
            connection.sendall(f"POST /{how} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{framing}\r\n\r\n".encode())
            for _ in range(GIGABYTE // len(PIECE)):
                connection.sendall(PIECE if how == "length" else b"%x\r\n%s\r\n" % (len(PIECE), PIECE))
            if how == "chunked":
                connection.sendall(b"0\r\n\r\n")
            assert stream.readline().startswith(b"HTTP/1.1 200")
            assert stream.read().endswith(b"\r\n\r\n%d" % GIGABYTE)

    assert growth(sink.front, upload) < MOST_GROWTH


def test_a_gigabyte_comes_down_in_constant_memory(sink):
    def download():
        connection, stream = connect(sink.front)
        with connection:
            connection.sendall(b"GET /gigabyte HTTP/1.1\r\nHost: a\r\n\r\n")
            assert count_body(stream, read_head(stream)) == GIGABYTE

    assert growth(sink.front, download) < MOST_GROWTH


def test_two_requests_in_one_write_are_answered_in_order(sink):
    connection, stream = connect(sink.front)
    with connection:
        one = "POST /{0} HTTP/1.1\r\nHost: a\r\nContent-Length: {1}\r\n\r\n{2}"
        connection.sendall((one.format("first", 3, "abc") + one.format("second", 5, "abcde")).encode())
        for length in (b"3", b"5"):
            assert read_head(stream).startswith("HTTP/1.1 200")
            assert stream.read(1) == length


# ---- At its own pace ----


def test_each_event_arrives_before_the_next_is_sent(stage):
    """Server-sent events: the server sends one when the client has seen the one before."""
    seen = threading.Semaphore(0)

    def events(connection, stream, head):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(5):
            event = f"id: {number}\ndata: tick\n\n".encode()
            connection.sendall(b"%x\r\n%s\r\n" % (len(event), event))
            assert seen.acquire(timeout=10)
        connection.sendall(b"0\r\n\r\n")
        return True

    server = Server(events)
    front = front_of(
        stage, server, config="AddOutputFilterByType DEFLATE text/event-stream\n", modules=["deflate", "filter"]
    )
    connection, stream = connect(front)
    with connection:
        connection.sendall(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
        connection.settimeout(5)
        assert "text/event-stream" in read_head(stream)
        for number in range(5):
            event = stream.read(int(stream.readline(), 16))
            stream.readline()
            assert event == f"id: {number}\ndata: tick\n\n".encode()
            seen.release()
        assert stream.readline() == b"0\r\n"
    server.close()


def test_a_body_is_passed_on_while_it_comes(stage):
    """The server sees the first part before the client has sent the second."""
    arrived = threading.Event()

    def talk(connection, stream, head):
        length = 0
        for chunk in chunks(stream):
            length += len(chunk)
            if length >= 40000:
                arrived.set()
        return say(connection, str(length))

    server = Server(talk)
    front = front_of(stage, server)
    connection, stream = connect(front)
    with connection:
        connection.sendall(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n9c40\r\n" + b"x" * 40000 + b"\r\n"
        )
        assert arrived.wait(5)
        connection.sendall(b"2\r\nyz\r\n0\r\n\r\n")
        assert "200" in read_head(stream)
        assert stream.read(5) == b"40002"
    server.close()


def test_a_slow_client_holds_no_answer_back(stage):
    """A client that reads late gets everything; others are served meanwhile."""
    body = bytes(range(256)) * 40000  # 10 MB: more than all buffers on the way
    backend = stage.backend(
        "127.0.9.2", reply=lambda request: Reply(body=body if request.target == "/large" else b"small")
    )
    front = front_of(stage, backend, workers=4, children=1)
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect((front.address, front.port))
    with slow:
        slow.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        wait_for(lambda: row(front, backend)["in_flight"] == 1, 5, "the request to be under way")
        assert [front.get("/").text for _ in range(5)] == ["small"] * 5
        got = b""
        while piece := slow.recv(1 << 20):
            got += piece
    assert got.partition(b"\r\n\r\n")[2] == body


def test_a_client_that_sends_byte_by_byte(stage):
    backend = stage.backend("127.0.9.2", reply=lambda request: Reply(body=request.body))
    front = front_of(stage, backend)
    connection, stream = connect(front)
    with connection:
        for byte in b"POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n" + b"abcdefghij" * 2:
            connection.sendall(bytes([byte]))
            time.sleep(0.002)
        read_head(stream)
        assert stream.read(20) == b"abcdefghij" * 2


# ---- Around the body ----


def test_the_server_decides_on_100_continue(stage):
    """The client sends its body when the server has said so, and not before."""
    asked = threading.Event()

    def talk(connection, stream, head):
        assert "expect: 100-continue" in head.lower()
        asked.set()
        if "/refuse" in head:
            connection.sendall(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return False
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return say(connection, str(count_body(stream, head)))

    server = Server(talk)
    front = front_of(stage, server)
    connection, stream = connect(front)
    with connection:
        connection.sendall(b"POST /take HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert asked.wait(5)
        assert read_head(stream).startswith("HTTP/1.1 100")
        connection.sendall(b"body")
        assert "200" in read_head(stream) and stream.read(1) == b"4"
    connection, stream = connect(front)
    with connection:
        connection.sendall(b"POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert read_head(stream).startswith("HTTP/1.1 417")
    server.close()


def test_trailers_of_the_server(stage):
    """As mod_proxy treats them: they arrive, unless MergeTrailers says otherwise."""

    def talk(connection, stream, head):
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 42\r\n\r\n"
        )
        return True

    server = Server(talk)
    front = front_of(
        stage, server, config=f"<Location /plain>\nProxyPass http://127.0.9.2:{server.port}/plain\n</Location>\n"
    )
    seen = []
    for path in ("/ours", "/plain/theirs"):
        connection, stream = connect(front)
        with connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: close\r\n\r\n".encode())
            seen.append(
                (
                    sorted(
                        line.split(":")[0]
                        for line in read_head(stream).splitlines()
                        if not line.startswith("Backhand-")
                    ),
                    stream.read(),
                )
            )
    assert seen[0] == seen[1]
    assert seen[0][1].startswith(b"3\r\nabc\r\n0\r\n")
    server.close()


@pytest.mark.parametrize("when", ["before the answer", "in the answer", "in the request"])
def test_a_client_that_leaves(stage, when):
    """Nothing stays in flight, and nothing is wrong with the server."""
    go_on = threading.Event()

    def talk(connection, stream, head):
        if when == "in the request":
            stream.read(1 << 20)
            return False
        if when == "before the answer":
            go_on.wait(5)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        for _ in range(100):
            connection.sendall(PIECE[:1000000])
        return False

    server = Server(talk)
    front = front_of(stage, server)
    connection, stream = connect(front)
    length = 2 << 20 if when == "in the request" else 0
    connection.sendall(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n".encode() + bytes(length // 2))
    wait_for(lambda: row(front, server)["in_flight"] == 1, 5, "the request to be under way")
    if when == "in the answer":
        stream.read(1000)
    stream.close()
    connection.close()
    go_on.set()
    idle(front, server)
    if when == "in the request":
        front.log.allow("AH01095|AH01097|AH02608|AH02609|AH10154")  # mod_proxy says that the client has left
    assert (row(front, server)["refused"], row(front, server)["backoff_ms"]) == (0, 0)
    server.close()

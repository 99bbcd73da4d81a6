# Licensed under the Apache License, Version 2.0; see LICENSE.
"""However an answer arrives, the client gets the same, and the connection is good for the next request."""

import http.client
import itertools
import socket
import struct
import time

import pytest
from harness.conversation import Server
from harness.front import front_of
from harness.stage import CLUSTER_OF_9

CHAIN = CLUSTER_OF_9 + "MaxKeepAliveRequests 0\nProxyTimeout 5\nBackhand removeSelf\nBackhand byLoad\n"


class Splitting:
    """Gives one answer again and again, in two parts; the first one is of another length each time."""

    def __init__(self, stage, answer, lengths, **how):
        self.answer, self.lengths, self.connections = answer, iter(lengths), 0
        self.server = Server(self._talk, "127.0.9.2")
        self.server.serve, self._serve = self._count, self.server.serve
        self.front = front_of(stage, self.server, chain=CHAIN, children=1, **how)

    def _count(self, connection, stream):
        self.connections += 1
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._serve(connection, stream)

    def _talk(self, connection, stream, head):
        length = next(self.lengths)
        connection.sendall(self.answer[:length])
        if length < len(self.answer):
            time.sleep(0.003)
        connection.sendall(self.answer[length:])
        return True


@pytest.fixture
def splitting(stage):
    made = []

    def make(answer, lengths, **how):
        made.append(Splitting(stage, answer, lengths, **how))
        return made[-1]

    yield make
    for each in made:
        each.server.close()


def header(*lines, status=b"200 OK", end=b"\r\n"):
    return end.join([b"HTTP/1.1 " + status, *lines, b"", b""])


# More than one look ahead (512 bytes) in lines of all lengths, a line that is longer than a look, and one that is
# continued on the next.
MANY = [b"X-%d: %s" % (i, b"v" * i) for i in range(40)]
LONG = b"X-Long: " + b"l" * 1100
FOLDED = b"X-Folded: a\r\n\t b"


def values(answer):
    return [answer.header(f"X-{i}") for i in (1, 20, 39)]


def test_in_two_parts_at_any_byte(splitting, mpm):
    whole = header(*MANY[:25], LONG, FOLDED, b"Content-Length: 4") + b"body"
    lengths = range(1, len(whole), 3)
    stage = splitting(whole, lengths, mpm=mpm)
    with stage.front.client() as client:
        for length in lengths:
            answer = client.request("/")
            assert (answer.status, answer.text) == (200, "body"), length
            assert (answer.header("X-24"), len(answer.header("X-Long"))) == ("v" * 24, 1100), length
            assert answer.header("X-Folded").split() == ["a", "b"], length
    assert stage.connections == 1


@pytest.mark.parametrize("size", [*range(500, 530), 1023, 1024, 1025, 1026])
def test_a_header_that_ends_where_a_look_ends(splitting, size):
    """Lines of the header without its first one: of so many bytes, with the empty one or without it."""
    rest = size - len(b"Content-Length: 4\r\n" + b"X-Fill: \r\n")
    whole = header(b"Content-Length: 4", b"X-Fill: " + b"f" * rest) + b"body"
    stage = splitting(whole, itertools.repeat(len(whole)))
    with stage.front.client() as client:
        for _ in range(3):
            answer = client.request("/")
            assert (answer.text, len(answer.header("X-Fill"))) == ("body", rest)
    assert stage.connections == 1


@pytest.mark.parametrize(
    "whole, status, text",
    [
        (header(b"X-Last: l", status=b"204 No Content"), 204, ""),
        (header(b"X-Last: l", status=b"304 Not Modified"), 304, ""),
        (header(b"Content-Length: 0", b"X-Last: l"), 200, ""),
        (header(b"Transfer-Encoding: chunked", b"X-Last: l") + b"4\r\nbody\r\n0\r\nX-T: t\r\n\r\n", 200, "body"),
        (header(b"Content-Length: 4", b"X-Last: l", end=b"\n") + b"body", 200, "body"),
        (header(status=b"100 Continue") + header(b"Content-Length: 4", b"X-Last: l") + b"body", 200, "body"),
    ],
    ids=["204", "304", "empty", "chunked", "LF alone", "interim"],
)
def test_answers_of_all_kinds(splitting, whole, status, text):
    lengths = [len(whole), *range(1, len(whole), 5)]
    stage = splitting(whole, lengths)
    with stage.front.client() as client:
        for length in lengths:
            answer = client.request("/")
            assert (answer.status, answer.text, answer.header("X-Last")) == (status, text, "l"), length


@pytest.mark.parametrize(
    "more, later",
    [(b"", b""), (b"half", b""), (b"", b"half"), (b"ha", b"lf")],
    ids=["header", "body", "body later", "half of the body later"],
)
def test_a_reset_is_no_end(stage, more, later):
    """An answer that lasts until the connection ends has not ended where the server resets it: no client may take what
    came for the whole."""

    def talk(connection, stream, head):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(header(b"X-Last: l") + more)
        if later:
            time.sleep(0.003)
            connection.sendall(later)
        return False

    server = Server(talk, "127.0.9.2")
    front = front_of(stage, server, chain=CHAIN)
    front.log.allow("AH|BH04")
    whole = 0
    for _ in range(40):
        try:
            whole += front.get("/").status == 200
        except (OSError, ValueError, http.client.HTTPException):
            pass
    server.close()
    assert whole == 0


def test_what_follows_an_answer_is_no_answer(splitting, mpm):
    """Bytes that nobody asked for end the connection; the next client's answer comes over another one."""
    whole = header(b"Content-Length: 4", b"X-Last: l") + b"body" + header(b"Content-Length: 5") + b"stale"
    stage = splitting(whole, itertools.repeat(len(whole)), mpm=mpm)
    stage.front.log.allow("AH")
    for _ in range(4):
        answer = stage.front.get("/")
        assert (answer.text, answer.header("X-Last")) == ("body", "l")
    assert stage.connections == 4

# Licensed under the Apache License, Version 2.0; see LICENSE.
"""WebSocket works through the front, without any configuration for it."""

import pytest
from harness.conversation import Server, connect, read_head, say
from harness.front import front_of, idle, row
from harness.wait import wait_for
from harness.websocket import WebSocket, echo, header


class Pair:
    def __init__(self, stage, mpm):
        self.server = Server(echo)
        self.front = front_of(stage, self.server, mpm=mpm)

    def row(self):
        return row(self.front, self.server)


@pytest.fixture(scope="module")
def pair(mpm_stage, module_mpm):
    made = Pair(mpm_stage, module_mpm)
    yield made
    made.server.close()


def test_texts_go_both_ways(pair):
    socket = WebSocket(pair.front, "/chat?room=1")
    for text in ("hello", "", "x" * 200, "y" * 70000, "z" * 2000000):
        assert socket.say(text) == text
    assert socket.close()
    assert pair.front.logged("/chat?room=1").split('"')[2].startswith(f" 101 action=proxy server={pair.server.id}")


def test_a_socket_is_in_flight_as_long_as_it_is_open(pair):
    idle(pair.front, pair.server)
    before = pair.row()
    sockets = [WebSocket(pair.front) for _ in range(3)]
    wait_for(lambda: pair.row()["in_flight"] == 3, 5, "three in flight", show=pair.row)
    assert [socket.say(str(number)) for number, socket in enumerate(sockets)] == ["0", "1", "2"]
    assert sockets[0].close()
    sockets[1].leave()
    sockets[2].leave()
    idle(pair.front, pair.server)
    wait_for(lambda: pair.row()["served"] == before["served"] + 3, 5, "three that were served", show=pair.row)
    after = pair.row()
    assert (after["failed"] - before["failed"], after["refused"]) == (0, 0)


def test_requests_that_do_not_ask_get_plain_answers(pair):
    answer = pair.front.get("/")
    assert (answer.status, answer.header("Upgrade")) == (426, "websocket")


def test_a_server_that_refuses_the_socket(pair):
    """Its answer is the client's."""
    connection, stream = connect(pair.front)
    with connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        assert read_head(stream).startswith("HTTP/1.1 426")


def test_other_protocols_are_not_asked_for(stage):
    """A client that offers HTTP/2 gets HTTP/1.1: the server never hears of it."""
    heads = []
    server = Server(lambda connection, stream, head: (heads.append(head), say(connection, "plain"))[1])
    front = front_of(stage, server)
    answer = front.get(
        "/", headers={"Upgrade": "h2c", "Connection": "Upgrade, HTTP2-Settings", "HTTP2-Settings": "AAMAAABk"}
    )
    assert answer.text == "plain"
    assert (header(heads[0], "Upgrade"), header(heads[0], "HTTP2-Settings")) == (None, None)
    server.close()


def test_a_server_that_is_gone_costs_no_socket(stage):
    """The next candidate gets the handshake."""
    gone, server = Server(echo, "127.0.9.3"), Server(echo)
    gone.close()
    front = front_of(stage, gone, server)
    front.log.allow("AH00957|AH01114")  # mod_proxy tells of the refused connection
    socket = WebSocket(front)
    assert socket.say("still there") == "still there"
    assert socket.close()
    idle(front, server)
    server.close()

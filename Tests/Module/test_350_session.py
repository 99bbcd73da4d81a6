# Licensed under the Apache License, Version 2.0; see LICENSE.
"""bySession: a client comes back to the server that its session id names, with a cookie or without."""

import socket

import pytest
from harness.announce import Announcement
from harness.stage import CLUSTER_OF_9

CONFIG = (
    CLUSTER_OF_9
    + """
BackhandTrace On
Backhand removeSelf
Backhand byLoad
Backhand bySession
<Location /own>
    Backhand removeSelf
    Backhand byLoad
    Backhand bySession sid=
</Location>
<Location /redirect>
    Backhand removeSelf
    Backhand byLoad
    Backhand HTTPRedirectToIP
    Backhand bySession
</Location>
<Location /self>
    Backhand byLoad
    Backhand bySession
</Location>
"""
)


def in_hex(address, port=None):
    """A server, as it stands in front of a session id."""
    return socket.inet_aton(address).hex() + (f"-{port:04x}-" if port is not None else "")


class Farm:
    """A front, and three backends: two of them on one address. The first is the least loaded."""

    def __init__(self, stage, mpm="event"):
        self.backends = [stage.backend(address) for address in ("127.0.9.15", "127.0.9.16", "127.0.9.16")]
        self.front = stage.httpd(CONFIG, mpm=mpm, files={"self": "self", "redirect": "redirect"})
        stage.plant(
            self.front,
            *(
                Announcement(backend.address, backend.port, load=number - 1_000_000)
                for number, backend in enumerate(self.backends)
            ),
        )

    def serves(self, path="/", **how):
        """Which backend has answered, and what it got."""
        answer = self.front.get(path, **how)
        assert answer.status == 200
        number = [backend.id for backend in self.backends].index(answer.text)
        return number, self.backends[number].requests[-1]


@pytest.fixture(scope="module")
def farm(module_stage):
    return Farm(module_stage)


def cookie(value):
    return {"headers": {"Cookie": value}}


def test_comes_back(stage, mpm):
    """As an application does it: the first answer sets the cookie, every later request goes to the same server."""
    farm = Farm(stage, mpm)
    for number, backend in enumerate(farm.backends):
        value = f"PHPSESSID={in_hex(backend.address, backend.port)}c4ca4238a0b923820dcc509a6f75849b"
        for _ in range(5):
            assert farm.serves(**cookie(value))[0] == number
    assert {farm.serves()[0] for _ in range(5)} == {0}


def test_the_request_arrives_untouched(farm):
    value = f'a=b; PHPSESSID={in_hex("127.0.9.16")}x; c="d"'
    number, request = farm.serves("/p?PHPSESSID=x&y", **cookie(value))
    assert (number, request.target, request.header("Cookie")) == (1, "/p?PHPSESSID=x&y", value)


@pytest.mark.parametrize(
    "value, number",
    [
        (in_hex("127.0.9.16"), 1),
        (in_hex("127.0.9.16").upper() + "xyz", 1),
        (f'"{in_hex("127.0.9.16")}"', 1),
        (in_hex("127.0.9.16")[:7], 0),
        ("", 0),
        (in_hex("127.0.9.99"), 0),
        ("c4ca4238a0b923820dcc509a6f75849b", 0),
        ("127.0.9.16", 0),
        (in_hex("127.0.9.16", 1), 0),
    ],
)
def test_ids(farm, value, number):
    assert farm.serves(**cookie(f"PHPSESSID={value}"))[0] == number
    assert farm.serves(f"/?a=b&PHPSESSID={value.strip(chr(34))}&c")[0] == number


def test_several_headers(farm):
    """httpd joins them."""
    for lines in (
        b"Cookie: a=b\r\nCookie: PHPSESSID=%s\r\n",
        b"Cookie: PHPSESSID=%s\r\nCookie: a=b\r\n",
        b"Cookie: PHPSESSID=0b000001\r\nCookie: PHPSESSID=%s\r\n",
        b"COOKIE: x=y;PHPSESSID=%s;z\r\n",
    ):
        text = farm.front.raw(
            b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + lines % in_hex("127.0.9.16").encode() + b"\r\n"
        )
        assert text.endswith(farm.backends[1].id.encode()), lines


def test_another_name_is_another_cookie(farm):
    known = in_hex("127.0.9.16")
    assert farm.serves(**cookie(f"XPHPSESSID={known}; a=PHPSESSID={known}"))[0] == 0
    assert farm.serves("/own", **cookie(f"PHPSESSID={known}"))[0] == 0
    assert farm.serves("/own", **cookie(f"PHPSESSID=x; sid={known}"))[0] == 1
    assert farm.serves(f"/own?sid={known}")[0] == 1


def test_cookie_before_query(farm):
    assert farm.serves(f"/?PHPSESSID={in_hex('127.0.9.15')}", **cookie(f"PHPSESSID={in_hex('127.0.9.16')}"))[0] == 1
    assert farm.serves(f"/?PHPSESSID={in_hex('127.0.9.16')}", **cookie("PHPSESSID=abc"))[0] == 1


def test_trace(farm):
    front = farm.front
    known, unknown = (
        front.get("/", **cookie(f"PHPSESSID={in_hex(address)}")).trace for address in ("127.0.9.16", "127.0.9.99")
    )
    assert known.left == [("removeSelf", 3), ("byLoad", 3), ("bySession", 1)]
    assert unknown.left == [("removeSelf", 3), ("byLoad", 3), ("bySession", 3)]


def test_redirect_to_the_session(farm):
    backend = farm.backends[2]
    answer = farm.front.get("/redirect", **cookie(f"PHPSESSID={in_hex(backend.address, backend.port)}"))
    assert (answer.status, answer.header("Location")) == (302, f"http://{backend.id}/redirect")


def test_session_of_this_server(farm):
    answer = farm.front.get("/self", **cookie(f"PHPSESSID={in_hex(farm.front.address, farm.front.port)}"))
    assert (answer.status, answer.text, answer.trace.action) == (200, "self", "local")


def test_session_of_a_dead_server(stage):
    """It refuses: the others get the request, though the session is lost."""
    farm = Farm(stage)
    farm.backends[1].close()
    farm.front.log.expect("AH00957|AH01114|AH00959")
    farm.front.log.allow("AH00957|AH01114|AH00959")
    gone = farm.backends[1]
    for _ in range(3):
        assert farm.serves(**cookie(f"PHPSESSID={in_hex(gone.address, gone.port)}"))[0] == 0


def test_large_cookies_cost_nothing(farm):
    header = "; ".join(["PHPSESSID=0b000001"] * 380)
    assert len(header) < 8190 and farm.serves(**cookie(header))[0] == 0

# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A server that names itself in an answer: the client is told the site's name instead, and of others nothing is
changed."""

import pytest
from harness.announce import Announcement
from harness.backend import Reply
from harness.conversation import Server
from harness.front import CHAIN, front_of

NAME = "web4.inside.test"


class Pair:
    """A front and a backend that answers with the headers that the test gives it."""

    def __init__(self, stage):
        self.headers = {}
        self.status = 302
        self.backend = stage.backend(
            "127.0.9.2", reply=lambda request: Reply(self.status, b"" if self.status == 304 else b"moved", self.headers)
        )
        self.front = stage.httpd(CHAIN, name="front")
        stage.plant(self.front, Announcement(self.backend.address, self.backend.port, hostname=NAME))

    def get(self, status=302, host="shop.test", method="GET", **headers):
        own = {"own": self.backend.id, "port": self.backend.port, "name": NAME}
        self.status, self.headers = status, {name.replace("_", "-"): value % own for name, value in headers.items()}
        return self.front.get("/", headers={"Host": host}, method=method, body=b"x" if method == "POST" else None)


@pytest.fixture(scope="module")
def pair(module_stage):
    return Pair(module_stage)


@pytest.mark.parametrize(
    "named, told",
    [
        ("http://%(own)s/next?a=%%2F#part", "http://shop.test/next?a=%%2F#part"),
        ("http://%(own)s", "http://shop.test/"),
        ("http://%(own)s?a", "http://shop.test/?a"),
        ("HTTP://%(own)s/", "http://shop.test/"),
        ("//%(own)s/next", "http://shop.test/next"),
        ("http://%(name)s:%(port)d/next", "http://shop.test/next"),
        ("http://WEB4.inside.test:%(port)d/next", "http://shop.test/next"),
    ],
)
def test_its_own_name_becomes_the_sites(pair, named, told):
    answer = pair.get(Location=named, Content_Location=named, URI=named)
    assert [answer.header(name) for name in ("Location", "Content-Location", "URI")] == [told.replace("%%", "%")] * 3


@pytest.mark.parametrize(
    "named",
    [
        "/next",
        "next",
        "?a",
        "#part",
        "",
        "http://shop.test/next",
        "https://%(own)s/next",
        "ftp://%(own)s/next",
        "mailto:%(own)s",
        "http://%(own)s0/next",
        "http://%(own)sx/next",
        "http://127.0.9.2/next",
        "http://127.0.9.22:%(port)d/next",
        "http://127.0.9.3:%(port)d/",
        "http://%(name)s/next",
        "http://x%(name)s:%(port)d/next",
        "http://%(name)s.:%(port)d/",
        "http://user@%(own)s/next",
        "http://[%(own)s]/next",
        "http://[::1]:%(port)d/",
        "http://elsewhere.test/?http://%(own)s/",
        "http:///next",
        "http:/%(own)s/",
        "http://%(name)s:/",
        "http://:%(port)d/",
        "http://127.0.9.2:999999999999/",
        "http://127.0.9.2:-1/",
        "http://127.0.9.2:8x/",
        "http://127.9.2:%(port)d/",
        "http://[",
    ],
)
def test_other_names_are_left_alone(pair, named):
    expected = named % {"own": pair.backend.id, "port": pair.backend.port, "name": NAME}
    assert pair.get(Location=named).header("Location") == expected


@pytest.mark.parametrize(
    "host, told",
    [
        ("shop.test:8080", "http://shop.test:8080/x"),
        ("[2001:db8::1]:81", "http://[2001:db8::1]:81/x"),
        ("127.0.0.1", "http://127.0.0.1/x"),
    ],
)
def test_the_site_is_what_the_client_asked_for(pair, host, told):
    assert pair.get(host=host, Location="http://%(own)s/x").header("Location") == told


@pytest.mark.parametrize(
    "status, method",
    [(200, "GET"), (201, "POST"), (301, "POST"), (307, "GET"), (404, "GET"), (503, "GET"), (503, "POST")],
)
def test_with_any_status(pair, status, method):
    """A 503 is held back while there may be a better answer, and is the same for that."""
    answer = pair.get(status=status, method=method, Location="http://%(own)s/x")
    assert (answer.status, answer.header("Location")) == (status, "http://shop.test/x")


def test_a_name_that_the_site_has_too(pair):
    """The name is right, but with the server's port it would lead past the front."""
    assert pair.get(host=NAME, Location=f"http://{NAME}:{pair.backend.port}/x").header("Location") == f"http://{NAME}/x"


@pytest.mark.parametrize(
    "cookie, told",
    [
        ("a=1; Domain=127.0.9.2; Path=/", "a=1; Domain=shop.test; Path=/"),
        ("a=1; Domain=%(name)s", "a=1; Domain=shop.test"),
        ("a=1; path=/; domain=.WEB4.inside.test;secure", "a=1; path=/; domain=.shop.test;secure"),
        ("a=1; Path=/", "a=1; Path=/"),
        ("domain=%(name)s; Path=/", "domain=%(name)s; Path=/"),
        ("a=1; Domain=shop.test", "a=1; Domain=shop.test"),
        ("a=1; Domain=test", "a=1; Domain=test"),
        ("a=1; Domain=inside.test", "a=1; Domain=inside.test"),
        ("a=1; Domain=", "a=1; Domain="),
        ("a=1; xdomain=%(name)s", "a=1; xdomain=%(name)s"),
        ("a=1;", "a=1;"),
    ],
)
def test_domains_of_cookies(pair, cookie, told):
    assert pair.get(status=200, Set_Cookie=cookie).header("Set-Cookie") == told % {"name": NAME}


def test_a_domain_that_the_client_may_have(pair):
    """The server is called as the site's parent domain is: such a cookie is meant for the whole domain."""
    assert (
        pair.get(status=200, host=f"shop.{NAME}", Set_Cookie="a=1; Domain=%(name)s").header("Set-Cookie")
        == f"a=1; Domain={NAME}"
    )


def test_several_cookies(stage):
    server = Server(
        lambda connection, stream, head: (
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Domain=127.0.9.2\r\nSet-Cookie: b=2\r\nset-cookie: c=3; "
                b"domain=127.0.9.2\r\n"
                b"Content-Length: 0\r\n\r\n"
            )
            or True
        )
    )
    front = front_of(stage, server)
    answer = front.get("/", headers={"Host": "shop.test"})
    assert [value for name, value in answer.headers if name.lower() == "set-cookie"] == [
        "a=1; Domain=shop.test",
        "b=2",
        "c=3; domain=shop.test",
    ]
    server.close()


def test_an_httpd_that_names_itself(stage):
    """UseCanonicalName On: its redirect to a directory's slash would lead around the front."""
    server = stage.httpd(
        "UseCanonicalName On\nServerName 127.0.9.2:${port}\n",
        name="server",
        address="127.0.9.2",
        without=("backhand",),
        files={"folder/index.html": "there"},
    )
    front = front_of(stage, server)
    answer = front.get("/folder?a=b", headers={"Host": "shop.test"})
    assert (answer.status, answer.header("Location")) == (301, "http://shop.test/folder/?a=b")


def test_lines_of_proxy_pass_reverse(stage):
    """They count as they do for mod_proxy; interpolation, which mod_proxy prepares for its own requests only, does not
    happen."""
    backend = stage.backend(
        "127.0.9.2",
        reply=lambda request: Reply(
            302, b"", {"Location": "http://application.test/x", "Set-Cookie": "a=1; Domain=application.test; Path=/x"}
        ),
    )
    front = front_of(
        stage,
        backend,
        config="""
        <Location />
            ProxyPassReverse http://application.test/
            ProxyPassReverseCookieDomain application.test shop.test
            ProxyPassReverseCookiePath /x /
        </Location>
        <Location /interpolated>
            ProxyPassInterpolateEnv On
        </Location>
    """,
    )
    for path in ("/", "/interpolated"):
        answer = front.get(path, headers={"Host": "shop.test"})
        assert (answer.header("Location"), answer.header("Set-Cookie")) == (
            "http://shop.test/x",
            "a=1; Domain=shop.test; Path=/",
        )

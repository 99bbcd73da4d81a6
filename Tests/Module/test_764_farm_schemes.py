# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Farms whose members speak FastCGI, AJP, SCGI, uwsgi, FTP, HTTP/2 or WebSockets: each scheme that mod_proxy has."""

import pytest
from harness.backend import Backend, Reply
from harness.certificates import Authority
from harness.conversation import Server
from harness.ftp import FTP
from harness.gateways import AJP, SCGI, UWSGI, FastCGI
from harness.wait import wait_for
from harness.websocket import WebSocket, echo
from Module.test_760_farms import ENGINE, farm, shares

KINDS = (FastCGI, AJP, SCGI, UWSGI)
# mod_proxy's lines about members that are gone, or that do not answer.
TROUBLE = (
    "AH0079[29]|AH0085[68]|AH0086[046]|AH0087[78]|AH00893|AH0089[68]|AH00957|AH00959|AH00992|AH0103[01]|AH01067|"
    "AH01075|AH01079|AH01114|AH10098|AH10101|End of script output before headers"
)


def modules(scheme):
    return ("athena", f"proxy_{scheme}")


@pytest.fixture(params=KINDS, ids=lambda kind: kind.scheme)
def members(request):
    made = [request.param(f"127.0.9.{number}") for number in (80, 81, 82)]
    yield made
    for each in made:
        each.close()


def front_of(stage, members, more="", **how):
    """An httpd whose paths all go to the farm of these members."""
    scheme = members[0].scheme
    lines = ENGINE + farm((each.id for each in members), more) + f"ProxyPass / {scheme}://farm_one/\n"
    front = stage.httpd(lines, modules=modules(scheme), **how)
    front.log.allow(TROUBLE)
    return front


def test_all_members_get_requests(stage, mpm, members):
    front = front_of(stage, members, mpm=mpm)
    assert set(shares(front, path="/app/x?y=1")) == {each.id for each in members}
    assert members[0].requests[0].target == "/app/x?y=1"


def test_bodies(stage, members):
    """Small ones and large ones, in both directions."""
    for each in members:
        each.reply = lambda request: Reply(body=request.body)
    front = front_of(stage, members)
    for size in (0, 1, 5000, 200_000):
        body = bytes(size % 251 for size in range(size))
        assert front.get("/echo", method="POST", body=body).body == body


def test_a_dead_member(stage, members):
    """No client sees it, and a body goes to the next member."""
    front = front_of(stage, members[:2])
    members[0].close()
    assert set(shares(front, 20)) == {members[1].id}
    for size in (10, 100_000):
        assert front.get("/", method="POST", body=b"x" * size).text == members[1].id
    assert {len(request.body) for request in members[1].requests} == {0, 10, 100_000}


def test_a_lost_answer_of_a_request_that_can_be_repeated(stage, members):
    """Another member gets it; the one that has failed is not taken for one that refuses connections."""
    members[0].reply = lambda request: Reply(drop=True)
    front = front_of(stage, members[:2])
    assert set(shares(front, 20)) == {members[1].id}
    assert members[0].requests


def test_a_lost_answer_of_a_request_that_has_had_its_effect(stage, members):
    """No second member gets it."""
    for each in members:
        each.reply = lambda request: Reply(drop=True)
    front = front_of(stage, members)
    for _ in range(10):
        assert front.get("/", method="POST", body=b"order").status in (500, 502, 503)
    assert sum(len(each.requests) for each in members) == 10


@pytest.mark.parametrize("header", ["Location", "X-Sendfile"])
def test_scgi_hands_over_to_this_httpd(stage, mpm, header):
    """An internal redirect, or a file, as the application wants it: mod_proxy_scgi does that after the request."""
    member = SCGI("127.0.9.80")
    lines = ENGINE + farm([member.id]) + "ProxyPass /app/ scgi://farm_one/\nProxySCGISendfile On\n"
    front = stage.httpd(lines, modules=modules("scgi"), files={"there.txt": "from here"}, mpm=mpm)
    there = "/there.txt" if header == "Location" else str(front.root / "htdocs/there.txt")
    member.reply = lambda request: Reply(headers={header: there})
    assert (front.get("/app/x").status, front.get("/app/x").text) == (200, "from here")
    member.close()


# ---- php-fpm ----

PHP = {
    "match": "ProxyPassMatch ^/(.*\\.php)$ fcgi://{host}/srv/www/$1\n",
    "handler": '<FilesMatch "\\.php$">\n    SetHandler "proxy:fcgi://{host}/"\n</FilesMatch>\n',
    "rule": 'RewriteEngine On\nRewriteRule ^/(.*\\.php)$ "fcgi://{host}/srv/www/$1" [P]\n',
    "pass": "ProxyPass / fcgi://{host}/srv/www/\n",
}


@pytest.mark.parametrize("way", PHP)
def test_variables_are_those_of_the_member(stage, way):
    """The script's file and path are as if the line named the member itself."""
    with_port = FastCGI("127.0.9.80")
    seen = {}
    for host in ("farm_one", with_port.id):
        lines = ENGINE + farm([with_port.id]) + PHP[way].format(host=host)
        front = stage.httpd(lines, modules=("athena", "proxy_fcgi", "rewrite"), files={"a/x.php": "<?php ?>\n"})
        assert front.get("/a/x.php?q=%31").text == with_port.id
        seen[host] = {
            name: value.replace(str(front.root), "").replace(str(front.port), "")
            for name, value in with_port.requests[-1].environment.items()
            if name not in ("REMOTE_PORT", "UNIQUE_ID", "proxy-nokeepalive")  # mod_proxy's own
        }
        front.stop()
    assert seen["farm_one"] == seen[with_port.id]
    assert seen["farm_one"]["SCRIPT_FILENAME"].endswith("/a/x.php") and seen["farm_one"]["QUERY_STRING"] == "q=%31"
    with_port.close()


SOCKETS = (
    '<Location /x>\n    SetHandler "proxy:unix:/run/php.sock|fcgi://farm_one/"\n</Location>\n',
    "ProxyPass /x unix:/run/php.sock|fcgi://farm_one/\n",
    "ProxyPass /x unix:php.sock|fcgi://user@farm_one/\n",
    'RewriteEngine On\nRewriteRule ^/x(.*) "unix:/run/php.sock|fcgi://Farm_One/$1" [P]\n',
)


@pytest.mark.parametrize("lines", SOCKETS)
def test_a_socket_and_a_farm(stage, lines):
    """A socket is one server, so that the farm would be ignored."""
    front = stage.httpd(ENGINE + farm(["localhost"]) + lines, modules=("athena", "proxy_fcgi", "rewrite"), start=False)
    code, text = front.test_config()
    assert (
        code != 0 and "BH0191: " in text and "names the farm farm_one of" in text and "a URL with a socket" in text
    ), text


# ---- HTTP's relatives ----


@pytest.mark.parametrize(("scheme", "more"), [("ws", ""), ("http", " upgrade=websocket")])
def test_websockets(stage, scheme, more):
    """A ws:// URL, and an upgrade of http://."""
    member = Server(echo)
    lines = ENGINE + farm([member.id]) + f"ProxyPass / {scheme}://farm_one/{more}\n"
    front = stage.httpd(lines, modules=("athena", "proxy_wstunnel"))
    for _ in range(3):
        socket = WebSocket(front, "/chat")
        assert socket.say("hello") == "hello" and socket.close()
    # httpd that is stopped earlier closes the client's end of a tunnel, which then waits for a minute.
    wait_for(lambda: len([line for line in front.access_log() if "/chat" in line]) == 3, 5, "the ends of the tunnels")
    member.close()


def test_http2(stage):
    """h2c:// with mod_proxy_http2."""
    member = stage.httpd("Protocols h2c http/1.1\n", modules=("http2",), files={"x": "over h2c\n"})
    lines = ENGINE + farm([member.id]) + "ProxyPass / h2c://farm_one/\n"
    front = stage.httpd(lines, modules=("athena", "http2", "proxy_http2"))
    assert front.get("/x").text == "over h2c\n"
    assert "HTTP/2.0" in member.logged("/x")


def h2_member(stage, authority, address, protocols):
    member = stage.httpd(
        f"Protocols {protocols}\n" + authority.sign(address).server,
        address=address,
        without=("backhand",),
        modules=("http2", "ssl"),
        files={"x": address},
    )
    member.log.always("AH01873|AH01909|AH10034")
    return member


def test_http2_over_tls(stage, mpm):
    """h2://, where members must agree on HTTP/2 in their handshake, and have the names of their certificates."""
    authority = Authority(stage.folder)
    protocols = {"127.0.9.80": "h2 http/1.1", "127.0.9.81": "h2 http/1.1", "127.0.9.82": "http/1.1"}
    one, two, old = [h2_member(stage, authority, *each) for each in protocols.items()]
    lines = (
        ENGINE
        + farm([one.id, two.id, old.id], "    Backhand byRandom\n")
        + f"SSLProxyEngine On\nSSLProxyVerify require\nSSLProxyCACertificateFile {authority.certificate}\n"
        + "ProxyPass / h2://farm_one/\n"
    )
    front = stage.httpd(lines, modules=("athena", "http2", "proxy_http2", "ssl"), mpm=mpm, name="front")
    front.log.allow(TROUBLE + "|AH01873|AH03352|AH02003|AH10230|AH10034")
    found = [front.get("/x") for _ in range(30)]
    assert {(answer.status, answer.text) for answer in found} == {(200, one.address), (200, two.address)}
    assert "HTTP/2.0" in one.logged("/x") and "HTTP/2.0" in two.logged("/x") and not old.access_log()


# ---- FTP ----


@pytest.fixture
def files():
    """FTP servers, each with a file of its own name."""
    made = [FTP(f"127.0.9.{number}") for number in (80, 81, 82)]
    yield made
    for each in made:
        each.close()


def test_files(stage, mpm, files):
    """All members get requests, for the path that the URL has; no client sees one that is gone."""
    front = front_of(stage, files, "    Backhand byRandom\n", mpm=mpm)
    assert set(shares(front, 30, path="/pub/file.txt")) == {each.id for each in files}
    assert files[0].requests[0].target == "/pub/file.txt"
    files[0].close()
    assert set(shares(front, 30, path="/pub/file.txt")) == {each.id for each in files[1:]}


def test_a_file_that_is_lost(stage, files):
    """Reading is idempotent, so another member is asked."""
    files[0].reply = lambda request: Reply(drop=True)
    front = front_of(stage, files[:2], "    Backhand byRandom\n")
    assert set(shares(front, 20, path="/file.txt")) == {files[1].id}
    assert files[0].requests


@pytest.mark.parametrize(
    ("path", "status"), [("/a/file.txt", 200), ("/a/b/", 200), ("/no.txt", 404)], ids=["file", "folder", "none"]
)
def test_files_are_as_if_the_line_named_the_member(stage, files, path, status):
    server = files[0]
    server.reply = lambda request: Reply(404 if "no" in request.target else 200, body=b"\0text\r\n")
    answers = []
    for host in ("farm_one", server.id):
        lines = ENGINE + farm([server.id]) + f"ProxyPass /ftp/ ftp://{host}/\n"
        front = stage.httpd(lines, modules=("athena", "proxy_ftp"))
        front.log.allow(TROUBLE)
        answer = front.get(f"/ftp{path}")
        names = ("Content-Type", "Content-Length", "Content-Encoding", "Allow")
        body = answer.text.replace(str(front.port), "")
        answers.append((answer.status, [answer.header(name) for name in names], body))
        front.stop()
    assert answers[0] == answers[1] and answers[0][0] == status


def test_a_scheme_that_nobody_speaks(stage):
    backend = Backend("127.0.9.80")
    front = stage.httpd(ENGINE + farm([backend.id]) + "ProxyPass / fcgi://farm_one/\n", modules=("athena",))
    front.log.expect("BH0165: no module speaks the scheme of fcgi://")
    assert front.get("/").status == 500
    assert front.log.count("BH0165") == 1
    backend.close()

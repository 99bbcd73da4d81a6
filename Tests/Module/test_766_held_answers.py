# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A member's own 503: another member gets the request, and if none does better, the client gets the last one as it was
sent."""

import pytest
from harness.backend import Backend, Reply
from harness.conversation import Server
from harness.gateways import AJP, FCGI_END, FCGI_RECORD, FCGI_STDOUT, SCGI, UWSGI, FastCGI
from harness.wait import wait_for
from harness.websocket import WebSocket, echo
from Module.test_760_farms import ENGINE, MODULES, PASS, WAYS, WAYS_MODULES, farm, shares
from Module.test_762_farm_states import SOCKETS
from Module.test_764_farm_schemes import TROUBLE, modules

OF_BUSY = {
    "X-Mine": "busy",
    "Set-Cookie": "busy=1",
    "Content-Type": "text/x-busy",
    "Content-Language": "x-busy",
    "Retry-After": "77",
}
ALONE = "    Backhand byRandom\n"


def busy(server, text="not now", headers=OF_BUSY, **how):
    server.reply = lambda request: Reply(503, text.encode(), headers, **how)


def front_of(stage, members, more=ALONE, lines=PASS, **how):
    how.setdefault("modules", MODULES)
    front = stage.httpd(ENGINE + farm((each.id for each in members), more) + lines, **how)
    front.log.allow(TROUBLE + "|AH01102|AH00898|AH01110|AH10154|AH01114")
    return front


def asked(members):
    return [len(each.requests) for each in members]


def test_another_member_gets_the_request(stage, mpm, backends):
    """Nothing of the 503 is in the answer."""
    busy(backends[0])
    front = front_of(stage, backends[:2], mpm=mpm)
    answers = [front.get("/") for _ in range(20)]
    assert {(answer.status, answer.text) for answer in answers} == {(200, backends[1].id)}
    assert not {answer.header(name) for answer in answers for name in OF_BUSY} & set(OF_BUSY.values())
    assert backends[0].requests and len(backends[1].requests) == 20


@pytest.mark.parametrize("way", WAYS)
def test_however_a_line_names_the_farm(stage, backends, way):
    busy(backends[0])
    lines = WAYS[way].format(host="farm_one")
    front = front_of(stage, backends[:2], lines=lines, modules=WAYS_MODULES, files={"x/z.x": "a file\n"})
    assert set(shares(front, 20, path="/x/z.x")) == {backends[1].id}
    assert backends[0].requests


def test_nobody_does_better(stage, mpm, backends):
    """Members that answer are not out of service, so that AthForward does not count."""
    for each in backends[:2]:
        where = f"http://{each.id}/there"
        busy(each, each.id, {"X-Mine": each.id, "Retry-After": "77", "Content-Location": where})
    more = ALONE + f"    AthForward http://{backends[2].id}/\n"
    front = front_of(stage, backends[:2], more, PASS + "ProxyPassReverse / http://farm_one/\n", mpm=mpm)
    for number in range(1, 11):
        answer = front.get("/a")
        assert answer.status == 503 and answer.text in (backends[0].id, backends[1].id)
        assert (answer.header("X-Mine"), answer.header("Retry-After")) == (answer.text, "77")
        assert answer.header("Content-Location") == f"http://{front.id}/there"
        assert asked(backends) == [number, number, 0]
    head = front.get("/a", method="HEAD")
    assert (head.status, head.header("Retry-After"), head.body) == (503, "77", b"")
    assert int(head.header("Content-Length")) == len(backends[0].id)


@pytest.mark.parametrize("retries", [1, 2])
@pytest.mark.parametrize("other", ["lost", "refused"])
def test_a_503_is_better_than_no_answer(stage, backends, other, retries):
    """Whichever member is asked first, and also where BackhandRetries ends the search. Its header has its own names."""
    busy(backends[0], headers={"Content-Location": f"http://{backends[0].id}/there"})
    backends[1].reply = lambda request: Reply(drop=True)
    if other == "refused":
        backends[1].close()
    more = f"{ALONE}    BackhandRetries {retries}\n    AthForward http://{backends[2].id}/\n"
    front = front_of(stage, backends[:2], more, PASS + "ProxyPassReverse / http://farm_one/\n")
    answers = [front.get("/") for _ in range(20)]
    seen = {(answer.status, answer.text, answer.header("Content-Location")) for answer in answers}
    assert seen == {(503, "not now", f"http://{front.id}/there")}


@pytest.mark.parametrize(("retries", "tried"), [(0, 1), (1, 2), (2, 3)])
def test_retries(stage, backends, retries, tried):
    for each in backends:
        busy(each, each.id)
    front = front_of(stage, backends, f"{ALONE}    BackhandRetries {retries}\n")
    assert front.get("/").status == 503
    assert sum(asked(backends)) == tried


def test_what_cannot_be_repeated(stage, mpm, backends):
    for each in backends:
        busy(each)
    front = front_of(stage, backends, mpm=mpm)
    answer = front.get("/", method="POST", body=b"order")
    assert (answer.status, answer.text, answer.header("X-Mine")) == (503, "not now", "busy")
    assert sum(asked(backends)) == 1


def test_a_long_one(stage, backends):
    """What does not fit into memory is not held back."""
    for each in backends:
        busy(each, "y" * 300_000)
    answer = front_of(stage, backends).get("/")
    assert (answer.status, answer.body, sum(asked(backends))) == (503, b"y" * 300_000, 1)


def test_another_error_is_an_answer(stage, backends):
    for each in backends:
        each.reply = lambda request: Reply(500, b"theirs")
    answer = front_of(stage, backends).get("/")
    assert (answer.status, answer.text, sum(asked(backends))) == (500, "theirs", 1)


def test_pages_of_this_httpd(stage, mpm, backends):
    """With ProxyErrorOverride: another member is asked, and the page comes only if none does better."""
    lines = "ProxyErrorOverride On\nErrorDocument 503 ours\n" + PASS
    front = front_of(stage, backends[:2], f"{ALONE}    AthForward http://{backends[2].id}/\n", lines, mpm=mpm)
    busy(backends[0])
    assert set(shares(front, 20)) == {backends[1].id}
    assert backends[0].requests
    busy(backends[1])
    answer = front.get("/")
    assert (answer.status, answer.text, answer.header("X-Mine")) == (503, "ours", None)
    backends[1].reply = lambda request: Reply(drop=True)
    assert (front.get("/").status, front.get("/").text) == (503, "ours")


@pytest.mark.parametrize("kind", (FastCGI, AJP, UWSGI), ids=lambda kind: kind.scheme)
@pytest.mark.parametrize("codes", ["", " 500 503"], ids=("all", "some"))
def test_pages_of_this_httpd_for_gateways(stage, kind, codes):
    """mod_proxy_fcgi makes the page itself, and mod_proxy_uwsgi says nothing of it."""
    members = [kind(f"127.0.9.{number}") for number in (80, 81)]
    lines = (
        f"ProxyErrorOverride On{codes}\nErrorDocument 500 five\nErrorDocument 503 /sorry\n"
        f"ProxyPass /sorry !\nProxyPass / {kind.scheme}://farm_one/\n"
    )
    front = front_of(stage, members, lines=lines, modules=modules(kind.scheme), files={"sorry": "ours"})
    busy(members[0], "y" * 100_000)
    assert set(shares(front, 20)) == {members[1].id}
    assert members[0].requests
    busy(members[1], "y" * 100_000)
    before = sum(asked(members))
    answer = front.get("/")
    assert (answer.status, answer.text, sum(asked(members)) - before) == (503, "ours", 2)
    for each in members:
        each.reply = lambda request: Reply(500, b"theirs")
    answer = front.get("/")
    assert (answer.status, answer.text, sum(asked(members)) - before) == (500, "five", 3)
    for each in members:
        each.close()


@pytest.mark.parametrize("override", ["", "ProxyErrorOverride On\n"], ids=("without", "override"))
def test_a_page_for_503_by_a_farm(stage, backends, override):
    """With ProxyErrorOverride mod_proxy gives it the status of what it explains: one member is asked, and is well."""
    lines = f"{override}ErrorDocument 503 /page/x\nProxyPass /page/ http://farm_two/\nRedirect 503 /closed\n{SOCKETS}"
    front = front_of(stage, backends[:1], lines=farm((each.id for each in backends[1:]), ALONE, "farm_two") + lines)
    for number in range(1, 8):
        answer = front.get("/closed")
        assert answer.status == (503 if override else 200) and answer.text in (backends[1].id, backends[2].id)
        assert sum(asked(backends)) == number
    servers = front.status().servers
    assert {servers[each.id]["failed"] for each in backends} == {0}


class Short(FastCGI):
    """Its answers have no end."""

    def _send(self, connection, request, reply):
        data = self._head(request, reply) + reply.body[: reply.cut]
        connection.sendall(FCGI_RECORD.pack(1, FCGI_STDOUT, 1, len(data), 0) + data)
        reply.close = True
        if reply.cut is None:
            connection.sendall(FCGI_RECORD.pack(1, FCGI_STDOUT, 1, 0, 0))
            connection.sendall(FCGI_RECORD.pack(1, FCGI_END, 1, 8, 0) + bytes(8))


@pytest.mark.parametrize("kind", [Backend, Short], ids=["http", "fcgi"])
def test_one_that_is_broken_off(stage, kind):
    """It is a lost answer, also where it would be the last one."""
    members = [kind(f"127.0.9.{number}") for number in (80, 81)]
    scheme = getattr(kind, "scheme", "http")
    used = MODULES if scheme == "http" else modules(scheme)
    front = front_of(stage, members, lines=f"ProxyPass / {scheme}://farm_one/\n", modules=used)
    busy(members[0], "y" * 1000, cut=500)
    assert set(shares(front, 20)) == {members[1].id}
    busy(members[1])
    assert set(shares(front, 20)) == {"not now"}
    busy(members[1], "y" * 1000, cut=500)
    answer = front.get("/")
    assert (answer.status, answer.header("X-Mine")) == (502, None)
    for each in members:
        each.close()


def test_a_session_is_with_the_member_that_answers(stage, backends):
    """bySession sets one cookie, for that member; a 503 has none."""
    chain = '    Backhand bySession "cookie=ROUTE"\n    Backhand byRandom\n'
    front = front_of(stage, backends[:2], chain)
    busy(backends[0], headers={})
    for _ in range(20):
        answer = front.get("/")
        (cookie,) = [value for name, value in answer.headers if name.lower() == "set-cookie"]
        assert front.get("/", headers={"Cookie": cookie.partition(";")[0]}).text == backends[1].id
    before = len(backends[0].requests)
    backends[0].reply = lambda request: Reply(200, b"well")
    assert front.get("/", headers={"Cookie": cookie.partition(";")[0]}).text == backends[1].id
    assert len(backends[0].requests) == before
    for each in backends:
        busy(each, headers={})
    assert front.get("/").header("Set-Cookie") is None


def test_parts_and_error_documents(stage, mpm, backends):
    """Subrequests and internal redirects."""
    busy(backends[0])
    front = front_of(
        stage,
        backends[:2],
        lines="ProxyPass /app/ http://farm_one/\nErrorDocument 404 /app/missing\nOptions +Includes\n"
        "AddOutputFilter INCLUDES .shtml\nAddType text/html .shtml\n",
        modules=(*MODULES, "include"),
        mpm=mpm,
        files={"page.shtml": '<!--#include virtual="/app/part" -->,<!--#include virtual="/app/part" -->'},
    )
    for _ in range(10):
        assert front.get("/page.shtml").text == f"{backends[1].id},{backends[1].id}"
        missing = front.get("/nothing")
        assert (missing.status, missing.text) == (200, backends[1].id)  # mod_proxy's own status for such a page
    assert backends[0].requests
    busy(backends[1])
    assert front.get("/page.shtml").text == "not now,not now"


def test_a_page_for_503_by_a_program_that_says_no_status(stage):
    """It has the status of what it explains, and is no failure of its member."""
    members = [FastCGI(f"127.0.9.{number}") for number in (80, 81)]
    for each in members:
        each.reply = lambda request: Reply(None, b"come again")
    lines = (
        "ProxyPass /app/ fcgi://farm_one/\nErrorDocument 503 /app/sorry\n"
        "RewriteEngine On\nRewriteRule ^/closed - [R=503]\n"
    )
    front = front_of(stage, members, lines=lines, modules=("athena", "proxy_fcgi", "rewrite"))
    for number in range(1, 6):
        answer = front.get("/closed")
        assert (answer.status, answer.text, sum(asked(members))) == (503, "come again", number)
    for each in members:
        each.close()


def test_three_in_a_row_are_a_doubt(stage, backends):
    """A member that only says 503 counts as failing, as a server of a chain does."""
    front = front_of(stage, backends[:2], "", SOCKETS + PASS)
    busy(backends[0])
    assert set(shares(front, 60)) == {backends[1].id}
    assert len(backends[0].requests) < 10
    assert front.status().servers[backends[0].id]["failed"] == len(backends[0].requests)


def test_a_tunnel_that_is_refused(stage):
    """An upgrade that one member does not take."""
    one, other = Server(echo), stage.backend("127.0.9.80")
    busy(other, headers={})
    front = front_of(
        stage,
        [one, other],
        lines="ProxyPass / http://farm_one/ upgrade=websocket\n",
        modules=("athena", "proxy_wstunnel"),
    )
    for _ in range(10):
        socket = WebSocket(front, "/chat")
        assert socket.say("hello") == "hello" and socket.close()
    assert other.requests
    # httpd that is stopped earlier closes the client's end of a tunnel, which then waits for a minute.
    wait_for(lambda: len([line for line in front.access_log() if "/chat" in line]) == 10, 5, "the ends of the tunnels")
    one.close()


# ---- Other schemes ----


@pytest.fixture(params=(FastCGI, AJP, SCGI, UWSGI), ids=lambda kind: kind.scheme)
def members(request):
    made = [request.param(f"127.0.9.{number}") for number in (80, 81)]
    yield made
    for each in made:
        each.close()


def test_schemes(stage, mpm, members):
    """Nothing of the 503 is in the answer, and nothing of another answer in the 503."""
    scheme = members[0].scheme
    front = front_of(stage, members, lines=f"ProxyPass / {scheme}://farm_one/\n", modules=modules(scheme), mpm=mpm)
    busy(members[0])
    answers = [front.get("/") for _ in range(20)]
    assert {(answer.status, answer.text) for answer in answers} == {(200, members[1].id)}
    assert not {answer.header(name) for answer in answers for name in OF_BUSY} & set(OF_BUSY.values())
    assert members[0].requests
    for each in members:
        busy(each, each.id, {"X-Mine": each.id, f"X-{each.address}": "1", "Set-Cookie": each.id})
    for _ in range(10):
        answer = front.get("/")
        assert answer.status == 503 and answer.header("X-Mine") == answer.text
        of_both = [value for name, value in answer.headers if name.lower() == "set-cookie" or name.startswith("X-127")]
        assert sorted(of_both) == ["1", answer.text]


class Broken:
    """A program that ends in the middle of its header."""

    def _head(self, request, reply):
        whole = super()._head(request, reply)
        return whole if reply.status == 200 else whole[:-9]


@pytest.mark.parametrize("kind", (SCGI, UWSGI), ids=lambda kind: kind.scheme)
def test_half_a_header(stage, kind):
    """Nothing of it is in another member's answer."""
    members = [type("Half", (Broken, kind), {})(f"127.0.9.{number}") for number in (80, 81)]
    lines = f"ProxyPass / {kind.scheme}://farm_one/\n"
    front = front_of(stage, members, lines=lines, modules=modules(kind.scheme))
    front.log.allow("Premature end of script headers")
    busy(members[0], "", {**OF_BUSY, "Last-Modified": "Tue, 03 Nov 2026 12:00:00 GMT", "X-Last": "123456789"})
    answers = [front.get("/") for _ in range(20)]
    assert {(answer.status, answer.text) for answer in answers} == {(200, members[1].id)}
    assert {answer.header(name) for answer in answers for name in (*OF_BUSY, "Last-Modified")} <= {None, "text/plain"}
    assert members[0].requests
    for each in members:
        each.close()


def test_http2(stage):
    """h2c:// with mod_proxy_http2."""
    one, other = (
        stage.httpd(
            f"Protocols h2c http/1.1\n{more}",
            modules=("http2", "rewrite"),
            files={"x": "well"},
            address=address,
            name=address,
        )
        for address, more in (
            ("127.0.9.80", ""),
            ("127.0.9.81", "RewriteEngine On\nRewriteRule ^/x - [R=503]\nHeader always set X-Mine busy\n"),
        )
    )
    front = front_of(
        stage, [one, other], lines="ProxyPass / h2c://farm_one/\n", modules=("athena", "http2", "proxy_http2")
    )
    answers = [front.get("/x") for _ in range(20)]
    assert {(answer.status, answer.text, answer.header("X-Mine")) for answer in answers} == {(200, "well", None)}
    assert "503" in other.logged("/x")


def test_http2_that_is_broken_off(stage, backends):
    """mod_proxy_http2 calls it an error of the gateway."""
    members = [
        stage.httpd(
            f"Protocols h2c http/1.1\nProxyPass / http://{each.id}/\n",
            modules=("http2",),
            without=("backhand",),
            address=address,
            name=address,
        )
        for each, address in zip(backends, ("127.0.9.80", "127.0.9.81"))
    ]
    for each in members:
        each.log.allow("AH01110|AH10154")
    front = front_of(stage, members, lines="ProxyPass / h2c://farm_one/\n", modules=("athena", "http2", "proxy_http2"))
    busy(backends[0], "y" * 1000, cut=500)
    assert set(shares(front, 10)) == {backends[1].id}
    busy(backends[1], "y" * 1000, cut=500)
    assert {front.get("/").status for _ in range(20)} == {502}

# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A server that refuses connections costs the requests nothing: the next candidate gets them, and all children spare it
for a while."""

import os
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness import ports
from harness.announce import Announcement
from harness.backend import Backend, Reply
from harness.stage import CLUSTER_OF_9
from harness.wait import wait_for

CONFIG = (
    CLUSTER_OF_9
    + """
AllowEncodedSlashes NoDecode
BackhandTrace On
Backhand removeSelf
Backhand byLoad
"""
)


def gone(address="127.0.9.3", **values):
    """A server that announces and listens no more."""
    return Announcement(address, ports.free_port(address), **values)


# mod_proxy says each failed connection at error level.
REFUSED = r"AH00957|AH01114|AH00959"


def in_backoff(row, longest, begin):
    """Its back-off of so many milliseconds has begun after `begin`."""
    return longest - (time.monotonic() - begin) * 1000 - 1 <= row["backoff_ms"] <= longest


def test_the_next_candidate_gets_the_request(stage, mpm):
    backend = stage.backend("127.0.9.2")
    front = stage.httpd(CONFIG, mpm=mpm)
    dead = gone(load=0)
    stage.plant(front, dead, Announcement(backend.address, backend.port, load=9000))
    begin = time.monotonic()
    answer = front.get("/")
    assert (answer.status, answer.text, answer.trace.server) == (200, backend.id, backend.id)
    row = front.status().servers[dead.id]
    assert (row["refused"], row["in_flight"], row["served"]) == (1, 0, 0)
    assert in_backoff(row, 1000, begin)
    front.log.expect(REFUSED)


def test_the_next_of_a_window_of_one(stage, mpm):
    """byLogWindow leaves one of three, and that one refuses: the others are there still."""
    backends = [stage.backend(address) for address in ("127.0.9.2", "127.0.9.4")]
    front = stage.httpd(CONFIG + "Backhand byLogWindow\n", mpm=mpm)
    front.log.expect(REFUSED)
    stage.plant(front, gone(load=0), *(Announcement(backend.address, backend.port, load=9000) for backend in backends))
    answer = front.get("/", method="POST", body=b"body")
    assert (answer.status, answer.text) == (200, answer.trace.server) and answer.text in {
        backend.id for backend in backends
    }


def test_the_body_goes_to_the_next_candidate(stage, mpm):
    backend = stage.backend("127.0.9.2")
    front = stage.httpd(CONFIG, mpm=mpm)
    deads = [gone(f"127.0.9.{number}", load=number) for number in (3, 4)]
    stage.plant(front, *deads, Announcement(backend.address, backend.port, load=9000))
    body = os.urandom(200_000)
    assert front.get("/", method="POST", chunks=[body[:100_000], body[100_000:]]).text == backend.id
    assert [(request.method, request.body == body) for request in backend.requests] == [("POST", True)]
    front.log.expect(REFUSED)


def test_a_connection_that_is_not_answered(stage):
    """A host that is gone says nothing at all: after three seconds it is as one that refuses, also for an unsafe
    request, and is spared for long."""
    backend = stage.backend("127.0.9.2")
    front = stage.httpd(CONFIG)
    front.log.allow(REFUSED)
    with socket.socket() as listener, socket.socket() as one, socket.socket() as two, socket.socket() as three:
        # Linux answers no SYN while the queue of those that nobody has accepted is full.
        listener.bind(("127.0.9.3", 0))
        listener.listen(0)
        for filling in (one, two, three):
            filling.setblocking(False)
            filling.connect_ex(listener.getsockname())
        silent = Announcement(*listener.getsockname(), load=0)
        stage.plant(front, silent, Announcement(backend.address, backend.port, load=9000))
        begin = time.monotonic()
        answer = front.get("/", method="POST")
        took = time.monotonic() - begin
        assert (answer.status, answer.text) == (200, backend.id)
        # Another wait would make it six.
        assert 2.9 < took < 5.9
        row = front.status().servers[silent.id]
        assert row["refused"] == 1 and 9000 < row["backoff_ms"] <= 16000
        begin = time.monotonic()
        assert front.get("/").text == backend.id
        assert time.monotonic() - begin < 2.5
    assert [(request.method, len(request.body)) for request in backend.requests] == [("POST", 0), ("GET", 0)]


def test_all_children_leave_it_out(stage, mpm):
    backend = stage.backend("127.0.9.2")
    front = stage.httpd(CONFIG, mpm=mpm)
    dead = gone(load=0)
    stage.plant(front, dead, Announcement(backend.address, backend.port, load=9000))
    begin = time.monotonic()
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: front.get("/"), range(30)))
    assert {answer.text for answer in answers} == {backend.id}
    # Requests that were decided before the first refusal was known may have tried it as well; together they are one
    # refusal. The back-off of a second may have ended where they took longer.
    assert 1 <= front.status().servers[dead.id]["refused"] <= 1 + (time.monotonic() - begin)
    left = [answer.trace.left[0] for answer in answers]
    assert left.count(("removeSelf", 1)) > 15, left
    front.log.expect(REFUSED)


def test_it_comes_back(stage):
    other = stage.backend("127.0.9.2")
    front = stage.httpd(CONFIG)
    dead = gone(load=0)
    stage.plant(front, dead, Announcement(other.address, other.port, load=9000))
    assert front.get("/").text == other.id
    again = Backend(dead.address, dead.port)
    stage.backends.append(again)
    wait_for(lambda: front.get("/").text == again.id, 5, "the end of the back-off", every=0.1)
    row = front.status().servers[dead.id]
    assert (row["refused"], row["backoff_ms"]) == (0, 0)
    front.log.expect(REFUSED)


def test_back_off_doubles(stage):
    other = stage.backend("127.0.9.2")
    front = stage.httpd(CONFIG)
    dead = gone(load=0)
    stage.plant(front, dead, Announcement(other.address, other.port, load=9000))

    def refused(times):
        """The row after so many refusals, and when the last request was sent."""
        begin = time.monotonic()
        assert front.get("/").text == other.id
        row = front.status().servers[dead.id]
        return (row, begin) if row["refused"] == times else None

    row, begin = refused(1)
    assert in_backoff(row, 1000, begin)
    row, begin = wait_for(lambda: refused(2), 5, "the second refusal", every=0.05)
    assert in_backoff(row, 2000, begin)
    front.log.expect(REFUSED)


def test_all_refuse(stage, mpm):
    front = stage.httpd(CONFIG, mpm=mpm)
    deads = [gone(f"127.0.9.{number}") for number in (3, 4)]
    stage.plant(front, *deads)
    for _ in range(2):  # the second time all of them are backed off: they are tried nevertheless
        answer = front.get("/")
        assert answer.status == 503
        assert int(answer.header("Retry-After")) >= 1
        assert answer.trace.action == "none"
    front.log.expect(REFUSED)
    front.log.expect(r"BH04\d\d: .*refused")


def test_self_behind_those_that_refuse(stage, mpm):
    front = stage.httpd(CONFIG + "Backhand addSelf\n", mpm=mpm)
    stage.plant(front, gone())
    answer = front.get("/")
    assert (answer.status, answer.text, answer.trace.action) == (200, "httpd1\n", "local")
    front.log.expect(REFUSED)


def test_a_refusal_on_a_kept_connection(stage, mpm):
    """The client's connection stays open, and its other requests are answered."""
    front = stage.httpd(CONFIG + "<Location /here>\nBackhand off\n</Location>\n", mpm=mpm, files={"here/page": "here"})
    stage.plant(front, gone())
    with front.client() as connection:
        assert [connection.request(path).status for path in ("/here/page", "/", "/here/page")] == [200, 503, 200]
    front.log.expect(REFUSED)
    front.log.expect("BH04")


SCRIPT = """#!/bin/sh
echo "Content-Type: text/plain"
echo
echo "$REQUEST_METHOD length=$CONTENT_LENGTH for=$HTTP_X_FORWARDED_FOR" \\
    "guard=$HTTP_BACKHAND_PROXIED action=$BACKHAND_ACTION"
cat | wc -c
"""


def test_a_request_that_ends_here_is_as_it_came(stage, mpm):
    """After a refused attempt this server's own program gets the whole body and no header of the attempt."""
    front = stage.httpd(CONFIG + "Backhand addSelf\n", mpm=mpm, cgi=True, files={"cgi-bin/count": SCRIPT})
    front.log.expect(REFUSED)
    for number, size in enumerate((0, 5, 10_000, 100_000, 1_000_000)):
        stage.plant(front, gone(f"127.0.9.{10 + number}"))
        answer = front.get("/cgi-bin/count", method="POST", body=b"x" * size)
        assert answer.text.split("\n")[:2] == [f"POST length={size} for= guard= action=local", str(size)]


TRAILER = """#!/bin/sh
cat > /dev/null
printf 'Content-Type: text/plain\\r\\n\\r\\n%s %s' "$HTTP_X_SUM" "$HTTP_BACKHAND_PROXIED"
"""


def test_merged_trailers_stay(stage, mpm):
    """httpd merges them while mod_proxy reads the body for a server that refuses, and for one more."""
    config = "MergeTrailers On\n" + CONFIG + "Backhand addSelf\n"
    front = stage.httpd(config, mpm=mpm, cgi=True, files={"cgi-bin/trailer": TRAILER})
    front.log.expect(REFUSED)
    stage.plant(front, gone("127.0.9.10"), gone("127.0.9.11"))
    answer = front.raw(
        b"POST /cgi-bin/trailer HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
        b"Trailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 42\r\n\r\n"
    ).decode()
    assert answer.startswith("HTTP/1.1 200 ") and re.search(r"\r\n42 (?:\r\n|$)", answer), answer


def test_the_second_server_gets_what_the_first_would_have(stage):
    backend = stage.backend("127.0.9.2")
    front = stage.httpd(CONFIG)
    stage.plant(front, gone(load=0), Announcement(backend.address, backend.port, load=9000))
    headers = {"Host": "shop.example", "X-Forwarded-For": "198.51.100.1", "Expect": "100-continue"}
    assert front.get("/a%2Fb?", method="POST", body=b"body", headers=headers).text == backend.id
    (request,) = backend.requests
    assert (request.line, request.body) == ("POST /a%2Fb? HTTP/1.1", b"body")
    assert request.header("Host") == "shop.example"
    assert request.header("X-Forwarded-For") == "198.51.100.1, 127.0.0.1"
    assert request.header("X-Forwarded-Host") == "shop.example"
    assert request.header("Backhand-Proxied") == "127.0.0.1"
    front.log.expect(REFUSED)


ECHO = """#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n%s ' "$CONTENT_LENGTH"
wc -c
"""


@pytest.mark.parametrize(
    "config",
    [
        "<Directory ${root}/htdocs>\nRewriteEngine On\nRewriteRule ^pretty$ /cgi-bin/echo [PT]\n</Directory>\n",
        "<Location /pretty>\nSetHandler front-controller\n</Location>\nAction front-controller /cgi-bin/echo virtual\n",
    ],
    ids=["RewriteRule", "Action"],
)
def test_the_body_survives_an_internal_redirect(stage, config, mpm):
    """A front controller of this server reads the whole body, although another server was asked before."""
    front = stage.httpd(
        CONFIG + "Backhand addSelf\n" + config,
        mpm=mpm,
        cgi=True,
        modules=("rewrite", "actions"),
        files={"cgi-bin/echo": ECHO},
    )
    front.log.expect(REFUSED)
    for number, size in enumerate((5, 20_000, 200_000)):
        stage.plant(front, gone(f"127.0.9.{10 + number}"))
        answer = front.get("/pretty", method="POST", body=b"x" * size)
        assert answer.text.split() == [str(size), str(size)], (size, answer)
        # Logs see the last of the redirects.
        assert "action=local" in front.logged("/pretty")


def test_the_body_is_filtered_once(stage):
    """What was read has passed the request's input filters already."""
    front = stage.httpd(
        CONFIG + "Backhand addSelf\n<Location /cgi-bin/>\nSetInputFilter Sed\nInputSed s/a/ab/g\n</Location>\n",
        cgi=True,
        modules=("sed",),
        files={"cgi-bin/cat": "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\ncat\n"},
    )
    front.log.expect(REFUSED)
    assert front.get("/cgi-bin/cat", method="POST", body=b"xax").text == "xabx\n"
    stage.plant(front, gone())
    assert front.get("/cgi-bin/cat", method="POST", body=b"xax").text == "xabx\n"


def test_a_server_that_comes_back_is_found_at_once(stage):
    """All are in back-off and a window of one picks any: the one that lives gets the request, and is spared no more."""
    back = gone("127.0.9.4")
    front = stage.httpd(CONFIG.replace("Backhand byLoad\n", "Backhand byRandom\nBackhand byLogWindow\n"))
    front.log.expect(REFUSED + "|BH0404")
    stage.plant(front, gone("127.0.9.3"), back)
    for _ in range(3):
        assert front.get("/").status == 503
    stage.backend(back.address, back.port)
    assert [front.get("/").status for _ in range(20)] == [200] * 20
    assert front.status().servers[back.id]["backoff_ms"] == 0


def test_one_that_is_back_before_the_last_has_failed(stage, mpm):
    """It took no connection, and announces itself meanwhile: nobody else is left, so it is asked again."""
    address, port = "127.0.9.3", ports.free_port("127.0.9.3")
    silent = stage.backend("127.0.9.2", reply=lambda request: Reply(delay=8))
    front = stage.httpd(CONFIG + "ProxyTimeout 3\n", mpm=mpm)
    front.log.allow(REFUSED + "|AH01102|AH01110|AH00898")
    away = Announcement(address, port, load=0)
    stage.plant(front, away, Announcement(silent.address, silent.port, load=9000))

    def come_back():
        wait_for(lambda: silent.requests, 5, "the second server to be asked")
        stage.backend(address, port)
        stage.plant(front, away)

    with ThreadPoolExecutor() as pool:
        back = pool.submit(come_back)
        answer = front.get("/")
        back.result()
    assert (answer.status, answer.text) == (200, away.id)


@pytest.mark.parametrize("hangs", [False, True])
def test_one_whose_network_is_back(stage, mpm, hangs):
    """It neither answered nor announced itself, and then it does: it is asked again. One that announces itself all the
    time hangs: it is not."""
    asked = []

    def reply(request):
        asked.append(request)
        return Reply(delay=9) if len(asked) == 1 else Reply(body=b"back")

    away, silent = (
        stage.backend("127.0.9.3", reply=reply),
        stage.backend("127.0.9.2", reply=lambda request: Reply(delay=9)),
    )
    front = stage.httpd(CONFIG + "ProxyTimeout 3\nBackhandRetries 4\n", mpm=mpm)
    front.log.allow(REFUSED + "|AH01102|AH01110|AH00898")
    front.log.expect("BH0408") if hangs else None
    told = Announcement(away.address, away.port, load=0)
    stage.plant(front, told, Announcement(silent.address, silent.port, load=9000))
    time.sleep(0.1)

    def announce():
        if hangs:
            wait_for(lambda: asked, 5, "the first server to be asked")
        for _ in range(2 if hangs else 0):
            time.sleep(0.5)
            stage.announce(told, group=front.group)
        wait_for(lambda: silent.requests, 5, "the second server to be asked")
        for _ in range(2):
            time.sleep(0.5)
            stage.announce(told, group=front.group)

    with ThreadPoolExecutor() as pool:
        done = pool.submit(announce)
        answer = front.get("/")
        done.result()
    assert (answer.status, len(asked)) == ((503, 1) if hangs else (200, 2))

# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What a client notices when the server that was chosen fails: nothing, where the request is repeatable; never
twice, where not."""

import http.client
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from harness import announce, ports
from harness.announce import KEEPS, Announcement
from harness.backend import Reply
from harness.stage import CLUSTER_OF_9
from harness.wait import wait_for

CONFIG = (
    CLUSTER_OF_9
    + """
BackhandTrace On
ProxyTimeout 2
<Location />
    Backhand removeSelf
    Backhand byLoad
</Location>
<Location /here>
    Backhand off
</Location>
"""
)

# What mod_proxy says of its own accord about each kind of failure.
PROXY_LINES = r"AH00957|AH01114|AH01102|AH01110|AH00898|AH01084|AH00959|proxy:error"

BODY = b"the bad server's page "
FAULTS = {
    "refuse": None,
    "reset": Reply(reset=True),
    "close": Reply(drop=True),
    "503": Reply(503, BODY, {"X-Mine": "yes", "Set-Cookie": "a=b"}),
    "hang": Reply(200, b"late", delay=4.5),
    "die midway": Reply(200, b"x" * 100_000, cut=50_000),
}
REQUESTS = {
    "GET": ("GET", None),
    "HEAD": ("HEAD", None),
    "POST 4 kB": ("POST", os.urandom(4096)),
    "POST 1 MB": ("POST", os.urandom(1 << 20)),
}


def by_new_connection(front, method, body):
    return front.get("/page?a=b%20c", method=method, body=body)


def by_kept_alive_connection(front, method, body):
    with front.client() as client:
        assert client.request("/here").status == 200
        assert client.request("/here").status == 200
        return client.request("/page?a=b%20c", method=method, body=body)


class Curl(Exception):
    """The answer broke off."""


def by_http2(front, method, body):
    """The answer's status and body; curl's other exit codes are broken answers."""
    out = front.root / "answer"
    command = ["curl", "-s", "--http2-prior-knowledge", "-m", "20", "-o", out, "-w", "%{http_code} %{http_version}"]
    command += ["-I"] if method == "HEAD" else ["-X", method]
    if body is not None:
        (front.root / "body").write_bytes(body)
        command += ["--data-binary", f"@{front.root}/body", "-H", "Content-Type: application/octet-stream"]
    result = subprocess.run(
        [*command, f"http://{front.id}/page?a=b%20c"], capture_output=True, text=True, timeout=30, check=False
    )
    status, version = result.stdout.split()
    if result.returncode:
        raise Curl(f"curl: {result.returncode}")
    assert version == "2"
    text = out.read_text() if method != "HEAD" else ""

    class Answer:
        pass

    Answer.status, Answer.text = int(status), text
    return Answer


CLIENTS = {"new": by_new_connection, "kept-alive": by_kept_alive_connection, "HTTP/2": by_http2}
BROKEN = (http.client.HTTPException, OSError, Curl)


class Pair:
    """A front, a bad server that it likes best, and a good one."""

    def __init__(self, stage, reply, config="", **how):
        self.good = stage.backend("127.0.9.3")
        self.bad = stage.backend("127.0.9.2", reply=lambda request: reply) if reply else None
        self.bad_port = self.bad.port if self.bad else ports.free_port("127.0.9.2")
        self.front = stage.httpd(CONFIG + config, files={"here": "here"}, **how)
        self.front.log.allow(PROXY_LINES)
        self.tell_again(stage)

    def tell_again(self, stage):
        stage.plant(
            self.front,
            Announcement("127.0.9.2", self.bad_port, load=0),
            Announcement(self.good.address, self.good.port, load=9000),
        )

    @property
    def counts(self):
        """Requests that the bad server and the good one got."""
        return (len(self.bad.requests) if self.bad else 0, len(self.good.requests))

    def row(self, server):
        return self.front.status().servers[server]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("request_", REQUESTS)
def test_matrix(stage, fault, client, request_):
    method, body = REQUESTS[request_]
    pair = Pair(
        stage,
        FAULTS[fault],
        "Protocols h2c http/1.1\n" if client == "HTTP/2" else "",
        modules=("http2",) if client == "HTTP/2" else (),
    )
    try:
        answer = CLIENTS[client](pair.front, method, body)
    except BROKEN as error:
        answer = error
    had_it = 0 if fault == "refuse" else 1
    if fault == "die midway" and method != "HEAD":
        assert isinstance(answer, BROKEN), "half an answer must not look like a whole one"
        assert pair.counts == (1, 0)
    elif fault == "die midway":
        assert answer.status == 200
    elif fault == "refuse" or method in ("GET", "HEAD"):
        assert answer.status == 200
        assert method == "HEAD" or answer.text == pair.good.id
        assert pair.counts == (had_it, 1)
        (request,) = pair.good.requests
        assert (request.line, request.body) == (f"{method} /page?a=b%20c HTTP/1.1", body or b"")
    else:
        assert answer.status == (503 if fault == "503" else 502)
        assert (answer.text == BODY.decode()) == (fault == "503")
        assert pair.counts == (1, 0)
    wait_for(lambda: pair.row(pair.good.id)["in_flight"] == 0, 3, "nothing in flight")


def test_a_stale_connection_is_not_noticed(stage, mpm):
    """The server hangs up on a connection that the front has kept: the request goes on another one, or to another
    server."""
    pair = Pair(stage, Reply(200, b"first"), mpm=mpm)
    answers = [pair.front.get("/").text]
    pair.bad.reply = lambda request: Reply(reset=True)
    answers.append(pair.front.get("/").text)
    assert answers == ["first", pair.good.id]


@pytest.mark.parametrize("fault", ["reset", "503"])
def test_requests_that_are_not_repeatable_keep_away_from_what_fails(stage, fault):
    """Repeatable requests find out whether it works again, one a second; four good answers in a row
    tell."""
    pair = Pair(stage, FAULTS[fault])
    assert [pair.front.get("/").text for _ in range(3)] == [pair.good.id] * 3
    assert [pair.front.get("/", method="POST", body=b"x").text for _ in range(3)] == [pair.good.id] * 3
    assert pair.counts == (3, 6)
    pair.bad.reply = lambda request: Reply(200, b"works again")
    wait_for(lambda: pair.front.get("/").text == "works again", 3, "a look", every=0.05)
    wait_for(
        lambda: pair.front.get("/", method="POST", body=b"x").text == "works again" or not pair.front.get("/"),
        3,
        "the end of the doubt",
        every=0.05,
    )


def test_what_cannot_be_repeated_does_not_find_out(stage):
    """A PUT may be done twice, but not by us: its body is gone."""
    pair = Pair(stage, FAULTS["503"])
    assert [pair.front.get("/").text for _ in range(3)] == [pair.good.id] * 3
    time.sleep(1.1)
    assert pair.front.get("/", method="PUT", body=b"x").text == pair.good.id
    assert pair.counts == (3, 4)
    assert pair.front.get("/", method="DELETE").text == pair.good.id
    assert pair.counts == (4, 5)


def test_nobody_drains_for_a_doubt(stage):
    """What may fail comes before who takes requests only if there is nobody else."""
    pair = Pair(stage, FAULTS["503"])
    stage.plant(
        pair.front,
        Announcement("127.0.9.2", pair.bad_port, load=9000),
        Announcement(pair.good.address, pair.good.port, load=0, state=announce.DRAINING),
    )
    wait_for(lambda: pair.row(pair.good.id)["state"] == "draining", 2, "draining", show=pair.front.status)
    assert [pair.front.get("/").text for _ in range(2)] == [pair.good.id] * 2
    pair.bad.reply = lambda request: Reply(200, b"works again")
    assert [pair.front.get("/", method="POST", body=b"x").text for _ in range(3)] == ["works again"] * 3


def test_unsafe_requests_alone(stage):
    """Three of them fail, and no other one for half a minute: none finds out meanwhile whether the server works
    again."""
    pair = Pair(stage, FAULTS["503"])
    end = time.monotonic() + 1.8
    statuses = []
    while time.monotonic() < end or len(statuses) < 10:
        statuses.append(pair.front.get("/", method="POST", body=b"x").status)
    assert statuses[:3] == [503] * 3 and set(statuses[3:]) == {200}


def test_nobody_does_better_than_a_503(stage, mpm):
    """All say 503: the client gets the last one, as it was sent, not ours."""
    pair = Pair(stage, FAULTS["503"], mpm=mpm)
    pair.good.reply = lambda request: Reply(503, b"the good server's page", {"X-Mine": "good", "Retry-After": "77"})
    answer = pair.front.get("/")
    assert (answer.status, answer.text) == (503, "the good server's page")
    assert (answer.header("X-Mine"), answer.header("Retry-After"), answer.header("Set-Cookie")) == ("good", "77", None)
    assert answer.trace.server == pair.good.id
    assert pair.counts == (1, 1)
    head = pair.front.get("/", method="HEAD")
    assert (head.status, head.header("X-Mine"), head.header("Content-Length")) == (503, "good", "22")


def test_a_long_503_is_passed_on(stage):
    """What does not fit into memory is not held back."""
    pair = Pair(stage, Reply(503, b"y" * 300_000))
    answer = pair.front.get("/")
    assert (answer.status, answer.body, pair.counts) == (503, b"y" * 300_000, (1, 0))


def test_nobody_answers(stage, mpm):
    pair = Pair(stage, FAULTS["reset"], mpm=mpm)
    pair.good.reply = lambda request: Reply(drop=True)
    answer = pair.front.get("/")
    assert (answer.status, answer.header("Retry-After")) == (503, "1")
    assert answer.trace.action == "none"
    assert pair.counts == (1, 1)
    pair.front.log.expect("BH0408: no candidate answered, 2 failed")


@pytest.mark.parametrize("retries, tried", [(0, 1), (1, 2), (2, 3), (16, 4)])
def test_retries(stage, retries, tried):
    """Four servers, all fail: as many are tried as may fail, and one more."""
    servers = [stage.backend(f"127.0.9.{number}", reply=lambda request: Reply(503, b"no")) for number in (2, 3, 4, 5)]
    front = stage.httpd(CONFIG + f"BackhandRetries {retries}\n")
    stage.plant(front, *(Announcement(server.address, server.port, load=place) for place, server in enumerate(servers)))
    assert (front.get("/").status, sum(len(server.requests) for server in servers)) == (503, tried)


def test_a_late_failure_is_not_repeated(stage):
    """After BackhandRetryTimeout nobody else is tried."""
    pair = Pair(stage, Reply(503, b"slow", delay=2), "ProxyTimeout 9\nBackhandRetryTimeout 3\nBackhandRetries 9\n")
    third = stage.backend("127.0.9.4", reply=lambda request: Reply(503, b"slower", delay=2))
    fourth = stage.backend("127.0.9.5")
    stage.plant(
        pair.front, Announcement(third.address, third.port, load=1), Announcement(fourth.address, fourth.port, load=2)
    )
    answer = pair.front.get("/")
    assert (answer.status, answer.text) == (503, "slower")
    assert (len(pair.bad.requests), len(third.requests), len(fourth.requests)) == (1, 1, 0)


def test_error_override_stays_what_it_is(stage):
    """With ProxyErrorOverride the front's own page is shown for a 500, and a 503 goes to the next server all the
    same."""
    pair = Pair(stage, FAULTS["503"], "ProxyErrorOverride On\n")
    assert pair.front.get("/").text == pair.good.id
    for status in (500, 502):
        pair.good.reply = lambda request, status=status: Reply(status, b"their page")
        answer = pair.front.get("/")
        assert answer.status == status and "their page" not in answer.text


@pytest.mark.parametrize("fault", ["reset", "503"])
def test_three_failures_in_a_row_are_a_doubt(stage, fault):
    """One failure may be the request's fault; three in a row, of all clients that there are, are the server's. Whatever
    works in between begins anew."""
    pair = Pair(stage, FAULTS[fault])
    bad = f"127.0.9.2:{pair.bad_port}"
    for _ in range(2):
        assert pair.front.get("/").text == pair.good.id
    pair.bad.reply = lambda request: Reply(200, b"well")
    assert pair.front.get("/").text == "well"
    pair.bad.reply = lambda request: FAULTS[fault]

    def asked_of_the_bad_one(times):
        """How many of so many requests went there, and whole seconds that they took, each of which may look."""
        before, begin = len(pair.bad.requests), time.monotonic()
        assert {pair.front.get("/").text for _ in range(times)} == {pair.good.id}
        return len(pair.bad.requests) - before, int(time.monotonic() - begin)

    asked, seconds = asked_of_the_bad_one(5)
    assert 3 <= asked <= 3 + seconds
    assert (pair.row(bad)["failed"], pair.row(bad)["refused"], pair.row(bad)["backoff_ms"]) == (2 + asked, 0, 0), (
        "no back-off: it takes connections"
    )
    time.sleep(1.1)
    asked, seconds = asked_of_the_bad_one(3)
    assert 1 <= asked <= 1 + seconds, "one a second looks"


def test_expect_100_continue_is_never_done_twice(stage):
    """A server that hangs has seen the request's headers: a POST must not go to another one."""
    pair = Pair(stage, FAULTS["hang"])
    answer = pair.front.get("/", method="POST", body=b"x" * 10, headers={"Expect": "100-continue"})
    assert answer.status in (502, 503)
    assert len(pair.good.requests) == 0


def test_many_at_once_lose_nothing(stage, mpm):
    """A server that fails every request, under load: every GET is answered by the good one."""
    pair = Pair(stage, FAULTS["reset"], mpm=mpm, workers=16)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: pair.front.get("/"), range(200)))
    assert {answer.text for answer in answers} == {pair.good.id}
    assert len(pair.good.requests) == 200


@pytest.mark.parametrize(
    "replies, status, text, retry_after",
    [
        (["reset", "reset", "reset"], 503, None, "1"),
        (["503", "503", "reset"], 503, BODY, None),
        (["503", "reset", "reset"], 503, BODY, None),
        (["reset", "503", "503"], 503, BODY, None),
        (["reset", "reset"], 503, None, "1"),
        (["503", "refuse"], 503, BODY, None),
    ],
)
def test_what_is_left_when_everybody_fails(stage, replies, status, text, retry_after):
    """A server's own 503 if there was one, else ours; however many there are."""
    servers = [
        stage.backend(f"127.0.9.{place + 2}", reply=lambda request, name=name: FAULTS[name])
        for place, name in enumerate(replies)
    ]
    front = stage.httpd(CONFIG)
    front.log.allow(PROXY_LINES + "|BH0408")
    stage.plant(front, *(Announcement(server.address, server.port, load=place) for place, server in enumerate(servers)))
    for server, name in zip(servers, replies):
        if name == "refuse":
            server.close()
    answer = front.get("/")
    assert (answer.status, answer.header("Retry-After")) == (status, retry_after)
    if text is not None:
        assert answer.body == text
        assert answer.trace.server == [server.id for server, name in zip(servers, replies) if name == "503"][-1]


@pytest.mark.parametrize("how", [{"body": b"x" * 10}, {"chunks": [b"abc"]}])
def test_a_head_with_a_body_is_not_repeated(stage, how):
    pair = Pair(stage, FAULTS["reset"])
    assert pair.front.get("/", method="HEAD", **how).status == 502
    assert pair.counts == (1, 0)


def test_a_503_that_is_given_back_keeps_its_date(stage):
    pair = Pair(stage, Reply(503, b"", {"Date": "Thu, 01 Jan 2026 00:00:00 GMT", "Server": "theirs"}))
    pair.good.reply = pair.bad.reply
    for method in ("GET", "HEAD"):
        answer = pair.front.get("/", method=method)
        assert (answer.header("Date"), answer.header("Server")) == ("Thu, 01 Jan 2026 00:00:00 GMT", "theirs")


@pytest.mark.parametrize("fault, asked", [("hang", 1), ("reset", 1)])
def test_a_lone_server_is_asked_once(stage, fault, asked):
    """A second chance is for kept connections only."""
    lone = stage.backend("127.0.9.2", reply=lambda request: FAULTS[fault])
    front = stage.httpd(CONFIG)
    front.log.allow(PROXY_LINES + "|BH0408")
    stage.plant(front, Announcement(lone.address, lone.port))
    assert front.get("/").status == 503
    assert len(lone.requests) == asked


def test_a_stale_connection_is_no_verdict_though_others_failed_after_it(stage):
    """The first hung up on a kept connection, the second hangs, and nobody else is left: the first is asked again, over
    a new one."""
    pending = [Reply(200, b"first"), Reply(drop=True)]
    one = stage.backend("127.0.9.2", reply=lambda request: pending.pop(0) if pending else Reply(200, b"again"))
    two = stage.backend("127.0.9.3", reply=lambda request: FAULTS["hang"])
    front = stage.httpd(CONFIG, workers=8, children=1)
    front.log.allow(PROXY_LINES)
    kept = Announcement(one.address, one.port, load=0, idle_cost=KEEPS)
    stage.plant(front, kept, Announcement(two.address, two.port, load=9000))
    with front.client() as client:
        assert client.request("/page").text == "first"
        assert client.request("/page").text == "again"
    assert (len(one.requests), len(two.requests)) == (3, 1)


def test_all_connections_are_stale(stage):
    """As when all servers restart at once: after one stale connection the next server is asked over a new one, which
    cannot be stale."""
    servers = [
        stage.backend(
            f"127.0.9.{number}",
            reply=lambda request: (
                Reply(200, b"whole") if request.connection > 1 or request.target == "/first" else Reply(drop=True)
            ),
        )
        for number in range(2, 6)
    ]
    front = stage.httpd(CONFIG, workers=8, children=1)
    front.log.allow(PROXY_LINES)
    with front.client() as client:
        for first in servers:
            stage.plant(
                front,
                *(
                    Announcement(server.address, server.port, load=0 if server is first else 9000, idle_cost=KEEPS)
                    for server in servers
                ),
            )
            assert client.request("/first").text == "whole"
        assert [server.connections for server in servers] == [1, 1, 1, 1]
        assert client.request("/page").text == "whole"
    assert sum(len(server.requests) for server in servers) == 6, "one that hung up, and one that answered"


def test_a_server_that_answers_others_meanwhile(stage):
    """It hung, and does no more: nobody else is left, so it is asked again."""
    pair = Pair(stage, Reply(200, b"late", delay=6), "ProxyTimeout 3\n")
    pair.good.reply = lambda request: Reply(drop=True, delay=1.5)
    with ThreadPoolExecutor() as clients:
        first = clients.submit(pair.front.get, "/first")
        wait_for(lambda: pair.counts == (1, 1), 5, "the other server")
        pair.bad.reply = lambda request: Reply(200, b"back")
        assert pair.front.get("/second").text == "back"
        assert first.result().text == "back"
    assert pair.counts == (3, 1)


@pytest.mark.parametrize("boots, answered", [((1, 2), 200), ((1, 1), 503)], ids=["started anew", "drained and resumed"])
def test_a_server_that_has_come_back_meanwhile(stage, boots, answered):
    """It hung while the request waited, and nobody else is left: it is asked again if it is another process now."""
    pending = [Reply(200, b"late", delay=6)]
    server = stage.backend("127.0.9.2", reply=lambda request: pending.pop() if pending else Reply(200, b"anew"))
    front = stage.httpd(CONFIG + "ProxyTimeout 3\n")
    front.log.allow(PROXY_LINES + "|BH0408")
    gone = Announcement("127.0.9.3", ports.free_port("127.0.9.3"), load=9000)
    before, *after = (Announcement(server.address, server.port, boot_id=boot) for boot in boots)
    stage.plant(front, before, gone)
    with front.client() as client:
        client.send("/page")
        wait_for(lambda: len(server.requests) == 1, 3, "the request")
        for now, state in ((replace(before, state=announce.DRAINING), "draining"), (after[0], "up")):
            stage.plant(front, now)
            wait_for(lambda: front.status().servers[server.id]["state"] == state, 2, state, show=front.status)
        answer = client.receive()
    assert (answer.status, len(server.requests)) == ((200, 2) if answered == 200 else (503, 1))


@pytest.mark.parametrize(
    "line",
    [
        "BackhandRetries -1",
        "BackhandRetries 17",
        "BackhandRetries two",
        "BackhandRetries 1x",
        "BackhandRetryTimeout 0",
        "BackhandRetryTimeout 3601",
        "BackhandRetryTimeout 1s",
    ],
)
def test_bad_limits(stage, line):
    server = stage.httpd(line + "\n", start=False)
    code, text = server.test_config()
    name, value = line.split()
    what = {"BackhandRetries": "whole number", "BackhandRetryTimeout": "number of seconds"}[name]
    assert code == 1 and f"{name}: '{value}' is not a {what} from" in text


def test_a_503_that_is_broken_off(stage):
    """It is a lost answer, and no better than a whole 503 before it. A kept connection that it came over has not been
    closed while it was idle, so the server has no second chance."""
    servers = [stage.backend(f"127.0.9.{number}") for number in (80, 81)]
    servers[0].reply = lambda request: Reply(503, b"whole")
    servers[1].reply = lambda request: Reply(503, b"x" * 1000, cut=500)
    front = stage.httpd(CONFIG, children=1)
    front.log.allow(PROXY_LINES)
    front.log.expect("BH0408: no candidate answered, 2 failed")
    stage.plant(front, *(Announcement(each.address, each.port, load=load) for load, each in enumerate(servers)))
    answer = front.get("/")
    assert (answer.status, answer.text, len(servers[1].requests)) == (503, "whole", 1)
    servers[0].reply = servers[1].reply
    answer = front.get("/")
    assert (answer.status, answer.header("Retry-After")) == (503, "1")

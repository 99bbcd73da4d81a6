# Licensed under the Apache License, Version 2.0; see LICENSE.
"""BackhandCheck: a server asks its own application whether it works, and announces what it has found."""

import contextlib
import signal
import socket
import threading
import time

import pytest
from harness.announcer import check_passes, lines, row
from harness.backend import Backend, Reply
from harness.client import raw
from harness.crowd import Crowd, asking
from harness.listening import Listener
from harness.stage import CLUSTER_OF_9
from harness.wait import wait_for

CHAIN = CLUSTER_OF_9 + "Backhand removeSelf\nBackhand byAge 6\nBackhand default\n"
# Time for a machine that has much else to do.
QUICK = "interval=0.2 timeout=2"
# Where it waits among requests: less often, so that it takes no worker all the time.
BESIDE_REQUESTS = "interval=0.5 timeout=2"
ENOUGH = 10


class Application:
    """A web server that answers checks as it is told, and all else with its id."""

    def __init__(self, address="127.0.9.70"):
        self.check = Reply()
        self.other = Reply()
        self.server = Backend(address, reply=lambda request: self.answer(request))
        self.id, self.close = self.server.id, self.server.close

    def answer(self, request):
        if request.target.startswith("/health"):
            return self.check
        return Reply(body=self.id.encode()) if self.other.status == 200 else self.other

    @property
    def checks(self):
        return [request for request in self.server.requests if request.target.startswith("/health")]


@pytest.fixture
def application():
    made = Application()
    yield made
    made.close()


@pytest.fixture
def checking(stage, announcing):
    """Makes announcers of servers with the given lines in their sections."""
    return lambda servers, more="": announcing(lines(stage, *servers.items(), more=more))


def shows(front, place, state, reason=None):
    """Waits until the front's table shows the server so."""
    wait_for(
        lambda: row(front, place).get("state") == state and (reason is None or row(front, place)["reason"] == reason),
        ENOUGH,
        f"{place} {state} {reason}",
        show=lambda: (row(front, place).get("state"), row(front, place).get("reason"), row(front, place).get("check")),
    )


def is_busy_and_up(front, place):
    """Waits until the check is busy, and looks for three seconds whether the server stays up."""
    wait_for(lambda: row(front, place).get("check") == "busy", ENOUGH, "a busy server", show=lambda: row(front, place))
    end = time.monotonic() + 3
    while time.monotonic() < end:
        assert row(front, place)["state"] == "up"
        time.sleep(0.1)


def test_an_application_that_works(stage, mpm, application, checking):
    front = stage.httpd(CHAIN, mpm=mpm)
    checking({application.id: f"BackhandCheck /health {QUICK}"})
    check_passes(front, application.id)
    shows(front, application.id, "up")
    request = application.checks[0]
    assert (request.line, request.header("Host")) == ("GET /health HTTP/1.0", application.id)
    assert (request.header("User-Agent"), request.header("Connection")) == ("mod_backhand", "close")
    found = row(front, application.id)
    assert (found["check_failing"], found["check_name"], found["check_status"]) == (False, "", 0)
    assert found["connections"] >= 0 and found["listen_queue"] == 0
    assert front.get("/").text == application.id


@pytest.mark.parametrize(
    "reply, line, reason",
    [
        (Reply(status=500), "", "status 500"),
        (Reply(status=404), "", "status 404"),
        (Reply(status=302, headers={"Location": "/health"}), "expect=200", "status 302"),
        (Reply(status=200), "expect=204,300-399", "status 200"),
        (Reply(body=b"half a word", close=True), 'text="whole word"', "text missing"),
        (Reply(drop=True), "", "closed without an answer"),
        (Reply(reset=True), "", "closed without an answer"),
        (Reply(delay=4), "", "timeout"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_why_a_check_fails(stage, application, checking, reply, line, reason):
    """The second server gets all requests, and when the first one works again, its log and the front's say so."""
    front = stage.httpd(CHAIN)
    other = Application("127.0.9.71")
    check = f"BackhandCheck /health {QUICK} {line}"
    good = Reply(status=204) if "204" in line else Reply(body=b"the whole word")
    application.check = other.check = good
    announcer = checking({application.id: check, other.id: check})
    for each in (application, other):
        check_passes(front, each.id)
    application.check = reply
    shows(front, application.id, "failing", f"check /health: {reason}")
    assert [front.get("/").text for _ in range(6)] == [other.id] * 6
    assert f"BH0375: the application at {application.id} fails the check /health: {reason}\n" in announcer.text()
    told = f"BH0369: server {application.id} fails its own check: {reason}$"
    wait_for(lambda: front.log.count(told) == 1, ENOUGH, "the front's line")
    application.check = good
    shows(front, application.id, "up")
    assert f"BH0376: the application at {application.id} passes the check /health again\n" in announcer.text()
    assert announcer.text().count("BH037") == 2
    wait_for(
        lambda: front.log.count(f"BH0363: server {application.id} is back: it was failing$") == 1, ENOUGH, "its return"
    )
    other.close()


def test_a_port_that_no_program_listens_at(stage, checking):
    front = stage.httpd(CHAIN)
    gone = Application()
    gone.close()
    checking({gone.id: f"BackhandCheck /health {QUICK}"})
    shows(front, gone.id, "failing", "check /health: refused")


@pytest.mark.parametrize(
    "talk, reason",
    [
        (lambda connection: connection.sendall(b"SSH-2.0-x\r\n"), "no HTTP"),
        (lambda connection: connection.sendall(b"HTTP/1.1 2x0 OK\r\n\r\n"), "no HTTP"),
        (lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\n"), "no HTTP"),
        (lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 2000), "no HTTP"),
        (lambda connection: connection.sendall(b"\x15\x03\x01\x00\x02\x02\x46"), "speaks TLS"),
        (lambda connection: [connection.sendall(bytes([b])) or time.sleep(0.3) for b in b"HTTP/1.1 200 OK"], "timeout"),
    ],
    ids=["not HTTP", "no status", "half a header", "a long header", "TLS", "one byte after the other"],
)
def test_what_is_no_answer(stage, checking, talk, reason):
    front = stage.httpd(CHAIN)

    def serve(connection):
        with contextlib.suppress(OSError), connection:
            connection.recv(4096)
            talk(connection)

    listener = Listener(serve, "127.0.9.70", 0)
    place = f"127.0.9.70:{listener.port}"
    checking({place: f"BackhandCheck /health {QUICK}"})
    shows(front, place, "failing", f"check /health: {reason}")
    listener.close()


def test_an_endless_answer(stage, checking):
    """Its header and the begin of its content are read, and the connection is closed."""
    front = stage.httpd(CHAIN)
    sent = []

    def serve(connection):
        with contextlib.suppress(OSError), connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
            for _ in range(3000):
                sent.append(connection.send(bytes(1 << 20)))

    listener = Listener(serve, "127.0.9.70", 0)
    place = f"127.0.9.70:{listener.port}"
    checking({place: f"BackhandCheck /health text=never {QUICK}"})
    shows(front, place, "failing", "check /health: text missing")
    listener.close()
    # What the kernel holds between the two of one connection is a few MB.
    assert sum(sent) < 100 << 20


def test_a_hanging_check_delays_no_announcement(stage, application, checking):
    front = stage.httpd(CHAIN)
    application.check = Reply(delay=5)
    checking({application.id: "BackhandCheck /health interval=1 timeout=4"})
    wait_for(lambda: application.checks, ENOUGH, "a check")
    wait_for(lambda: row(front, application.id), ENOUGH, "its row")
    ages, end = [], time.monotonic() + 3
    while time.monotonic() < end:
        ages.append(row(front, application.id)["age_ms"])
        time.sleep(0.05)
    assert max(ages) < 2000


def test_several_checks_of_one_server(stage, application, checking):
    """All must pass, and the reason names the one that does not."""
    front = stage.httpd(CHAIN)
    hosts = {"a.test": Reply(), "b.test": Reply()}
    application.answer = lambda request: hosts[request.header("Host")]
    checking({application.id: "\n".join(f"BackhandCheck /health host={host} {QUICK}" for host in hosts)})
    check_passes(front, application.id)
    hosts["b.test"] = Reply(status=503)
    shows(front, application.id, "failing", "check b.test/health: status 503")
    hosts["b.test"] = Reply()
    shows(front, application.id, "up")


def test_outside_of_sections_and_by_an_argument(stage, application, checking, announcing):
    """A line outside is for the servers that have none."""
    front = stage.httpd(CHAIN)
    other, third = (Application(f"127.0.9.{number}") for number in (71, 72))
    checking({application.id: f"BackhandCheck /health/own {QUICK}", other.id: ""}, f"BackhandCheck /health {QUICK}\n")
    announcing(lines(stage), "--server", third.id, "--check", f"/health {QUICK}")
    for each in (application, other, third):
        check_passes(front, each.id)
    assert {request.target for request in application.checks} == {"/health/own"}
    for each in (other, third):
        assert {request.target for request in each.checks} == {"/health"}
        each.close()


def test_a_reload_and_a_restart_keep_the_state(stage, application, checking):
    front = stage.httpd(CHAIN)
    application.check = Reply(status=500)
    announcer = checking({application.id: f"BackhandCheck /health {QUICK}"})
    shows(front, application.id, "failing")
    seen, stop = set(), threading.Event()

    def watch():
        while not stop.is_set():
            seen.add(row(front, application.id).get("state"))
            time.sleep(0.02)

    watching = threading.Thread(target=watch)
    watching.start()
    announcer.process.send_signal(signal.SIGHUP)
    wait_for(lambda: announcer.announces == 2, ENOUGH, "the reload", show=announcer.text)
    announcer.process.send_signal(signal.SIGUSR1)
    announcer.process.wait(10)
    announcer.start()
    time.sleep(1.5)
    stop.set()
    watching.join()
    # The new process knows nothing for a moment.
    assert seen <= {"failing", "up"} and announcer.text().count("BH0375") <= 2
    shows(front, application.id, "failing")


def with_two_workers(application):
    """Each of its requests, also a check, takes one of two workers for 0.2 s."""
    slots = threading.Semaphore(2)

    def serve(request):
        with slots:
            time.sleep(0.2)
        return Reply(close=True)

    application.answer = serve
    return f"Workers 2\nBackhandCheck /health {BESIDE_REQUESTS}"


def test_a_busy_application(stage, application, checking):
    """More requests than workers: the check waits with them, and they are completed."""
    front = stage.httpd(CHAIN)
    checking({application.id: with_two_workers(application)})
    check_passes(front, application.id)
    server = application.server
    # Each waits for three seconds.
    with asking(30, lambda: raw(server.address, server.port, b"GET / HTTP/1.0\r\n\r\n")):
        is_busy_and_up(front, application.id)


def test_all_servers_are_busy(stage, application, checking):
    """Many more requests than all workers can serve: each waits for three seconds, no server fails, none is lost."""
    front = stage.httpd(CHAIN, workers=80)
    # A request leaves a server whose last check was late if that of the other one was not.
    front.log.allow("AH01102|AH00898|BH0412")
    other = Application("127.0.9.71")
    places = [each.id for each in (application, other)]
    checking({each.id: with_two_workers(each) for each in (application, other)})
    for place in places:
        check_passes(front, place)
    with Crowd(front, clients=60) as crowd:
        seen, end = set(), time.monotonic() + 9
        while time.monotonic() < end:
            seen |= {(row(front, place)["state"], row(front, place)["check"]) for place in places}
            time.sleep(0.1)
    assert ("up", "busy") in seen and {state for state, _ in seen} == {"up"}, seen
    assert {one.status for one in crowd.asked} == {200}
    other.close()


def test_an_application_that_hangs_with_all_workers(stage, application, checking):
    """Nothing is completed any more: it is not busy, but dead."""
    front = stage.httpd(CHAIN)
    checking({application.id: f"Workers 2\nBackhandCheck /health {QUICK}"})
    check_passes(front, application.id)
    hang = threading.Event()
    application.answer = lambda request: hang.wait(20) and Reply()
    with contextlib.ExitStack() as clients:
        for _ in range(4):
            clients.enter_context(
                socket.create_connection((application.server.address, application.server.port))
            ).sendall(b"GET / HTTP/1.0\r\n\r\n")
        shows(front, application.id, "failing", "check /health: timeout")
        hang.set()
    shows(front, application.id, "up")


def test_one_check_does_not_hide_another(stage, application, checking):
    """What a server answers to one check is no progress for another one that waits."""
    front = stage.httpd(CHAIN)
    hangs = threading.Event()
    answer = application.answer

    def reply(request):
        if request.target == "/hangs" and hangs.is_set():
            return Reply(delay=3)
        return Reply(body=b"well", close=True) if request.target != "/" else answer(request)

    application.answer = reply
    checking({application.id: f"BackhandCheck /hangs {QUICK}\nBackhandCheck /well interval=0.1 text=well"})
    check_passes(front, application.id)
    hangs.set()
    shows(front, application.id, "failing")
    assert row(front, application.id)["reason"].endswith("/hangs: timeout")

# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The end of one child, or of the moderator, is no proof that httpd stops; neither is a restart. A stop is announced
all the same."""

import contextlib
import json
import os
import signal
import statistics
import threading
import time

import pytest
from harness.stage import CLUSTER
from harness.status import ask
from harness.wait import wait_for
from Module.test_530_shutdown import Watch, state

WORKERS = 6

# What httpd says of children that come and go faster than it looks, with this module or without, and of those that the
# test kills.
HURRIED = r"AH0028[68]:|AH0016[12]:|AH0048[45]:|AH00045:|AH0005[12]: child pid \d+ exit signal Killed"
# What the balancer says of connections that ended with their child.
BROKEN = "AH01102|AH00898|AH01114|AH00957"


@pytest.fixture
def pair(stage, mpm):
    """A balancer, and a server under each MPM with these settings, beside an equal one."""

    def make(settings="", **how):
        balancer = stage.httpd(CLUSTER + "Backhand removeSelf\nBackhand byRandom\nBackhandTrace On\n", name="balancer")
        server = stage.httpd(CLUSTER + settings, name="server", address="127.0.0.2", mpm=mpm, workers=WORKERS, **how)
        other = stage.httpd(CLUSTER, name="other", address="127.0.0.3")
        balancer.log.always(BROKEN)
        server.log.always(HURRIED)
        balancer.knows(server, other)
        return balancer, server

    return make


@contextlib.contextmanager
def load(balancer, clients=3):
    """Requests to the balancer while the block runs; gives the answers."""
    answers, end = [], threading.Event()

    def work():
        while not end.is_set():
            answers.append(balancer.get("/"))

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        end.set()
        for thread in threads:
            thread.join()


def is_quiet(server):
    return "BH0307" not in server.log.text()


def test_max_connections_per_child(pair):
    """Children come and go all the time: the server keeps its half of the requests."""
    balancer, server = pair("MaxConnectionsPerChild 20\n")
    # Kept connections would end few children.
    balancer.configure(CLUSTER + "Backhand removeSelf\nBackhand byRandom\nSetEnv proxy-nokeepalive 1\n")
    balancer.restart()
    begin = set(server.children())
    with Watch(balancer, server) as watch, load(balancer) as answers:
        wait_for(lambda: len(answers) > 600, 60, "requests")
        wait_for(lambda: not begin & set(server.children()), 10, "other children", show=server.children)
    assert watch.seen == ["up"] and is_quiet(server)
    texts = [answer.text for answer in answers if answer.status == 200]
    assert len(texts) == len(answers)
    # With 600 of a half, six standard deviations are 12 %.
    assert 0.38 < texts.count("server\n") / len(texts) < 0.62


def end(server, child):
    """SIGTERM, which a child with threads looks at when it ends only: then SIGKILL too."""
    os.kill(child, signal.SIGTERM)
    if server.mpm != "prefork":
        time.sleep(0.2)
        os.kill(child, signal.SIGKILL)
    wait_for(lambda: child not in server.children() and server.children(), 10, "another child", show=server.children)


def test_a_child_that_is_killed(pair):
    balancer, server = pair()
    with Watch(balancer, server) as watch:
        for child in server.children():
            end(server, child)
            time.sleep(0.2)
    assert watch.seen == ["up"] and is_quiet(server)


def test_the_only_child(stage, mpm):
    """While no child is there, the port is open and connections wait."""
    balancer = stage.httpd(CLUSTER + "Backhand removeSelf\n", name="balancer")
    server = stage.httpd(CLUSTER, name="server", address="127.0.0.2", mpm=mpm, workers=1, children=1)
    server.log.always(HURRIED)
    balancer.log.always(BROKEN)
    balancer.knows(server)
    with Watch(balancer, server) as watch:
        for _ in range(2):
            for child in server.children():
                end(server, child)
            assert balancer.get("/").text == "server\n"
    assert watch.seen == ["up"] and is_quiet(server)


def test_spare_children(pair, mpm):
    """The parent ends one after the other, until few enough are idle."""
    few = (
        "StartServers 8\nMaxSpareServers 2\n"
        if mpm == "prefork"
        else "StartServers 8\nServerLimit 8\nMaxSpareThreads 4\n"
    )
    balancer, server = pair(few, children=2)
    most = 8 if mpm == "prefork" else 2
    with Watch(balancer, server) as watch:
        # As many as at the start again: the first may have ended by now.
        server.restart(signal.SIGHUP)
        wait_for(lambda: 0 < len(server.children()) < most, 20, "fewer children", show=server.children)
        # Those that were about to begin have, and are ended.
        time.sleep(2.5)
    assert watch.seen == ["up"] and is_quiet(server)


@pytest.mark.parametrize("clients", [0, 2])
def test_restarts(pair, clients):
    balancer, server = pair("MaxConnectionsPerChild 20\n")
    # SIGHUP: httpd waits up to ten seconds for children that are busy, and neither serves nor announces meanwhile.
    balancer.log.allow("BH0412")
    with Watch(balancer, server) as watch, load(balancer, clients):
        for number in range(12):
            old = server.moderator()
            server.restart(signal.SIGHUP if number % 4 == 3 else signal.SIGUSR1)
            server.moderator(other_than=old)
            # Every so often the parent's idle maintenance has its second.
            time.sleep(1.2 if number % 4 == 0 else 0.05)
    assert watch.seen == ["up"] and is_quiet(server)


def test_a_moderator_that_is_ended_alone(pair):
    """It may be told by anything that has its rights: only its parent's word means httpd."""
    balancer, server = pair()
    with Watch(balancer, server) as watch:
        old = server.moderator()
        os.kill(old, signal.SIGTERM)
        server.moderator(other_than=old)
        time.sleep(0.3)
    assert watch.seen == ["up"] and is_quiet(server)
    server.log.allow("BH0206")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGWINCH])
def test_a_stop_is_still_announced(pair, how):
    balancer, server = pair("MaxConnectionsPerChild 20\n")
    times = []
    for _ in range(3):
        with Watch(balancer, server) as watch:
            begin = time.monotonic()
            server.stop(how)
            watch.ends()
        assert watch.seen == ["up", "shutdown"]
        times.append(watch.times[1] - begin)
        server.start()
        wait_for(lambda: state(balancer, server) == "up", 5, "it to be back")
    # 3 to 20 ms on an idle machine; with the next announcement it would be anything up to a second.
    assert statistics.median(times) < 0.3, times


@pytest.mark.parametrize("protocol", ["https", "http"])
def test_a_graceful_stop_is_announced_whatever_the_port_is_for(pair, protocol):
    balancer, server = pair()
    text = server.conf.read_text()
    server.conf.write_text(text.replace(f"Listen {server.id}\n", f"Listen {server.id} {protocol}\n"))
    assert text != server.conf.read_text()
    old = server.moderator()
    server.restart()
    server.moderator(other_than=old)
    with Watch(balancer, server) as watch, load(balancer, 1):
        server.stop(signal.SIGWINCH)
        watch.ends()
    assert watch.seen == ["up", "shutdown"]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_of_the_whole_group(pair, how):
    """As a service manager or a terminal does that signals all processes of a service, in any order."""
    balancer, server = pair()
    with Watch(balancer, server) as watch:
        moderator, parent = server.moderator(), server.process.pid
        os.kill(moderator, how)
        os.kill(parent, how)
        server.stop(signal.SIGTERM)
        watch.ends()
    assert watch.seen == ["up", "shutdown"]


def has_ended(pid):
    """Gone, or waiting for its parent to notice."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def stop_late(server, late, moderator):
    """A stop of the whole group, in which some processes get no processor for a while."""
    parent = server.process.pid
    # The parent wakes a moderator that is stopped: then both signals are one, by the sender that came first. The parent
    # sends another when all its children have ended.
    stopped = [parent] if late == "parent" else [server.children()[0], moderator]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    os.kill(moderator, signal.SIGTERM)
    os.kill(parent, signal.SIGTERM)
    wait_for(lambda: has_ended(moderator), 5, "the moderator to end", show=server.log.text)
    os.kill(stopped[0], signal.SIGCONT)


@pytest.mark.parametrize("late", ["parent", "moderator"])
def test_a_stop_of_the_whole_group_on_a_busy_machine(pair, late):
    """However long the parent takes, and whatever signals became one."""
    balancer, server = pair()
    with Watch(balancer, server) as watch:
        stop_late(server, late, server.moderator())
        server.process.wait(10)
        watch.ends()
    assert watch.seen == ["up", "shutdown"]
    assert not server.log.lines("BH0206")


def test_a_moderator_that_was_killed_before_the_stop(pair):
    """The parent has not noticed: the farewell is said all the same."""
    balancer, server = pair()
    with Watch(balancer, server) as watch:
        server.process.send_signal(signal.SIGSTOP)
        moderator = server.moderator()
        os.kill(moderator, signal.SIGKILL)
        wait_for(lambda: has_ended(moderator), 5, "its end")
        server.process.send_signal(signal.SIGTERM)
        server.process.send_signal(signal.SIGCONT)
        server.process.wait(10)
        watch.ends()
    assert watch.seen == ["up", "shutdown"]


def test_a_parent_that_is_killed_in_a_stop_of_the_whole_group(pair):
    """The moderator was told to end, and nothing will take its place."""
    balancer, server = pair()
    with Watch(balancer, server) as watch:
        server.process.send_signal(signal.SIGSTOP)
        os.kill(server.moderator(), signal.SIGTERM)
        server.kill_parent()
        watch.ends()
    assert watch.seen == ["up", "shutdown"]


def test_a_parent_that_is_killed_alone(pair):
    """Its children may serve on: the others leave the server out when it is silent."""
    balancer, server = pair()
    with Watch(balancer, server) as watch:
        moderator = server.moderator()
        server.kill_parent()
        wait_for(lambda: has_ended(moderator), 5, "the moderator to end", show=server.processes)
        time.sleep(0.1)
    assert watch.seen == ["up"] and is_quiet(server)


def start_as(balancer, server, *words, before=()):
    """Starts it again, by this command line. Returns its process when the balancer has heard it."""
    server.stop()
    command = server.command
    server.command = lambda *_: [*before, *command(*words)]
    try:
        server.start(wait=False)  # a single process does not log that it runs
    finally:
        server.command = command
    wait_for(lambda: state(balancer, server) == "up", 10, "it to be back", show=server.log.text)
    return server.process


def test_a_single_process(pair):
    """`httpd -X` at a terminal, and Ctrl-C."""
    balancer, server = pair()
    process = start_as(balancer, server, "-X")
    with Watch(balancer, server) as watch:
        for pid in (server.moderator(), process.pid):
            os.kill(pid, signal.SIGINT)
        process.wait(10)
        watch.ends()
    assert watch.seen == ["up", "shutdown"]


@pytest.mark.skipif(os.geteuid() != 0, reason="a process namespace needs root")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGWINCH])
def test_a_stopped_container(pair, how):
    """The first process of a container gets the signal alone, and the kernel kills the others when it has ended."""
    balancer, server = pair()
    outside = start_as(balancer, server, "-DFOREGROUND", before=["unshare", "--pid", "--fork", "--kill-child"])
    (first,) = [process.pid for process in server.processes() if process.parent == outside.pid]
    with Watch(balancer, server) as watch:
        server.log.ending()
        os.kill(first, how)
        outside.wait(10)
        watch.ends()
    assert watch.seen == ["up", "shutdown"]


@pytest.mark.parametrize("how", [signal.SIGHUP, signal.SIGUSR1])
def test_a_restart_of_the_whole_group(pair, how):
    """The moderator hears its parent's signal too, or is replaced: neither is a stop."""
    balancer, server = pair()
    with Watch(balancer, server) as watch:
        for first in ("moderator", "parent"):
            old, parent = server.moderator(), server.process.pid
            for pid in (old, parent) if first == "moderator" else (parent, old):
                with contextlib.suppress(ProcessLookupError):  # told by its parent, it may be gone
                    os.kill(pid, how)
            server.moderator(other_than=old)
            time.sleep(0.3)
    assert watch.seen == ["up"] and is_quiet(server)
    server.log.allow("BH0206")


def test_a_graceful_stop_that_a_request_holds_up(pair):
    """The parent and all children have closed the port; the child that still serves is no reason to wait."""
    balancer, server = pair(
        cgi=True, files={"cgi-bin/slow": "#!/bin/sh\nsleep 4\nprintf 'Content-Type: text/plain\\n\\ndone'\n"}
    )
    with server.client() as client, Watch(balancer, server) as watch:
        client.send("/cgi-bin/slow")
        wait_for(lambda: json.loads(ask(server.control_socket, "state\n"))["under_way"] == 1, 5, "the request")
        begin = time.monotonic()
        server.process.send_signal(signal.SIGWINCH)
        assert client.receive().text == "done"
        watch.ends()
    assert watch.seen == ["up", "shutdown"]
    assert watch.times[1] - begin < 3
    server.process.wait(10)

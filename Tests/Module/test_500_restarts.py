# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Restarts: one moderator after each, and the table stays."""

import os
import signal
import threading
import time

import pytest
from harness import client, processes
from harness.announce import Announcement
from harness.backend import Reply
from harness.stage import CLUSTER_OF_9
from harness.wait import wait_for

OTHERS = [Announcement(f"127.0.9.{number}", 80, f"host-{number}") for number in (81, 82)]


def test_ten_graceful_restarts_and_hard_ones(stage, mpm):
    server = stage.httpd(CLUSTER_OF_9, mpm=mpm)
    stage.plant(server, *OTHERS)
    before = server.moderator()
    arrivals = 0
    for how in [signal.SIGUSR1] * 10 + [signal.SIGHUP] * 2 + [signal.SIGUSR1]:
        for _ in range(3):
            server.get("/")
        if how == signal.SIGHUP:
            server.log.ending()
        server.restart(how)
        before = server.moderator(other_than=before)
        # Nobody has announced again: what is there has been kept.
        rows = wait_for(lambda: server.status().servers, 5, "the control socket")
        assert set(rows) == {server.id, *(other.id for other in OTHERS)}, how
        assert rows[OTHERS[0].id]["hostname"] == "host-81"
        now = server.status().self["arrivals"]
        assert now >= arrivals
        arrivals = now
    # A moderator that outlived its generation would still announce: wait for one interval, then look again.
    announced = server.status().counters["announced"]
    wait_for(lambda: server.status().counters["announced"] > announced, 5, "the next announcement")
    assert server.moderators() == [before]


def test_no_request_is_lost_in_graceful_restarts(stage, mpm):
    backend = stage.backend("127.0.9.2")
    server = stage.httpd(CLUSTER_OF_9 + "Backhand removeSelf\n", mpm=mpm, workers=16)
    stage.plant(server, Announcement(backend.address, backend.port))
    wrong, count, end = [], [0], threading.Event()

    def work():
        while not end.is_set():
            try:
                answer = client.request(server.address, server.port, "/")
                if answer.text != backend.id:
                    wrong.append(answer)
            except OSError as error:
                wrong.append(error)
            count[0] += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for _ in range(4):
            at = count[0]
            server.restart()
            wait_for(lambda: count[0] > at + 20, 10, "twenty more requests")
    finally:
        end.set()
        thread.join()
    assert wrong == []
    row = wait_for(lambda: (row := server.status().servers[backend.id])["in_flight"] == 0 and row, 5, "none in flight")
    assert row["failed"] == 0 and row["served"] >= 80


@pytest.mark.parametrize("how", [signal.SIGUSR1, signal.SIGHUP])
def test_requests_under_way(stage, mpm, how):
    """A graceful restart lets them end, a hard one ends them; afterwards none is in flight."""
    answered = threading.Event()

    def reply(request):
        answered.wait(20)
        return Reply(body=b"done")

    backend = stage.backend("127.0.9.2", reply=reply)
    server = stage.httpd(CLUSTER_OF_9 + "Backhand removeSelf\n", mpm=mpm)
    stage.plant(server, Announcement(backend.address, backend.port))

    def in_flight():
        return server.status().servers[backend.id]["in_flight"]

    clients = [server.client() for _ in range(3)]
    for each in clients:
        each.send("/")
    wait_for(lambda: in_flight() == 3, 5, "three in flight", show=in_flight)
    old = server.moderator()
    if how == signal.SIGHUP:
        # httpd gives children with requests ten seconds.
        threading.Timer(1, answered.set).start()
    server.restart(how)
    server.moderator(other_than=old)
    if how == signal.SIGUSR1:
        assert wait_for(in_flight, 5, "the old children's requests") == 3
        answered.set()
        assert [each.receive().text for each in clients] == ["done"] * 3
    wait_for(lambda: in_flight() == 0, 5, "none in flight", show=in_flight)
    for each in clients:
        each.close()
    server.log.allow("AH0004[5-9]")


def test_changed_settings_count_after_a_restart(stage):
    server = stage.httpd(CLUSTER_OF_9 + "BackhandTrace On\nBackhand byLoad\n")
    server.knows()
    assert [step.name for step in server.get("/").trace.chain] == ["byLoad"]
    server.configure(CLUSTER_OF_9 + "BackhandTrace On\nBackhand byCPU\n")
    server.restart()
    assert wait_for(lambda: [step.name for step in server.get("/").trace.chain] == ["byCPU"], 5, "the new chain")
    server.configure("BackhandTrace On\nBackhand byCPU\n")
    server.restart()
    wait_for(lambda: not server.moderators(), 5, "no moderator", show=server.processes)
    assert server.get("/").status == 200
    server.configure(CLUSTER_OF_9)
    server.restart()
    server.knows()


def test_a_bad_configuration_at_a_graceful_restart_ends_nothing_of_ours_badly(stage):
    """httpd itself refuses to go on with a configuration that it cannot read; then everything of it ends."""
    server = stage.httpd(CLUSTER_OF_9)
    server.moderator()
    server.configure("Backhand byLod\n")
    server.restart(wait=False)
    wait_for(lambda: server.process.poll() is not None, 15, "httpd to end")
    wait_for(lambda: not server.moderators(), 3, "the moderator to end", show=server.processes)
    server.log.allow("AH00526|byLod|AH0005|AH00020|Configuration Failed")


def test_a_stopped_moderator_does_not_become_two(stage, mpm):
    """SIGSTOP, then a graceful restart: the old one may not write again, nor live on."""
    server = stage.httpd(CLUSTER_OF_9, mpm=mpm)
    stage.plant(server, *OTHERS)
    old = server.moderator()
    os.kill(old, signal.SIGSTOP)
    server.stopped_by_test.add(old)
    server.restart()
    new = server.moderator(deadline=10, other_than=old)
    assert old not in [process.pid for process in processes.processes()]
    assert server.moderators() == [new]
    assert set(server.status().servers) == {server.id, *(other.id for other in OTHERS)}
    server.log.allow("AH0004[5-9]|BH02")


def test_graceful_stop(stage, mpm):
    server = stage.httpd(CLUSTER_OF_9, mpm=mpm)
    server.knows()
    socket = server.control_socket
    assert socket.exists()
    server.stop(signal.SIGWINCH)
    assert not socket.exists()


def test_stop_is_quick_and_removes_the_socket(stage, mpm):
    server = stage.httpd(CLUSTER_OF_9, mpm=mpm)
    times = []
    while not times or (min(times) >= 2.5 and len(times) < 3):
        server.knows()
        start = time.monotonic()
        server.stop()
        times.append(time.monotonic() - start)
        assert not server.control_socket.exists()
        server.start()
    # httpd gives a child that does not go 3 s; a moderator that needs them would hold up every stop.
    assert min(times) < 2.5, times


def test_start_again_in_the_same_folder(stage):
    server = stage.httpd(CLUSTER_OF_9)
    server.knows()
    server.stop()
    server.start()
    server.knows()

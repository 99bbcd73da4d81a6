# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Servers that join, leave, fall silent, come back, refuse or fail are lines at notice, and so is being alone."""

import itertools
import os
import re
import signal
import time

from harness.announce import Announcement
from harness.backend import Reply
from harness.front import announcement_of, announcing, front_of
from harness.stage import CLUSTER, CLUSTER_OF_9
from harness.wait import wait_for


def line(httpd, text, deadline=15):
    return wait_for(lambda: httpd.log.lines(text), deadline, f"a line with {text}", show=httpd.log.text)[0]


def test_a_server_s_whole_life_is_told(stage, mpm):
    front = stage.httpd(CLUSTER, mpm=mpm, address="127.0.9.1")
    other = stage.httpd(CLUSTER, mpm=mpm, address="127.0.9.2", group=front.group)
    assert line(front, f"BH0360: server {other.id} has joined").level == "notice"
    other.stop()
    assert line(front, f"BH0361: server {other.id} shuts down: its httpd stops").level == "notice"
    # The table is looked at once a second.
    other.start()
    line(front, f"BH0363: server {other.id} is back: it was shutting down", 20)
    other.pause()
    silent = line(front, f"BH0362: server {other.id} is silent: last heard [0-9]+ s ago", 25)
    assert silent.level == "notice" and 6 <= int(re.search("heard ([0-9]+) s", silent.text)[1]) <= 12
    other.resume()
    # A restart keeps the table: nobody joins again.
    before = front.log.count("BH0360")
    front.restart()
    time.sleep(2.5)
    assert front.log.count("BH0360") == before


def test_refusing_and_failing_servers_are_told(stage):
    bad, gone, good = (
        stage.backend("127.0.9.2", reply=lambda request: Reply(500)),
        stage.backend("127.0.9.3"),
        stage.backend("127.0.9.4"),
    )
    gone.close()
    # The good one is the most loaded: it gets what the others do not.
    servers = announcement_of(gone), announcement_of(bad, load=1000), announcement_of(good, load=2000)
    front = front_of(stage, *servers)
    front.log.allow("AH00957|AH01114")
    with announcing(stage, front, *servers):
        # Failures count as far as several clients and several URLs bear them out.
        for number in range(60):
            front.get(f"/page{number % 12}", source=f"127.0.0.{2 + number % 10}")
        # On a busy machine there may have been several refusals by then: a second doubles with each.
        assert line(front, f"BH0364: server {gone.id} refuses connections: left out for [0-9]+ s").level == "notice"
        # What a server did before the moderator's first look at it is not counted.
        asked = itertools.count()
        wait_for(
            lambda: (
                front.get(f"/page{next(asked) % 12}", source=f"127.0.0.{2 + next(asked) % 10}")
                and "BH0365" in front.log.text()
            ),
            15,
            "a line",
            every=0.02,
        )
        assert line(front, f"BH0365: server {bad.id} fails [0-9]+ % of its requests").level == "notice"


def test_a_back_off_that_is_over_at_the_next_look_is_told(stage):
    """The moderator stands still while one request is refused, and for longer than the back-off lasts."""
    gone = stage.backend("127.0.9.3")
    gone.close()
    announcement = announcement_of(gone)
    front = front_of(stage, announcement)
    front.log.allow("AH00957|AH01114|BH04")
    line(front, "BH0360")
    stage.plant(front, announcement)
    moderator = front.moderator()
    os.kill(moderator, signal.SIGSTOP)
    try:
        assert front.get("/page").status == 503
        time.sleep(1.3)
    finally:
        os.kill(moderator, signal.SIGCONT)
    line(front, f"BH0364: server {gone.id} refuses connections: left out for 1 s")


def test_many_at_once_are_one_line(stage):
    front = stage.httpd(CLUSTER_OF_9, address="127.0.9.1")
    stage.plant(front, *(Announcement(f"127.0.9.{number}", 80) for number in range(10, 40)))
    found = line(front, "BH0367: further changes of servers in 10 s: ", 25)
    assert front.log.count("BH0360") == 10 and "20 joined" in found.text


def test_a_server_that_stays_alone_says_where_it_announces(stage):
    alone = stage.httpd(CLUSTER, address="127.0.9.1")
    found = line(alone, "BH0368: no other server was heard in 10 s; announcing ", 25)
    group, port = alone.group
    assert found.level == "notice" and f"{alone.id} to {group}:{port}" in found.text
    pair = stage.httpd(CLUSTER, address="127.0.9.2", group=alone.group)
    line(pair, "BH0360")
    time.sleep(11)
    assert pair.log.count("BH0368") == 0 and alone.log.count("BH0368") == 1

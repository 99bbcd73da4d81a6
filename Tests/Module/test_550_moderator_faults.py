# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A moderator that is killed, stopped, or dies in the middle of a row: requests go on as if nothing were."""

import os
import random
import signal
import time

import pytest
from harness.announce import Announcement
from harness.endurance import ENDURANCE
from harness.load import Load
from harness.modules import candidacy_functions
from harness.stage import CLUSTER
from harness.wait import wait_for

KILLS = 100 if ENDURANCE else 8
STOPPED_S = 60 if ENDURANCE else 8

# A busy machine may let two or three moderators end before they have read anything, but not all of them.
BALANCED = CLUSTER + "Backhand removeSelf\nBackhand byAge 4\nBackhandNoCandidate Unavailable\n"


@pytest.fixture
def other(stage):
    """A server that announces itself once a second, as servers do."""
    server = stage.httpd(CLUSTER, address="127.0.9.2", name="other")
    yield server


def test_killed_at_random_times(stage, other):
    balancer = stage.httpd(BALANCED, workers=16)
    balancer.knows(other)
    random.seed(4)
    with Load(balancer, good=lambda answer: answer.text == "other\n") as load:
        old, begin = 0, time.monotonic()
        for _ in range(KILLS):
            old = balancer.moderator(other_than=old)
            time.sleep(random.uniform(0, 0.7))
            os.kill(old, signal.SIGKILL)
        balancer.moderator(other_than=old)
    print(
        f"kill -9 of the moderator: {KILLS} times in {time.monotonic() - begin:.0f} s, {load.count} requests, "
        f"{len(load.wrong)} failed, "
        f"{load.repeated} repeated"
    )
    assert load.wrong == [] and load.count > 35 * KILLS
    assert set(balancer.status().servers) == {balancer.id, other.id}
    balancer.log.allow("BH0206|BH0410|AH0005[12]")


def test_announcements_while_there_is_none(stage, other):
    """The parent holds the sockets: what arrives between two moderators, here nearly always, waits for the next."""
    balancer = stage.httpd(BALANCED, workers=16)
    balancer.knows(other)
    with Load(balancer, good=lambda answer: answer.text == "other\n") as load:
        old = 0
        for _ in range(8):
            old = balancer.moderator(other_than=old)
            time.sleep(0.1)
            os.kill(old, signal.SIGKILL)
        balancer.moderator(other_than=old)
    assert load.wrong == [] and load.count > 300
    balancer.log.allow("BH0206|BH0410|AH0005[12]")


def test_stopped(stage, other):
    """byAge 4 would drop everybody after four seconds; ages count to the last round instead, and one line says so."""
    balancer = stage.httpd(BALANCED)
    balancer.knows(other)
    stopped = balancer.moderator()
    os.kill(stopped, signal.SIGSTOP)
    balancer.stopped_by_test.add(stopped)
    begin = time.monotonic()
    with Load(balancer, good=lambda answer: answer.text == "other\n") as load:
        while time.monotonic() < begin + STOPPED_S:
            time.sleep(0.1)
            # Until 3 seconds byAge cannot know; nothing is announced every 0 to 1 s but what is heard.
            if time.monotonic() < begin + 4.5:
                load.wrong.clear()
        os.kill(stopped, signal.SIGCONT)
        time.sleep(2.5)
    print(f"moderator stopped for {STOPPED_S} s: {load.count} requests, {len(load.wrong)} failed")
    assert load.wrong == [] and load.count > 40 * STOPPED_S
    assert len(balancer.log.lines("BH0410")) == 1
    assert set(balancer.status().servers) == {balancer.id, other.id}
    balancer.log.expect("BH0410")


BREAKER = """
#include "mod_backhand.h"
#include "serverstats.h"
/* Leaves the row as a moderator that died in the middle of writing one of its copies. */
int break_row(request_rec *r, ServerSlot *servers, int *n, char *arg) {
    bh_segment_t *segment = (bh_segment_t *)(void *)((char *)serverstats - offsetof(bh_segment_t, public_rows));
    bh_row_t *row = &segment->rows_extended[1];
    int before = arg && *arg == 'b';
    (before ? &row->before : &row->facts)->port = 1;
    __atomic_fetch_add(&row->lock, before ? BH_PHASE_BEFORE : BH_PHASE_FACTS, __ATOMIC_RELEASE);
    return *n;
}
"""


@pytest.mark.parametrize("copy", ["facts", "before"])
def test_a_row_that_is_half_written(stage, copy):
    """The server keeps its requests: the other copy of its facts is whole. So it is for a new moderator, and with the
    next announcement both are."""
    library = candidacy_functions(stage.folder, "breaker", BREAKER)
    server = stage.httpd(
        CLUSTER
        + f"""
Backhand removeSelf
BackhandNoCandidate Unavailable
<Location /break>
    BackhandFromSO {library} break_row {copy}
    BackhandNoCandidate Local
</Location>
"""
    )
    backend = stage.backend("127.0.9.2")
    there = Announcement(backend.address, backend.port)
    stage.plant(server, there)

    def is_asked():
        return there.id in server.status().servers and {server.get("/").text for _ in range(5)} == {backend.id}

    server.get("/break")
    assert is_asked()
    old = server.moderator()
    os.kill(old, signal.SIGKILL)
    server.moderator(other_than=old)
    wait_for(server.control_socket.exists, 2, "the socket")
    assert is_asked()
    stage.plant(server, there)
    assert is_asked()
    server.log.allow("BH0206|AH0005[12]")

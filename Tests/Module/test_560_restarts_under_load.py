# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Graceful restarts, one after the other, under load: nothing is lost, nothing is left behind."""

import re
import signal
import statistics
import time
from pathlib import Path

import pytest
from harness import processes
from harness.announce import Announcement
from harness.endurance import ENDURANCE
from harness.load import Load
from harness.modules import candidacy_functions
from harness.stage import CLUSTER
from harness.wait import wait_for
from Module.test_313_no_candidate import Silent

# A wrong answer says by its Backhand-Trace what was decided.
BALANCED = CLUSTER + "Backhand removeSelf\nBackhandNoCandidate Unavailable\nBackhandTrace On\n"
RESTARTS, EVERY_S = (60, 1.0) if ENDURANCE else (9, 0.6)


def kept(pid):
    """What a process holds: descriptors by kind, and shared mappings of a segment's size."""
    kinds = [re.sub(r"\d+", "N", link) for link in processes.links(pid)]
    maps = [line for line in Path(f"/proc/{pid}/maps").read_text().splitlines() if "/dev/zero" in line]
    return sorted(kinds), len(maps)


def held(server):
    """What httpd's parent and its moderator hold, once it does not change: in the middle of a restart, it does."""
    end = time.monotonic() + 5
    before = None
    while (now := (kept(server.pid), kept(server.moderator()))) != before and time.monotonic() < end:
        before = now
        time.sleep(0.1)
    return now


def settled(server):
    """Its moderator, once there is exactly one and httpd has swept up the old generation."""
    old = server.moderator(deadline=10)
    wait_for(lambda: server.status().self, 5, "its first announcement")
    return old


def without_moderator(server, old, epoch):
    """Seconds from the end of the old moderator until its successor owns the table and answers."""
    wait_for(lambda: old not in server.moderators(), 10, "the old moderator to end", every=0.005)
    begin = time.monotonic()

    def is_next_there():
        try:
            return server.status().json["self"]["moderator_starts"] == epoch + 1
        except (OSError, ValueError):
            return False  # its socket is not there yet

    wait_for(is_next_there, 10, "the next moderator", every=0.005)
    return time.monotonic() - begin


@pytest.mark.parametrize("whom", ["balancer", "server"])
def test_every_second(stage, mpm, whom):
    server = stage.httpd(CLUSTER, address="127.0.9.2", name="server", mpm=mpm, workers=16)
    balancer = stage.httpd(BALANCED, name="balancer", mpm=mpm, workers=16)
    balancer.knows(server)
    restarted = balancer if whom == "balancer" else server
    sizes, moderator, gaps = [], 0, []
    with Load(balancer, new=2, kept=2, good=lambda answer: answer.text == "server\n") as load:
        for _ in range(RESTARTS):
            moderator = restarted.moderator(other_than=moderator)
            begin = time.monotonic()
            epoch = restarted.status().json["self"]["moderator_starts"]
            restarted.restart(wait=False)
            gaps.append(without_moderator(restarted, moderator, epoch))
            assert set(balancer.status().servers) == {balancer.id, server.id}
            sizes.append(held(restarted))
            time.sleep(max(0, EVERY_S - (time.monotonic() - begin)))
        # On a busy machine the clients take longer for as many.
        wait_for(lambda: load.count > 200, 20, "requests")
    print(
        f"{mpm}: {RESTARTS} graceful restarts of the {whom}, {load.count} requests, {len(load.wrong)} failed, "
        f"{load.repeated} repeated, the longest took {load.longest:.1f} s, "
        f"at most {max(gaps):.2f} s without a moderator; descriptors and mappings "
        f"{sizes[2] == sizes[-1] and 'the same' or sizes}"
    )
    assert load.wrong == []
    # A moderator that comes only with the parent's next look would take a second each time; a busy machine takes it now
    # and then.
    assert statistics.median(gaps) < 1, gaps
    # The first restart may settle; after that nothing grows.
    assert sizes[2] == sizes[-1], sizes
    assert len(restarted.moderators()) == 1
    assert len(processes.unix_sockets(restarted.sockets)) == 1
    row = balancer.status().servers[server.id]
    wait_for(lambda: balancer.status().servers[server.id]["in_flight"] == 0, 3, "none in flight")
    assert row["served"] >= load.count - 8
    for each in (balancer, server):
        each.log.allow("AH0004[5-9]|AH01102|AH01110|AH00898|AH01097|AH00957|AH01114|AH10292")


def test_back_off_is_kept(stage):
    """Of a server that answers no connection, because that is a long one."""
    there = stage.backend("127.0.9.2")
    balancer = stage.httpd(BALANCED)
    with Silent("127.0.9.9") as silent:
        gone = Announcement(silent.address, silent.port)
        stage.plant(balancer, gone)
        stage.plant(balancer, gone, Announcement(there.address, there.port))
        assert balancer.get("/").text == there.id
        before = balancer.status().servers[gone.id]
        assert before["refused"] == 1 and before["backoff_ms"] > 5000
        old = balancer.moderator()
        balancer.restart()
        balancer.moderator(other_than=old)
        after = balancer.status().servers[gone.id]
        assert after["refused"] == 1 and 0 < after["backoff_ms"] <= before["backoff_ms"]
        assert balancer.get("/").text == there.id
        assert balancer.status().servers[gone.id]["refused"] == 1
    balancer.log.allow("AH00957|AH01114|AH00959")


def test_another_configuration_and_back(stage):
    """Another group, no module at all, and the first one again, all by graceful restarts under load of its own
    pages."""
    server = stage.httpd(CLUSTER, address="127.0.9.2", name="server")
    stage.plant(server, Announcement("127.0.9.81", 80))
    usual = server.conf.read_text()
    with Load(server) as load:
        other = stage.new_group()
        old = server.moderator()
        server.conf.write_text(
            usual.replace(f"Define group {server.group[0]}:{server.group[1]}", "Define group {}:{}".format(*other))
        )
        server.restart()
        server.moderator(other_than=old)
        # It keeps what it knew, and hears the others of the new group.
        assert "127.0.9.81:80" in server.status().servers
        first, server.group = server.group, other
        stage.plant(server, Announcement("127.0.9.82", 80))
        server.group = first
        without = "\n".join(
            re.sub(r" backhand:debug", "", line)
            for line in usual.splitlines()
            if not re.search(r"backhand_module|^Backhand|^UnixSocketDir|^MulticastStats|^AcceptStats", line)
        )
        server.conf.write_text(without)
        server.restart()
        wait_for(
            lambda: not server.moderators() and not processes.unix_sockets(server.sockets), 5, "the moderator to end"
        )
        server.conf.write_text(usual)
        server.restart()
        server.moderator()
        stage.plant(server, Announcement("127.0.9.83", 80))
    assert load.wrong == []
    server.log.allow("AH0004[5-9]")


OTHER_BUILD = """
#include "mod_backhand.h"
#include "serverstats.h"
/* Leaves the segment as one that another build has made. */
int another_layout(request_rec *r, ServerSlot *servers, int *n, char *arg) {
    bh_segment_t *segment = (bh_segment_t *)(void *)((char *)serverstats - offsetof(bh_segment_t, public_rows));
    segment->layout ^= 1;
    return *n;
}
"""


def test_another_layout_of_the_segment(stage, mpm):
    """An update by graceful restart: the new build leaves the old one's segment, and hears all servers anew."""
    library = candidacy_functions(stage.folder, "other", OTHER_BUILD)
    server = stage.httpd(CLUSTER, address="127.0.9.2", name="server")
    # The balancer may be heard anew a moment after its first request: the server turns that away.
    server.log.always("BH0432")
    balancer = stage.httpd(
        CLUSTER
        + f"""
Backhand removeSelf
<Location /other>
    BackhandFromSO {library} another_layout
</Location>
""",
        name="balancer",
        mpm=mpm,
        workers=16,
    )
    balancer.knows(server)
    with Load(balancer) as load:
        boot, old = balancer.status().json["self"]["boot_id"], balancer.moderator()
        balancer.get("/other")
        balancer.restart()
        balancer.moderator(other_than=old)
        balancer.knows(server)
        assert balancer.status().json["self"]["boot_id"] != boot
        wait_for(lambda: balancer.get("/").text == "server\n", 5, "a request to go there")
        # httpd may accept nothing for a second of it.
        wait_for(lambda: load.count > 5, 5, "more requests", show=lambda: load.count)
    assert load.wrong == []
    assert len(balancer.moderators()) == 1
    for each in (balancer, server):
        each.log.allow("AH0004[5-9]|AH01102|AH00898|AH01097|AH10292")


def test_stop_and_start_at_once(stage):
    """It must not stay so."""
    server = stage.httpd(CLUSTER, address="127.0.9.2", name="server")
    balancer = stage.httpd(BALANCED, name="balancer")
    balancer.knows(server)
    for how in (signal.SIGTERM, signal.SIGWINCH, signal.SIGTERM):
        server.stop(how)
        wait_for(lambda: balancer.status().servers[server.id]["state"] == "shutdown", 2, "its farewell")
        server.start()
        wait_for(lambda: balancer.status().servers[server.id]["state"] == "up", 5, "it to be up")
        # Until it has heard the balancer, it turns its requests away (BH0432).
        balancer.knows(server)
        assert balancer.get("/").text == "server\n"

# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One pool of connections for all children of a prefork balancer."""

import os
import signal
import time

import pytest
from harness import processes
from harness.announce import CLOSED, KEEPS, WORKER
from harness.backend import Reply
from harness.front import CHAIN, announcement_of, front_of, idle, kept, together
from harness.stage import CLUSTER_OF_9
from harness.wait import wait_for

SHARED = "BackhandConnectionPools Shared\n"


def front_to(stage, backend, cost=KEEPS, idle=64, config=SHARED, **how):
    """A prefork balancer that knows a backend, which announces what a kept connection costs it, and how many of its
    workers are idle."""
    says = announcement_of(backend, idle_cost=cost, workers=64, idle=idle)
    return front_of(stage, says, mpm="prefork", config=config, **{"workers": 16, "children": 16, **how})


def test_children_share_a_connection(stage):
    """Sixteen children, one request after the other: one connection."""
    backend = stage.backend("127.0.9.2")
    front = front_to(stage, backend, config=SHARED + 'CustomLog logs/children "%P"\n')
    for _ in range(40):
        assert front.get("/").status == 200
        # The child has put the connection back by then; its client may have had the answer before.
        idle(front, backend)
    children = set((front.root / "logs/children").read_text().split())
    assert len(children) > 2
    assert backend.connections == 1 and backend.open == 1
    assert kept(front, backend) == 1


def test_connections_outlive_restarts(stage):
    """The moderator's, graceful ones and SIGHUP: the next request has the connection of before."""
    backend = stage.backend("127.0.9.2")
    front = front_to(stage, backend)
    for how in (None, signal.SIGUSR1, signal.SIGHUP):
        before = front.moderator()
        assert front.get("/").status == 200
        idle(front, backend)
        if how is None:
            front.log.expect("BH0206")
            os.kill(before, signal.SIGKILL)
        else:
            front.restart(how)
        front.moderator(other_than=before)
        assert front.get("/").status == 200
        # Else the next one may come before the child has put the connection back.
        idle(front, backend)
        assert backend.connections == 1 and kept(front, backend) == 1


def test_it_goes_with_its_line(stage):
    """A graceful restart without it: what waited is closed, and counts no more; no process has its queues."""

    def queues():
        return {
            pid: sum(link.startswith("socket:") for link in processes.links(pid))
            for pid in [front.pid, *front.children()]
        }

    backend = stage.backend("127.0.9.2")
    front = front_to(stage, backend)
    front.get("/")
    assert kept(front, backend) == backend.open == 1 and min(queues().values()) >= 32
    front.configure(CHAIN)
    before = set(front.children())
    front.restart()
    wait_for(lambda: not before & set(front.children()), 10, "other children")
    wait_for(
        lambda: kept(front, backend) == backend.open == 0, 5, "none", show=lambda: (kept(front, backend), backend.open)
    )
    assert max(queues().values()) < 16, queues()


def test_as_many_as_the_server_can_spare(stage):
    """Four of sixteen idle workers, then one of four: the moderator closes the others."""
    backend = stage.backend("127.0.9.2", reply=lambda request: Reply(delay=0.3))
    says = announcement_of(backend, idle_cost=(WORKER, 60_000, 0, 0), workers=16, idle=16)
    front = front_of(stage, says, mpm="prefork", config=SHARED, workers=16, children=16)
    for _ in range(2):
        together(front, 8)
        wait_for(
            lambda: kept(front, backend) == backend.open == 4,
            5,
            "four",
            show=lambda: (kept(front, backend), backend.open),
        )
    stage.plant(front, says.with_(idle=4))
    wait_for(
        lambda: kept(front, backend) == backend.open == 1, 5, "one", show=lambda: (kept(front, backend), backend.open)
    )


def test_no_quiet_child_keeps_one_too_long(stage):
    """The server closes it after three seconds: the moderator does so after two, whether there are requests or not."""
    backend = stage.backend("127.0.9.2")
    front = front_to(stage, backend, cost=(WORKER, 3000, 0, 0))
    front.get("/")
    assert kept(front, backend) == 1
    begin = time.monotonic()
    wait_for(lambda: backend.open == 0, 5, "none is open")
    # It looks once a second, so three of these may have gone.
    assert 0.9 < time.monotonic() - begin < 4.5
    wait_for(lambda: kept(front, backend) == 0, 3, "none is kept")


def test_a_server_that_is_gone_keeps_no_connection(stage):
    backend = stage.backend("127.0.9.2")
    front = front_to(stage, backend)
    front.get("/")
    stage.announce(announcement_of(backend, idle_cost=(CLOSED, 0, 0, 0)), group=front.group)
    wait_for(lambda: backend.open == 0 and kept(front, backend) == 0, 4, "none is open", show=lambda: backend.open)


@pytest.mark.parametrize("mpm", ["worker", "event"])
def test_elsewhere_it_means_auto(stage, mpm):
    front = stage.httpd(CLUSTER_OF_9 + "Backhand default\n" + SHARED, mpm=mpm)
    front.log.expect("BH0482: BackhandConnectionPools Shared at .* means Auto here")
    assert "BH0482" in front.test_config(advice=True)[1]

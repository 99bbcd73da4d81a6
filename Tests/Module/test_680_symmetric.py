# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Clusters whose nodes both serve and balance: what is sent on must pay, and must not fill the nodes with each other's
requests."""

import time
from collections import Counter

import pytest
from Bench.Connections.cell import pause
from harness.crowd import Crowd
from harness.stage import CLUSTER_OF_9
from harness.wait import wait_for

pytestmark = pytest.mark.alone

# As an application does that asks a database.
PAUSE_MS = 50

CHAINS = {
    "off": "Backhand off",
    "default": "Backhand default",
    # The chain of a wiki page (docs/upgrading-from-mod_backhand.md) without removeSelf.
    "wiki": "Backhand byAge 6\nBackhand byRandom\nBackhand byLogWindow\nBackhand byLoad",
}


class Nodes:
    """So many httpds of the same configuration; the path /name has the chain of that name."""

    def __init__(self, stage, mpm, workers, config="", count=3, **how):
        sections = "".join(f"<Location /{name}>\n{lines}\n</Location>\n" for name, lines in CHAINS.items())
        config = CLUSTER_OF_9 + pause(stage) + "BackhandTrace On\nKeepAliveTimeout 5\n" + sections + config + "\n"
        if mpm == "prefork":
            config += f"MaxRequestWorkers {workers}\nMaxSpareServers {workers}\n"
        self.nodes = [
            stage.httpd(
                config + "<Location /status>\nSetHandler backhand-handler\n</Location>\n",
                mpm=mpm,
                workers=workers,
                address=f"127.0.9.{2 + number}",
                **how,
            )
            for number in range(count)
        ]
        for node in self.nodes:
            node.log.always("AH00161")  # all workers are taken: that is what it is about
            wait_for(lambda node=node: len(node.status().servers) == count, 10, "all to hear each other")
        time.sleep(2)

    def ask(self, chain, clients, seconds, rate=None):
        """What so many clients of each node asked within that time."""
        crowds = [
            Crowd(
                node, clients=number, paths=(f"/{chain}/{PAUSE_MS}",), network=20 + place, rate=rate and rate * number
            )
            for place, (node, number) in enumerate(zip(self.nodes, clients))
        ]
        for crowd in crowds:
            crowd.__enter__()
        time.sleep(seconds)
        for crowd in crowds:
            crowd.__exit__()
        return [list(crowd.asked) for crowd in crowds]

    def sent_on(self, asked):
        """Share of the requests that a node did not serve itself."""
        counts = Counter(one.server not in (None, node.id) for node, some in zip(self.nodes, asked) for one in some)
        return counts[True] / sum(counts.values())


def everything(asked):
    return [one for some in asked for one in some]


@pytest.fixture(scope="module")
def prefork(module_stage):
    # Connections that are kept hold workers of the servers; here it is about workers alone.
    return Nodes(module_stage, "prefork", 4, "BackhandConnectionPools Off")


@pytest.mark.parametrize("chain", ["default", "wiki"])
def test_prefork_nodes_do_not_fill_each_other(prefork, chain):
    """As many clients as workers, on kept-alive connections: what is sent on waits until a client of the other node
    goes away."""
    counts = {"off": 0, chain: 0}
    for _ in range(2):
        for name in counts:
            asked = everything(prefork.ask(name, (4, 4, 4), 3))
            assert all(one.status == 200 for one in asked)
            counts[name] += len(asked)
    assert counts[chain] >= 0.9 * counts["off"], counts


def test_a_full_prefork_node_is_helped(prefork):
    """One node has all clients, for longer than announcements are old: the others, which have workers to spare, get
    some of its requests."""
    asked = prefork.ask("wiki", (6, 0, 0), 7)
    # What the others announce of the load before is forgotten in three seconds, and a new announcement is up to a
    # second old.
    late = [one for one in asked[0] if one.at > 4]
    assert len(late) > 50 and sum(one.server != prefork.nodes[0].id for one in late) > 0.1 * len(late), Counter(
        one.server for one in late
    )


def test_event_nodes_evenly_asked_send_little_on(stage):
    """A request that one more slows down nothing here is served here."""
    nodes = Nodes(stage, "event", 64)
    # Beside a busy machine CPUs are taken: then more than usual are sent on. Equal servers in a random order are two
    # thirds.
    for _ in range(3):
        asked = nodes.ask("default", (4, 4, 4), 7)
        # Before the first announcements of this load it is not known that requests wait and do not compute.
        late = [[one for one in some if one.at > 4] for some in asked]
        assert len(everything(late)) > 200 and all(one.status == 200 for one in everything(late))
        idle = min(row["cpu_idle"] for row in nodes.nodes[0].status().servers.values())
        sent_on = nodes.sent_on(late)
        if sent_on <= 0.05:
            return
    assert idle <= 0.7 and sent_on <= 0.4, (sent_on, idle)

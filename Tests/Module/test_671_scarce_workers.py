# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Servers with few workers, each of which an idle connection holds: a balancer that keeps connections serves as much as
one that keeps none."""

import pytest
from Bench.Connections.cell import load
from harness.stage import CLUSTER, CLUSTER_OF_9

# Fewer than the balancer has threads.
FOUR_WORKERS = "StartServers 4\nMinSpareServers 4\nMaxSpareServers 4\nMaxRequestWorkers 4\nKeepAliveTimeout 5\n"
CHAIN = "Backhand removeSelf\nBackhand default\n"
ROUNDS, SECONDS, CLIENTS, THINK = 3, 2, 16, 0.05


@pytest.mark.alone
def test_as_much_as_without_kept_connections(stage):
    """Three prefork servers of four workers; an event balancer of 64 threads; clients with think times."""
    servers = [
        stage.httpd(CLUSTER + FOUR_WORKERS, mpm="prefork", workers=4, address=f"127.0.9.{number}")
        for number in (2, 3, 4)
    ]
    # They do not hear each other: one is no server of the other.
    fronts = {
        word: stage.httpd(CLUSTER_OF_9 + CHAIN + line, mpm="event", workers=64, children=8)
        for word, line in (("nothing", ""), ("Off", "BackhandConnectionPools Off\n"))
    }
    for server in servers:
        server.log.allow("AH00161")
    for front in fronts.values():
        front.log.allow("BH0310")
        front.knows(*servers)
    served, slowest = dict.fromkeys(fronts, 0), dict.fromkeys(fronts, 0.0)
    for turn in range(ROUNDS):
        for word, front in fronts.items():
            result = load([front.id], CLIENTS, SECONDS, THINK, seed=turn)
            assert result.failed == []
            served[word] += result.served
            slowest[word] = max(slowest[word], result.quantile(0.99))
    print(f"requests: {served}; the slowest 99 % quantile of {ROUNDS} rounds, seconds: {slowest}")
    # It is 0.95 and more on a quiet machine; with all connections kept, a tenth, and 20 s.
    assert served["nothing"] >= 0.8 * served["Off"], (served, slowest)
    assert slowest["nothing"] < 1, (served, slowest)

# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Small cells of the matrix in Tests/Bench/Connections: nothing configured serves as much as what an administrator
could configure."""

import time

import pytest
from Bench.Connections.cell import Result, load
from Bench.Connections.contenders import Ours
from Bench.Connections.servers import Boards, release, servers_of
from harness.announce import WORKER
from harness.front import announcement_of, front_of

WORDS = ("Auto", "Off")


def fronts_of(stage, servers, balancer, words=WORDS, count=1):
    return {word: Ours(word, word).start(stage, servers, balancer, count, workers=40) for word in words}


@pytest.mark.long
@pytest.mark.parametrize(
    "balancer, mpm, workers, clients, kept", [("event", "prefork", 4, 16, True), ("prefork", "event", 4, 16, False)]
)
def test_as_much_as_the_best(stage, balancer, mpm, workers, clients, kept):
    servers = servers_of(stage, mpm, workers, 3)
    fronts = fronts_of(stage, servers, balancer)
    results = {word: Result() for word in WORDS}
    for targets in fronts.values():
        load(targets, 8, 0.5, 0.02, path="/5")
        release(servers)
    for turn in range(2):
        for word, targets in fronts.items():
            results[word].add(load(targets, clients, 1, 0.05, kept=kept, path="/5", seed=turn, warm=0.2))
            release(servers)
    said = {word: str(result) for word, result in results.items()}
    print(said)
    assert not any(result.failed for result in results.values()), said
    # The bench judges 0.95 and 1.3, with more requests.
    assert results["Auto"].served >= 0.9 * max(result.served for result in results.values()), said
    assert results["Auto"].p99 <= 0.02 + 2 * min(result.p99 for result in results.values()), said


@pytest.mark.long
def test_many_balancers_leave_workers_to_others(stage):
    """Ten balancers, none of which hears the others: idle connections hold no more than half of any server's workers.

    But at first: how many balancers there are is known from two announcements of this load, and a child closes what is
    too much at its next request.
    """
    servers = servers_of(stage, "prefork", 16, 2)
    targets = fronts_of(stage, servers, "event", ("Auto",), 10)["Auto"]
    with Boards(servers) as boards:
        result = load(targets, 40, 6, 0.1, path="/5")
    assert not result.failed
    held = [max(idle for idle, _ in row) for at, row in boards.samples if at >= 3.5]
    assert len(held) > 10 and max(held) <= 8, held


@pytest.mark.parametrize("pause, connections", [(0.1, 1), (1.4, 2)])
def test_a_short_timeout(stage, pause, connections):
    """With all connections kept: of a KeepAliveTimeout of less than two seconds, half is used."""
    backend = stage.backend("127.0.9.2")
    front = front_of(
        stage,
        announcement_of(backend, idle_cost=(WORKER, 1900, 0, 0), workers=16, idle=16),
        config="BackhandConnectionPools On\n",
        children=1,
        workers=16,
    )
    front.get("/")
    time.sleep(pause)
    front.get("/")
    assert backend.requests[-1].connection == connections

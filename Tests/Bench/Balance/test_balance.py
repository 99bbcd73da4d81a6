# Licensed under the Apache License, Version 2.0; see LICENSE.
"""That the bench still works: two contenders, seconds. What it finds is no figure; make bench-balance FULL=1 has these."""

import subprocess

from Bench.Balance import contenders, figures, oracle, workload
from Bench.Balance.run import Plan, World, build, run
from Bench.Balance.scenarios import BY_NAME, Event, Scenario, Server

PLAN = Plan(3, warm_up=1.5, settle=1.2, drain=5)
SCENARIO = BY_NAME["speeds-300"]


def running():
    """Command lines of all processes."""
    return subprocess.run(["ps", "-e", "-o", "args="], capture_output=True, text=True, check=True).stdout


def test_two_contenders_in_front_of_servers_of_different_speed():
    build()
    found = {}
    with World(SCENARIO) as world:
        for name in ("byrequests", "default"):
            cell = run(world, contenders.BY_NAME[name], PLAN, seed=1)
            found[name] = figures.of(cell, len(SCENARIO.servers))
            assert len(cell.outcomes) == len(cell.requests)
            assert all(outcome.is_good for outcome in cell.outcomes)
            assert sum(found[name].shares) > 0.999
        folder = str(world.folder)
    assert folder not in running()
    # In turn: whoever is slow gets as much as the others.
    assert max(abs(share - 0.25) for share in found["byrequests"].shares) < 0.05
    assert found["default"].shares[0] > 2 * found["default"].shares[3]
    assert found["default"].p99 < found["byrequests"].p99
    # Nobody is better than one who knows all.
    bound = oracle.replay(SCENARIO, cell.requests, PLAN.whole)
    least = figures.of_latencies(latency for latency, _ in workload.measured(cell.requests, bound, PLAN.warm_up))
    assert found["default"].p50 > 0.95 * least[0] and found["default"].p99 > 0.9 * least[2]


def arrival(due, demand):
    return workload.Arrival(round(due * 1e6), 0, "GET", "/", round(demand * 1e6))


def test_the_oracle_knows_who_ends_first():
    # One worker each, the second three times slower.
    scenario = Scenario("by hand", "", (Server(1), Server(1, slowness=3)), 1, events=lambda _: [Event(10, 0, "fails", True)])
    requests = [arrival(0, 1), arrival(0, 1), arrival(0, 1), arrival(0, 1), arrival(11, 1)]
    # Mean demands: 1 and 3; 2 and 3; 3 and 3 (the slower one is emptier); 3 and 6; the first one fails.
    assert oracle.replay(scenario, requests, 20) == [(1, 0), (2, 0), (3, 1), (3, 0), (3, 1)]


def test_arrivals_depend_on_the_seed_alone():
    first, again, other = (workload.arrivals(SCENARIO, 20, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert abs(len(first) / 20 / SCENARIO.rate - 1) < 0.05
    assert abs(sum(request.demand for request in first) / len(first) / 10_000 - 1) < 0.05

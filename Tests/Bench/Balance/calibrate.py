# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the bench itself adds to a latency: the generator asks the servers directly, each request one that is fixed
beforehand, so that the time it should take is known exactly."""

from Bench.Balance import figures, oracle, workload
from Bench.Balance.contender import Contender
from Bench.Balance.run import World, run
from Bench.Balance.scenarios import FOUR, Scenario, exponential, rate_for

SCENARIO = Scenario(
    "direct",
    "no balancer, four servers, 60 % load each",
    FOUR,
    rate_for(0.6, FOUR, 0.020),
    exponential(0.020),
    share_at_first=0.25,
)


class Direct(Contender):
    """The servers themselves."""

    def start(self, stage, farm):
        return [server.httpd.id for server in farm.servers]

    def stop(self):
        pass


def text(plan, seed):
    """A line for people."""
    with World(SCENARIO) as world:
        cell = run(world, Direct("direct", "direct"), plan, seed)
    known = oracle.replay(SCENARIO, cell.requests, plan.whole, choose=lambda servers, request: servers[request.target])
    expected = [latency for latency, _ in known]
    added = sorted(
        (outcome.ended - request.due) / 1e6 - should
        for request, outcome, should in zip(cell.requests, cell.outcomes, expected)
        if outcome.is_good
    )
    late = figures.of(cell, len(FOUR))
    return (
        f"{SCENARIO.rate:.0f} requests/s, {len(added)} answered of {len(cell.requests)}; added to the exact time, ms: "
        f"p50 {1000 * figures.quantile(added, 0.5):.2f}, p90 {1000 * figures.quantile(added, 0.9):.2f}, "
        f"p99 {1000 * figures.quantile(added, 0.99):.2f}; p99 of all {late.p99:.1f}, exact "
        f"{1000 * figures.quantile(sorted(workload.measured(cell.requests, expected, plan.warm_up)), 0.99):.1f}; "
        f"generator late, p99 {late.lag:.2f}; CPU idle {100 * late.idle:.0f} %"
    )

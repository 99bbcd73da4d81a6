# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The requests of a run, drawn from a seed: the same for every contender. And what became of them, as the generator
tells it."""

import random
from typing import NamedTuple

ANSWERED = 2  # outcome in generator.h


class Arrival(NamedTuple):
    """A request that is to be sent at this time, in microseconds since the start, to the balancer with this number."""

    due: int
    target: int
    method: str
    path: str
    demand: int


class Outcome(NamedTuple):
    """What became of one; times as in Arrival."""

    sent: int
    ended: int
    outcome: int
    status: int
    repeated: int
    server: str

    @property
    def is_good(self):
        return self.outcome == ANSWERED and self.status < 500

    @property
    def text(self):
        what = (
            f"{self.status} of {'nobody' if self.server == '-' else self.server}"
            if self.outcome == ANSWERED
            else "no whole answer"
        )
        return f"{what}, {(self.ended - self.sent) / 1000:.1f} ms after it was sent"


def arrivals(scenario, seconds, seed):
    """Poisson arrivals. Times, demands and balancers have random numbers of their own, so that one does not change the
    others."""
    times, demands, targets, methods = (
        random.Random(f"{scenario.name} {seed} {use}") for use in ("times", "demands", "targets", "methods")
    )
    weights = scenario.client_shares
    found, now = [], 0.0
    while (now := now + times.expovariate(scenario.rate)) < seconds:
        path, demand = scenario.demand(demands)
        target = targets.choices(range(len(weights)), weights)[0]
        method = "POST" if methods.random() < scenario.posts else "GET"
        found.append(Arrival(round(now * 1e6), target, method, path, max(1, round(demand * 1e6))))
    return found


def write(path, requests, prefix, balancers):
    """The generator's schedule, for so many balancers: a rival in front of servers that are balancers themselves is
    one."""
    with open(path, "w", encoding="ascii") as file:
        for one in requests:
            file.write(f"{one.due} {one.target % balancers} {one.method} {prefix}{one.path} {one.demand}\n")


def read(path):
    """What the generator has written, in the order of the schedule."""
    with open(path, encoding="ascii") as file:
        return [Outcome(*map(int, line.split()[:5]), line.split()[5]) for line in file]


def measured(requests, values, warm_up):
    """The values of the requests that come after so many seconds."""
    return [value for request, value in zip(requests, values) if request.due >= warm_up * 1e6]

# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The worlds of the bench: servers, what happens to them, and the requests that come."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple


class Server(NamedTuple):
    """One server: requests that it works on at once, and how many times as long as their demand they take.

    limit: cores that its control group lets it use. Then a demand is CPU time, which it burns; else it sleeps.
    """

    workers: int = 8
    slowness: float = 1.0
    fails: bool = False
    up: bool = True
    limit: float = 0.0

    @property
    def capacity(self):
        """Seconds of demand that it can do in a second."""
        return (self.limit or self.workers) / self.slowness


class Event(NamedTuple):
    """At this second of the run a server's slowness, fails, up or limit gets a value."""

    at: float
    server: int
    what: str
    value: float


def exponential(mean):
    return lambda rng: ("/", rng.expovariate(1 / mean))


def rare_long(mean):
    """One request in 3000 takes 3 s."""
    return lambda rng: ("/", rng.expovariate(1 / mean) if rng.random() >= 1 / 3000 else 3.0)


def by_url(cheap, dear, share):
    """This share of the requests asks for something dear."""

    def draw(rng):
        is_dear = rng.random() < share
        return ("/dear" if is_dear else "/cheap"), rng.expovariate(1 / (dear if is_dear else cheap))

    return draw


def nothing(_seconds):
    return []


@dataclass(frozen=True)
class Scenario:
    """A world. `rivals` names the contenders that are worth comparing in it, beside those that take part in every
    one."""

    name: str
    title: str
    servers: tuple
    rate: float
    demand: Callable = exponential(0.020)
    balancers: int = 1
    events: Callable = nothing
    posts: float = 0.0
    # The servers are the balancers; this share of the clients comes to the first.
    share_at_first: float = 0.0
    rivals: tuple = ()
    # Not in the short set.
    is_long: bool = False

    @property
    def burns(self):
        """Whether it needs control groups."""
        return any(server.limit for server in self.servers)

    @property
    def is_symmetric(self):
        return self.share_at_first > 0

    @property
    def client_shares(self):
        """How many of the requests come to each balancer."""
        if not self.is_symmetric:
            return [1 / self.balancers] * self.balancers
        others = len(self.servers) - 1
        return [self.share_at_first] + [(1 - self.share_at_first) / others] * others


def rate_for(load, servers, mean):
    """Requests a second that are this share of what the servers can do."""
    return load * sum(server.capacity for server in servers) / mean


FOUR = (Server(),) * 4
# 10, 10, 30, 60 ms.
SPEEDS = (Server(), Server(), Server(slowness=3), Server(slowness=6))
MIXED = tuple(
    Server(workers, 1 / speed)
    for workers, speed in zip((2, 2, 2, 2, 2, 4, 4, 4, 8, 8), (1, 1, 0.5, 0.5, 1, 1, 1, 1.5, 1, 1.5))
)

# Cores. With the balancers and the generator beside them, two are enough.
CONTAINERS = tuple(Server(limit=limit) for limit in (0.4, 0.4, 0.15, 0.1))
EQUAL_CONTAINERS = (Server(limit=0.3),) * 4


def antagonists(servers, factor=2.0, lasting=4.0, every=16.0):
    """Each server has a neighbour that makes it so many times slower for a while, at times that are the same for all
    contenders."""

    def events(seconds):
        found = []
        for number, server in enumerate(servers):
            rng, now = random.Random(f"antagonist {number}"), 0.0
            while (now := now + rng.expovariate(1 / (every - lasting))) < seconds:
                found.append(Event(now, number, "slowness", server.slowness * factor))
                now += rng.expovariate(1 / lasting)
                found.append(Event(now, number, "slowness", server.slowness))
        return found

    return events


def moving_round(servers, factor=3.0, lasting=4.0):
    """One server after the other gets so many times less CPU for a while."""

    def events(seconds):
        found = []
        for turn in range(int(seconds / lasting) + 1):
            now, last = turn % len(servers), (turn - 1) % len(servers)
            found += [
                Event(turn * lasting, last, "limit", servers[last].limit),
                Event(turn * lasting, now, "limit", servers[now].limit / factor),
            ]
        return found

    return events


def at(share, server, what, value):
    """One thing happens when this share of the run is over."""
    return lambda seconds: [Event(share * seconds, server, what, value)]


def joins(number, slowness):
    """Comes in the middle, five times slower at first."""

    def events(seconds):
        begin = 0.3 * seconds
        return [
            Event(0, number, "slowness", 5 * slowness),
            Event(begin, number, "up", True),
            Event(begin + min(10, 0.35 * seconds), number, "slowness", slowness),
        ]

    return events


def changed(servers, number, **values):
    return tuple(server._replace(**values) if place == number else server for place, server in enumerate(servers))


# What neighbours leave, on average: half of the capacity for a quarter of the time.
LEFT = 0.875
# Of four containers, one of which has a third.
LEFT_OF_CONTAINERS = (3 + 1 / 3) / 4
UNEQUAL = (
    "haproxy-leastconn-weights",
    "haproxy-maxconn",
    "nginx-least_conn-weights",
    "nginx-random-weights",
    "byrequests-weights",
)
FAILING = ("haproxy-503", "nginx-503", "byrequests-failonstatus")

ALL = (
    Scenario("equal", "four equal servers, 70 % load", FOUR, rate_for(0.7, FOUR, 0.020)),
    Scenario("speeds-300", "10, 10, 30, 60 ms; 300 requests/s", SPEEDS, 300, exponential(0.010), rivals=UNEQUAL),
    Scenario("speeds-1200", "10, 10, 30, 60 ms; 1200 requests/s", SPEEDS, 1200, exponential(0.010), rivals=UNEQUAL),
    Scenario(
        "antagonist-1",
        "antagonists move round, one balancer",
        MIXED,
        rate_for(0.7 * LEFT, MIXED, 0.020),
        events=antagonists(MIXED),
        rivals=(*UNEQUAL, "haproxy-agent"),
    ),
    Scenario(
        "antagonist-4",
        "antagonists move round, four balancers",
        MIXED,
        rate_for(0.7 * LEFT, MIXED, 0.020),
        balancers=4,
        events=antagonists(MIXED),
        rivals=(*UNEQUAL, "haproxy-agent"),
    ),
    Scenario(
        "slow",
        "one of four servers turns five times slower, unseen by its CPU",
        FOUR,
        rate_for(0.5, FOUR, 0.020),
        events=at(0.3, 3, "slowness", 5.0),
        rivals=("haproxy-agent",),
    ),
    Scenario(
        "fails",
        "one of four servers begins to answer 503 at once; 10 % POST",
        FOUR,
        rate_for(0.5, FOUR, 0.020),
        posts=0.1,
        events=at(0.3, 3, "fails", True),
        rivals=FAILING,
    ),
    Scenario(
        "fails-before",
        "one of four servers answers 503 from before the start; 10 % POST",
        changed(FOUR, 3, fails=True),
        rate_for(0.5, FOUR, 0.020),
        posts=0.1,
        rivals=FAILING,
    ),
    Scenario(
        "joins",
        "one of four servers joins cold",
        changed(FOUR, 3, up=False),
        rate_for(0.5, FOUR, 0.020),
        events=joins(3, 1.0),
    ),
    Scenario(
        "mixed-10", "mixed capacities, ten balancers", MIXED, rate_for(0.7, MIXED, 0.020), balancers=10, rivals=UNEQUAL
    ),
    Scenario(
        "full",
        "mixed capacities, 85 % load, four balancers",
        MIXED,
        rate_for(0.85, MIXED, 0.020),
        balancers=4,
        rivals=UNEQUAL,
    ),
    Scenario(
        "symmetric",
        "four servers are the balancers, 70 % of the clients at one",
        FOUR,
        rate_for(0.7, FOUR, 0.020),
        share_at_first=0.7,
    ),
    Scenario(
        "urls",
        "5 % of the requests take 200 ms, the others 10 ms",
        FOUR,
        rate_for(0.7, FOUR, 0.0195),
        demand=by_url(0.010, 0.200, 0.05),
    ),
    Scenario("rare", "one request in 3000 takes 3 s", FOUR, rate_for(0.7, FOUR, 0.021), demand=rare_long(0.020)),
    Scenario(
        "burn-speeds",
        "burning CPU in containers of 0.4, 0.4, 0.15, 0.1 cores, 60 % load",
        CONTAINERS,
        rate_for(0.6, CONTAINERS, 0.010),
        exponential(0.010),
        rivals=UNEQUAL,
        is_long=True,
    ),
    Scenario(
        "burn-antagonist",
        "burning CPU in equal containers, one of which has a third of its cores, moving round",
        EQUAL_CONTAINERS,
        rate_for(0.6 * LEFT_OF_CONTAINERS, EQUAL_CONTAINERS, 0.010),
        exponential(0.010),
        events=moving_round(EQUAL_CONTAINERS),
        rivals=("haproxy-agent", "haproxy-maxconn"),
        is_long=True,
    ),
)
BY_NAME = {scenario.name: scenario for scenario in ALL}

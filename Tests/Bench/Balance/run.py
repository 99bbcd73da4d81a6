# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One cell: a contender in a scenario, with the generator in front of it and the servers behind it."""

import itertools
import os
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from Bench.Balance import workload
from Bench.Balance.farm import Farm
from Bench.Balance.helpers import Helpers
from harness.httpd import REPOSITORY
from harness.stage import Stage

GENERATOR = REPOSITORY / "build/bench/generator"
# What a request counts that failed, and after which it has.
FAILURE_S = 20.0


class Plan(NamedTuple):
    """How long a cell takes, in seconds."""

    seconds: float
    # At the start, not counted in latencies; errors are.
    warm_up: float = 3.0
    # Between the start of the balancers and the first request: health checks, agents and announcements have come by
    # then.
    settle: float = 2.5
    # For the last answers.
    drain: float = FAILURE_S

    @property
    def whole(self):
        """Of a run."""
        return self.warm_up + self.seconds


class Cell(NamedTuple):
    """What came out of a run. Times are seconds."""

    scenario: str
    contender: str
    seed: int
    warm_up: float
    requests: list  # Arrival
    outcomes: list  # Outcome
    connections: int
    idle: float  # share of the machine's CPU that was left

    @property
    def measured(self):
        return workload.measured(self.requests, zip(self.requests, self.outcomes), self.warm_up)

    @property
    def latencies(self):
        """Sorted; from the time at which a request should have been sent."""
        return sorted(
            (outcome.ended - request.due) / 1e6 if outcome.is_good else FAILURE_S for request, outcome in self.measured
        )

    @property
    def failure(self):
        """The first request that failed, in words; empty if none did."""
        failed = [(request, outcome) for request, outcome in zip(self.requests, self.outcomes) if not outcome.is_good]
        if not failed:
            return ""
        request, outcome = failed[0]
        return (
            f"{len(failed)} failed, the first at {request.due / 1e6:.2f} s: "
            f"{request.method} {request.path}: {outcome.text}"
        )

    @property
    def lags(self):
        """Sorted: how late the generator was."""
        return sorted((outcome.sent - request.due) / 1e6 for request, outcome in self.measured)


class World(Stage):
    """A scenario's servers and what else all its runs share."""

    def __init__(self, scenario, backlog=False):
        super().__init__("balance")
        self.scenario = scenario
        self.numbers = itertools.count(1)
        self.heartbeats = self.folder / "heartbeats"
        self.farm = Farm(self, scenario, backlog)
        self.helpers = None

    def begin(self, contender):
        """Servers as they are at the start of a run, and the balancers; returns their addresses."""
        self.farm.start(contender.chain if self.scenario.is_symmetric else "")
        if not self.helpers:
            self.helpers = Helpers(self.farm, self.heartbeats)
        return contender.start(self, self.farm)

    def close(self, check=True):
        if self.helpers:
            self.helpers.close()
        super().close(check)


def ticks():
    """Ticks that the machine was idle, and all of them."""
    fields = list(map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]))
    return fields[3] + fields[4], sum(fields)


def run(world, contender, plan, seed):
    """One run."""
    scenario = world.scenario
    requests = workload.arrivals(scenario, plan.whole, seed)
    schedule, result = world.folder / "schedule", world.folder / "result"
    try:
        targets = world.begin(contender)
        workload.write(schedule, requests, contender.prefix(scenario), len(targets))
        time.sleep(plan.settle)
        before = ticks()
        connections = generate(world, targets, schedule, result, plan)
        after = ticks()
    finally:
        contender.stop()
    world.farm.drain()
    idle = (after[0] - before[0]) / max(1, after[1] - before[1])
    return Cell(scenario.name, contender.name, seed, plan.warm_up, requests, workload.read(result), connections, idle)


def generate(world, targets, schedule, result, plan):
    """Runs the generator while things happen to the servers; returns how many connections it opened."""
    command = [GENERATOR, schedule, result, str(round(FAILURE_S * 1000)), str(round(plan.drain * 1000)), *targets]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stdout.readline() == "started\n", "the generator did not start"
            begin = time.monotonic()
            for event in sorted(world.scenario.events(plan.whole), key=lambda event: event.at):
                time.sleep(max(0, begin + event.at - time.monotonic()))
                world.farm.servers[event.server].set(event.what, event.value)
            text = process.stdout.read()
            assert process.wait() == 0, "the generator failed"
            return int(text.split()[1])
        except BaseException:
            process.kill()
            raise


def build():
    """The generator and the servers' module, with make."""
    subprocess.run(
        ["make", "--silent", "-C", REPOSITORY, "build/bench/generator", "build/bench/mod_demand.so"],
        check=True,
        env={**os.environ, "MAKEFLAGS": ""},
    )

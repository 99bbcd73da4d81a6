# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Kept connections, nothing configured, against all that can be configured.

A cell is an MPM of the balancer, an MPM of three servers, their workers, a number of clients and whether these keep
their connections. All contenders stand in front of the same servers, and take turns. Ours takes two turns a round: how
far they are apart is the run's own spread.
"""

import itertools
from typing import NamedTuple

from Bench.Connections.cell import Result, load
from Bench.Connections.contenders import OURS, contenders
from Bench.Connections.servers import Bench, release, servers_of
from Bench.parts import attempt

SERVERS = 3
ROUNDS, SECONDS, WARM = 2, 1.7, 0.3
PAUSE_MS = 5
# Seconds: 300 to 450 requests a second, which no contender needs half of two cores for.
THINK = {8: 0.02, 64: 0.15}

# Of the best of the others.
LEAST_SERVED, MOST_P99 = 0.95, 1.3
TURNS = (OURS, "On", "never", "again", "Off", "always")


class Setting(NamedTuple):
    """What is started once for several cells."""

    balancer: str
    servers: str
    workers: int


class Cell(NamedTuple):
    """How it is asked."""

    clients: int
    kept: bool

    def __str__(self):
        return f"{self.clients:2} clients, {'kept' if self.kept else 'new'}"


ALL = [
    Setting(*one)
    for one in itertools.product(("event", "worker", "prefork"), ("prefork", "worker", "event"), (4, 16, 150))
]

# Every value of every factor, and every pair of MPMs but for event servers, which all connections cost nothing; prefork
# servers most.
SOME = [
    Setting(*one)
    for one in (
        ("event", "prefork", 4),
        ("event", "prefork", 16),
        ("event", "prefork", 150),
        ("worker", "prefork", 4),
        ("worker", "prefork", 16),
        ("prefork", "prefork", 4),
        ("prefork", "prefork", 16),
        ("event", "worker", 4),
        ("worker", "worker", 150),
        ("prefork", "worker", 16),
        ("event", "event", 16),
        ("prefork", "event", 4),
    )
]
CELLS = [Cell(clients, kept) for clients in (8, 64) for kept in (False, True)]


def cells_of(number, full):
    """Two cells of each setting: one has few clients, one many; one keeps connections, one does not. Which does
    alternates."""
    if full:
        return CELLS
    return [Cell(8, number % 2 == 0), Cell(64, number % 2 == 1)]


def measure(targets, servers, cell, rounds=ROUNDS, seconds=SECONDS, turns=TURNS):
    """What each turn gave, all rounds together. Every second round goes the other way."""
    results = {name: Result() for name in turns}
    for number in range(rounds):
        for name in turns if number % 2 == 0 else reversed(turns):
            release(servers)
            results[name].add(
                load(
                    targets[OURS if name == "again" else name],
                    cell.clients,
                    seconds,
                    THINK[cell.clients],
                    kept=cell.kept,
                    path=f"/{PAUSE_MS}",
                    seed=number,
                    warm=WARM,
                )
            )
    release(servers)
    return results


class Verdict(NamedTuple):
    """Ours beside the best of the others."""

    served: float
    p99: float
    spread: float
    """Of the p99 of ours against itself."""

    @property
    def good(self):
        return self.served >= LEAST_SERVED and self.p99 <= max(MOST_P99, self.spread)


def judge(results):
    """Ours is both of its turns."""
    others = [result for name, result in results.items() if name not in (OURS, "again")]
    ours, again = results[OURS], results["again"]
    both = Result()
    both.add(ours)
    both.add(again)
    spread = max(ours.p99, again.p99) / min(ours.p99, again.p99)
    return Verdict(
        both.served / 2 / max(one.served for one in others), both.p99 / min(one.p99 for one in others), spread
    )


def show(setting, cell, results, verdict):
    """A line of the table."""
    figures = " | ".join(f"{results[name].served} {1e3 * results[name].p99:.1f}" for name in TURNS)
    busiest = max(result.busy for result in results.values())
    failed = {name: len(result.failed) for name, result in results.items() if result.failed}
    print(
        f"| {setting.balancer} | {setting.servers} {setting.workers} | {cell} | {figures} | {verdict.served:.3f} | "
        f"{verdict.p99:.2f} "
        f"({verdict.spread:.2f}) | {100 * busiest:.0f} % | "
        f"{'ok' if verdict.good else 'NOT GOOD'}{f' unanswered: {failed}' if failed else ''} |",
        flush=True,
    )


HEAD = (
    "| balancer | servers | clients | "
    + " | ".join(f"{name}: requests, p99 ms" for name in TURNS)
    + " | requests of the best | p99 of the best (spread) | busiest | |\n|"
    + " --- |" * (7 + len(TURNS))
)


def run_setting(setting, cells):
    """How many of the cells are good."""
    with Bench("matrix") as stage:
        servers = servers_of(stage, setting.servers, setting.workers, SERVERS)
        all_of_them = contenders()
        targets = {name: one.start(stage, servers, setting.balancer) for name, one in all_of_them.items()}
        try:
            for name in targets:  # children and servers' times are known
                load(targets[name], 8, 1, 0.02, path=f"/{PAUSE_MS}")
                release(servers)
            good = 0
            for cell in cells:
                results = measure(targets, servers, cell)
                verdict = judge(results)
                show(setting, cell, results, verdict)
                good += verdict.good
        finally:
            for name in ("never", "always"):
                all_of_them[name].stop(stage)
    return good


def matrix(full=False, wanted=()):
    """24 cells, all 108, or all of these settings; whether all are good."""
    print(HEAD, flush=True)
    good = total = 0
    for number, setting in enumerate(wanted or (ALL if full else SOME)):
        cells = cells_of(number, full or wanted)
        total += len(cells)
        good += attempt(f"{setting}", lambda setting=setting, cells=cells: run_setting(setting, cells))
    print(f"{good} of {total} cells are good", flush=True)
    return good == total

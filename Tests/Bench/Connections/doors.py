# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The cells of the matrix with prefork once more, through each way to our chain: `Backhand` lines, a farm of
mod_athena, and a balancer:// with lbmethod=backhand.

A farm and a balancer:// must serve as much as a chain does, and as quickly, by the bounds of the matrix.
"""

from Bench.Connections.cell import load
from Bench.Connections.contenders import OURS, Ours
from Bench.Connections.matrix import LEAST_SERVED, MOST_P99, PAUSE_MS, SERVERS, SOME, Cell, cells_of, measure
from Bench.Connections.servers import Bench, release, servers_of
from Bench.parts import attempt

DOORS = ("farm", "lbmethod")
TURNS = (OURS, *DOORS, "again")
SETTINGS = [one for one in SOME if "prefork" in (one.balancer, one.servers)]

HEAD = (
    "| balancer | servers | clients | "
    + " | ".join(f"{name}: requests, p99 ms" for name in TURNS)
    + " | "
    + " | ".join(f"{name}: requests, p99 of a chain's" for name in DOORS)
    + " | spread of p99 | busiest | |\n|"
    + " --- |" * (6 + len(TURNS) + len(DOORS))
)


def fronts_of(stage, servers, balancer, pools="Auto", **how):
    """Balancers, by door."""
    doors = {OURS: "chain"} | {door: door for door in DOORS}
    return {name: Ours(name, pools, door).start(stage, servers, balancer, **how) for name, door in doors.items()}


def judge(results):
    """Of each door its requests and its p99, beside the better of the chain's two turns; and how far these are
    apart."""
    chain = results[OURS], results["again"]
    served, p99 = max(one.served for one in chain), min(one.p99 for one in chain)
    beside = {door: (results[door].served / served, results[door].p99 / p99) for door in DOORS}
    return beside, max(one.p99 for one in chain) / p99


def run_setting(setting, cells, pools):
    """How many of the cells are good."""
    good = 0
    with Bench("doors") as stage:
        servers = servers_of(stage, setting.servers, setting.workers, SERVERS)
        targets = fronts_of(stage, servers, setting.balancer, pools)
        for name in targets:  # children and servers' times are known
            load(targets[name], 8, 1, 0.02, path=f"/{PAUSE_MS}")
            release(servers)
        for cell in cells:
            results = measure(targets, servers, cell, turns=TURNS)
            beside, spread = judge(results)
            most = max(MOST_P99, spread)
            is_good = all(served >= LEAST_SERVED and p99 <= most for served, p99 in beside.values())
            show(setting, cell, results, beside, spread, is_good)
            good += is_good
    return good


def show(setting, cell, results, beside, spread, is_good):
    """A line of the table."""
    figures = " | ".join(f"{results[name].served} {1e3 * results[name].p99:.1f}" for name in TURNS)
    ratios = " | ".join(f"{served:.3f} {p99:.2f}" for served, p99 in beside.values())
    failed = {name: len(result.failed) for name, result in results.items() if result.failed}
    print(
        f"| {setting.balancer} | {setting.servers} {setting.workers} | {cell} | {figures} | {ratios} | {spread:.2f} | "
        f"{100 * max(result.busy for result in results.values()):.0f} % | {'ok' if is_good else 'NOT GOOD'}"
        f"{f' unanswered: {failed}' if failed else ''} |",
        flush=True,
    )


def doors(full=False, wanted=(), pools="Auto"):
    """Two cells of each setting with prefork, or all of them; whether all are good."""
    print(f"\nThrough each door, BackhandConnectionPools {pools}.\n\n" + HEAD, flush=True)
    good = total = 0
    for number, setting in enumerate(wanted or SETTINGS):
        cells: list[Cell] = cells_of(number, full or wanted)
        total += len(cells)
        good += attempt(f"{setting}", lambda setting=setting, cells=cells: run_setting(setting, cells, pools))
    print(f"{good} of {total} cells are good", flush=True)
    return good == total

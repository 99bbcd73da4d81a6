#!/usr/bin/python3
# Licensed under the Apache License, Version 2.0; see LICENSE.
"""make bench-balance: real balancers side by side, in front of real httpds whose requests take as long as they are told
to.

All contenders of a scenario meet the same requests at the same times (open loop, Poisson, seeded) and the same servers.
Latency counts from the time at which a request should have been sent; a request that failed counts 20 s.
"""

import argparse
import math
import signal
import sys
from collections import Counter
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from Bench.Balance import calibrate, contenders, control_group, figures, oracle, plot, scenarios, workload  # noqa: E402
from Bench.Balance.run import Plan, World, build, run  # noqa: E402

SHORT, FULL, ROUNDS = Plan(5, warm_up=2, settle=1.5, drain=5), Plan(30, warm_up=5), 3
# Seconds to start and end the balancers of a cell.
AROUND = 3


def interrupted(*_):
    # Once is enough: a second signal must not keep the servers from being ended.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def say(text=""):
    print(text, flush=True)


def measure(world, contender, plan, seed):
    """One cell; once more if it is void. None if it cannot be had: the others shall be measured all the same."""
    found = None
    for _ in range(2):
        try:
            cell = run(world, contender, plan, seed)
        except AssertionError as problem:  # what the harness raises
            say(f"{contender.title}: {problem}")
            continue
        if cell.failure:
            say(f"  {contender.title}: {cell.failure}")
        found = figures.of(cell, len(world.scenario.servers))
        if not found.is_void:
            break
    return found


def compare(scenario, chosen, options, table):
    """All contenders in one scenario; returns their figures by name, and the oracle's p50, p90, p99, p99.9."""
    plan = options.plan
    say(f"\n{scenario.name}: {scenario.title}\n{figures.HEAD}")
    chosen = named(chosen)
    found = {name: [] for name, _ in chosen}
    bound = []
    with World(scenario, options.backlog) as world:
        for number in range(options.rounds):
            seed = options.seed + number
            bound += bound_of(scenario, plan, seed)
            # Whoever comes first in one round or scenario comes later in the next.
            turn = (scenarios.ALL.index(scenario) + number * len(chosen) // options.rounds) % len(chosen)
            for name, contender in chosen[turn:] + chosen[:turn]:
                one = measure(world, contender, plan, seed)
                if not one:
                    continue
                table.add(scenario.name, name, seed, number, one)
                found[name].append(one)
                if options.rounds > 1:
                    say(figures.line(f"  {number + 1}. {contender.title}", one))
    say(figures.bound_line("oracle", bound, len(scenario.servers)))
    medians = {name: figures.median(runs) for name, runs in found.items() if runs}
    for name, contender in chosen:
        if name in medians:
            say(figures.line(contender.title, medians[name]))
    return medians, figures.of_latencies(latency for latency, _ in bound)


def named(chosen):
    """One that is named twice runs twice: what differs then is chance."""
    seen = Counter()
    found = []
    for contender in chosen:
        seen[contender.name] += 1
        found.append(
            (contender.name if seen[contender.name] == 1 else f"{contender.name} {seen[contender.name]}", contender)
        )
    return found


def bound_of(scenario, plan, seed):
    """What the oracle makes of the very requests of a run: latencies, and servers."""
    requests = workload.arrivals(scenario, plan.whole, seed)
    return workload.measured(requests, oracle.replay(scenario, requests, plan.whole), plan.warm_up)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--scenario", action="append", default=[], help="only this one; may be given again")
    parser.add_argument("--contender", action="append", default=[], help="only this one; may be given again")
    parser.add_argument(
        "--full", action="store_true", help=f"every contender, {FULL.seconds:.0f} s a cell, median of {ROUNDS}"
    )
    parser.add_argument("--seconds", type=float, help="measured seconds of a cell")
    parser.add_argument("--warm-up", type=float, help="seconds before them")
    parser.add_argument("--rounds", type=int, help="runs of each cell")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--calibrate",
        action="store_true",
        help="what the bench itself adds: no balancer, each request's exact time is known",
    )
    parser.add_argument(
        "--backlog",
        action="store_true",
        help="httpd has as many threads as a server has workers: requests wait for connections",
    )
    parser.add_argument("--csv", help="a file for the figures of all runs")
    parser.add_argument("--svg", help="a file for the plot")
    parser.add_argument("--list", action="store_true", help="tell the names of scenarios and contenders, and end")
    options = parser.parse_args()
    options.plan = FULL if options.full else SHORT
    given = {"seconds": options.seconds, "warm_up": options.warm_up}
    options.plan = options.plan._replace(**{name: value for name, value in given.items() if value is not None})
    options.rounds = options.rounds or (ROUNDS if options.full else 1)
    return options


def names(words, known, what):
    """What was asked for: names may be separated by commas."""
    found = [name for word in words for name in word.replace(",", " ").split()]
    wrong = [name for name in found if name not in known]
    if wrong:
        sys.exit(f"no {what} is named {', '.join(wrong)}; there are: {', '.join(known)}")
    return found


def tell_names():
    for scenario in scenarios.ALL:
        say(f"{scenario.name:16} {scenario.title}; {scenario.rate:.0f} requests/s")
    say()
    for contender in contenders.ALL:
        say(f"{contender.name:26} {contender.title}")


def possible(worlds):
    """Without those that cannot be had on this machine, of which it tells."""
    problem = control_group.problem() if any(scenario.burns for scenario in worlds) else ""
    for scenario in worlds:
        if scenario.burns and problem:
            say(f"{scenario.name} is left out: {problem}")
    return [scenario for scenario in worlds if not (scenario.burns and problem)]


def main():
    options = arguments()
    if options.list:
        return tell_names()
    worlds = [scenarios.BY_NAME[name] for name in names(options.scenario, scenarios.BY_NAME, "scenario")] or [
        scenario for scenario in scenarios.ALL if options.full or not scenario.is_long
    ]
    wanted = [contenders.BY_NAME[name] for name in names(options.contender, contenders.BY_NAME, "contender")]
    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, interrupted)
    build()
    if options.calibrate:
        say(calibrate.text(options.plan, options.seed))
        return 0
    worlds = possible(worlds)
    chosen = {scenario: wanted or contenders.of(scenario, options.full) for scenario in worlds}
    cells = options.rounds * sum(map(len, chosen.values()))
    say(f"{cells} runs, about {math.ceil(cells * (options.plan.whole + options.plan.settle + AROUND) / 60)} minutes")
    table = figures.Table(options.csv)
    results = {}
    try:
        for scenario in worlds:
            results[scenario.name] = compare(scenario, chosen[scenario], options, table)
    except KeyboardInterrupt:
        say("\nEnded.")
        return 130
    finally:
        table.close()
        if options.svg and results:
            Path(options.svg).write_text(plot.svg(results, contenders.BY_NAME), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

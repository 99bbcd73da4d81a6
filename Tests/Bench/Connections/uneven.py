# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Event nodes that both serve and balance, unevenly asked: 70 % of the clients at one of three nodes of 150 workers,
which serve 50 ms a request.

`default` beside HAProxy's leastconn in front of the same nodes, on a machine of its own as it were. Requests at least
0.95 of HAProxy's, p99 at most HAProxy's or within the run's own spread.

Nodes of 16 and of 24 threads, too, beside `off`: there requests that are sent on wait without a thread
(docs/decisions/0007-thread-per-request.md).
"""

from Bench.Connections.cell import Result, load
from Bench.Connections.contenders import HAProxy
from Bench.Connections.servers import Bench
from Bench.Connections.symmetric import LEAST_SERVED, Nodes

ROUNDS, SECONDS, WARM = 3, 3, 2
THINK, PAUSE_MS = 0.05, 50
CLIENTS = (12, 40)

# Clients ask these in turn: 14 of 20 the first node.
SHARES = (14, 3, 3)


def targets_of(nodes):
    """What clients ask in turn: a node for each, most of them the first."""
    return [node for node, share in zip(nodes.nodes, SHARES, strict=True) for _ in range(share)]


def measure(places, clients, rounds, think, pause_ms, warm):
    """What each gave, all rounds together. places: by name, what is asked there, and the chain. Every second round goes
    the other way."""
    results = {name: Result() for name in places}
    for number in range(rounds):
        for name in results if number % 2 == 0 else reversed(list(results)):
            place, chain = places[name]
            path = f"/{chain}/{pause_ms}"
            results[name].add(load(place, clients, SECONDS, think, path=path, seed=number, warm=warm))
    return results


def is_good(results):
    """Whether ours is as good as HAProxy."""
    ours, again, other = results["default"], results["again"], results["leastconn"]
    spread = max(ours.p99, again.p99) / min(ours.p99, again.p99)
    return (
        ours.served >= LEAST_SERVED * other.served
        and min(ours.p99, again.p99) <= other.p99 * spread
        and not ours.failed
    )


def show(clients, results):
    """Prints a line for each; whether ours is as good as HAProxy."""
    other, good = results["leastconn"], is_good(results)
    for name, result in results.items():
        print(
            f"| {clients} | {name} | {result.served} ({result.served / other.served:.3f}) | {1e3 * result.p99:.1f} "
            f"({result.p99 / other.p99:.2f}) | "
            f"{100 * result.busy:.0f} % | {'ok' if good else 'NOT GOOD'} |",
            flush=True,
        )
    return good


# Shares of all threads that are asked for, of three nodes of 16; nodes of 24 get the same requests. They last as long
# as those of connections.symmetric with 16 threads.
FEW_THREADS, ASKED, LONG_MS, THINKS = (16, 24), (0.33, 0.45), 110, 4


def compare_with_off(stage, threads):
    """Prints what each gave with few threads, and how many requests another node answered than the one asked. Whether
    all is good."""
    all_good = True
    nodes = Nodes(stage, "event", 3, threads, THINKS)
    proxy = HAProxy("leastconn", "always")
    front = proxy.start(stage, nodes.nodes, "event")
    asked = targets_of(nodes)
    targets = [node.id for node in asked]
    places = {"default": (targets, "default"), "off": (targets, "off"), "leastconn": (front, "off")}
    places["again"] = places["default"]
    for share in ASKED:
        clients = round(share * FEW_THREADS[0] * len(SHARES) * (1 + THINKS))
        results = measure(places, clients, rounds=2, think=THINKS * LONG_MS / 1000, pause_ms=LONG_MS, warm=WARM)
        all_good &= is_good(results)
        for name, result in results.items():
            sent_on = sum(
                name != "leastconn" and one.server not in ("-", f"{asked[one.target].name}.test")
                for one in result.answers
            )
            print(
                f"| {threads} threads, {share:.0%} | {name} | {result.served} | {1e3 * result.p99:.1f} | "
                f"{100 * sent_on / max(1, len(result.answers)):.1f} % sent on | {100 * result.busy:.0f} % |",
                flush=True,
            )
    proxy.stop(stage)
    return all_good


def few_threads(sizes=FEW_THREADS):
    """Nodes whose threads are scarce, and nodes that have enough. Whether all is good."""
    print(
        f"\nThree event nodes of few threads, 70 % of the clients at one, {LONG_MS} ms a request.\n\n"
        "| threads, share of 48 asked for | | requests | p99 ms | | busy |\n|" + " --- |" * 6,
        flush=True,
    )
    good = []
    for threads in sizes:
        with Bench("few-threads") as stage:
            good.append(compare_with_off(stage, threads))
    return all(good)


def uneven():
    """Whether all is good."""
    print(
        "\nThree event nodes of 150 workers, 70 % of the clients at one.\n\n| clients | | requests (of leastconn) | "
        "p99 ms (of leastconn) | busy | |\n"
        "|" + " --- |" * 6,
        flush=True,
    )
    with Bench("uneven") as stage:
        nodes = Nodes(stage, "event", 3, 150, 4)
        proxy = HAProxy("leastconn", "always")
        front = proxy.start(stage, nodes.nodes, "event")
        ours = ([node.id for node in targets_of(nodes)], "default")
        places = {"default": ours, "leastconn": (front, "off"), "again": ours}
        good = [show(clients, measure(places, clients, ROUNDS, THINK, PAUSE_MS, WARM)) for clients in CLIENTS]
        proxy.stop(stage)
    return few_threads() and all(good)

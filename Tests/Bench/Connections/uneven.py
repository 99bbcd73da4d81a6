# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Event nodes that both serve and balance, unevenly asked: 70 % of the clients at one of three nodes of 150 workers,
which serve 50 ms a request.

`default` beside HAProxy's leastconn in front of the same nodes, on a machine of its own as it were. Requests at least
0.95 of HAProxy's, p99 at most HAProxy's or within the run's own spread.
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


def measure(nodes, front, clients):
    """What each gave, all rounds together; `again` is `default` once more."""
    targets = [node.id for node, share in zip(nodes.nodes, SHARES, strict=True) for _ in range(share)]
    results = {name: Result() for name in ("default", "leastconn", "again")}
    for number in range(ROUNDS):
        for name in results if number % 2 == 0 else reversed(list(results)):
            place, chain = (front, "off") if name == "leastconn" else (targets, "default")
            results[name].add(load(place, clients, SECONDS, THINK, path=f"/{chain}/{PAUSE_MS}", seed=number, warm=WARM))
    return results


def show(clients, results):
    """Prints a line for each; whether ours is as good as HAProxy."""
    ours, again, other = results["default"], results["again"], results["leastconn"]
    spread = max(ours.p99, again.p99) / min(ours.p99, again.p99)
    good = (
        ours.served >= LEAST_SERVED * other.served
        and min(ours.p99, again.p99) <= other.p99 * spread
        and not ours.failed
    )
    for name, result in results.items():
        print(
            f"| {clients} | {name} | {result.served} ({result.served / other.served:.3f}) | {1e3 * result.p99:.1f} "
            f"({result.p99 / other.p99:.2f}) | "
            f"{100 * result.busy:.0f} % | {'ok' if good else 'NOT GOOD'} |",
            flush=True,
        )
    return good


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
        good = [show(clients, measure(nodes, front, clients)) for clients in CLIENTS]
        proxy.stop(stage)
    return all(good)

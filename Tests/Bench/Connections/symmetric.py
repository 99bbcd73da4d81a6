# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Clusters whose nodes both serve and balance, evenly asked: no chain, `default` and a wiki's chain, on the same nodes.

prefork and worker: requests at least 0.95 of what they are without a chain, p99 at most 1.2 of it, up to 90 % of all
workers asked for; at 150 % nothing stands still, and all is well two seconds later. event: at most 5 % of the requests
are sent on, up to 50 %, and p99 at most 1.05.
"""

from Bench.Connections.cell import Result, load, pause
from Bench.Connections.servers import CHILDREN, KEEPALIVE, TAKEN, Bench, release, size
from Bench.parts import attempt
from harness.stage import CLUSTER_OF_9
from harness.wait import wait_for

CHAINS = {
    "off": "Backhand off",
    "default": "Backhand default",
    # The chain of a wiki page (docs/upgrading-from-mod_backhand.md) without removeSelf.
    "wiki": "Backhand byAge 6\nBackhand byRandom\nBackhand byLogWindow\nBackhand byLoad",
}
ROUNDS, SECONDS, WARM = 2, 3, 0.5
OVERLOAD_SECONDS, RECOVERED = 5, 2
LEAST_SERVED, MOST_P99, MOST_EVENT_P99, MOST_SENT_ON = 0.95, 1.2, 1.05, 0.05
LATEST = 3  # seconds

# Requests a second that 90 % of all workers may mean: two cores must not be what is scarce. With more workers requests
# pause longer.
MOST_RATE = 400


class Nodes:
    """So many httpds of the same configuration; the path /name/ms has the chain of that name, and pauses so long."""

    def __init__(self, stage, mpm, count, workers, thinks):
        """thinks: how many times as long as a request takes a client pauses."""
        self.mpm, self.workers, self.all_workers, self.thinks = mpm, workers, workers * count, thinks
        self.pause_ms = max(50, round(1000 * 0.9 * self.all_workers / MOST_RATE / 10) * 10)
        sections = "".join(f"<Location /{name}/>\n{lines}\n</Location>\n" for name, lines in CHAINS.items())
        # Auto does not know mod_pause.
        config = CLUSTER_OF_9 + size(mpm, workers) + pause(stage) + "BackhandAsync On\n"
        config += f"KeepAliveTimeout {KEEPALIVE}\n" + sections
        self.nodes = [
            stage.httpd(
                config,
                mpm=mpm,
                workers=workers,
                children=CHILDREN.get(workers, 2),
                address=f"127.0.9.{2 + number}",
                name=f"node{number}",
            )
            for number in range(count)
        ]
        for node in self.nodes:
            node.log.always(TAKEN + "|BH0310")
            wait_for(lambda node=node: len(node.status().servers) == count, 20, "all to hear each other")

    def clients(self, share):
        """How many clients ask for this share of all workers."""
        return round(share * self.all_workers * (1 + self.thinks))

    def ask(self, chain, share, seconds=SECONDS, seed=1, warm=WARM):
        # The clients of a node have it to themselves: client i asks node i modulo their number.
        return load(
            [node.id for node in self.nodes],
            self.clients(share),
            seconds,
            self.thinks * self.pause_ms / 1000,
            path=f"/{chain}/{self.pause_ms}",
            seed=seed,
            warm=warm,
        )

    def __str__(self):
        clients = self.clients(1) // len(self.nodes)
        return f"{len(self.nodes)} {self.mpm} of {self.workers}, {self.pause_ms} ms, {clients} clients each at 100 %"

    def sent_on(self, result):
        """Share of the requests that another node answered than the one that was asked."""
        return sum(one.server not in ("-", f"{self.nodes[one.target].name}.test") for one in result.answers) / max(
            1, len(result.answers)
        )


def compare(nodes, share, chains):
    """What each chain gave, all rounds together; `again` is `off` once more."""
    results = {name: Result() for name in ("off", *chains, "again")}
    for number in range(ROUNDS):
        for name in results if number % 2 == 0 else reversed(list(results)):
            results[name].add(nodes.ask("off" if name == "again" else name, share, seed=number))
            release(nodes.nodes)
    return results


def show(nodes, share, results, most_p99, most_sent_on=1):
    """Prints a line for each chain; whether all are good."""
    off, again = results["off"], results["again"]
    spread = max(off.p99, again.p99) / min(off.p99, again.p99)
    all_good = True
    for name, result in results.items():
        served, p99, sent_on = (
            result.served / ((off.served + again.served) / 2),
            result.p99 / min(off.p99, again.p99),
            nodes.sent_on(result),
        )
        good = (
            name in ("off", "again")
            or served >= LEAST_SERVED
            and p99 <= max(most_p99, spread)
            and sent_on <= most_sent_on
        )
        all_good &= good
        print(
            f"| {nodes} | {share:.0%} | {name} | {result.served} ({served:.3f}) | {1e3 * result.p99:.0f} ({p99:.2f}) "
            f"| {100 * sent_on:.1f} % | "
            f"{100 * result.busy:.0f} % | "
            f"{f'{len(result.failed)} unanswered ' if result.failed else ''}{'ok' if good else 'NOT GOOD'} |",
            flush=True,
        )
    return all_good


HEAD = "| nodes | asked for | chain | requests (of off) | p99 ms (of off) | sent on | busy | |\n|" + " --- |" * 8


def overload(nodes, chain, share=1.5):
    """More than there is: whether answers come in each second, none comes late, and all is well two seconds later."""
    result = nodes.ask(chain, share, OVERLOAD_SECONDS, warm=0)
    seconds = {int(one.began + one.took) for one in result.answers if one.status == 200}
    silent = sum(second not in seconds for second in range(OVERLOAD_SECONDS))
    slowest = max((one.took for one in result.answers), default=float("inf"))
    after = nodes.ask(chain, 0.5, 2, warm=RECOVERED)
    release(nodes.nodes)
    usual = nodes.ask("off", 0.5, 2, warm=RECOVERED)
    release(nodes.nodes)
    good = (
        not silent
        and slowest <= LATEST
        and after.served >= LEAST_SERVED * usual.served
        and after.p99 <= 1.2 * usual.p99
    )
    print(
        f"| {nodes} | {share:.0%} | {chain} | {result.served}, {silent} s without answers | slowest "
        f"{1e3 * slowest:.0f} | {100 * nodes.sent_on(result):.1f} % | "
        f"{100 * result.busy:.0f} % | then {after.served} of {usual.served}, p99 {1e3 * after.p99:.0f} of "
        f"{1e3 * usual.p99:.0f} ms: "
        f"{'ok' if good else 'NOT GOOD'} |",
        flush=True,
    )
    return good


def scarce(mpm, count, workers, thinks):
    """Nodes whose workers waiting takes: prefork, worker."""
    good = True
    with Bench("symmetric") as stage:
        nodes = Nodes(stage, mpm, count, workers, thinks)
        for share in (0.5, 0.9):
            good &= show(nodes, share, compare(nodes, share, ("default", "wiki")), MOST_P99)
        for chain in ("off", "default", "wiki"):
            good &= overload(nodes, chain) or chain == "off"
    return good


def event():
    """Nodes that a waiting request costs nothing: what is sent on must pay."""
    good = True
    with Bench("symmetric") as stage:
        nodes = Nodes(stage, "event", 3, 16, 4)
        for share in (0.1, 0.5, 0.8):
            good &= show(
                nodes, share, compare(nodes, share, ("default",)), MOST_EVENT_P99, MOST_SENT_ON if share <= 0.5 else 1
            )
    return good


def symmetric(full=False):
    """Some sizes or all; whether all is good."""
    print("\nNodes that both serve and balance.\n\n" + HEAD, flush=True)
    sizes = [
        (mpm, count, workers, thinks)
        for mpm in ("prefork", "worker")
        for count in (3, 6)
        for workers in (4, 16)
        for thinks in (1, 4)
    ]
    some = [("prefork", 3, 4, 4), ("prefork", 6, 4, 4), ("prefork", 3, 16, 1), ("worker", 3, 4, 4)]
    parts = [(scarce, one) for one in (sizes if full else some)] + [(event, ())]
    return all([attempt(f"{part.__name__} {one}", lambda part=part, one=one: part(*one)) for part, one in parts])

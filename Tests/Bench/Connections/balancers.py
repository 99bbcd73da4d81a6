# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Ten balancers in front of four prefork servers of 16 workers: what is served, and how many workers idle connections
hold."""

import threading
import time

from Bench.Connections.cell import load
from Bench.Connections.contenders import OURS, contenders
from Bench.Connections.matrix import HEAD, PAUSE_MS, THINK, Cell, Setting, judge, measure, show
from Bench.Connections.servers import Bench, Boards, release, servers_of

BALANCERS, SERVERS, WORKERS, CLIENTS = 10, 4, 16, 64

# Seconds: all but one balancer have requests from the beginning, the last one joins them. What is held is judged from
# two seconds after that on.
JOINS, ENDS, SETTLED = 4, 10, 2
MOST_HELD = 0.5


def held(targets, servers, kept):
    """The largest share of a server's workers that idle connections held in any reading, two seconds after a balancer
    had joined; and in all."""
    threads = [
        threading.Thread(
            target=load, args=(targets[:-1], CLIENTS, ENDS, THINK[64]), kwargs={"kept": kept, "path": f"/{PAUSE_MS}"}
        ),
        threading.Thread(
            target=load,
            args=(targets[-1:], CLIENTS // BALANCERS, ENDS - JOINS, THINK[64]),
            kwargs={"kept": kept, "path": f"/{PAUSE_MS}"},
        ),
    ]
    with Boards(servers) as boards:
        threads[0].start()
        time.sleep(JOINS)
        threads[1].start()
        for thread in threads:
            thread.join()
    release(servers)
    shares = [(at, max(idle for idle, _ in row) / WORKERS) for at, row in boards.samples if at < ENDS]
    settled = [share for at, share in shares if SETTLED <= at < JOINS or at >= JOINS + SETTLED]
    return max(settled), max(share for _, share in shares)


def balancers():
    """Whether both cells are good."""
    print(f"\nTen event balancers, four prefork servers of {WORKERS} workers.\n\n" + HEAD, flush=True)
    good = True
    with Bench("ten") as stage:
        servers = servers_of(stage, "prefork", WORKERS, SERVERS)
        all_of_them = contenders()
        targets = {name: one.start(stage, servers, "event", BALANCERS, workers=20) for name, one in all_of_them.items()}
        try:
            for name in targets:
                load(targets[name], 20, 1, 0.05, path=f"/{PAUSE_MS}")
                release(servers)
            for kept in (False, True):
                cell = Cell(CLIENTS, kept)
                results = measure(targets, servers, cell)
                verdict = judge(results)
                show(Setting("10 x event", "prefork", WORKERS), cell, results, verdict)
                settled, most = held(targets[OURS], servers, kept)
                all_settled, _ = held(targets["On"], servers, kept)
                good &= verdict.good and settled <= MOST_HELD
                print(
                    f"most workers of a server that idle connections held: {settled:.2f}, {most:.2f} just after a "
                    "balancer joined "
                    f"({'ok' if settled <= MOST_HELD else 'TOO MANY'}); with On {all_settled:.2f}",
                    flush=True,
                )
        finally:
            for name in ("never", "always"):
                all_of_them[name].stop(stage)
    return good

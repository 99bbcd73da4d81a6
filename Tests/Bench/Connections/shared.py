# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One pool of connections for all children of a prefork balancer, against a pool in each child: interleaved, on the
same servers."""

import re
import statistics
import subprocess
import time
from dataclasses import dataclass

from harness.stage import CLUSTER, CLUSTER_OF_9, Stage
from harness.wait import wait_for

CHAIN = "Backhand removeSelf\nBackhand default\n"
CHILDREN, SERVERS = 64, 4
WORDS = {"all children": "Shared", "each child": "On"}
ROUNDS, SECONDS = 9, 4
# Connections per server beyond one and a half of the requests in flight; new ones among the requests.
SPARE, NEW = 8, 0.02


@dataclass
class Run:
    """Of one round. cpu: of the balancer's processes, microseconds a request; opened: the mean of samples; new: a share
    of the requests."""

    rate: float
    cpu: float
    new: float
    opened: float
    most: int


def cpu_of(pids):
    """Seconds that they have run."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/schedstat", encoding="ascii") as stat:
                total += int(stat.read().split()[0]) / 1e9
        except OSError:  # it has ended
            pass
    return total


def opened_by(front, servers):
    """Connections that the front has to the servers, idle or in use: its own count, which tests compare with what is
    open."""
    rows = front.status().servers
    return sum(rows[server.id]["kept"] for server in servers)


def measure(front, servers, clients, seconds, kept=False, path="/"):
    """One round of wrk. What the servers log of each request says whether it was the first of its connection."""
    logs = [(server.root / "logs/numbers", (server.root / "logs/numbers").stat().st_size) for server in servers]
    pids = [process.pid for process in front.processes()]
    began = cpu_of(pids)
    header = [] if kept else ["-H", "Connection: close"]
    wrk = subprocess.Popen(
        ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", *header, f"http://{front.address}:{front.port}{path}"],
        stdout=subprocess.PIPE,
        text=True,
    )
    samples = []
    time.sleep(0.5)
    end = time.monotonic() + seconds - 0.8
    while time.monotonic() < end:
        samples.append(opened_by(front, servers))
        time.sleep(0.1)
    said = wrk.communicate()[0]
    used = cpu_of(pids) - began
    requests = int(re.search(r"(\d+) requests in", said)[1])
    assert "Non-2xx" not in said, said
    numbers = []
    for path, size in logs:
        with open(path, encoding="ascii") as log:
            log.seek(size)
            numbers += log.read().split()
    return Run(
        requests / seconds,
        used / requests * 1e6,
        numbers.count("0") / len(numbers),
        statistics.mean(samples),
        max(samples),
    )


def servers_of(stage, count=SERVERS):
    """Event servers with workers to spare."""
    config = CLUSTER + 'CustomLog logs/numbers "%k"\nKeepAliveTimeout 5\nMaxKeepAliveRequests 0\n'
    return [
        stage.httpd(config, mpm="event", workers=64, children=1, address=f"127.0.9.{2 + number}")
        for number in range(count)
    ]


def front_of(stage, servers, word, children):
    # Not at 127.0.9.x: the fronts do not take each other for servers.
    front = stage.httpd(
        CLUSTER_OF_9 + CHAIN + f"BackhandConnectionPools {word}\n",
        name=f"front-{word}",
        mpm="prefork",
        workers=children,
        children=children,
    )
    front.log.always("BH0310|AH00161")
    front.knows(*servers, deadline=20)
    for server in servers:
        wait_for(lambda server=server: front.id in server.status().servers, 20, f"{server} to know {front}")
    return front


def shared(rounds=ROUNDS, seconds=SECONDS):
    """Prints a line for each load and kind of pool; whether the pool of all children keeps no more connections than it
    may, and makes few."""
    good = True
    with Stage("shared") as stage:
        servers = servers_of(stage)
        fronts = {name: front_of(stage, servers, word, CHILDREN) for name, word in WORDS.items()}
        for clients, kept in ((4, False), (16, False), (48, False), (16, True)):
            runs = {name: [] for name in WORDS}
            for turn in range(rounds + 1):
                for name in sorted(WORDS, reverse=turn % 2):
                    run = measure(fronts[name], servers, clients, seconds, kept)
                    if turn:  # the first fills pools
                        runs[name].append(run)
            good &= judge(clients, kept, runs)
    return good


def judge(clients, kept, runs):
    """Rate and CPU are of rounds that follow each other: what else the machine does is in both. docs/decisions/0006
    says what follows from them."""
    middle = {
        name: Run(*(statistics.median(getattr(run, field) for run in runs[name]) for field in Run.__dataclass_fields__))
        for name in runs
    }
    ours = middle["all children"]
    for name, run in middle.items():
        print(
            f"{clients} clients{', kept alive' if kept else ''}; a pool for {name}: {run.rate:.0f} requests/s, "
            f"{run.cpu:.1f} us each, "
            f"{100 * run.new:.2f} % new connections, {run.opened:.0f} open, {run.most} at most",
            flush=True,
        )
    cpu = statistics.median(one.cpu / two.cpu for one, two in zip(runs["all children"], runs["each child"]))
    rate = statistics.median(one.rate / two.rate for one, two in zip(runs["all children"], runs["each child"]))
    bound = 1.5 * clients + SPARE * SERVERS
    print(f"    rate {rate:.3f}, CPU {cpu:.3f}; at most {bound:.0f} open")
    return ours.opened <= bound and ours.new < NEW

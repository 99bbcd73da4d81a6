# Licensed under the Apache License, Version 2.0; see LICENSE.
"""How often a kept connection ends under a request, and what it costs to avoid it.

A prefork server for each KeepAliveTimeout, and a network of 1 ms each way between it and each balancer. 16 requests are
sent within 20 ms and overlap, then a pause follows: either one near the timeout (within 20 ms), or one of a second in
the mean.
"""

import random
import socket
import threading
import time
from pathlib import Path

from Bench.Connections.cell import pause
from Bench.Connections.contenders import HAProxy
from Bench.Connections.relay import Relays
from Bench.Connections.servers import TAKEN, Bench, size
from harness import ports
from harness.announce import WORKER, Announcement
from harness.stage import CLUSTER_OF_9

TIMEOUTS = (1, 2, 5)
DELAY = 0.001
NEAR, MEAN = 0.02, 1.0
TOGETHER, WORKERS = 16, 200
REQUEST = b"GET /60 HTTP/1.1\r\nHost: bench.test\r\nConnection: close\r\n\r\n"

CHAIN = CLUSTER_OF_9 + "Backhand removeSelf\nBackhand byLoad\n"


class Way:
    """A contender in front of one server."""

    def __init__(self, name, timeout, relay, target, front=None):
        self.name, self.timeout, self.relay, self.target, self.front = name, timeout, relay, target, front
        self.requests = self.failed = 0
        self.rival = None
        self.rng = random.Random(name)

    def ask_together(self):
        address, port = self.target
        sockets = [socket.create_connection((address, port), 10) for _ in range(TOGETHER)]
        begin = time.monotonic()
        for one, at in zip(sockets, sorted(self.rng.uniform(0, NEAR) for _ in sockets)):
            time.sleep(max(0, begin + at - time.monotonic()))
            one.sendall(REQUEST)
        for one in sockets:
            with one, one.makefile("rb") as stream:
                self.requests += 1
                try:
                    self.failed += b" 200 " not in stream.read().split(b"\r\n", 1)[0]
                except OSError:
                    self.failed += 1

    def go(self, end, gap):
        while time.monotonic() < end:
            self.ask_together()
            time.sleep(gap())


def announcement(way):
    return Announcement(
        way.relay.address,
        way.relay.port,
        workers=4 * WORKERS,
        idle=4 * WORKERS,
        idle_cost=(WORKER, 1000 * way.timeout, 100, 0),
    )


def front_of(stage, name, relay, before):
    """Where the contender listens, and the httpd if there is a table to fill."""
    how = {
        "mpm": "event",
        "children": 1,
        "workers": 32,
        "group": stage.new_group(),
        "name": f"{name}-{len(stage.httpds)}",
    }
    if name == "ProxyPass":
        front = stage.httpd(f"ProxyPass / http://{relay.id}/\n", without=("backhand",), **how)
    elif name == "before":
        front = stage.httpd(
            f"LoadModule backhand_module {before}/mod_backhand.so\nBackhandSlowStart 0\n" + CHAIN,
            without=("backhand",),
            **how,
        )
    else:
        front = stage.httpd(CHAIN + f"BackhandConnectionPools {name}\n", **how)
    front.log.always("AH01102|AH01110|AH00898|AH00957|AH01114|BH03")
    return (front.address, front.port), None if name == "ProxyPass" else front


def server_of(stage, timeout, number, workers=WORKERS):
    """It speaks by what is planted in the tables of the fronts, as coming from the other end of the network."""
    server = stage.httpd(
        size("prefork", workers) + pause(stage) + f"KeepAliveTimeout {timeout}\n",
        mpm="prefork",
        workers=workers,
        address=f"127.0.8.{2 + number}",
        without=("backhand",),
    )
    server.log.always(TAKEN)
    return server


def way_of(stage, relays, server, name, timeout, address, before=None):
    """A contender and its network, whose end is at the address."""
    relay = relays.to(server, address, ports.free_port(address), DELAY)
    if name != "always":
        way = Way(name, timeout, relay, *front_of(stage, name, relay, before))
        if way.front:
            stage.plant(way.front, announcement(way))
        return way
    relay.name = "relay"
    rival = HAProxy(name, name)
    host, port = rival.start(stage, [relay], "event")[0].split(":")
    way = Way(name, timeout, relay, (host, int(port)))
    way.rival = rival
    return way


def make_ways(stage, relays, before):
    names = ["Auto", "On", "ProxyPass", "always"] + (["before"] if before else [])
    servers = {timeout: server_of(stage, timeout, number) for number, timeout in enumerate(TIMEOUTS)}
    return [
        way_of(stage, relays, server, name, timeout, f"127.0.9.{10 * number + place + 2}", before)
        for number, (timeout, server) in enumerate(servers.items())
        for place, name in enumerate(names)
    ]


def announce_all(stage, ways, end):
    while not end.wait(1):
        for way in ways:
            if way.front:
                stage.announce(announcement(way), group=way.front.group)


def run(ways, seconds, gap_of):
    """All of them ask at the same time; what they count is of this run."""
    end = time.monotonic() + seconds
    for way in ways:
        way.requests = way.failed = way.relay.made = way.relay.races = 0
    threads = [threading.Thread(target=way.go, args=(end, gap_of(way))) for way in ways]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def show(ways, what):
    for way in ways:
        print(
            f"| {what} | {way.timeout} s | {way.name} | {way.requests} | {way.relay.races} "
            f"({1000 * way.relay.races / way.requests:.1f}) | {way.failed} | "
            f"{100 * way.relay.made / way.requests:.0f} % |",
            flush=True,
        )


def near(way):
    rng = random.Random(way.timeout)
    return lambda: way.timeout + rng.uniform(-NEAR, NEAR)


def mean(way):
    rng = random.Random(way.timeout)
    return lambda: rng.expovariate(1 / MEAN)


def race(seconds=60, before=None):
    """before: a folder with an older mod_backhand.so, which takes part."""
    with Bench("race") as stage:
        relays = Relays()
        ways = make_ways(stage, relays, before and Path(before).resolve())
        over = threading.Event()
        announcer = threading.Thread(target=announce_all, args=(stage, ways, over))
        announcer.start()
        try:
            print(
                "| pause | KeepAliveTimeout | balancer | requests | ended under a request (of 1000) | failed | new "
                "connections |\n|" + " --- |" * 7
            )
            for gap_of, what in ((near, "near the timeout"), (mean, "a second in the mean")):
                run(ways, seconds, gap_of)
                show(ways, what)
        finally:
            over.set()
            announcer.join()
            for way in ways:
                if way.rival:
                    way.rival.stop(stage)
            relays.close()

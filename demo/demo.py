#!/usr/bin/python3 -ES
# Licensed under the Apache License, Version 2.0; see LICENSE.
"""make demo: a balancer and three servers, four real httpds, find each other by multicast and share requests by their
resources.

All of it lives on loopback addresses and in one temporary folder; nothing is left behind, however it ends.
"""

import _signal
import sys

# A signal while what is imported below is read, which takes half a second on a busy machine, ends Python without a
# traceback. (signal itself is one of the modules that take time; _signal is a part of the interpreter.)
_signal.signal(_signal.SIGINT, _signal.SIG_DFL)

import signal


def end_quietly(kind, problem, trace):
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, problem, trace)
        return
    print("\n  Ended.", flush=True)
    sys.exit(0)


def nothing(*_):
    """In the place of SIG_IGN, which a server that starts now would inherit."""


def interrupted(*_):
    # Once is enough: a second signal must not keep the servers from being ended.
    signal.signal(signal.SIGINT, nothing)
    signal.signal(signal.SIGTERM, nothing)
    raise KeyboardInterrupt


def interrupt_again(problem):
    """Python ignores what is raised in some places, in a callback of a fork for one."""
    if not issubclass(problem.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(problem)
        return
    signal.signal(signal.SIGALRM, interrupted)
    signal.setitimer(signal.ITIMER_REAL, 0.01)


sys.excepthook = end_quietly
sys.unraisablehook = interrupt_again
signal.signal(signal.SIGINT, interrupted)
signal.signal(signal.SIGTERM, interrupted)

import pathlib
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "Tests"))

from harness.client import Client  # noqa: E402 (after the path above)
from harness.httpd import BINARY, BUILD  # noqa: E402
from harness.stage import Stage  # noqa: E402
from harness.wait import wait_for  # noqa: E402

SIZES = {"small": 4, "medium": 8, "large": 16}
REQUESTS, CLIENTS = 300, 4
# Longer than an announcement's interval, so that the balancer decides on several states of its table.
SPREAD_OVER = 3.0
HELD = "medium"

MEMBER = """
UnixSocketDir ${sockets}
MulticastStats ${address}:${port} ${group},1
AcceptStats 127.0.0.0/29
Header setifempty X-Served-By "%s"
"""

BALANCER = (
    MEMBER % "balancer"
    + """
<Location />
    Backhand removeSelf
    Backhand byAge 6
    Backhand byRandom
    Backhand byBusyChildren
</Location>
<Location /backhand-status>
    SetHandler backhand-handler
    Backhand off
</Location>
"""
)

# A download of 1 kB/s: holds a worker until its client leaves.
SLOW = """
<Location /slow>
    SetOutputFilter RATE_LIMIT
    SetEnv rate-limit 1
</Location>
"""


def say(text=""):
    print(text, flush=True)


def send_requests(balancer):
    """Who served how many; a request that nobody served counts for its status."""

    def work(number):
        served = Counter()
        with Client(balancer.address, balancer.port) as client:
            begin = time.monotonic()
            for turn in range(REQUESTS // CLIENTS):
                due = begin + SPREAD_OVER * turn * CLIENTS / REQUESTS
                time.sleep(max(0, due - time.monotonic()))
                answer = client.request("/")
                served[answer.header("X-Served-By") if answer.status == 200 else f"status {answer.status}"] += 1
        return served

    with ThreadPoolExecutor(CLIENTS) as threads:
        return sum(threads.map(work, range(CLIENTS)), Counter())


def show(served):
    for name in [*SIZES, *(set(served) - set(SIZES))]:
        say(f"    {name:9} {served[name]:4}  {'▇' * round(served[name] / 5)}".rstrip())


def hold(server, count):
    """Clients that keep so many of the server's workers busy."""
    clients = [Client(server.address, server.port) for _ in range(count)]
    for client in clients:
        client.send("/slow")
    return clients


def perform(stage):
    balancer = stage.httpd(BALANCER, name="balancer", address="127.0.0.1", workers=32, start=False)
    servers = {
        name: stage.httpd(
            MEMBER % name + SLOW,
            name=name,
            address=f"127.0.0.{number}",
            workers=workers,
            children=1,
            modules=["ratelimit"],
            files={"slow": "x" * 200_000},
            start=False,
        )
        for number, (name, workers) in enumerate(SIZES.items(), 2)
    }
    for server in stage.httpds:
        # With all but one worker held, httpd itself says that it has few left.
        server.log.allow("AH00484|AH10159|AH00286")
        server.start()
    begin = time.monotonic()
    for server in stage.httpds:
        server.knows(*stage.httpds, deadline=15)

    say(f"\n  Four httpds on this machine found each other by multicast in {time.monotonic() - begin:.1f} s:\n")
    say(f"    balancer  http://{balancer.id}/")
    for name, server in servers.items():
        say(f"    {name:9} http://{server.id}/  {SIZES[name]} workers")

    say("\n  Chain of the balancer: removeSelf, byAge 6, byRandom, byBusyChildren")
    say(f"  {REQUESTS} requests to the balancer were served by\n")
    first = send_requests(balancer)
    show(first)

    held = SIZES[HELD] - 1
    holders = hold(servers[HELD], held)

    def is_seen():
        row = balancer.status().servers[servers[HELD].id]
        return row["workers"] - row["workers_idle"] >= held

    wait_for(is_seen, 10, f"the balancer to hear that {HELD} is busy", show=balancer.status)
    say(f"\n  Now slow downloads hold {held} of the {SIZES[HELD]} workers of {HELD}. {REQUESTS} more were served by\n")
    second = send_requests(balancer)
    show(second)

    command = [BUILD / "backhandctl", "status", "-s", balancer.control_socket]
    say(f"\n  The balancer's table: {' '.join(map(str, command))}\n")
    subprocess.run(command, check=True, timeout=20)
    say(f"\n  Status page: http://{balancer.id}/backhand-status")
    for client in holders:
        client.close()
    if sys.stdout.isatty():
        say("\n  Ctrl-C ends it.")
        while True:
            signal.pause()
    if sum(first[name] for name in SIZES) != REQUESTS or sum(second[name] for name in SIZES) != REQUESTS:
        return "Some requests were not served."
    if second[HELD] >= first[HELD]:
        return f"{HELD} was busy and got no fewer requests."
    return None


def main():
    missing = [
        str(path)
        for path in (BUILD / "mod_backhand.so", BUILD / "backhandctl", pathlib.Path(BINARY))
        if not path.exists()
    ]
    if missing:
        return f"Missing: {', '.join(missing)}. Run make first."
    try:
        with Stage("demo") as stage:
            return perform(stage)
    except KeyboardInterrupt:
        say("\n  Ended.")
        return None
    except AssertionError as problem:  # what the harness raises
        return str(problem)


if __name__ == "__main__":
    sys.exit(main())

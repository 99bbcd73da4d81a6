# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What clients see when the application of a server dies: make bench-checks.

Three applications, 200 requests a second. After four seconds one of them fails in one way: it hangs, answers 500 or
404 to all, or refuses connections. Its check fails in the same way. mod_backhand has its defaults, and
backhand-announce announces the applications with BackhandCheck. HAProxy has httpchk with the same interval, time-out
and number of failures.
"""

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness import ports, processes, sockets  # noqa: E402
from harness.announcer import Announcer, lines, state  # noqa: E402
from harness.haproxy import HAProxy  # noqa: E402
from harness.stage import CLUSTER_OF_9, Stage  # noqa: E402
from harness.wait import wait_for  # noqa: E402

RATE, SECONDS, FAULT = 200, 14, 4
KINDS = ("refuse", "hang", "500", "404")
FRONT = "127.0.9.60"
SERVERS = ("127.0.9.71", "127.0.9.72", "127.0.9.73")
TITLES = ("application", "balancer", "failed", "after the announcement", "last failure after", "longest request")
# The goals: failures of the two seconds until the check has failed twice, and of the one that the second may wait.
MOST_FAILED, MOST_SECONDS = 600, 3.0 + 0.5

BACKHAND = (
    CLUSTER_OF_9
    + """
BackhandNoCandidate Unavailable
Backhand removeSelf
Backhand default
"""
)

HAPROXY = """
global
    maxconn 8000
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout check 2s
    retries 3
    option redispatch
frontend front
    bind {front}:{port}
    default_backend farm
backend farm
    balance leastconn
    option httpchk GET /health
    http-check expect status 200-399
    default-server check inter 1s fall 2 rise 2
{servers}
"""


class Note(NamedTuple):
    """One request, in seconds since the fault."""

    begin: float
    end: float
    failed: bool


class Applications:
    def __init__(self, kind):
        self.places = [(address, ports.free_port(address)) for address in SERVERS]
        program = Path(__file__).with_name("application.py")
        self.processes = [
            subprocess.Popen([sys.executable, program, address, str(port), kind], preexec_fn=processes.end_with_parent)
            for address, port in self.places
        ]
        for place in self.places:
            wait_for(lambda place=place: sockets.is_listening(*place), 15, "an application")

    @property
    def ids(self):
        return [f"{address}:{port}" for address, port in self.places]

    def break_one(self):
        self.processes[0].send_signal(signal.SIGUSR1)

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()


class Backhand:
    def __init__(self, stage, applications):
        self.front = stage.httpd(BACKHAND, name="front", address=FRONT, workers=256, children=4)
        self.front.log.allow("AH0|AH1|BH0")
        self.announcer = Announcer(
            stage.folder, lines(stage, *((each, "BackhandCheck /health") for each in applications.ids))
        )
        for each in applications.ids:
            wait_for(lambda each=each: state(self.front, each) == "up", 15, "its servers")
        self.port = self.front.port

    def fails(self, place):
        """Whether the front has heard that the application fails."""
        return state(self.front, place) == "failing"

    def close(self):
        self.announcer.__exit__()
        self.front.stop()


def haproxy(stage, applications):
    port = ports.free_port(FRONT)
    servers = "\n".join(f"    server s{number} {each}" for number, each in enumerate(applications.ids))
    return HAProxy(stage.folder, FRONT, port, HAPROXY.format(front=FRONT, port=port, servers=servers))


CONTENDERS = {"mod_backhand": Backhand, "HAProxy, httpchk": haproxy}

# ---- The load ----


async def ask(port, fault):
    begin = time.monotonic() - fault
    failed = True
    with contextlib.suppress(OSError, asyncio.TimeoutError, ValueError, IndexError):
        async with asyncio.timeout(30):
            reader, writer = await asyncio.open_connection(FRONT, port)
            with contextlib.closing(writer):
                writer.write(b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
                answer = await reader.read()
                failed = answer.split(b" ", 2)[1] != b"200" or not answer.endswith(b"ok")
    return Note(begin, time.monotonic() - fault, failed)


async def announced(contender, place, fault):
    """When the front has heard of it, seconds since the fault; None: it does not say."""
    if not isinstance(contender, Backhand):
        return None
    while not await asyncio.to_thread(contender.fails, place):
        await asyncio.sleep(0.01)
    return time.monotonic() - fault


async def load(contender, applications):
    """Requests come by the clock, however long the answers take. Returns them, and when the fault was announced."""
    start = time.monotonic()
    fault = start + FAULT
    tasks, broken = [], False
    news = asyncio.ensure_future(announced(contender, applications.ids[0], fault))
    for number in range(RATE * SECONDS):
        due = start + number / RATE
        await asyncio.sleep(max(0, due - time.monotonic()))
        if not broken and due >= fault:
            applications.break_one()
            broken = True
        tasks.append(asyncio.ensure_future(ask(contender.port, fault)))
    notes = await asyncio.gather(*tasks)
    return notes, await asyncio.wait_for(news, 5)


def run(make, kind):
    with Stage("dying") as stage, contextlib.closing(Applications(kind)) as applications:
        with contextlib.closing(make(stage, applications)) as contender:
            return asyncio.run(load(contender, applications))


class Outcome(NamedTuple):
    """What clients saw, in requests and seconds."""

    failed: int
    early: int
    """Failed before the fault."""
    last: float
    """Begin of the last request that failed, after the fault."""
    longest: float
    late: int | None
    """Begun after the failure was announced, and failed; None: it is not announced."""

    @property
    def is_good(self):
        return (
            self.early == 0
            and self.late == 0
            and self.failed <= MOST_FAILED
            and max(self.last, self.longest) <= MOST_SECONDS
        )


def outcome(notes, announced):
    wrong = [note for note in notes if note.failed]
    return Outcome(
        len(wrong),
        len([note for note in wrong if note.end < 0]),
        max((note.begin for note in wrong), default=0.0),
        max(note.end - note.begin for note in notes),
        None if announced is None else len([note for note in wrong if note.begin > announced]),
    )


def main():
    missed = []
    print(f"| {' | '.join(TITLES)} |\n|{' --- |' * len(TITLES)}")
    for kind in KINDS:
        for name, make in CONTENDERS.items():
            found = outcome(*run(make, kind))
            late = "" if found.late is None else found.late
            times = f"{found.last:.1f} s | {found.longest:.1f} s"
            print(f"| {kind} | {name} | {found.failed} | {late} | {times} |", flush=True)
            if make is Backhand and not found.is_good:
                missed.append(f"{kind}: {found}")
    for each in missed:
        print(f"missed: {each}")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()

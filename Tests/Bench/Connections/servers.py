# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The servers of a cell, and their connections."""

import subprocess
import time

from Bench.Connections.cell import HERE, pause
from harness import sockets
from harness.httpd import BUILD
from harness.stage import CLUSTER_OF_9, Stage

KEEPALIVE = 5  # seconds: httpd's and Debian's default

# Children of a threaded server with so many workers.
CHILDREN = {4: 1, 16: 2, 150: 6}

# What httpds say when all workers are taken, which is for the figures to tell.
TAKEN = "AH00161|AH00286|AH00288|AH00484|AH03490"

# Where a server's scoreboard can be read.
BOARD = "run/board"


class Bench(Stage):
    """A stage whose logs are not looked at: connections that are cut between two turns are in them, and the figures
    tell the rest."""

    def __exit__(self, *_):
        self.close(check=False)


def size(mpm, workers):
    """Configuration: so many workers, all from the start."""
    if mpm != "prefork":
        return ""
    return f"MinSpareServers {workers}\nMaxSpareServers {workers}\nMaxRequestWorkers {workers}\n"


def servers_of(stage, mpm, workers, count):
    """Servers that wait for as many milliseconds as the path says."""
    config = (
        CLUSTER_OF_9
        + pause(stage)
        + size(mpm, workers)
        + f"KeepAliveTimeout {KEEPALIVE}\nScoreBoardFile ${{root}}/{BOARD}\n"
    )
    found = [
        stage.httpd(
            config, mpm=mpm, workers=workers, children=CHILDREN.get(workers, 2), address=f"127.0.9.{2 + number}"
        )
        for number in range(count)
    ]
    for server in found:
        server.log.always(TAKEN)
    return found


def connections(servers):
    """Open connections at these servers."""
    ends = {(server.address, server.port) for server in servers}
    return sum(one.local in ends for one in sockets.sockets(sockets.ESTABLISHED))


def release(servers):
    """Ends what a contender has kept, so that it costs the next one nothing: at once if the kernel lets us, else when
    the servers do."""
    for server in servers:
        subprocess.run(
            ["ss", "-K", "-tnH", "state", "established", "src", f"{server.address}:{server.port}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    end = time.monotonic() + KEEPALIVE + 1
    while connections(servers) and time.monotonic() < end:
        time.sleep(0.02)


def board():
    """board.c, built."""
    path = BUILD / "bench/board"
    path.parent.mkdir(exist_ok=True)

    def apxs(name):
        return subprocess.run(["apxs", "-q", name], capture_output=True, text=True, check=True).stdout.split()

    includes = ["-I" + path for name in ("INCLUDEDIR", "APR_INCLUDEDIR") for path in apxs(name)]
    subprocess.run(
        [
            "cc",
            "-O2",
            "-std=gnu11",
            "-Wall",
            "-Wextra",
            *apxs("EXTRA_CPPFLAGS"),
            *includes,
            "-o",
            path,
            HERE / "board.c",
            "-lapr-1",
        ],
        check=True,
    )
    return path


class Boards:
    """What the workers of these servers do, ten times a second, while the block runs; `samples`: seconds, and of each
    server (kept, busy)."""

    def __init__(self, servers):
        self.command = [board(), "100", *(server.root / BOARD for server in servers)]
        self.samples = []

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_):
        said, _ = self.process.communicate()
        for line in said.splitlines():
            at, *numbers = map(int, line.split())
            self.samples.append((at / 1000, list(zip(numbers[::2], numbers[1::2]))))

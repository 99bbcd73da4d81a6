# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One run of clients with think times: what was served, and how quickly. clients.c asks; mod_pause.c answers."""

import os
import subprocess
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from harness import modules
from harness.httpd import BUILD

HERE = Path(__file__).parent
SOURCES = (HERE / "clients.c", HERE.parent / "Balance/answer.c", HERE.parent / "Balance/generator.h")


class Answer(NamedTuple):
    """One request. Seconds; status 0: none came."""

    began: float
    took: float
    status: int
    target: int
    """Which of the targets was asked."""
    server: str
    """Which server answered."""
    in_time: bool
    """It came while the run lasted."""


@dataclass
class Result:
    """What one run, or several, gave. Seconds."""

    answers: list = field(default_factory=list)
    seconds: float = 0.0
    busy: float = 0.0
    """Share of the machine that the balancers, servers and clients used meanwhile."""

    @property
    def served(self):
        return sum(one.status == 200 and one.in_time for one in self.answers)

    @property
    def failed(self):
        return [one for one in self.answers if one.status != 200]

    def quantile(self, share):
        """Of the times; a request without an answer counts with the time for which it was waited for."""
        ordered = sorted(one.took for one in self.answers)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("inf")

    @property
    def p99(self):
        return self.quantile(0.99)

    def add(self, other):
        """Takes another run's answers, too."""
        self.busy = max(self.busy, other.busy)
        self.answers += other.answers
        self.seconds += other.seconds

    def __str__(self):
        return (
            f"{self.served} requests, p50 {1e3 * self.quantile(0.5):.1f} ms, p99 {1e3 * self.p99:.1f} ms, "
            f"{len(self.failed)} failed, "
            f"{100 * self.busy:.0f} % of the machine"
        )


def program():
    """clients.c, built if it is not."""
    path = BUILD / "bench/clients"
    if not path.exists() or path.stat().st_mtime < max(source.stat().st_mtime for source in SOURCES):
        path.parent.mkdir(exist_ok=True)
        subprocess.run(
            ["cc", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-o", path, *SOURCES[:2], "-lm"], check=True
        )
    return path


def pause(stage):
    """Configuration of a server that answers after a pause."""
    return (
        modules.build(stage.folder, "pause", (HERE / "mod_pause.c").read_text())
        + "<Location />\nSetHandler pause\n</Location>\n"
    )


def _used():
    """Seconds of processors that this process and all of its descendants have used."""
    children, ticks = defaultdict(list), {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:  # it has ended
            continue
        pid = int(path.parent.name)
        children[int(fields[1])].append(pid)
        ticks[pid] = sum(map(int, fields[11:15]))  # its own, and of children that have ended
    found = [os.getpid()]
    for pid in found:
        found += children[pid]
    return sum(ticks.get(pid, 0) for pid in found) / os.sysconf("SC_CLK_TCK")


def load(targets, clients, seconds, think, *, kept=False, path="/", seed=1, warm=0.0):
    """`clients` ask one request after the other, each after a pause of `think` seconds in the mean. targets:
    "address:port"s.

    What ends in the first `warm` seconds is left out.
    """
    before, start = _used(), time.monotonic()
    run = subprocess.run(
        [
            program(),
            str(clients),
            str(warm + seconds),
            str(round(1e6 * think)),
            "kept" if kept else "new",
            str(seed),
            path,
            *targets,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    used, took_all = _used() - before, time.monotonic() - start
    answers = []
    for line in run.stdout.splitlines():
        began, took, status, target, server = line.split()
        began, took = int(began) / 1e6, int(took) / 1e6
        if began + took >= warm:
            answers.append(Answer(began - warm, took, int(status), int(target), server, began + took <= warm + seconds))
    return Result(answers, seconds, used / took_all / os.cpu_count())

# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One run of clients with think times: what was served, and how quickly. clients.c asks; mod_pause.c answers."""

import subprocess
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
    """Share of the machine that was used meanwhile."""

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
        return (f"{self.served} requests, p50 {1e3 * self.quantile(0.5):.1f} ms, p99 {1e3 * self.p99:.1f} ms, {len(self.failed)} failed, "
                f"{100 * self.busy:.0f} % of the machine")


def program():
    """clients.c, built if it is not."""
    path = BUILD / "bench/clients"
    if not path.exists() or path.stat().st_mtime < max(source.stat().st_mtime for source in SOURCES):
        path.parent.mkdir(exist_ok=True)
        subprocess.run(["cc", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-o", path, *SOURCES[:2], "-lm"], check=True)
    return path


def pause(stage):
    """Configuration of a server that answers after a pause."""
    return modules.build(stage.folder, "pause", (HERE / "mod_pause.c").read_text()) + "<Location />\nSetHandler pause\n</Location>\n"


def _ticks():
    """Of all processors: busy, and all."""
    numbers = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(numbers) - numbers[3] - numbers[4], sum(numbers)


def load(targets, clients, seconds, think, *, kept=False, path="/", seed=1, warm=0.0):
    """`clients` ask one request after the other, each after a pause of `think` seconds in the mean. targets: "address:port"s.

    What begins in the first `warm` seconds is left out.
    """
    before = _ticks()
    run = subprocess.run([program(), str(clients), str(warm + seconds), str(round(1e6 * think)), "kept" if kept else "new", str(seed), path, *targets],
                         capture_output=True, text=True, check=True)
    after = _ticks()
    answers = []
    for line in run.stdout.splitlines():
        began, took, status, target, server = line.split()
        began, took = int(began) / 1e6, int(took) / 1e6
        if began >= warm:
            answers.append(Answer(began - warm, took, int(status), int(target), server, began + took <= warm + seconds))
    return Result(answers, seconds, (after[0] - before[0]) / max(1, after[1] - before[1]))

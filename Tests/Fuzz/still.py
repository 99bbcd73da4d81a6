# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Fuzzes targets, all at once, until each stands still: scripts/fuzz still.

A target ends when it has used an hour of CPU at least, and ten minutes of CPU since it last reached code that it had
not reached before. Both are time of the process itself, so that a busy machine does not count as standing still.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

PROGRAM = "build/backhand-fuzz"
TICKS = os.sysconf("SC_CLK_TCK")


class Run:
    """One target's fuzzer."""

    def __init__(self, target, length):
        found, corpus = Path("build/fuzz", target), Path("Tests/Fuzz/corpus", target)
        self.target = target
        self.log = Path(f"build/fuzz/{target}.txt")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    PROGRAM,
                    f"-artifact_prefix=build/fuzz/{target}-",
                    f"-max_len={length}",
                    "-print_final_stats=1",
                    found,
                    corpus,
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "FUZZ_TARGET": target},
            )
        self.read = 0
        self.coverage, self.runs, self.cpu, self.reached_at = 0, 0, 0.0, 0.0

    def look(self):
        """Reads what it has said since the last time."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(") ")[2].split()
            self.cpu = (int(fields[11]) + int(fields[12])) / TICKS
        except (OSError, IndexError):
            pass  # it has ended
        with self.log.open("rb") as log:
            log.seek(self.read)
            lines = log.read()
        lines = lines[: lines.rfind(b"\n") + 1]
        self.read += len(lines)
        for runs, coverage in re.findall(rb"^#(\d+)\s.*\bcov: (\d+)", lines, re.MULTILINE):
            self.runs = int(runs)
            if int(coverage) > self.coverage:
                self.coverage, self.reached_at = int(coverage), self.cpu
        for runs in re.findall(rb"^stat::number_of_executed_units:\s*(\d+)", lines, re.MULTILINE):
            self.runs = int(runs)

    def is_done(self, cpu, still):
        return self.cpu >= cpu and self.cpu - self.reached_at >= still

    def line(self):
        return (
            f"{self.target:9} cov {self.coverage:5}   runs {self.runs:12,}   CPU {self.cpu:7.0f} s   "
            f"nothing new for {self.cpu - self.reached_at:6.0f} s of CPU"
        )

    def end(self):
        """Ends it in an orderly way, and says whether nothing was found."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGUSR1)
        good = self.process.wait() == 0
        self.look()
        print(
            self.line() if good else f"{self.line()}\nfuzz: {self.target} failed; {self.log} has everything", flush=True
        )
        return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="+")
    parser.add_argument("--cpu", type=float, default=3600, help="seconds of CPU for each target, at least")
    parser.add_argument("--still", type=float, default=600, help="seconds of CPU without new coverage")
    parser.add_argument("--length", type=int, default=4096, help="bytes of an input, at most")
    arguments = parser.parse_args()
    runs = [Run(target, arguments.length) for target in arguments.targets]
    good, told = True, time.monotonic()
    try:
        while runs:
            time.sleep(1)
            for run in list(runs):
                run.look()
                if run.process.poll() is not None or run.is_done(arguments.cpu, arguments.still):
                    good &= run.end()
                    runs.remove(run)
            if time.monotonic() - told >= 300:
                told = time.monotonic()
                print("\n".join(f"... {run.line()}" for run in runs), flush=True)
    finally:
        for run in runs:
            run.end()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

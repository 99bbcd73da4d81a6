# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Connections that fit, measured: connections.py [--full] [matrix|doors|balancers|symmetric|uneven|shared|race...].

`make bench` runs all but race. It needs HAProxy.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from Bench.Connections.balancers import balancers  # noqa: E402
from Bench.Connections.doors import doors  # noqa: E402
from Bench.Connections.matrix import Setting, matrix  # noqa: E402
from Bench.Connections.race import race  # noqa: E402
from Bench.Connections.shared import shared  # noqa: E402
from Bench.Connections.symmetric import symmetric  # noqa: E402
from Bench.Connections.uneven import uneven  # noqa: E402
from Bench.parts import run  # noqa: E402

PARTS = ("matrix", "doors", "balancers", "symmetric", "uneven", "shared")


def setting(word):
    """event/prefork/4: balancer, servers, workers of each."""
    balancer, servers, workers = word.split("/")
    return Setting(balancer, servers, int(workers))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("part", nargs="*", choices=(*PARTS, "race", []))
    parser.add_argument(
        "--full", action="store_true", help="all 108 cells of the matrix, all sizes of symmetric clusters"
    )
    parser.add_argument(
        "--setting",
        action="append",
        type=setting,
        default=[],
        help="of matrix and doors only this, as in event/prefork/4: all its cells",
    )
    parser.add_argument("--seconds", type=float, default=60, help="of each part of race")
    parser.add_argument("--before", help="a folder with an older mod_backhand.so, for race")
    words = parser.parse_args()
    parts = words.part or PARTS
    known = {
        "matrix": lambda: matrix(words.full, words.setting),
        "doors": lambda: doors(words.full, words.setting),
        "balancers": balancers,
        "symmetric": lambda: symmetric(words.full),
        "uneven": uneven,
        "shared": shared,
        "race": lambda: race(words.seconds, words.before),
    }
    return run("connections", {part: known[part] for part in parts})


if __name__ == "__main__":
    sys.exit(main())

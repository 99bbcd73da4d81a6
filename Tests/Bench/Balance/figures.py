# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What is told of a run, and of several runs of one cell."""

import csv
import statistics
from collections import Counter
from typing import NamedTuple

# A run is void if one request in a hundred was sent later than this: it would measure the generator.
MOST_LAG_S = 0.002
# p99.9 of fewer requests is the time of a handful.
ENOUGH_FOR_P999 = 10_000


def quantile(values, share):
    """Of sorted values: the smallest that is not below this share of them."""
    return values[min(len(values) - 1, int(share * len(values)))]


class Figures(NamedTuple):
    """Times are milliseconds."""

    p50: float
    p90: float
    p99: float
    p999: float  # nan: too few requests
    requests: int
    failed: int  # over all of the run
    failed_get: int
    repeated: int  # by the client: a kept-alive connection ended under its request
    shares: tuple  # of each server, of what was answered well
    lag: float
    idle: float

    @property
    def is_void(self):
        return self.lag > 1000 * MOST_LAG_S


def of_latencies(latencies):
    """p50, p90, p99, p99.9 in milliseconds."""
    values = sorted(latencies)
    p999 = quantile(values, 0.999) if len(values) >= ENOUGH_FOR_P999 else float("nan")
    return [1000 * value for value in (quantile(values, 0.5), quantile(values, 0.9), quantile(values, 0.99), p999)]


def of(cell, servers):
    """The figures of one run."""
    good = Counter(outcome.server for _, outcome in cell.measured if outcome.is_good)
    bad = [request for request, outcome in zip(cell.requests, cell.outcomes) if not outcome.is_good]
    total = max(1, sum(good.values()))
    return Figures(
        *of_latencies(cell.latencies),
        len(cell.latencies),
        len(bad),
        sum(request.method == "GET" for request in bad),
        sum(outcome.repeated for outcome in cell.outcomes),
        tuple(good[f"s{number}"] / total for number in range(1, servers + 1)),
        1000 * quantile(cell.lags, 0.99),
        cell.idle,
    )


def median(runs):
    """Of several runs: the median of each figure; failures and repetitions of all together."""
    shares = tuple(statistics.median(values) for values in zip(*(one.shares for one in runs)))
    middle = [statistics.median(values) for values in zip(*((one.p50, one.p90, one.p99, one.p999) for one in runs))]
    return Figures(
        *middle,
        sum(one.requests for one in runs),
        sum(one.failed for one in runs),
        sum(one.failed_get for one in runs),
        sum(one.repeated for one in runs),
        shares,
        max(one.lag for one in runs),
        min(one.idle for one in runs),
    )


# GET and POST: failed requests.
HEAD = (
    f"{'':44} {'p50':>7} {'p90':>7} {'p99':>7} {'p99.9':>7} "
    f"{'GET':>6} {'POST':>6} {'again':>6} {'idle':>5}  shares in %"
)


def _ms(value):
    return "-" if value != value else f"{value:.1f}" if value < 1000 else f"{value:.0f}"


def line(title, figures):
    """One line of the table that is printed."""
    shares = " ".join(f"{100 * share:.0f}" for share in figures.shares)
    mark = f"  void: generator {figures.lag:.1f} ms late" if figures.is_void else ""
    return (
        f"{title:44} {_ms(figures.p50):>7} {_ms(figures.p90):>7} {_ms(figures.p99):>7} {_ms(figures.p999):>7} "
        f"{figures.failed_get:>6} {figures.failed - figures.failed_get:>6} "
        f"{figures.repeated:>6} {100 * figures.idle:>4.0f}%  {shares}{mark}"
    )


def bound_line(title, bound, servers):
    """The oracle's."""
    counts = Counter(server for _, server in bound)
    times = " ".join(f"{_ms(value):>7}" for value in of_latencies(latency for latency, _ in bound))
    shares = " ".join(f"{100 * counts[server] / len(bound):.0f}" for server in range(servers))
    return f"{title:44} {times} {'':>6} {'':>6} {'':>6} {'':>5}  {shares}"


FIELDS = (
    "scenario",
    "contender",
    "seed",
    "round",
    *(name for name in Figures._fields if name != "shares"),
    "void",
    "shares",
)


class Table:
    """Writes each run to a file as it comes."""

    def __init__(self, path):
        self._file = open(path, "w", newline="", encoding="ascii") if path else None
        self._writer = csv.writer(self._file) if path else None
        if path:
            self._writer.writerow(FIELDS)

    def add(self, scenario, contender, seed, number, figures):
        if not self._writer:
            return
        values = figures._asdict()
        shares = " ".join(f"{share:.4f}" for share in values.pop("shares"))
        self._writer.writerow(
            [
                scenario,
                contender,
                seed,
                number,
                *(f"{value:.4g}" if isinstance(value, float) else value for value in values.values()),
                int(figures.is_void),
                shares,
            ]
        )
        self._file.flush()

    def close(self):
        if self._file:
            self._file.close()

# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One cell of the matrix of connections: clients with think times, a balancer, servers; what was served, and how quickly."""

import http.client
import random
import threading
import time
from dataclasses import dataclass, field

from harness import client


@dataclass
class Result:
    """What one run of a cell gave. Seconds."""

    times: list = field(default_factory=list)
    failed: list = field(default_factory=list)

    @property
    def served(self):
        return len(self.times)

    def quantile(self, share):
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("inf")

    def __str__(self):
        return f"{self.served} requests, p50 {1e3 * self.quantile(0.5):.1f} ms, p99 {1e3 * self.quantile(0.99):.1f} ms, {len(self.failed)} failed"


def load(address, port, clients, seconds, think, kept=False, path="/", seed=1):
    """`clients` threads ask one request after the other, each after a pause of `think` seconds in the mean (exponential)."""
    result, lock, end = Result(), threading.Lock(), time.monotonic() + seconds

    def one(ask, rng):
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(rng.expovariate(1 / think), left))
            begin = time.monotonic()
            if begin >= end:
                return
            try:
                answer = ask()
                ok = answer.status == 200
            except (OSError, http.client.HTTPException) as error:
                ok, answer = False, error
            with lock:
                if ok:
                    result.times.append(time.monotonic() - begin)
                else:
                    result.failed.append(answer)
            if isinstance(answer, Exception) and kept:
                return

    def work(number):
        rng = random.Random(f"{seed}/{number}")
        if not kept:
            one(lambda: client.request(address, port, path, timeout=30), rng)
            return
        while time.monotonic() < end:
            with client.Client(address, port, timeout=30) as connection:
                one(lambda: connection.request(path), rng)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return result

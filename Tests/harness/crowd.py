# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Clients with an address each, all of which ask a server at the same time."""

import contextlib
import http.client
import itertools
import threading
import time
from collections import Counter
from typing import NamedTuple

from .wait import wait_for


@contextlib.contextmanager
def asking(clients, ask):
    """Threads call it again and again until the block ends. Connections may fail."""
    over = threading.Event()

    def work():
        while not over.is_set():
            with contextlib.suppress(OSError):
                ask()

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


class Asked(NamedTuple):
    """One request and what came of it."""

    path: str
    status: int
    server: str
    """The server in its trace; None: it has none."""
    at: float
    """Seconds since the crowd began."""
    took: float
    """Seconds until the whole answer was there."""


class Crowd:
    """So many clients, from 127.0.`network`.1 on. `paths`: each client takes one after the other, beginning at another
    one."""

    def __init__(
        self, front, clients=4, paths=("/a", "/b", "/c", "/d", "/e"), network=5, rate=None, cookie=None, **how
    ):
        """rate: requests a second of all together; None: each asks again as soon as it has an answer. cookie: of each
        client, by its number."""
        self.front, self.paths, self.rate, self.how = front, paths, rate, how
        self.sources = [f"127.0.{network}.{number + 1}" for number in range(clients)]
        self.cookie = cookie
        self.asked = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = []

    def _ask(self, number, source):
        paths = itertools.islice(itertools.cycle(self.paths), number, None)
        gap = len(self.sources) / self.rate if self.rate else 0
        due = time.monotonic() + gap * number / len(self.sources)
        headers = {"Cookie": self.cookie(number)} if self.cookie else {}
        client = self.front.client(source=source)
        while not self._stop.wait(max(0, due - time.monotonic()) if gap else 0):
            due += gap
            path = next(paths)
            began = time.monotonic()
            try:
                try:
                    answer = client.request(path, headers=headers, **self.how)
                except http.client.RemoteDisconnected:
                    # Event closes a kept connection if no thread is free at once. Clients ask again then.
                    client.close()
                    answer = client.request(path, headers=headers, **self.how)
                status, server = answer.status, answer.trace.server if answer.trace else None
            except OSError as error:
                status, server = 0, repr(error)
                client.close()
                client = self.front.client(source=source)
            ended = time.monotonic()
            with self._lock:
                self.asked.append(Asked(path, status, server, ended - self._begin, ended - began))
        client.close()

    def __enter__(self):
        self._begin = time.monotonic()
        self._threads = [threading.Thread(target=self._ask, args=pair, daemon=True) for pair in enumerate(self.sources)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def for_seconds(self, seconds):
        """Goes on for so long; what was asked meanwhile."""
        with self._lock:
            before = len(self.asked)
        time.sleep(seconds)
        with self._lock:
            return self.asked[before:]

    def for_requests(self, count, deadline=30):
        """Goes on until so many more requests have been answered, however slow the machine is; these."""
        before = len(self.asked)
        wait_for(lambda: len(self.asked) >= before + count, deadline, f"{count} answers")
        with self._lock:
            return self.asked[before:]


def shares(asked):
    """Of each server, the share of the requests that it answered."""
    counts = Counter(one.server for one in asked)
    return {server: count / len(asked) for server, count in counts.items()}


def p99(asked):
    """Seconds that one request of a hundred took longer than."""
    return sorted(one.took for one in asked)[-(len(asked) // 100 + 1)]

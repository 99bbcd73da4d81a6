# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A front with a chain for each of some paths, and servers that announce themselves: what the front does with their
answers."""

import math
import time

from .announce import Announcement
from .backend import Reply
from .front import announcing
from .stage import CLUSTER_OF_9
from .wait import wait_for

# Capacity 1600: four cores of 400. Two requests on average, 40 ms each.
MEANS = (0, 2000, 100_000, 40_000, 40_000, 500, 1600, 0)

# Chains that have evidence and times of their own: what comes behind them shares the first one's.
MOST = 7


def at_least(share, count):
    """What a server with this share of requests that are placed by chance has of so many: five standard deviations
    less, once in three million runs."""
    return share * count - 5 * math.sqrt(count * share * (1 - share))


class Farm:
    """`chains`: the lines of each, by name; the path /name has it. `answer(number, request)`: what a server answers;
    None: 200 after 40 ms."""

    def __init__(self, stage, chains, servers=3, first="Backhand removeSelf", **how):
        assert len(chains) <= MOST
        self.answer = lambda number, request: None
        self.backends = [stage.backend(f"127.0.9.{2 + number}", reply=self._reply(number)) for number in range(servers)]
        sections = [f"<Location /{name}>\n{first}\nBackhand {lines}\n</Location>\n" for name, lines in chains.items()]
        config = CLUSTER_OF_9 + "BackhandTrace On\nProxyTimeout 5\n" + "".join(sections)
        how = {"workers": 64, "group": stage.new_group(), **how}
        self.front = stage.httpd(config, **how)
        self.ids = [backend.id for backend in self.backends]
        announcements = [
            Announcement(backend.address, backend.port, means=MEANS, arriba=400_000, boot_id=number + 1)
            for number, backend in enumerate(self.backends)
        ]
        self._announcing = announcing(stage, self.front, *announcements)

    def _reply(self, number):
        return lambda request: self.answer(number, request) or Reply(200, b"", delay=0.04)

    def __enter__(self):
        self._announcing.__enter__()
        return self

    def __exit__(self, *error):
        return self._announcing.__exit__(*error)

    def at(self, number, path, method=None, since=0):
        """Requests for the path that the server has got since then."""
        return [
            one
            for one in self.backends[number].requests[since:]
            if one.target.startswith(path) and method in (None, one.method)
        ]

    def wait_until_avoided(self, *watched):
        """Each a server's number, a path and the crowd that asks for it: until the server gets no more of them than
        what looks whether it works again."""
        windows = [_Window(self, *one) for one in watched]
        # A list: each window is looked at each time.
        wait_for(
            lambda: all([window.is_avoided() for window in windows]),
            30,
            f"{[one[:2] for one in watched]} to be avoided",
        )

    def nowhere_in_backoff(self):
        """No server has been left out for all: that is what refused connections do."""
        servers = self.front.status().servers
        assert [(servers[one]["refused"], servers[one]["backoff_ms"]) for one in self.ids] == [(0, 0)] * len(self.ids)


class _Window:
    """What a server gets of a crowd's requests, begun anew whenever that is more than one a second."""

    def __init__(self, farm, number, path, crowd):
        self.farm, self.number, self.path, self.crowd = farm, number, path, crowd
        self._begin()

    def _begin(self):
        self.begin, self.got, self.asked = (
            time.monotonic(),
            len(self.farm.at(self.number, self.path)),
            len(self.crowd.asked),
        )

    def is_avoided(self):
        seconds = time.monotonic() - self.begin
        if len(self.farm.at(self.number, self.path)) - self.got > seconds + 1:
            self._begin()
            return False
        # Two of forty, where one in three is its share: once in 50,000 times.
        return len(self.crowd.asked) - self.asked >= max(40, 9 * (seconds + 1))


class Since:
    """From now on: what a server gets may be compared with the seconds that have really passed."""

    def __init__(self, farm):
        self.farm = farm
        self.counts = [len(backend.requests) for backend in farm.backends]
        self.begin = time.monotonic()

    def at(self, number, path, method=None):
        return self.farm.at(number, path, method, self.counts[number])

    @property
    def most_probes(self):
        """One request a second looks; the first may come at once, and one more may have been under way."""
        return time.monotonic() - self.begin + 2

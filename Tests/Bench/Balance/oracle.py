# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The bound: the same requests, given by somebody who knows every server as it is at that moment.

Each request goes where it is expected to end first: the rule of the simulator's oracle. It is not optimal for the
requests that come after, and knows how many requests are at a server but not how long they still take; nobody who can
be installed knows more. No network, no proxy, no CPU: the time of a request is that of waiting for a worker and of the
work. Where the work is CPU time, those at work share it equally.
"""

import heapq
import math
from collections import deque


class Server:
    """Workers that serve in the order of arrival."""

    def __init__(self, settings):
        self.slowness, self.fails, self.up = settings.slowness, settings.fails, settings.up
        self.workers = settings.workers
        self.free = [0.0] * settings.workers  # when each worker will be
        self.ends = []  # of the requests that are here, with their numbers

    def leave(self, now):
        """When each request has ended that has by now, and its number."""
        while self.ends and self.ends[0][0] <= now:
            yield heapq.heappop(self.ends)

    def expected(self):
        """What a mean request will take, in mean demands; of equal ones the emptiest."""
        queue = len(self.ends) + 1
        return max(1, queue / self.workers) * self.slowness + queue / self.workers * 1e-6

    def take(self, number, now, demand):
        end = max(now, heapq.heappop(self.free)) + demand * self.slowness
        heapq.heappush(self.free, end)
        heapq.heappush(self.ends, (end, number))


class Burning:
    """Workers that share a limited CPU equally; whoever waits for a worker does so in the order of arrival."""

    def __init__(self, settings):
        self.slowness, self.fails, self.up = settings.slowness, settings.fails, settings.up
        self.workers, self.limit = settings.workers, settings.limit
        self.now = 0.0
        self.done = 0.0  # CPU time that a request would have got that had been at work all the time
        self.at_work = []  # what done will be when they end, and their numbers
        self.waiting = deque()

    @property
    def speed(self):
        """What each request gets: never more than one core."""
        return min(1, self.limit / len(self.at_work)) / self.slowness

    def leave(self, now):
        """As Server; time goes on until now, with the limit that was set before."""
        while self.at_work:
            last, number = self.at_work[0]
            end = self.now + (last - self.done) / self.speed
            if end > now:
                self.done += (now - self.now) * self.speed
                break
            heapq.heappop(self.at_work)
            self.now, self.done = end, last
            if self.waiting:
                self._begin(*self.waiting.popleft())
            yield end, number
        self.now = now

    def expected(self):
        """As Server."""
        queue = len(self.at_work) + len(self.waiting) + 1
        return max(1, queue / self.limit) * self.slowness

    def take(self, number, now, demand):
        if len(self.at_work) < self.workers:
            self._begin(number, demand)
        else:
            self.waiting.append((number, demand))

    def _begin(self, number, demand):
        heapq.heappush(self.at_work, (self.done + demand, number))


def best(servers, _request):
    """Where it is expected to end first."""
    return min((server for server in servers if server.up and not server.fails), key=lambda server: server.expected())


def replay(scenario, requests, seconds, choose=best):
    """Of each request: its latency in seconds, and the server's number, from 0."""
    servers = [(Burning if settings.limit else Server)(settings) for settings in scenario.servers]
    events = deque(sorted(scenario.events(seconds), key=lambda event: event.at))
    ends, places = [0.0] * len(requests), []

    def leave(now):
        for server in servers:
            for end, number in server.leave(now):
                ends[number] = end

    for number, request in enumerate(requests):
        now = request.due / 1e6
        while events and events[0].at <= now:
            event = events.popleft()
            leave(event.at)
            setattr(servers[event.server], event.what, event.value)
        leave(now)
        server = choose(servers, request)
        server.take(number, now, request.demand / 1e6)
        places.append(servers.index(server))
    leave(math.inf)
    return [(end - request.due / 1e6, place) for end, request, place in zip(ends, requests, places)]

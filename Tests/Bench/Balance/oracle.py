# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The bound: the same requests, given by somebody who knows every server as it is at that moment.

Each request goes where it is expected to end first: the rule of the simulator's oracle. It is not optimal for the requests that come after, and knows
how many requests are at a server but not how long they still take; nobody who can be installed knows more. No network, no proxy, no
CPU: the time of a request is that of waiting for a worker and of the work.
"""

import heapq


class Server:
    """Workers that serve in the order of arrival."""

    def __init__(self, settings):
        self.slowness, self.fails, self.up = settings.slowness, settings.fails, settings.up
        self.workers = settings.workers
        self.free = [0.0] * settings.workers  # when each worker will be
        self.ends = []  # of the requests that are here

    def leave(self, now):
        while self.ends and self.ends[0] <= now:
            heapq.heappop(self.ends)

    def expected(self):
        """What a mean request will take, in mean demands; of equal ones the emptiest."""
        queue = len(self.ends) + 1
        return max(1, queue / self.workers) * self.slowness + queue / self.workers * 1e-6

    def take(self, now, demand):
        """When the request ends."""
        end = max(now, heapq.heappop(self.free)) + demand * self.slowness
        heapq.heappush(self.free, end)
        heapq.heappush(self.ends, end)
        return end


def best(servers, _request):
    """Where it is expected to end first."""
    return min((server for server in servers if server.up and not server.fails), key=Server.expected)


def replay(scenario, requests, seconds, choose=best):
    """Of each request: its latency in seconds, and the server's number, from 0."""
    servers = [Server(settings) for settings in scenario.servers]
    events = sorted(scenario.events(seconds), key=lambda event: event.at)
    found = []
    for request in requests:
        now = request.due / 1e6
        while events and events[0].at <= now:
            event = events.pop(0)
            setattr(servers[event.server], event.what, event.value)
        for server in servers:
            server.leave(now)
        server = choose(servers, request)
        found.append((server.take(now, request.demand / 1e6) - now, servers.index(server)))
    return found

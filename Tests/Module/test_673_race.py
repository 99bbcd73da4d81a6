# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Requests that come when servers are about to close their connections meet the end of none."""

from Bench.Connections.race import near, run, server_of, way_of
from Bench.Connections.relay import Relays


def test_no_connection_ends_under_a_request(stage):
    """A network of 1 ms, and requests within 20 ms of KeepAliveTimeout. Without the margin it is one in thirty."""
    relays = Relays()
    try:
        ways = [
            way_of(stage, relays, server_of(stage, timeout, number, 48), name, timeout, f"127.0.9.{2 + number}")
            for number, (name, timeout) in enumerate((("On", 1), ("On", 2), ("Auto", 2)))
        ]
        run(ways, 7, near)
        for way in ways:
            assert way.requests >= 48 and (way.relay.races, way.failed) == (0, 0), (
                way.name,
                way.timeout,
                way.requests,
                way.relay.races,
                way.failed,
            )
    finally:
        relays.close()

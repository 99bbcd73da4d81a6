# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Many children of a prefork balancer, a few requests at a time: as many connections as requests, half as many more,
and eight for each server."""

import pytest
from Bench.Connections.shared import NEW, SPARE, front_of, measure, servers_of

CLIENTS, CHILDREN, SERVERS = 6, 32, 2


@pytest.mark.alone
@pytest.mark.parametrize("kept", [False, True], ids=["new_clients", "kept_alive"])
def test_few_connections_for_many_children(stage, kept):
    servers = servers_of(stage, SERVERS)
    front = front_of(stage, servers, "Shared", CHILDREN)
    measure(front, servers, CLIENTS, 2, kept)  # fills the pool
    run = measure(front, servers, CLIENTS, 3, kept)
    print(run)
    assert run.most <= 1.5 * CLIENTS + SPARE * SERVERS
    # A pool in each child: 64 open, and 1 % and more are new, because children rest longer than the server keeps them.
    assert run.new < NEW

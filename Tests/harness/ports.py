# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Free ports and multicast groups of our own on the loopback interface."""

import collections
import os
import random
import socket

# Below the range that the kernel gives to outgoing connections (32768 and up), so that none of these takes a port of
# ours between its choice and its use; above the ports that programs are installed with.
ALL_PORTS = range(20000, 32000)


def ports_of(worker, count):
    """The share of one of so many processes that run tests side by side: none takes a port between another's choice and
    its use.

    worker: its name as pytest-xdist gives it, "gw0" and so on.
    """
    return ALL_PORTS[int(worker.removeprefix("gw")) :: count]


PORTS = ports_of(os.environ.get("PYTEST_XDIST_WORKER", "gw0"), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))

# Those given out last: servers that are just being started have them, but do not listen yet. Half of all are enough,
# and leave some to choose from.
_chosen = collections.deque(maxlen=len(PORTS) // 2)
_random = random.SystemRandom()


def free_port(*addresses):
    """A port that is free for TCP and UDP on all these addresses, and that was not given out lately."""
    addresses = addresses or ("127.0.0.1",)
    for _ in range(1000):
        port = _random.choice(PORTS)
        if port not in _chosen and all(_is_free(address, port) for address in addresses):
            _chosen.append(port)
            return port
    raise RuntimeError(f"no free port on {addresses}")


def _is_free(address, port):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True


def free_group():
    """A multicast group and port that no other test run uses: `("239.255.x.y", port)`."""
    group = f"239.255.{_random.randrange(1, 255)}.{_random.randrange(1, 255)}"
    return group, free_port("0.0.0.0")

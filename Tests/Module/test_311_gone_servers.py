# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Children let go of servers that are gone: their connections, descriptors and memory, but never under a request."""

import os
import time

from harness.announce import Announcement
from harness.conversation import Server
from harness.endurance import ENDURANCE
from harness.front import front_of, idle
from harness.httpd import PRELOADED
from harness.processes import resident
from harness.stage import CLUSTER
from harness.wait import wait_for
from harness.websocket import WebSocket, echo

# How many servers at once, how often they all move, and how many requests make sure that the child knows nearly all.
SERVERS, WAVES = (2000, 10) if ENDURANCE else (150, 3)
REQUESTS = 4 * SERVERS
MOST_OPEN = 1.1 * SERVERS + 2


def addresses(wave):
    """Loopback addresses that no other wave has."""
    return [f"127.{10 + wave}.{number // 250}.{number % 250 + 1}" for number in range(SERVERS)]


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def move(stage, front, servers, wave):
    """The same httpds at other addresses, as after a new lease: each row gets another address."""
    moved = [server.with_(address=address) for server, address in zip(servers, addresses(wave))]

    def told():
        stage.announce(*moved, group=front.group)
        known = set(front.status().servers)
        return all(server.id in known for server in moved)

    wait_for(told, 30, f"wave {wave}", every=0.5)
    return moved


def ask(front, count):
    """So many requests on one connection; the statuses."""
    statuses = set()
    with front.client() as client:
        for _ in range(count):
            statuses.add(client.request("/").status)
    return statuses


def figures(front):
    """Resident kB and descriptors of the largest child: a busy prefork has a second one."""
    children = front.children()
    return max(map(resident, children)), max(map(descriptors, children))


def swept(front, backend, most_held):
    """The figures, and connections a child, when what is gone is closed. Requests do that, once a second, and on a busy
    machine not in one second."""
    deadline = time.monotonic() + 6
    while True:
        time.sleep(1.1)
        assert ask(front, 1 + SERVERS // 64) == {200}
        size, held = figures(front)
        open_connections = backend.open / len(front.children())
        if (held <= most_held and open_connections <= MOST_OPEN) or time.monotonic() > deadline:
            return size, held, open_connections


def test_waves(stage, mpm):
    backend = stage.backend("0.0.0.0")
    front = stage.httpd(
        CLUSTER + "MaxKeepAliveRequests 0\nLogLevel warn\nBackhand removeSelf\nBackhand byRandom\n",
        mpm=mpm,
        children=1,
        workers=1 if mpm == "prefork" else 4,
    )
    front.log.allow("AH00957|AH01114")
    servers = [Announcement(address, backend.port) for address in addresses(0)]
    seen, full = [], None
    for wave in [*range(WAVES), 0]:
        servers = move(stage, front, servers, wave)
        assert ask(front, REQUESTS) == {200}
        # With connections to all servers of one wave; those that are not used for a second are closed before the
        # figures are taken.
        full = full or figures(front)
        seen.append(swept(front, backend, 1.1 * full[1] + 2))
    print(f"{mpm}: kB, descriptors and connections after each wave of {SERVERS}: {seen}")
    first, most = full
    # AddressSanitizer keeps for a while what is freed.
    growth = 1.3 if PRELOADED else 1.1
    for size, held, open_connections in seen:
        assert size <= growth * first and held <= 1.1 * most + 2, (full, seen)
        assert open_connections <= MOST_OPEN, seen


def test_a_tunnel_holds_its_server(stage, mpm):
    server, other = Server(echo), stage.backend("127.0.9.7")
    try:
        front = front_of(stage, server, mpm=mpm, children=1, workers=4)
        gone = Announcement(server.address, server.port)
        stage.plant(front, gone)
        socket = WebSocket(front)
        assert socket.say("before") == "before"
        here = gone.with_(address=other.address, port=other.port)
        wait_for(
            lambda: stage.announce(here, group=front.group) or here.id in front.status().servers,
            8,
            "the server at its new address",
            every=0.3,
        )
        for _ in range(3):
            assert front.get("/").text == other.id
            assert socket.say("after") == "after"
            time.sleep(0.6)
        assert socket.close()
        # Its old address is another peer, and found again when it comes back.
        wait_for(
            lambda: stage.announce(gone, group=front.group) or gone.id in front.status().servers,
            8,
            "the server at its old address",
            every=0.3,
        )
        again = WebSocket(front)
        assert again.say("again") == "again"
        assert again.close()
        idle(front, server)
    finally:
        server.close()

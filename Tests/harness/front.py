# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A front that sends everything to the servers behind it, for tests of what passes through."""

import contextlib
import threading
import time

from .announce import Announcement
from .stage import CLUSTER_OF_9
from .wait import wait_for

CHAIN = (
    CLUSTER_OF_9
    + """
BackhandTrace On
Backhand removeSelf
Backhand byLoad
"""
)


def announcement_of(server, **values):
    """What the server would announce: a Backend, an httpd, or anything with an address and a port."""
    return server if isinstance(server, Announcement) else Announcement(server.address, server.port, **values)


def front_of(stage, *servers, config="", chain=CHAIN, **how):
    """An httpd with a chain, which has heard the servers; the first is the least loaded one."""
    # A group of its own: several fronts of a stage do not hear each other.
    front = stage.httpd(chain + config, **{"name": f"front{len(stage.httpds) + 1}", "group": stage.new_group(), **how})
    stage.plant(front, *(announcement_of(server, load=1000 * number) for number, server in enumerate(servers)))
    return front


def row(front, server):
    """The server's row in the front's table."""
    return front.status().servers[server.id]


@contextlib.contextmanager
def announcing(stage, front, *servers):
    """Each server announces itself once a second while the block runs."""
    ended = threading.Event()

    def announce():
        while not ended.wait(1):
            stage.announce(*servers, group=front.group)

    stage.plant(front, *servers)
    thread = threading.Thread(target=announce)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def idle(front, server, deadline=5):
    """Waits until nothing of the front is under way at the server. An httpd that is stopped in a tunnel waits ten
    seconds for it."""
    wait_for(lambda: row(front, server)["in_flight"] == 0, deadline, "none in flight", show=lambda: row(front, server))


def together(front, count, path="/"):
    """Requests that are under way at the same time."""
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(front.get(path))) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status for answer in answers] == [200] * count
    return answers


# Seconds without a further request after which requests that meet are answered.
MEETING = 0.4


def meeting(answer):
    """For a backend where requests meet, however late some of them come: it answers when no more do."""
    last = [0.0]

    def reply(request):
        last[0] = time.monotonic()
        while (rest := last[0] + MEETING - time.monotonic()) > 0:
            time.sleep(rest)
        return answer(request)

    return reply


def kept(front, server):
    """Connections to the server that the front keeps."""
    return row(front, server)["kept"]

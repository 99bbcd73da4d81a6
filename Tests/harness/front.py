# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A front that sends everything to the servers behind it, for tests of what passes through."""

from .announce import Announcement
from .stage import CLUSTER_OF_9

CHAIN = CLUSTER_OF_9 + """
BackhandTrace On
Backhand removeSelf
Backhand byLoad
"""


def announcement_of(server, **values):
    """What the server would announce: a Backend, an httpd, or anything with an address and a port."""
    return server if isinstance(server, Announcement) else Announcement(server.address, server.port, **values)


def front_of(stage, *servers, config="", chain=CHAIN, **how):
    """An httpd with a chain, which has heard the servers; the first is the least loaded one."""
    front = stage.httpd(chain + config, **{"name": f"front{len(stage.httpds) + 1}", **how})
    stage.plant(front, *(announcement_of(server, load=1000 * number) for number, server in enumerate(servers)))
    return front


def row(front, server):
    """The server's row in the front's table."""
    return front.status().servers[server.id]

# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Everything that one test or demonstration starts, in one place, so that it ends together."""

import contextlib
import os
import shutil
import tempfile
import time
from pathlib import Path

from . import announce, ports
from .backend import Backend
from .httpd import Httpd
from .wait import Late, wait_for

# What makes an httpd of a stage a member of its cluster.
CLUSTER = """
UnixSocketDir ${sockets}
MulticastStats ${address}:${port} ${group},1
AcceptStats 127.0.0.0/8
"""

# The same, but ordinary clients (127.0.0.x) are no peers: only 127.0.9.x is.
CLUSTER_OF_9 = CLUSTER.replace("127.0.0.0/8", "127.0.9.0/24")


class Stage:
    """A folder, a multicast group, httpds and backends."""

    def __init__(self, label="stage"):
        # Paths of sockets have 107 characters at most: a long TMPDIR leaves too few.
        temporary = tempfile.gettempdir()
        self.folder = Path(
            tempfile.mkdtemp(prefix=f"backhand-{label}-", dir=temporary if len(temporary) < 25 else "/tmp")
        )
        # User and Group of httpd must be able to come in.
        self.folder.chmod(0o755)
        self.group = ports.free_group()
        self.httpds = []
        self.backends = []
        self._others = contextlib.ExitStack()

    def httpd(self, config="", *, name=None, start=True, **how):
        """A private httpd; see Httpd for the keywords."""
        how.setdefault("group", self.group)
        server = Httpd(self.folder, name or f"httpd{len(self.httpds) + 1}", config=config, **how)
        self.httpds.append(server)
        return server.start() if start else server

    @staticmethod
    def new_group():
        """Another multicast group, for an httpd that the others of this stage do not hear."""
        return ports.free_group()

    def backend(self, address="127.0.0.1", port=None, reply=None):
        """A web server that keeps what it gets."""
        server = Backend(address, port, reply)
        self.backends.append(server)
        return server

    def enter(self, other):
        """Begins a context that ends with the stage, after its httpds."""
        return self._others.enter_context(other)

    def announce(self, *announcements, source=None, group=None):
        """Sends announcements to the group, each from its own address unless another one is given."""
        for announcement in announcements:
            announce.send(announcement.encode(), group or self.group, source or announcement.address)

    def plant(self, httpd, *announcements, source=None, deadline=15):
        """Announces until the httpd has heard all of them; returns its table, new servers in this order."""
        if len(announcements) > 1:
            # Alone until it is heard: a datagram that is lost before the group is joined would change the order.
            self.plant(httpd, announcements[0], source=source, deadline=deadline)
        begin = time.monotonic()

        def all_heard():
            # Not after the answer, which a busy machine may delay: the row could be older than this call.
            asked = time.monotonic()
            table = httpd.status()
            ages = [table.servers[announcement.id]["age_ms"] for announcement in announcements]
            return table if (max(ages, default=0) + 1) / 1000 <= asked - begin else None

        # A group that is not joined yet loses datagrams: repeat.
        def told():
            self.announce(*announcements, source=source, group=httpd.group)
            try:
                return wait_for(all_heard, 0.25)
            except Late:
                return None

        wanted = [announcement.id for announcement in announcements]
        return wait_for(told, deadline, f"{httpd} to hear {wanted}", show=httpd.show_status)

    def logs(self):
        """Error logs by the servers' names."""
        return {server.name: server.log.text() for server in self.httpds}

    def check_logs(self):
        """Raises for the first error log with an unexpected line."""
        for server in self.httpds:
            server.log.check()

    def close(self, check=True):
        """Ends everything; raises the first thing that went wrong, after all of it was tried.

        check: error logs too.
        """
        wrong = None
        for server in reversed(self.httpds):
            try:
                server.stop()
            except BaseException as error:  # an interrupt must not keep the others alive
                server.end_everything()
                wrong = wrong or error
        for server in self.backends:
            server.close()
        self._others.close()
        try:
            if wrong is None and check:
                self.check_logs()
        finally:
            if not os.environ.get("BACKHAND_KEEP"):
                shutil.rmtree(self.folder, ignore_errors=True)
        if wrong:
            raise wrong

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        # What has gone wrong before tells more than the logs of it.
        self.close(check=kind is None)

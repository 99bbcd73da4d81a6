# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Servers that do not announce themselves: backhand-announce does it, on the same host, and asks them whether they
work."""

import os
import signal
import subprocess

from harness.announcer import Announcer
from harness.httpd import Httpd

CONFIG = """MulticastStats {group}:{port},1
AcceptStats 10.99.0.0/24
<Server {server}>
    BackhandCheck / interval=0.5 timeout=1
    IdleHoldsWorker Off
</Server>
"""


class Announced(Httpd):
    """An httpd whose moderator is, for the faults, its announcer."""

    def begin(self, group):
        self.group_of_all = group
        with self._there():
            self.announcer = Announcer(self.root, self._config())

    def _config(self):
        group, port = self.group_of_all
        return CONFIG.format(group=group, port=port, server=self.id)

    def moderators(self):
        return [self.announcer.process.pid]

    @property
    def control_socket(self):
        return self.announcer.sockets[0]

    def kill_moderator(self):
        """Killed, and started again as systemd does it."""
        self.announcer.process.kill()
        self.announcer.process.wait()
        with self._there():
            self.announcer.start()

    def moved(self):
        """The address is another one, so the file is."""
        self.announcer.write(self._config())
        self.announcer.send(signal.SIGHUP)

    def end(self):
        if self.announcer.process.poll() is None:
            os.kill(self.announcer.process.pid, signal.SIGCONT)
        try:
            self.announcer.stop()
        except subprocess.TimeoutExpired:
            self.announcer.process.kill()
        self.announcer.__exit__()

# Licensed under the Apache License, Version 2.0; see LICENSE.
"""HAProxy in the foreground."""

import subprocess

from . import sockets
from .processes import end_with_parent
from .wait import wait_for


class HAProxy:
    """Runs with a configuration that listens at the address and port; what it says goes to a file beside that."""

    def __init__(self, folder, address, port, config):
        self.address, self.port = address, port
        path = folder / "haproxy.cfg"
        path.write_text(config)
        self.log = (folder / "haproxy.txt").open("wb")
        self.process = subprocess.Popen(
            ["haproxy", "-db", "-f", path],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            preexec_fn=end_with_parent,
        )
        wait_for(lambda: sockets.is_listening(address, port), 15, "HAProxy to start")

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()

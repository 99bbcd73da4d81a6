# Licensed under the Apache License, Version 2.0; see LICENSE.
"""keepalived on a host of a network, with the configuration that is shipped."""

import re
import shutil
import subprocess

from . import processes
from .wait import wait_for

BINARY = "/usr/sbin/keepalived"


class Keepalived:
    """One keepalived; runs from `start` to `stop`."""

    def __init__(self, host, folder, text):
        """folder: of its own; it is made. text: keepalived.conf."""
        self.host, self.folder = host, folder
        self.process = None
        folder.mkdir()
        folder.chmod(0o755)
        (folder / "keepalived.conf").write_text(text)
        (folder / "log").touch()

    def start(self):
        """Starts it and waits until it takes part."""
        before = self.log().count("Entering BACKUP STATE (init)")
        with self.host.inside(), open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [
                    BINARY,
                    "--dont-fork",
                    "--vrrp",
                    "--log-console",
                    "--no-syslog",
                    "--log-detail",
                    f"--use-file={self.folder}/keepalived.conf",
                    f"--pid={self.folder}/pid",
                    f"--vrrp_pid={self.folder}/vrrp.pid",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=processes.end_with_parent,
            )
        wait_for(
            lambda: self.log().count("Entering BACKUP STATE (init)") > before,
            5,
            "keepalived to take part",
            show=self.log,
        )
        return self

    def log(self):
        """What it has said."""
        return (self.folder / "log").read_text(errors="replace")

    def has(self, address):
        """Whether its host has the shared address."""
        return address in self.host.addresses()

    def is_well(self):
        """Whether the check has succeeded last."""
        told = re.findall(r"VRRP_Script\(\w+\) (succeeded|failed|timed_out)", self.log())
        return bool(told) and told[-1] == "succeeded"

    def stop(self):
        """Ends it in order: it gives the address away."""
        if self.process:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


def why_not():
    """Why keepalived cannot run here; None if it can."""
    missing = [tool for tool in (BINARY, "curl", "jq") if not shutil.which(tool)]
    return f"{' and '.join(missing)} not found: make deps" if missing else None

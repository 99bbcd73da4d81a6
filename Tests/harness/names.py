# Licensed under the Apache License, Version 2.0; see LICENSE.
"""An httpd for which names have the addresses that the test says, and may change.

It has a mount namespace, in which /etc/hosts and /etc/resolv.conf are files of the test. What is not in the first is
asked of an address where no name server is.
"""

import shutil
import subprocess

from .httpd import Httpd

ENTER = 'mount --bind "$1" /etc/hosts && mount --bind "$2" /etc/resolv.conf && shift 2 && exec "$@"'


def _within(hosts, resolver, command):
    return ["unshare", "--mount", "sh", "-c", ENTER, "sh", str(hosts), str(resolver), *command]


def why_not():
    """Why there can be no such httpd here; None if there can."""
    if not shutil.which("unshare"):
        return "unshare not found"
    tried = subprocess.run(_within("/etc/hosts", "/etc/resolv.conf", ["true"]), capture_output=True, check=False)
    return f"no mount namespace can be made here: {tried.stderr.decode().strip()}" if tried.returncode else None


class NamedHttpd(Httpd):
    """names: the address of each, at first."""

    def __init__(self, folder, name, *, names, **how):
        super().__init__(folder, name, **how)
        self.hosts, self.resolver = self.root / "hosts", self.root / "resolv.conf"
        self.resolver.write_text("nameserver 127.0.9.53\noptions timeout:1 attempts:1\n")
        self.rename(names)

    def rename(self, names):
        """From now on these are the addresses."""
        lines = "".join(f"{address} {name}\n" for name, address in names.items())
        self.hosts.write_text(f"127.0.0.1 localhost\n{lines}")

    def command(self, *arguments):
        return _within(self.hosts, self.resolver, super().command(*arguments))

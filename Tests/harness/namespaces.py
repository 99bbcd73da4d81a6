# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Network namespaces: each has interfaces, addresses, ports and packet filters of its own.

They have no names: an open descriptor keeps each alive, so that the kernel removes it, with all its interfaces, when it
is closed or when this process ends, however it ends. A thread enters one with `with namespace.inside():`; its sockets,
and the threads and processes it starts meanwhile, belong there for good. To look around from a shell while a test
waits: nsenter --net=/proc/PID/fd/N.
"""

import contextlib
import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000
_OWN = "/proc/thread-self/ns/net"
_libc = ctypes.CDLL(None, use_errno=True)


def _call(function, *arguments):
    """unshare(2) or setns(2): they concern the calling thread only."""
    if function(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@contextlib.contextmanager
def _coming_back():
    """Whatever the block does, the thread is in its own namespace again after it."""
    own = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield
    finally:
        _call(_libc.setns, own, CLONE_NEWNET)
        os.close(own)


class Namespace:
    """One network namespace; empty but for its loopback interface, which is up."""

    def __init__(self):
        with _coming_back():
            _call(_libc.unshare, CLONE_NEWNET)
            self.descriptor = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
        self.run("ip", "link", "set", "lo", "up")

    @property
    def path(self):
        """What `ip link set ... netns` takes for a name."""
        return f"/proc/{os.getpid()}/fd/{self.descriptor}"

    @contextlib.contextmanager
    def inside(self):
        """The calling thread is in this namespace while the block runs."""
        with _coming_back():
            _call(_libc.setns, self.descriptor, CLONE_NEWNET)
            yield self

    def run(self, *command, text=None):
        """Runs a command in it; returns its output, raises with what it said."""
        with self.inside():
            result = subprocess.run(command, input=text, capture_output=True, text=True, timeout=30, check=False)
        if result.returncode != 0:
            raise OSError(f"{' '.join(command)}: {result.stderr.strip()}{chr(10) + text if text else ''}")
        return result.stdout

    def close(self):
        """Lets it go: it ends with the last process and socket in it."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


def why_none():
    """Why there are no namespaces here; None if there are."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    try:
        Namespace().close()
    except OSError as error:
        return f"network namespaces are not permitted here: {error}"
    return None

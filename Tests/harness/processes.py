# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What /proc tells of processes."""

import contextlib
import ctypes
import os
import signal
import subprocess
from pathlib import Path
from typing import NamedTuple

PR_SET_PDEATHSIG = 1
KERNEL = 2
"""The parent of all that is the kernel's own."""


class Process(NamedTuple):
    """One line of the process table; zombies are not in it."""

    pid: int
    name: str
    parent: int
    session: int
    state: str


def processes():
    """All living processes."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            text = _read(f"/proc/{entry}/stat").decode(errors="replace")
        except OSError:
            continue
        # The name stands in parentheses and may itself contain some.
        head, _, tail = text.rpartition(")")
        pid, _, name = head.partition(" (")
        fields = tail.split()
        if fields[0] not in "ZX":
            found.append(Process(int(pid), name, int(fields[1]), int(fields[3]), fields[0]))
    return found


def _read(path, most=4096):
    """A small file's bytes: the look at each process is repeated often, and pathlib costs three times as much."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, most)
    finally:
        os.close(descriptor)


def has_environment(process, word):
    """Whether it was started with this word in its environment; False where that may not be read."""
    if process.parent == KERNEL:
        return False
    try:
        return word.encode() in _read(f"/proc/{process.pid}/environ", 1 << 20).split(b"\0")
    except OSError:
        return False


def end_with_parent():
    """For preexec_fn: SIGTERM when the process that started us dies, so that a killed test run leaves nothing. SIGINT
    is not ignored, as it is by what a shell runs in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def unix_sockets(folder):
    """Paths of the bound AF_UNIX sockets below the folder."""
    paths = (line.split()[-1] for line in Path("/proc/thread-self/net/unix").read_text().splitlines()[1:])
    return sorted({path for path in paths if path.startswith(str(folder) + "/")})


def threads(pid):
    """How many threads the process has; 0 if it is gone."""
    try:
        return len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return 0


def peak_memory(pid):
    """The most bytes of memory that the process has had resident at once."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"process {pid} is gone")


def limit_descriptors(pid, soft):
    """Sets the limit of its descriptors. Only the process's own user may do that, where root has lost the right."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    user, group = int(status["Uid"].split()[0]), int(status["Gid"].split()[0])
    how = {"user": user, "group": group, "extra_groups": []} if os.geteuid() == 0 else {}
    subprocess.run(["prlimit", f"--pid={pid}", f"--nofile={soft}:"], check=True, stderr=subprocess.DEVNULL, **how)


def leave_descriptors(pid, free):
    """Takes the process's descriptors away, but for so many. Returns its limit before."""
    used = sorted(int(name) for name in os.listdir(f"/proc/{pid}/fd"))
    before = next(
        line.split()[3]
        for line in Path(f"/proc/{pid}/limits").read_text().splitlines()
        if line.startswith("Max open files")
    )
    limit_descriptors(
        pid, next(limit for limit in range(1, 4096) if limit - sum(number < limit for number in used) == free)
    )
    return before


def links(pid):
    """What each descriptor of the process is, as "socket:[123]" or a path; without those that it is closing."""
    found = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(entry))
    return found


def resident(pid):
    """Kilobytes of memory that the process has for itself or shares, as far as they are in memory."""
    lines = _read(f"/proc/{pid}/status").decode().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))

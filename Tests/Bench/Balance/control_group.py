# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Control groups, one for each server that burns CPU: how much of it all its processes together may use, changed while
they run."""

import os
from pathlib import Path

from harness.wait import wait_for

MOUNT = Path("/sys/fs/cgroup")
# A request waits this long at most when the limit is used up. Kernels take no quota below 1 ms: a shorter period would
# allow no tenth of a core.
PERIOD_US = 10_000
LEAST_QUOTA_US = 1000


def _folder():
    """Where groups for the CPU are made, and whether they are of version 2."""
    unified = MOUNT / "cgroup.controllers"
    if unified.exists() and "cpu" in unified.read_text(encoding="ascii").split():
        control = MOUNT / "cgroup.subtree_control"
        if "cpu" not in control.read_text(encoding="ascii").split():
            control.write_text("+cpu", encoding="ascii")
        return MOUNT, True
    if (MOUNT / "cpu/cpu.cfs_quota_us").exists():
        return MOUNT / "cpu", False
    raise OSError(f"no control groups for the CPU at {MOUNT}")


class ControlGroup:
    """One group; with makes and removes it. It belongs to this process: names of several benches do not meet."""

    def __init__(self, name):
        self._name = f"backhand-{os.getpid()}-{name}"
        self._path, self._is_unified = None, False
        self.limit = None

    @property
    def path(self):
        """Its directory; None before and after."""
        return self._path

    def __enter__(self):
        folder, self._is_unified = _folder()
        path = folder / self._name
        path.mkdir()
        self._path = path
        try:
            if not self._is_unified:
                self._write("cpu.cfs_period_us", PERIOD_US)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        path, self._path = self._path, None

        def is_gone():
            try:
                path.rmdir()
            except OSError:  # a process of it is still ending
                return not path.exists()
            return True

        if path:
            wait_for(is_gone, 5, f"the control group {path} to be empty")

    def _write(self, name, value):
        (self._path / name).write_text(f"{value}\n", encoding="ascii")

    def set(self, limit):
        """So many cores, from now on."""
        quota = round(limit * PERIOD_US)
        assert quota >= LEAST_QUOTA_US, f"{limit} of a core is less than a control group can be limited to"
        if self._is_unified:
            self._write("cpu.max", f"{quota} {PERIOD_US}")
        else:
            self._write("cpu.cfs_quota_us", quota)
        self.limit = limit

    def around(self, command):
        """The command, begun in this group: a server announces the capacity of the group that it began in."""
        return ["/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self._path / "cgroup.procs"), *command]


def problem():
    """Why control groups cannot be had here; "" if they can."""
    try:
        with ControlGroup("probe") as group:
            group.set(1)
    except OSError as error:
        return f"control groups cannot be made: {error}"
    return ""

# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The error log of a private httpd as a gate: a line at warn or above that no test named is a failure."""

import datetime
import math
import os
import re
import threading
import time
from pathlib import Path
from typing import NamedTuple

LEVELS = (
    "emerg",
    "alert",
    "crit",
    "error",
    "warn",
    "notice",
    "info",
    "debug",
    "trace1",
    "trace2",
    "trace3",
    "trace4",
    "trace5",
    "trace6",
    "trace7",
    "trace8",
)
GRAVE = frozenset(LEVELS[:5])

# What httpd itself says now and then, with our module or without.
KNOWN = (
    # Most tests run without a key, and that is worth a line; test_440_key.py looks for it.
    r"BH0110: no BackhandKey",
    # Most fronts of the tests are announced at 127.0.0.1, as an ordinary client, and accept servers at 127.0.9.x; many
    # chains of the tests have no cluster. test_106_advice.py looks for both.
    r"BH0143: MulticastStats announces 127\.",
    r"BH0141: the Backhand chain",
    # event: a connection lingers while its child ends (once in a hundred stops right after a request).
    r"AH03092: process_lingering_close: apr_pollset_add failure",
    r"AH03093: process_socket: apr_pollset_add failure for keep alive",
)

# A process that ended by a signal that nobody sends: httpd tells it as a notice.
_CRASHED = re.compile(r"AH0005[12]: child pid \d+ exit signal (?!Killed|Terminated)")

_CLOSED_TWICE = re.compile(r"\(9\)Bad file descriptor: AH00468: error closing socket")

_LINE = re.compile(
    r"\[(?P<time>[^\]]+)\] \[(?P<module>[^:\]]*):(?P<level>[a-z0-9]+)\] \[pid (?P<pid>\d+)[^\]]*\] (?P<text>.*)"
)


class Line(NamedTuple):
    """One line of the log. What httpd's format does not explain (a child's stderr) has the level "raw", which is
    grave."""

    level: str
    module: str
    pid: int
    text: str
    whole: str
    time: str = ""

    @property
    def when(self):
        """Seconds since 1970."""
        return datetime.datetime.strptime(self.time, "%a %b %d %H:%M:%S.%f %Y").timestamp()

    @property
    def is_grave(self):
        return self.level in GRAVE or self.level == "raw" or self.is_crash

    @property
    def is_crash(self):
        return _CRASHED.match(self.text) is not None

    @property
    def may_be_ending(self):
        return self.is_crash or _CLOSED_TWICE.match(self.text) is not None


def parse(whole):
    """Reads one line of httpd's default ErrorLogFormat."""
    found = _LINE.fullmatch(whole)
    if not found or found["level"] not in LEVELS:
        return Line("raw", "", 0, whole, whole)
    return Line(found["level"], found["module"], int(found["pid"]), found["text"], whole, found["time"])


class LogFailure(AssertionError):
    """The log holds a line that nobody named, or lacks one that was."""


class File:
    """A file of log lines that grows: each complete line is read and parsed once."""

    def __init__(self, path):
        self.path = Path(path)
        self._lines, self._read, self._inode, self._lock = [], 0, None, threading.Lock()

    def lines(self):
        """All complete lines so far; none if there is no such file. Another file in its place is read wholly."""
        with self._lock:
            try:
                with open(self.path, "rb") as file:
                    self._take(file)
            except FileNotFoundError:
                self._lines, self._read = [], 0
            return self._lines[:]

    def _take(self, file):
        status = os.fstat(file.fileno())
        if status.st_ino != self._inode or status.st_size < self._read:
            self._lines, self._read, self._inode = [], 0, status.st_ino
        file.seek(self._read)
        new = file.read()
        # A line that is still being written belongs to the next look.
        new = new[: new.rfind(b"\n") + 1]
        self._read += len(new)
        self._lines += [parse(line) for line in new.decode(errors="replace").splitlines() if line.strip()]


class ErrorLog:
    """One httpd's error log and stderr, checked from where the last check ended."""

    def __init__(self, *paths):
        self.paths = [Path(path) for path in paths]
        self._files = [File(path) for path in paths]
        self._checked = [0 for _ in paths]
        self._needed = []
        self._allowed = []
        self._always = []
        self._endings = []

    def always(self, pattern):
        """The server's configuration may cause lines that contain this regular expression, in all tests that share
        it."""
        self._always.append(pattern)

    def expect(self, pattern):
        """The test causes at least one line that contains this regular expression; further ones are fine."""
        self._needed.append(pattern)

    def allow(self, pattern):
        """The test may cause lines that contain this regular expression."""
        self._allowed.append(pattern)

    def lines(self, containing=""):
        """All lines so far that contain the regular expression."""
        wanted = re.compile(containing)
        return [line for file in self._files for line in file.lines() if wanted.search(line.whole)]

    def ending(self):
        """From now on until httpd says that they have ended, its children are ended, not gracefully.

        A child of the event MPM then closes the sockets of its workers, who may be closing them: event.c,
        close_worker_sockets, in httpd 2.4.71. Once in fifteen times under load it crashes there, or finds one closed,
        which is no matter of ours. Without load it is one of a thousand, with the module (747 restarts) and without
        (1007) alike.
        """
        self._endings.append(time.time())

    def _without_endings(self, lines):
        """Leaves out what that race does to children that were being ended."""
        if not any(line.may_be_ending for line in lines):
            return lines
        ends = [line.when for line in self.lines() if re.match("AH0049[14]: ", line.text)]
        spans = [(begin, next((end for end in ends if end >= begin), math.inf)) for begin in self._endings]
        return [
            line
            for line in lines
            if not (line.may_be_ending and any(begin <= line.when <= end for begin, end in spans))
        ]

    def grave(self, containing=""):
        """The lines that a test must name, and that contain the regular expression."""
        return [
            line
            for line in self._without_endings(self.lines(containing))
            if line.is_grave and not any(re.search(pattern, line.whole) for pattern in KNOWN)
        ]

    def count(self, containing):
        """How many lines contain the regular expression."""
        return len(self.lines(containing))

    def text(self):
        """The whole log."""
        return "\n".join(line.whole for line in self.lines())

    def check(self):
        """Raises LogFailure for what came since the last check; then forgets what was expected."""
        new = []
        for number, file in enumerate(self._files):
            lines = file.lines()
            new += lines[self._checked[number] :]
            self._checked[number] = len(lines)
        needed, allowed = self._needed, [*self._needed, *self._allowed, *self._always, *KNOWN]
        self._needed, self._allowed = [], []
        problems = [
            f"unexpected: {line.whole}"
            for line in self._without_endings(new)
            if line.is_grave and not any(re.search(pattern, line.whole) for pattern in allowed)
        ]
        problems += [
            f"missing: a line with {pattern}"
            for pattern in needed
            if not any(re.search(pattern, line.whole) for line in new)
        ]
        if problems:
            raise LogFailure(f"{self.paths[0]}:\n  " + "\n  ".join(problems))

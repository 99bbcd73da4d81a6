# Licensed under the Apache License, Version 2.0; see LICENSE.
"""How late this process is: beside a program that has the processors, what a test measures says little of servers."""

import threading
import time

PAUSE = 0.01
"""Seconds for which the thread sleeps at a time."""

MUCH = 0.15
"""Share by which a thread that sleeps ten milliseconds at a time takes longer, all pauses together. In a check on an
otherwise idle machine it is 3 to 10 %."""

LONG = 0.25
"""Seconds that it was late once."""


class Lateness:
    """While it is entered, a thread sleeps again and again, and counts how much longer it takes than it asked for."""

    def __init__(self):
        self.whole = self.longest = 0.0
        self.pauses = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _watch(self):
        while not self._over.is_set():
            begun = time.monotonic()
            time.sleep(PAUSE)
            late = time.monotonic() - begun - PAUSE
            self.whole += late
            self.longest = max(self.longest, late)
            self.pauses += 1

    @property
    def share(self):
        """Of the time that it slept."""
        return self.whole / (self.pauses * PAUSE) if self.pauses else 0.0

    @property
    def is_much(self):
        return self.share > MUCH or self.longest > LONG

    def __str__(self):
        return f"{self.share:.0%} late, {self.longest * 1000:.0f} ms at once"

# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Waiting for a condition with a deadline: nothing in the tests sleeps and hopes."""

import time


class Late(AssertionError):
    """A condition did not come true in time; the text tells the last state seen."""


def wait_for(condition, deadline=5.0, what="a condition", every=0.02, show=None):
    """Calls `condition` until it returns something true, which is returned; raises Late after `deadline` seconds.

    `show` is called for the last state seen, for the failure's text. An OSError or KeyError of the condition counts as
    "not yet".
    """
    end = time.monotonic() + deadline
    seen = None
    while True:
        try:
            seen = condition()
            if seen:
                return seen
        except (OSError, KeyError) as error:
            seen = error
        if time.monotonic() >= end:
            state = show() if show else seen
            raise Late(f"waited {deadline} s for {what}; last state: {state!r}")
        time.sleep(every)

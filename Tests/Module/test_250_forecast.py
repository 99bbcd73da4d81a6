# Licensed under the Apache License, Version 2.0; see LICENSE.
"""byForecast and byLeastTime over real servers: who is slow gets little, whatever it announces."""

from collections import Counter

import pytest
from harness.announce import Announcement
from harness.backend import Reply
from harness.stage import CLUSTER_OF_9
from harness.wait import wait_for

CONFIG = (
    CLUSTER_OF_9
    + """
BackhandTrace On
<Location /default>
    Backhand removeSelf
    Backhand default
</Location>
<Location /least>
    Backhand removeSelf
    Backhand byLeastTime
</Location>
<Location /sample>
    Backhand removeSelf
    Backhand bySample 1
</Location>
<Location /here>
    Backhand addSelf
</Location>
"""
)


def answering(delay, status=200):
    return lambda request: Reply(status, b"", delay=delay)


class Farm:
    def __init__(self, stage, mpm, replies, means):
        self.backends = [stage.backend(f"127.0.9.{2 + number}", reply=reply) for number, reply in enumerate(replies)]
        self.front = stage.httpd(CONFIG, mpm=mpm, group=stage.new_group())
        self._announcements = [
            Announcement(backend.address, backend.port, means=means, arriba=400_000) for backend in self.backends
        ]
        self._stage = stage
        stage.plant(self.front, *self._announcements)

    def shares(self, path, count=60):
        """Requests by server. The servers announce each time: with a slow one they would seem silent."""
        self._stage.announce(*self._announcements, group=self.front.group)
        return Counter(self.front.get(path).trace.server for _ in range(count))


# Capacity 1600: four cores of 400. Two requests on average, 20 ms each.
MEANS = (0, 2000, 100_000, 20_000, 20_000, 500, 1600, 0)


@pytest.mark.parametrize(
    "path, means",
    [("/default", MEANS), ("/default", ()), ("/least", ())],
    ids=["forecast", "without means", "least time"],
)
def test_the_slow_one_gets_little(mpm_stage, module_mpm, path, means):
    farm = Farm(mpm_stage, module_mpm, [answering(0.004), answering(0.08)], means)
    # A busy machine may have made the quick one's first answer the slowest: it is asked again.
    wait_for(
        lambda: farm.shares(path)[farm.backends[0].id] >= 50,
        20,
        "the slow one to get little",
        show=lambda: farm.shares(path),
    )


@pytest.mark.parametrize("path, means", [("/default", MEANS), ("/least", ())], ids=["forecast", "least time"])
def test_a_slow_first_answer(mpm_stage, module_mpm, path, means):
    """As of an application that loads: the server gets its share soon."""
    asked = []

    def reply(request):
        asked.append(request)
        return Reply(200, b"", delay=1 if len(asked) == 1 else 0.004)

    farm = Farm(mpm_stage, module_mpm, [reply, answering(0.02)], means)
    wait_for(
        lambda: farm.shares(path)[farm.backends[0].id] >= 50,
        60,
        "the quick one to get most",
        show=lambda: farm.shares(path),
    )


def test_fast_errors_repel(mpm_stage, module_mpm):
    farm = Farm(mpm_stage, module_mpm, [answering(0.01), answering(0, 500)], MEANS)
    shares = farm.shares("/default")
    assert shares[farm.backends[0].id] >= 50, shares


def test_a_sample_of_one_goes_everywhere(mpm_stage, module_mpm):
    farm = Farm(mpm_stage, module_mpm, [answering(0), answering(0)], MEANS)
    shares = farm.shares("/sample", 100)
    assert len(shares) == 2 and min(shares.values()) > 20, shares


def test_what_is_served_here_counts_in_row_0(mpm_stage, module_mpm):
    front = mpm_stage.httpd(CONFIG, mpm=module_mpm, group=mpm_stage.new_group(), files={"here/page": "here"})
    wait_for(lambda: front.status().servers, 10, "its own row")
    for _ in range(5):
        assert front.get("/here/page").body == b"here"

    def own():
        row = front.status().servers[front.id]
        return row["in_flight"], row["served"], row["failed"]

    # A request is over when its last byte is gone, which the client may notice before httpd.
    wait_for(lambda: own() == (0, 5, 0), 3, "five were served, none is left", show=own)

# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A quick wrong answer attracts nothing: classes of answers tell of speed only where all servers give them alike."""

import os
import random
import signal
import threading
from collections import Counter

import pytest
from harness.announce import Announcement
from harness.backend import Reply
from harness.crowd import Crowd, shares
from harness.stage import CLUSTER_OF_9
from harness.wait import wait_for

CONFIG = CLUSTER_OF_9 + """
BackhandTrace On
<Location />
    {self}
    Backhand {chain}
</Location>
"""

MEANS = (0, 2000, 100_000, 40_000, 40_000, 500, 1600, 0)


def good(status=200):
    return Reply(status, b"", delay=random.uniform(0.03, 0.05))


class Farm:
    """A front and three servers; `answers` makes the answer of each to a request."""

    def __init__(self, stage, answers, chain="default", self_="Backhand removeSelf", mpm="event"):
        self.answers = answers
        self.backends = [stage.backend(f"127.0.9.{2 + number}", reply=self._reply(number)) for number in range(3)]
        self.front = stage.httpd(CONFIG.replace("{chain}", chain).replace("{self}", self_), mpm=mpm, workers=32, children=2, group=stage.new_group())
        self.ids = [backend.id for backend in self.backends]
        stage.plant(self.front, *self._announcements())
        self.rest = threading.Event()
        self.teller = threading.Thread(target=self._announce, args=(stage,), daemon=True)
        self.teller.start()

    def _reply(self, number):
        return lambda request: self.answers(number, request)

    def _announcements(self):
        return [Announcement(backend.address, backend.port, means=MEANS, arriba=400_000, boot_id=number + 1)
                for number, backend in enumerate(self.backends)]

    def _announce(self, stage):
        while not self.rest.wait(1):
            stage.announce(*self._announcements(), group=self.front.group)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.rest.set()
        self.teller.join(5)


def part(asked, status):
    return Counter(one.status for one in asked)[status] / len(asked)


@pytest.mark.parametrize("chain", ["default", "byLeastTime", "byRandom"])
@pytest.mark.parametrize("wrong", [{2}, {1, 2}], ids=["one of three", "two of three"])
@pytest.mark.parametrize("status", [404, 403])
def test_quick_wrong_answers(stage, chain, wrong, status):
    """At most one in a hundred; and half of its share is back ten seconds after the application is deployed."""
    with Farm(stage, lambda number, request: Reply(status, b"") if number in wrong else good(), chain) as farm, Crowd(farm.front, 10) as crowd:
        crowd.for_seconds(4)
        assert part(crowd.for_seconds(5), status) <= 0.01
        farm.answers = lambda number, request: good()
        crowd.for_seconds(9)
        asked = crowd.for_seconds(2)
        assert set(shares(asked)) == set(farm.ids) and min(shares(asked).values()) > 1 / 6, shares(asked)


def test_one_client_and_one_page(stage):
    """All that is asked for is one page, by one address."""
    with Farm(stage, lambda number, request: Reply(404, b"") if number == 0 else good()) as farm, \
            Crowd(farm.front, 1, ("/page",)) as first, Crowd(farm.front, 1, ("/page",)) as second, Crowd(farm.front, 1, ("/page",)) as third:
        first.for_seconds(5)
        begun = len(second.asked), len(third.asked)
        asked = first.for_seconds(8) + second.asked[begun[0]:] + third.asked[begun[1]:]
        assert part(asked, 404) <= 0.015


def test_a_front_without_files(stage, mpm):
    """It has forgotten removeSelf, and answers 404 itself at once."""
    with Farm(stage, lambda number, request: good(), self_="", mpm=mpm) as farm, Crowd(farm.front, 10) as crowd:
        crowd.for_seconds(5)
        assert part(crowd.for_seconds(4), 404) <= 0.01


ALIKE = {
    "95 % 304": lambda: 304 if random.random() < 0.95 else 200,
    "50 % 401": lambda: random.choice((200, 401)),
    "30 % 404": lambda: 404 if random.random() < 0.3 else 200,
}


@pytest.mark.parametrize("kind", ALIKE)
def test_alike_on_all_servers(stage, kind):
    """No server is in doubt, and the quickest is found by whatever it answers: its share is what it is with 2xx only."""
    def answer(number, request):
        return Reply(ALIKE[kind]() if farm.mixed else 200, b"", delay=(0.02, 0.04, 0.08)[number] * random.uniform(0.9, 1.1))
    with_class = {}
    for mixed in (False, True):
        with Farm(stage, answer) as farm:
            farm.mixed = mixed
            with Crowd(farm.front, 12) as crowd:
                crowd.for_seconds(4)
                with_class[mixed] = shares(crowd.for_seconds(5))
    assert len(with_class[True]) == 3
    plain, other = (sorted(with_class[mixed].values()) for mixed in (False, True))
    # 5 % is what a long run has; some hundred requests have a standard deviation of two.
    assert all(abs(one - two) < 0.09 for one, two in zip(plain, other)), with_class


@pytest.mark.parametrize("status", [404, 401, 403])
@pytest.mark.parametrize("chain", ["default", "byRandom"])
def test_one_client_moves_nobody(stage, status, chain):
    """39 requests a second of one URL that one server answers so: four fifths of the others' requests there stay at least."""
    with Farm(stage, lambda number, request: Reply(status, b"") if number == 0 and request.target == "/bad" else good(), chain) as farm:
        with Crowd(farm.front, 8, rate=120) as others:
            others.for_seconds(2)
            before = shares(others.for_seconds(3))
            with Crowd(farm.front, 1, ("/bad",), network=6, rate=39):
                others.for_seconds(1.5)
                asked = others.for_seconds(4)
        assert {one.status for one in asked} == {200}
        assert shares(asked).get(farm.ids[0], 0) >= 0.8 * before[farm.ids[0]] - 0.07, (before, shares(asked))


def test_a_session_stays(stage):
    """A server that gives wrong answers keeps the sessions that it has."""
    with Farm(stage, lambda number, request: Reply(404, b"") if number == 0 and request.target != "/mine" else good(),
              "bySession\n    Backhand default") as farm:
        octets = "".join(f"{int(number):02x}" for number in farm.backends[0].address.split("."))
        cookie = f"PHPSESSID={octets}-{farm.backends[0].port:04x}-5f"
        with Crowd(farm.front, 8) as others, Crowd(farm.front, 1, ("/mine",), network=7, rate=20, cookie=lambda _: cookie) as owner:
            others.for_seconds(3)
            assert shares(others.for_seconds(2)).get(farm.ids[0], 0) < 0.03
            assert {(one.status, one.server) for one in owner.asked} == {(200, farm.ids[0])}


def test_without_a_moderator(stage):
    """What it has said of a server holds while it is stopped, and good answers end it all the same."""
    with Farm(stage, lambda number, request: Reply(404, b"") if number == 0 else good(), "byRandom") as farm, Crowd(farm.front, 10) as crowd:
        crowd.for_seconds(3)
        farm.front.log.allow("BH0410|BH0206|BH0307")
        moderator = farm.front.moderator()
        os.kill(moderator, signal.SIGSTOP)
        try:
            assert part(crowd.for_seconds(3), 404) <= 0.015
            farm.answers = lambda number, request: good()
            wait_for(lambda: shares(crowd.for_seconds(1)).get(farm.ids[0], 0) > 1 / 6, 12, "its share")
        finally:
            os.kill(moderator, signal.SIGCONT)

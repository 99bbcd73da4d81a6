# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A quick wrong answer attracts nothing: classes of answers tell of speed only where all servers give them alike.

Several chains are under test at once: each has evidence and times of its own. Shares are of so many requests, however
long those take.
"""

import contextlib
import os
import random
import signal
import time
from collections import Counter

import pytest
from harness.backend import Reply
from harness.crowd import Crowd, p99, shares
from harness.endurance import ENDURANCE
from harness.farm import Farm, at_least
from harness.httpd import MPMS
from harness.wait import wait_for

CHAINS = {"default": "default", "random": "byRandom", "time": "byLeastTime"}

# Of the requests of a chain one in 250 looks whether a server has the right answers again: two of 400 at most.
ONE_IN, MEASURED, MOST = 250, 400, 2


def good(status=200):
    return Reply(status, b"", delay=random.uniform(0.03, 0.05))


def wrong(request):
    """404 or 403, at once."""
    return Reply(random.choice((404, 403)), b"")


def pages(path):
    return tuple(f"/{path}/{number}" for number in range(5))


def wait_for_answers(crowds, count, deadline=60):
    """Until each crowd has had so many more answers; these, by name."""
    begun = {name: len(crowd.asked) for name, crowd in crowds.items()}
    wait_for(
        lambda: all(len(crowd.asked) >= begun[name] + count for name, crowd in crowds.items()),
        deadline,
        f"{count} answers of each",
    )
    return {name: crowd.asked[begun[name] : begun[name] + count] for name, crowd in crowds.items()}


def settle(crowds):
    """Until the servers have been compared: once a second, and from twenty answers of each on; a quick wrong one may
    have had all before."""
    time.sleep(4)
    wait_for_answers(crowds, 60)


def wrong_answers(asked):
    return sum(400 <= one.status < 500 for one in asked)


def is_back(farm, crowd):
    """Each server has half of its share at least, of the last requests."""
    part = shares(crowd.asked[-60:])
    return min(part.get(server, 0) for server in farm.ids) > 1 / 6


def test_quick_wrong_answers(stage):
    """At most one in a hundred, of one server or two of three; and half of its share is back ten seconds after the
    application is deployed."""
    chains = {f"{name}-{number}": lines for name, lines in CHAINS.items() for number in ("one", "two")}
    with Farm(stage, chains) as farm, contextlib.ExitStack() as stack:
        farm.answer = lambda number, request: (
            wrong(request) if number == 2 or (number == 1 and "-two/" in request.target) else good()
        )
        crowds = {name: stack.enter_context(Crowd(farm.front, 8, pages(name), rate=70)) for name in chains}
        settle(crowds)
        counts = {name: wrong_answers(asked) for name, asked in wait_for_answers(crowds, MEASURED).items()}
        assert all(count <= (2 * MOST if "-two" in name else MOST) for name, count in counts.items()), str(counts)
        assert 2 * MOST <= MEASURED / 100
        farm.answer = lambda number, request: good()
        for name, crowd in crowds.items():
            wait_for(
                lambda: is_back(farm, crowd),
                10,
                f"the servers' shares of {name}",
                show=lambda: shares(crowd.asked[-60:]),
            )


def test_one_client_and_one_page(stage):
    """All that is asked for is one page, by one address."""
    with Farm(stage, {"app": "default"}) as farm, contextlib.ExitStack() as stack:
        farm.answer = lambda number, request: wrong(request) if number == 0 else good()
        crowds = {number: stack.enter_context(Crowd(farm.front, 1, ("/app/page",))) for number in range(4)}
        settle(crowds)
        asked = wait_for_answers(crowds, 100)
        # One at a time: on a machine that grows slower, fewer requests come between two looks than at the rate before.
        assert sum(map(wrong_answers, asked.values())) <= 400 / 100


def test_a_front_without_files(stage):
    """It has forgotten removeSelf, and answers 404 itself at once. Under each MPM."""
    with contextlib.ExitStack() as stack:
        farms = {mpm: stack.enter_context(Farm(stage, {"app": "default"}, first="", mpm=mpm)) for mpm in MPMS}
        for farm in farms.values():
            farm.answer = lambda number, request: good()
        crowds = {mpm: stack.enter_context(Crowd(farm.front, 8, pages("app"), rate=80)) for mpm, farm in farms.items()}
        settle(crowds)
        counts = {mpm: wrong_answers(asked) for mpm, asked in wait_for_answers(crowds, MEASURED).items()}
        assert all(count <= MOST for count in counts.values()), counts


ALIKE = {
    "all-200": lambda: 200,
    "most-304": lambda: 304 if random.random() < 0.95 else 200,
    "half-401": lambda: random.choice((200, 401)),
    "some-404": lambda: 404 if random.random() < 0.3 else 200,
}


def answer_alike(number, request):
    """All servers give the same statuses; they differ by their times."""
    return Reply(
        ALIKE[request.target.split("/")[1]](), b"", delay=(0.02, 0.04, 0.08)[number] * random.uniform(0.9, 1.1)
    )


def wait_for_quickest(farm, name, crowd):
    """The first answer of a server may have been its slowest: one request in eight asks until twenty are known."""
    wait_for(
        lambda: len(crowd.asked) >= 200 and shares(crowd.asked[-100:]).get(farm.ids[0], 0) > 0.5,
        30,
        f"the quickest to be found by {name}",
        show=lambda: shares(crowd.asked[-100:]),
    )


def differences(farm, asked):
    """By class and server: by how much its share is another one than with 2xx only."""
    parts = {name: shares(answers) for name, answers in asked.items()}
    return {
        (name, server): abs(part.get(server, 0) - parts["all-200"].get(server, 0))
        for name, part in parts.items()
        for server in farm.ids
    }


@pytest.mark.alone
def test_alike_on_all_servers(stage):
    """No server is in doubt, and the quickest is found by whatever it answers. One class after the other: at the same
    time one displaces the other."""
    with Farm(stage, dict.fromkeys(ALIKE, "default")) as farm:
        farm.answer = answer_alike
        asked = {}
        for name in ALIKE:
            with Crowd(farm.front, 4, pages(name)) as crowd:
                wait_for_quickest(farm, name, crowd)
                asked[name] = crowd.for_requests(MEASURED)
        assert max(differences(farm, asked).values()) < 0.3, {name: shares(answers) for name, answers in asked.items()}


@pytest.mark.skipif(not ENDURANCE, reason="make endurance")
def test_alike_for_long(stage):
    """At the same servers and time, shares and p99 are within five hundredths of those with 2xx only. It needs a quiet
    machine."""
    with Farm(stage, dict.fromkeys(ALIKE, "default")) as farm, contextlib.ExitStack() as stack:
        farm.answer = answer_alike
        crowds = {name: stack.enter_context(Crowd(farm.front, 4, pages(name))) for name in ALIKE}
        for name, crowd in crowds.items():
            wait_for_quickest(farm, name, crowd)
        asked = wait_for_answers(crowds, 20_000, 300)
        assert max(differences(farm, asked).values()) < 0.05, {name: shares(answers) for name, answers in asked.items()}
        slowest = {name: p99(answers) for name, answers in asked.items()}
        assert max(slowest.values()) <= 1.05 * slowest["all-200"], str(slowest)


def test_one_client_moves_nobody(stage):
    """39 requests a second of one URL that one server answers so: four fifths of the others' requests there stay at
    least."""
    chains = {f"{name}-{status}": CHAINS[name] for name in ("default", "random") for status in (404, 401, 403)}
    with Farm(stage, chains) as farm, contextlib.ExitStack() as stack:
        farm.answer = lambda number, request: (
            Reply(int(request.target[1:].split("/")[0][-3:]), b"")
            if number == 0 and request.target.endswith("/bad")
            else good()
        )
        crowds = {name: stack.enter_context(Crowd(farm.front, 6, pages(name), rate=50)) for name in chains}
        wait_for_answers(crowds, 50)
        for name in chains:
            stack.enter_context(Crowd(farm.front, 1, (f"/{name}/bad",), network=6, rate=39))
        wait_for_answers(crowds, 75)
        asked = wait_for_answers(crowds, 200)
        for chain in ("default", "random"):
            of_chain = [one for name, some in asked.items() if name.startswith(chain) for one in some]
            assert not [one for one in of_chain if one.status != 200]
            assert Counter(one.server for one in of_chain)[farm.ids[0]] > at_least(0.8 / 3, len(of_chain)), (
                chain,
                shares(of_chain),
            )


def test_a_session_stays(stage):
    """A server that gives wrong answers keeps the sessions that it has."""
    with Farm(stage, {"app": "bySession\n    Backhand default"}) as farm:
        farm.answer = lambda number, request: (
            wrong(request) if number == 0 and request.target != "/app/mine" else good()
        )
        octets = "".join(f"{int(number):02x}" for number in farm.backends[0].address.split("."))
        cookie = f"PHPSESSID={octets}-{farm.backends[0].port:04x}-5f"
        with (
            Crowd(farm.front, 8, pages("app")) as others,
            Crowd(farm.front, 1, ("/app/mine",), network=7, rate=20, cookie=lambda _: cookie) as owner,
        ):
            farm.wait_until_avoided((0, "/app/0", others))
            # Beside a busy machine not from the first of them on.
            wait_for(lambda: shares(others.for_requests(200)).get(farm.ids[0], 0) < 0.03, 20, "few of the others'")
            assert len(owner.asked) > 20 and {(one.status, one.server) for one in owner.asked} == {(200, farm.ids[0])}


def test_without_a_moderator(stage):
    """What it has said of a server holds while it is stopped, and good answers end it all the same."""
    with Farm(stage, {"app": "byRandom"}) as farm, Crowd(farm.front, 10, pages("app")) as crowd:
        farm.answer = lambda number, request: wrong(request) if number == 0 else good()
        # A moderator that gets no processor compares later.
        wait_for(lambda: len(crowd.asked) > 200 and wrong_answers(crowd.asked[-100:]) <= 1, 30, "the doubt")
        farm.front.log.allow("BH0410|BH0206|BH0307")
        moderator = farm.front.moderator()
        os.kill(moderator, signal.SIGSTOP)
        try:
            asked = crowd.for_requests(MEASURED, deadline=60)
            # How often to look again is its word too, for the rate of then: once a second at most, however slow the
            # machine becomes.
            ends = [one.at for one in asked]
            assert wrong_answers(asked) <= max(MOST, 1 + max(ends) - min(ends))
            farm.answer = lambda number, request: good()
            wait_for(lambda: is_back(farm, crowd), 30, "its share")
        finally:
            os.kill(moderator, signal.SIGCONT)

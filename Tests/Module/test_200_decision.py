# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The decision for a planted table. BackhandMode Observe decides, tells, and serves here: no server behind is
needed."""

import itertools
import math
import re
from collections import Counter

import pytest
from harness.announce import Announcement
from harness.stage import CLUSTER_OF_9
from harness.wait import wait_for

GIB = 1 << 30

# Each of the first four is the best in one respect only.
IDLE = Announcement(
    "127.0.9.11",
    81,
    "least-load",
    load=100,
    workers=100,
    idle=40,
    cpu=300,
    load_hwm=8000,
    total_memory=8 * GIB,
    free_memory=GIB // 2,
    worker_memory=GIB,
)
FREE = Announcement("127.0.9.12", 82, "fewest-busy", load=4000, workers=100, idle=98, cpu=400, load_hwm=8000)
CALM = Announcement("127.0.9.13", 83, "most-idle-cpu", load=6000, workers=100, idle=60, cpu=950, load_hwm=8000)
ROOM = Announcement(
    "127.0.9.14",
    84,
    "least-cost",
    load=1000,
    workers=100,
    idle=50,
    cpu=350,
    load_hwm=8000,
    total_memory=8 * GIB,
    free_memory=7 * GIB,
    worker_memory=GIB // 16,
)
LAST = Announcement("127.0.9.15", 85, "nowhere-best", load=7000, workers=100, idle=30, cpu=200, load_hwm=8000)
TABLE = (IDLE, FREE, CALM, ROOM, LAST)

CONFIG = (
    CLUSTER_OF_9
    + """
BackhandTrace On
BackhandMode Observe
<Location /self>
    Backhand addSelf
</Location>
<Location /others>
    Backhand removeSelf
</Location>
<Location /nobody>
    Backhand removeSelf
    BackhandFromSO ${build}/byHostname.so byHostname ^no-such-name$
</Location>
<Location /back>
    Backhand removeSelf
    Backhand byLoad
    Backhand addSelf
</Location>
<Location /twice>
    Backhand removeSelf
    Backhand addSelf
    Backhand addSelf
</Location>
<Location /load>
    Backhand removeSelf
    Backhand byLoad
</Location>
<Location /biased-load>
    Backhand byLoad 1000
</Location>
<Location /busy>
    Backhand removeSelf
    Backhand byBusyChildren
</Location>
<Location /biased-busy>
    Backhand byBusyChildren 1000
</Location>
<Location /cpu>
    Backhand removeSelf
    Backhand byCPU
</Location>
<Location /cost>
    Backhand removeSelf
    Backhand byCost
</Location>
<Location /named>
    BackhandFromSO ${build}/byHostname.so byHostname (idle-cpu|nowhere)
    Backhand byLoad
</Location>
<Location /random>
    Backhand removeSelf
    Backhand byRandom
</Location>
<Location /window>
    Backhand removeSelf
    Backhand byRandom
    Backhand byLogWindow
</Location>
<Location /cascade>
    Backhand byAge 60
    Backhand removeSelf
    Backhand byLoad
    Backhand byLogWindow
    Backhand byCPU
</Location>
"""
)


@pytest.fixture(scope="module")
def server(module_stage):
    pages = (
        "self",
        "others",
        "nobody",
        "back",
        "twice",
        "load",
        "biased-load",
        "busy",
        "biased-busy",
        "cpu",
        "cost",
        "named",
        "random",
        "window",
        "cascade",
    )
    server = module_stage.httpd(CONFIG, files=dict.fromkeys(pages, "here"))
    module_stage.plant(server, *TABLE)
    return server


@pytest.mark.parametrize(
    "path, best, left",
    [
        ("/load", IDLE, [("removeSelf", 5), ("byLoad", 5)]),
        ("/busy", FREE, [("removeSelf", 5), ("byBusyChildren", 5)]),
        ("/cpu", CALM, [("removeSelf", 5), ("byCPU", 5)]),
        ("/cost", ROOM, [("removeSelf", 5), ("byCost", 5)]),
        ("/named", CALM, [("byHostname", 2), ("byLoad", 2)]),
        ("/back", IDLE, [("removeSelf", 5), ("byLoad", 5), ("addSelf", 6)]),
        # The two of least load are left; one of them has the calmer CPU.
        ("/cascade", ROOM, [("byAge", 6), ("removeSelf", 5), ("byLoad", 5), ("byLogWindow", 2), ("byCPU", 2)]),
    ],
)
def test_choice(server, path, best, left):
    answer = server.get(path)
    assert answer.body == b"here"
    assert (answer.trace.action, answer.trace.server) == ("proxy", best.id)
    assert answer.trace.left == left


@pytest.mark.parametrize(
    "path, left",
    [
        ("/self", [("addSelf", 6)]),
        ("/biased-load", [("byLoad", 6)]),
        ("/biased-busy", [("byBusyChildren", 6)]),
    ],
)
def test_choice_of_self(server, path, left):
    trace = server.get(path).trace
    assert (trace.action, trace.server, trace.left) == ("local", server.id, left)


def test_remove_and_add_self(server):
    trace = server.get("/others").trace
    assert trace.action == "proxy" and trace.server in {announcement.id for announcement in TABLE}
    assert server.get("/twice").trace.left == [("removeSelf", 5), ("addSelf", 6), ("addSelf", 6)]


def test_trace_shows_two_counts_only_where_they_differ(server):
    header = server.get("/cascade").header("Backhand-Trace")
    # What is said of the other servers follows.
    assert header.partition(" why=")[0].endswith(
        f"action=proxy server={ROOM.id} chain=byAge:6,removeSelf:6>5,byLoad:5,byLogWindow:5>2,byCPU:2"
    ), header


def test_nobody_left(server):
    answer = server.get("/nobody")
    assert (answer.status, answer.body, answer.trace.action) == (200, b"here", "none")
    assert answer.trace.left == [("removeSelf", 5), ("byHostname", 0)]


def within_five_deviations(picks, count, share):
    """One false alarm in a million runs."""
    return abs(picks - count * share) < 5 * math.sqrt(count * share * (1 - share))


def pick(server, path, count):
    with server.client() as client:
        return Counter(client.request(path).trace.server for _ in range(count))


def test_by_random_proportions(server):
    picks = pick(server, "/random", 500)
    assert set(picks) == {announcement.id for announcement in TABLE}
    assert all(within_five_deviations(number, 500, 1 / 5) for number in picks.values()), picks


def test_random_log_window_proportions(server):
    """byRandom; byLogWindow: log2(5) = 2 are left, every server equally often the first."""
    assert server.get("/window").trace.left == [("removeSelf", 5), ("byRandom", 5), ("byLogWindow", 2)]
    picks = pick(server, "/window", 500)
    assert all(within_five_deviations(picks[announcement.id], 500, 1 / 5) for announcement in TABLE), picks


def test_environment_for_logs(server):
    server.get("/load?for-the-log")
    line = server.logged("for-the-log")
    # It was served here, whatever the chain said.
    assert re.search(rf"action=local server={re.escape(IDLE.id)}$", line), line


def test_observed_decisions_are_logged(server):
    before = server.log.count(r"mode=observe action=proxy")
    server.get("/load")
    wait_for(lambda: server.log.count(r":info\].*mode=observe action=proxy") == before + 1, 5, "one line")


# ---- Ages, and what is decided without servers ----


def test_by_age_drops_who_is_silent(stage):
    server = stage.httpd(
        CLUSTER_OF_9
        + """
        BackhandTrace On
        BackhandMode Observe
        Backhand removeSelf
        Backhand byAge 3
    """
    )
    talking, silent = Announcement("127.0.9.21"), Announcement("127.0.9.22")
    stage.plant(server, talking, silent)
    assert server.get("/").trace.left == [("removeSelf", 2), ("byAge", 2)]

    def only_one_left():
        stage.announce(talking)
        return server.get("/").trace.left == [("removeSelf", 2), ("byAge", 1)]

    wait_for(only_one_left, 8, "byAge 3 to drop one", every=0.2)
    assert server.get("/").trace.server == talking.id
    # An announcement brings it back.
    stage.plant(server, talking, silent)
    assert server.get("/").trace.left == [("removeSelf", 2), ("byAge", 2)]


@pytest.mark.parametrize(
    "choice, status", [("", 200), ("BackhandNoCandidate Local", 200), ("BackhandNoCandidate Unavailable", 503)]
)
def test_no_candidate(stage, choice, status):
    server = stage.httpd(CLUSTER_OF_9 + f"BackhandTrace On\nBackhand removeSelf\n{choice}\n")
    server.knows()
    answer = server.get("/")
    assert answer.status == status
    assert answer.trace.action == "none"
    assert " action=none " in server.logged()


def test_before_anything_is_known_requests_are_served_here(stage, mpm):
    """From the first moment on, whether the moderator has written a row or not."""
    server = stage.httpd(CLUSTER_OF_9 + "Backhand byAge 6\nBackhand byRandom\n", mpm=mpm)
    assert [server.get("/").status for _ in range(5)] == [200] * 5


def test_odd_rows_are_survived(stage):
    """Zero cores, negative loads, extreme numbers: counted on by no function, fatal to none."""
    names = (
        "byLoad",
        "byLoad 1000",
        "byBusyChildren",
        "byBusyChildren 1000",
        "byCPU",
        "byLogWindow",
        "byRandom",
        "byCost",
        "byAge 5",
        "addSelf",
        "removeSelf",
    )
    places = "".join(
        f"<Location /{number}>\nBackhand {name}\nBackhand byCost\n</Location>\n" for number, name in enumerate(names)
    )
    server = stage.httpd(
        CLUSTER_OF_9 + "BackhandTrace On\nBackhandMode Observe\n" + places,
        files={str(number): "here" for number in range(len(names))},
    )
    extremes = (-(2**31), -1, 0, 1, 2**31 - 1)
    odd = [
        Announcement(
            "127.0.9.31",
            100 + number,
            load=a,
            load_hwm=b,
            cpu=a,
            ncpu=b,
            workers=a,
            idle=b,
            arriba=b,
            total_memory=abs(a),
            free_memory=2**64 - 1 if b > 0 else 0,
            worker_memory=2**64 - 1,
            arrivals=2**64 - 1,
        )
        for number, (a, b) in enumerate(itertools.product(extremes, extremes))
    ]

    def told():
        stage.announce(*odd)
        return set(server.status().others) == {announcement.id for announcement in odd}

    wait_for(told, 10, "the odd rows", every=0.1)
    children = server.children()
    for number, name in enumerate(names):
        answer = server.get(f"/{number}")
        assert (answer.status, len(answer.trace.chain)) == (200, 2), name
    assert server.children() == children

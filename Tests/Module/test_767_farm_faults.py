# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Farms and groups with lbmethod=backhand while something else fails."""

import os
import signal
import threading

import pytest
from Bench.Connections.contenders import DOORS
from harness.backend import Reply
from harness.front import announcement_of, front_of, row
from harness.stage import CLUSTER, CLUSTER_OF_9
from harness.wait import wait_for
from Module.test_580_child_ends import HURRIED

# ---- Children that are killed ----

REQUESTS = 20


@pytest.fixture(params=["farm", "lbmethod"])
def door(request):
    return request.param


def in_flight(front):
    return sum(each["in_flight"] for each in front.status().others.values())


def comes_to(front, count):
    wait_for(lambda: in_flight(front) == count, 15, f"{count} in flight", show=front.show_status)


def test_a_child_that_is_killed(stage, door, mpm, backends):
    """Its requests are in flight no more, and those of other children are answered."""
    go_on, answers = threading.Event(), []
    for each in backends:
        each.reply = lambda request: Reply(body=b"ok") if go_on.wait(30) else None
    modules, lines = DOORS[door]
    # No child has threads for all of them.
    how = {"workers": REQUESTS} if mpm == "prefork" else {"workers": REQUESTS + 4, "children": 2}
    front = stage.httpd(CLUSTER + lines(backends), modules=modules, mpm=mpm, **how)
    front.log.allow(HURRIED)
    children = wait_for(
        lambda: len(found := front.children()) >= how.get("children", REQUESTS) and found, 5, "children"
    )

    def work():
        try:
            answers.append(front.get("/").status)
        except OSError:
            answers.append(None)

    clients = [threading.Thread(target=work) for _ in range(REQUESTS)]
    for client in clients:
        client.start()
    try:
        comes_to(front, REQUESTS)
        for child in children[: len(children) // 2]:
            os.kill(child, signal.SIGKILL)
        wait_for(lambda: answers, 10, "the children's ends")
        wait_for(lambda: in_flight(front) == REQUESTS - len(answers), 10, "theirs to be gone", show=front.show_status)
    finally:
        go_on.set()
        for client in clients:
            client.join()
    assert set(answers) == {None, 200}
    comes_to(front, 0)
    rows = front.status().others.values()
    assert [(each["failed"], each["backoff_ms"]) for each in rows] == [(0, 0)] * len(backends)
    assert sum(each["served"] for each in rows) == answers.count(200)


# ---- Pages with parts ----

PAGE = b'<!--#include virtual="/part/a" -->,<!--#include virtual="/part/b" -->'
INCLUDES = "<Location /page>\nOptions +Includes\nSetOutputFilter INCLUDES\n{}</Location>\n"
PARTS = "AthEngine On\n<AthFarm parts>\n{}</AthFarm>\nProxyPass /part/ http://parts/\n"


@pytest.mark.parametrize("way", ["chain", "farm", "lbmethod"])
def test_parts_of_a_page(stage, way, mpm):
    """A page whose parts come from a farm, with one member that is dead and one that is slow: the page's server is
    charged with neither."""
    page, dead, slow = (stage.backend(f"127.0.9.{number}") for number in (70, 71, 72))
    page.reply = lambda request: Reply(body=PAGE, headers={"Content-Type": "text/html"})
    slow.reply = lambda request: Reply(body=b"part", delay=0.5)
    modules, lines = DOORS[way]
    lines = lines([page]).replace("ProxyPass / ", "ProxyPass /page ").replace("AthEngine On\n", "")
    parts = PARTS.format(f"AthMember {dead.id} loadfactor=100\nAthMember {slow.id}\n")  # the dead one is asked first
    config = parts + (INCLUDES.format(lines) if way == "chain" else INCLUDES.format("") + lines)
    front = front_of(
        stage,
        *([announcement_of(page)] if way == "chain" else []),
        chain=CLUSTER_OF_9 + config,
        mpm=mpm,
        modules={*modules, "athena", "include"},
    )
    front.log.allow("AH00957|AH01114|AH00959")
    dead.close()
    assert [front.get("/page").text for _ in range(3)] == ["part,part"] * 3
    of_page, of_dead, of_slow = (row(front, each) for each in (page, dead, slow))
    assert (of_page["served"], of_page["failed"], of_page["refused"], of_page["in_flight"]) == (3, 0, 0, 0)
    assert of_dead["refused"] and of_slow["served"] == 6
    assert of_slow["mean_ms"] >= 450 and of_page["mean_ms"] < 250
